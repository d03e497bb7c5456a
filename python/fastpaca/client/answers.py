"""What a server's answer means: the error that it stands for, and whether to try again."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, NamedTuple

import httpx

from fastpaca import errors
from fastpaca.errors import FastpacaError, TransportError

STREAM_STATUS: Final = 503
"""What an error inside of a stream counts as, where its code does not say it: its head was a 200."""
_AGAIN: Final = frozenset({429, 502, 503, 504})
_SHOWN: Final = 200
"""Characters of an answer that is none of ours, in a message."""
_NEVER_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
_HOPELESS: Final = (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.InvalidURL)

_BY_STATUS: Final[Mapping[int, type[FastpacaError]]] = {
    401: errors.AuthenticationError,
    403: errors.PermissionDeniedError,
    404: TransportError,
    409: errors.ConflictError,
    422: errors.UnprocessableError,
    429: errors.UnavailableError,
    502: TransportError,
    503: errors.UnavailableError,
    504: TransportError,
}
"""For codes that name no exception of their own. Other 4xx are an `InvalidError`, other statuses a `FastpacaError`."""


class Answer(NamedTuple):
    """A reply as it came, of a status below 300."""

    status: int
    headers: httpx.Headers
    body: bytes


class Failure(NamedTuple):
    """An attempt that came to nothing."""

    error: FastpacaError
    again: bool
    """Whether another attempt may do better."""
    after_s: float = 0.0
    """What the server asks to wait at least."""
    in_doubt: bool = False
    """Whether a write may have been taken all the same."""


def judged(status: int, headers: httpx.Headers, body: bytes) -> Answer | Failure:
    """An answer, or what it failed with."""
    if 200 <= status < 300 and (status == 204 or _is_object(body)):  # noqa: PLR2004 - as everybody knows them
        return Answer(status, headers, body)
    error = error_of(body, status)
    in_doubt = isinstance(error, (TransportError, errors.OutcomeUnknownError))
    return Failure(error, status in _AGAIN, _after_s(headers.get("retry-after")), in_doubt)


def unreachable(error: Exception, url: str, timeout_s: float) -> Failure:
    """What stands for an exception of httpx."""
    in_doubt = not isinstance(error, _NEVER_SENT)
    failed: FastpacaError
    if isinstance(error, httpx.TimeoutException):
        failed = errors.TimedOutError(f"{url}: no answer within {timeout_s:.3g} s")
    else:
        failed = TransportError(f"{url}: {str(error) or type(error).__name__}")
    failed.__cause__ = error
    return Failure(failed, not isinstance(error, _HOPELESS), in_doubt=in_doubt)


def error_of(body: bytes, status: int) -> FastpacaError:
    """The exception of an answer, the same as in process where it is one of Fastpaca's."""
    fields = _object(body)
    code, message = fields.pop("error", None), fields.pop("message", None)
    if not isinstance(code, str) or not isinstance(message, str):
        return _foreign(body, status)
    details = {name: value for name, value in fields.items() if value is None or isinstance(value, (int, str))}
    kind = errors.BY_CODE.get(code) or _BY_STATUS.get(status)
    if kind is None:
        kind = errors.InvalidError if 400 <= status < 500 else FastpacaError  # noqa: PLR2004
    if issubclass(kind, errors.InvalidError):
        details.setdefault("field", "")
    return kind(message, code=code, details=details)


def _foreign(body: bytes, status: int) -> FastpacaError:
    """An answer that no Fastpaca server gave: a proxy's, or another service's."""
    shown = " ".join(body[: 4 * _SHOWN].decode(errors="replace").split())[:_SHOWN]
    message = f"the answer is not Fastpaca's: status {status}, {shown!r}"
    kind = _BY_STATUS.get(status) if status in {401, 403} else None
    if kind is not None:
        return kind(message)
    return TransportError(message, details={"status": status})


def _is_object(body: bytes) -> bool:
    """Whether it looks like one. What is in it the reader of it will find; big ones are not decoded twice."""
    return body.startswith(b"{") and body.endswith(b"}")


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _after_s(header: str | None) -> float:
    """`Retry-After`, which is seconds or a date; 0 for what is neither."""
    if header is None:
        return 0.0
    try:
        seconds = float(header)
    except ValueError:
        try:
            at = parsedate_to_datetime(header)
        except ValueError:
            return 0.0
        seconds = ((at if at.tzinfo else at.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds()
    return max(seconds, 0.0) if math.isfinite(seconds) else 0.0
