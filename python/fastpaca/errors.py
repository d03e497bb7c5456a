"""Every exception that Fastpaca raises on purpose.

    FastpacaError
    ├── ClosedError               used after close
    │   └── ForkedError           used in a forked child of the process that opened it
    ├── StoreError                the data directory can't be opened or read
    │   ├── StoreLockedError      another process, or this one, has it open
    │   ├── StoreFormatError      written by a newer Fastpaca
    │   └── StoreCorruptError     bytes on disk are not what was written
    ├── UnavailableError          the write was not taken; nothing of it exists
    │   ├── PoisonedError         an earlier write or sync failed; this store takes no more until it is opened again
    │   ├── OutcomeUnknownError   this write or its sync failed: it is there after a restart whole or not at all
    │   └── TransportError        no answer of the server: it was not reached, or what came is none of its own
    │       ├── TimedOutError     no answer in time
    │       └── MalformedReplyError   an answer that is not in the form agreed on
    ├── AuthenticationError       the API key is missing, or not known
    ├── PermissionDeniedError     the API key does not allow it
    ├── InvalidError              the request is malformed; `field` is a path into it
    ├── NotFoundError             there is no such context
    │   └── UnknownCompactionError    no caller's compaction has the version
    ├── ConflictError             the context is not in the state that the request needs
    │   ├── TombstonedError       it was deleted and takes no more writes
    │   ├── VersionConflictError  `if_version` is not its version
    │   ├── NotNewestError        `replace` names another message than the newest
    │   ├── CompactionConflictError   another compaction came after `up_to_version`
    │   ├── RevertConflictError   what the compaction left was changed since
    │   ├── DraftConflictError    the delta does not continue the draft
    │   ├── LeaseHeldError        another worker holds the lease
    │   └── LeaseLostError        the lease to renew has ended
    ├── AnswerError               what a model streamed is no complete answer
    │   ├── UnknownChunkError     a chunk, or what should give chunks, is of no kind that is known here
    │   ├── IncompleteAnswerError the chunks ended before the provider said that the answer is complete
    │   └── FailedAnswerError     the provider said that it failed
    ├── UnprocessableError        well formed, but can't be done
    │   ├── BudgetTooSmallError   no valid window fits; `needed_tokens` would do
    │   ├── EmptyReplacementError a replacement without content, and no `force`
    │   ├── KeyReusedError        the idempotency key was used for other content
    │   └── SummaryNotSmallerError    a summary has as many tokens as what it should replace, or more
    ├── NotYetError               the version asked for is not here yet
    └── DataError                 a context's stored data is damaged, erased, or of a newer release

`code` is stable and goes over the wire; the HTTP status of each lives in the HTTP layer. Errors of drivers are wrapped
once and chained, so `__cause__` holds what RocksDB or the operating system said.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, cast

from fastpaca._core import INVALID_CODES


class FastpacaError(Exception):
    """Base of all of them. `code` names the kind; the message is for people; `details` holds data by name."""

    code: str = "internal"

    def __init__(self, message: str, *, code: str | None = None, details: Details | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code
        self.details: Details = dict(details or {})

    def __getattr__(self, name: str) -> int | str | None:
        """Data by name: `error.field`, `error.needed_tokens`."""
        details = self.__dict__.get("details", {})
        if name in details:
            return cast("int | str | None", details[name])
        raise AttributeError(name)


class ClosedError(FastpacaError):
    """Used after `close`."""

    code = "closed"


class ForkedError(ClosedError):
    """Used in a child of the process that opened it. Open the store after the fork."""

    code = "forked"


class StoreError(FastpacaError):
    """The data directory can't be opened or read."""

    code = "store"


class StoreLockedError(StoreError):
    """The data directory has an owner already; the message names it."""

    code = "store_locked"


class StoreFormatError(StoreError):
    """The data directory was written by a newer Fastpaca."""

    code = "store_format"


class StoreCorruptError(StoreError):
    """Bytes on disk are not what was written."""

    code = "store_corrupt"


class UnavailableError(FastpacaError):
    """The write was not taken. Nothing of it exists, now or after a restart; trying again is safe."""

    code = "unavailable"


class PoisonedError(UnavailableError):
    """An earlier write or sync failed, so no more writes are taken until the store is opened again. Reads go on."""

    code = "poisoned"


class OutcomeUnknownError(UnavailableError):
    """The write or its sync failed: after a restart it is there whole or not at all. The same key settles it."""

    code = "outcome_unknown"


class TransportError(UnavailableError):
    """The server was not reached, broke off, or answered what no Fastpaca server does (a proxy's page: `status`).

    Whether a write was taken is not known. The same idempotency key settles it: `idempotency_key`.
    """

    code = "transport"


