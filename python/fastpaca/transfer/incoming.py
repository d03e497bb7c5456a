"""One context while its messages come in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from fastpaca import _core
from fastpaca.errors import ConflictError, DataError, InvalidError, NotFoundError
from fastpaca.transfer.content import checked, is_same

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from fastpaca.sync import Context
    from fastpaca.transcripts import Recorded
    from fastpaca.transfer.options import Options
    from fastpaca.transfer.report import Report
    from fastpaca.types import ContextInfo

BATCH_MESSAGES: Final = 500
BATCH_BYTES: Final = 1 << 20


class Incoming:
    """One context while its messages come in: those that its log holds already are passed over, the rest appended.

    The nth message of a conversation is compared with the nth of the log, so equal messages are told apart by their
    place. What is appended carries the version that the log was read at, and a key made of all messages so far: a
    batch that was in flight when an import was killed is in the log once, be it there before the next run or after.
    """

    def __init__(
        self,
        context: Context | None,
        path: Path,
        options: Options,
        report: Report,
        *,
        exported: Mapping[str, Any] | None = None,
        reached: int | None = None,
    ) -> None:
        """`context` is None for a store that is not there. `reached` is the `seq` that the same file came to before."""
        self.held_bytes = 0
        self.seq = reached or 0
        """The last message of the log that the file has reached."""
        self._context = context
        self._path = path
        self._options = options
        self._report = report
        self._exported = exported
        self._held: list[Recorded] = []
        self._digest = hashlib.blake2b(digest_size=16)
        self._unpaired = _core.Unpaired() if reached is None else None
        """None where what came before is not known any more."""
        self._configured: dict[str, Any] | None = None
        self._has_failed = False
        info = None if context is None else _info(context)
        self._exists = info is not None
        self._version = 0 if info is None else info.version
        self._last_seq = 0 if info is None else info.last_seq

    def push(self, recorded: Recorded) -> None:
        """Takes the next message. What is refused is reported, and left out."""
        message = recorded.message
        if self._options.counts_anew:
            message.pop("token_count", None)
        try:
            body, request = checked(message)
        except InvalidError as error:
            self._report.left_out += 1
            self._report.problems.add(f"{self._path}:{recorded.place}: {error}")
            return
        if self._held and (len(self._held) == BATCH_MESSAGES or self.held_bytes + len(body) > BATCH_BYTES):
            self._flush(is_last=False)
        if self._has_failed:
            self._report.left_out += 1
            return
        for named in self._unpaired.push(request, recorded.place) if self._unpaired is not None else ():
            self._report.orphans.add(f"{self._path}:{recorded.place}: result {_label(*named)} has no call")
        self._digest.update(body)
        self._held.append(recorded)
        self.held_bytes += len(body)

    def finish(self) -> None:
        """Appends the rest, and lets the policy run."""
        self._flush(is_last=True)
        if self._has_failed or self._unpaired is None:
            return
        for place, *named in self._unpaired.waiting():
            self._report.orphans.add(f"{self._path}:{place}: call {_label(*named)} has no result")

    def _flush(self, *, is_last: bool) -> None:
        left, self._held, self.held_bytes = self._held, [], 0
        if self._has_failed:
            return
        try:
            self._pass_over(left)
            if left or (self._exported is not None and not self._exists):
                self._configure(self._options.configuration(self._exported, is_last=is_last))
            elif is_last:
                self._configure(self._options.configuration(None, is_last=True))
            if left:
                self._append(left)
        except (InvalidError, ConflictError, DataError) as error:
            self._has_failed = True
            self._report.left_out += len(left)
            place = f":{left[0].place}" if left else ""
            self._report.problems.add(f"{self._path}{place}: {error}")
            if self._configured is not None:
                # It is not to stay under a policy that never runs.
                with suppress(InvalidError, ConflictError, DataError):
                    self._configure(self._options.configuration(self._exported, is_last=True))

    def _pass_over(self, left: list[Recorded]) -> None:
        """Takes out the messages that the log holds already. Raises `ConflictError` where it holds others."""
        if self._context is None or self.seq >= self._last_seq:
            return
        count = 0
        for recorded, stored in zip(left, self._stored(len(left)), strict=False):
            if not is_same(recorded.message, stored):
                del left[:count]
                message = f"the context {self._context.id!r} holds another message here (seq {stored['seq']})"
                raise ConflictError(f"{message}: nothing more is imported into it")
            self.seq = stored["seq"]
            self._report.present += 1
            count += 1
        if count < len(left):
            # There is no more of the log.
            self.seq = self._last_seq
        del left[:count]

    def _stored(self, count: int) -> Iterator[dict[str, Any]]:
        assert self._context is not None
        return islice(self._context.messages(from_seq=self.seq + 1, to_seq=self._last_seq), count)

    def _configure(self, fields: dict[str, Any]) -> None:
        if self._context is None or self._options.dry_run or (self._exists and fields in ({}, self._configured)):
            return
        info = self._context.configure(**fields)
        if info.last_seq != self._last_seq:
            raise ConflictError(f"somebody else writes to the context {self._context.id!r}")
        self._exists, self._configured, self._version = True, fields, info.version

    def _append(self, new: list[Recorded]) -> None:
        if self._context is not None and not self._options.dry_run:
            key = hashlib.blake2b(f"{self._version}".encode(), key=self._digest.digest(), digest_size=16).hexdigest()
            appended = self._context.append(
                [recorded.message for recorded in new], if_version=self._version, idempotency_key=f"import-{key}"
            )
            self._version, self.seq, self._last_seq = appended.version, appended.seq, appended.seq
        self._report.imported += len(new)


def _label(id: str | None, name: str | None) -> str:
    return id or name or "without an id"


def _info(context: Context) -> ContextInfo | None:
    try:
        return context.info()
    except NotFoundError:
        return None