class TimedOutError(TransportError, TimeoutError):
    """No answer of the server in time. See `TransportError` for what it means of a write."""

    code = "timed_out"


class MalformedReplyError(TransportError):
    """A reply, or a frame of a stream, that is not in the form agreed on."""

    code = "malformed_reply"


class AuthenticationError(FastpacaError):
    """The API key is missing, or the server does not know it."""

    code = "unauthenticated"


class PermissionDeniedError(FastpacaError):
    """The API key does not allow it."""

    code = "permission_denied"


class InvalidError(FastpacaError, ValueError):
    """The request is malformed. `field` is a path into it, empty for the whole of it."""

    code = "invalid_field"


class NotFoundError(FastpacaError, LookupError):
    """There is no such context."""

    code = "unknown_context"


class UnknownCompactionError(NotFoundError):
    """No compaction of a caller's has `version`."""

    code = "unknown_compaction"


class ConflictError(FastpacaError):
    """The context is not in the state that the request needs."""

    code = "conflict"


class TombstonedError(ConflictError):
    """The context was deleted and takes no more writes."""

    code = "tombstoned"


class VersionConflictError(ConflictError):
    """`if_version` is not the context's version: `expected` and `actual`."""

    code = "version_conflict"


class NotNewestError(ConflictError):
    """`replace` names another message than the newest, whose id is `newest_id`."""

    code = "not_newest"


class CompactionConflictError(ConflictError):
    """Another caller's compaction or revert, at `version`, came after `up_to_version`."""

    code = "compaction_conflict"


class RevertConflictError(ConflictError):
    """What the compaction at `version` left was changed since, or it was reverted already."""

    code = "revert_conflict"


class LeaseHeldError(ConflictError):
    """Another worker, `holder`, holds the lease until `expires_at`."""

    code = "lease_held"


class LeaseLostError(ConflictError):
    """The lease that was to be renewed has ended."""

    code = "lease_lost"


class DraftConflictError(ConflictError):
    """The delta does not continue the draft, which is `length` characters long."""

    code = "draft_conflict"


class AnswerError(FastpacaError):
    """What a model streamed is no complete answer."""

    code = "answer"


class UnknownChunkError(AnswerError, TypeError):
    """A chunk, or what should give chunks, is of no kind that is known here: `type` names its class."""

    code = "unknown_chunk"


class IncompleteAnswerError(AnswerError):
    """The chunks ended before the provider said that the answer is complete."""

    code = "incomplete_answer"


class FailedAnswerError(AnswerError):
    """The provider said, in the middle of its answer, that it failed."""

    code = "failed_answer"


class UnprocessableError(FastpacaError):
    """The request is well formed, but can't be done."""

    code = "unprocessable"


class BudgetTooSmallError(UnprocessableError):
    """No valid window fits: `needed_tokens` would do."""

    code = "budget_too_small"


class EmptyReplacementError(UnprocessableError):
    """A replacement without content, and no `force`."""

    code = "empty_replacement"


class KeyReusedError(UnprocessableError):
    """The idempotency key was used for a request with other content."""

    code = "idempotency_key_reused"


class SummaryNotSmallerError(UnprocessableError):
    """A summary has `summary_tokens`, where the messages that it should replace have `range_tokens`."""

    code = "summary_not_smaller"


class NotYetError(FastpacaError):
    """The version asked for is not here yet: `wanted` and `actual`."""

    code = "version_not_reached"


class DataError(FastpacaError):
    """A context's stored data is damaged, erased, or was written by a newer release. Other contexts go on."""

    code = "corrupt"


Details = Mapping[str, int | str | None]

BY_CODE: Final[Mapping[str, type[FastpacaError]]] = {
    **{
        kind.code: kind
        for kind in (
            NotFoundError,
            TombstonedError,
            VersionConflictError,
            NotNewestError,
            CompactionConflictError,
            UnknownCompactionError,
            RevertConflictError,
            DraftConflictError,
            LeaseHeldError,
            LeaseLostError,
            BudgetTooSmallError,
            EmptyReplacementError,
            KeyReusedError,
            NotYetError,
            UnavailableError,
            PoisonedError,
            OutcomeUnknownError,
        )
    },
    **dict.fromkeys(("corrupt", "unknown_entry", "unknown_format", "erased"), DataError),
    **dict.fromkeys(INVALID_CODES, InvalidError),
}
"""The exception of each code of the core."""


def from_code(code: str, message: str, details: Details) -> FastpacaError:
    """The exception that stands for a code, with its data."""
    return BY_CODE.get(code, FastpacaError)(message, code=code, details=details)
