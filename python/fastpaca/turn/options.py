"""How an answer is streamed."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, get_args

from fastpaca import types
from fastpaca._core import TOKEN_BUDGET_MAX
from fastpaca.errors import InvalidError
from fastpaca.types import Cache, Format

_ID_BYTES_MAX: Final = 255


@dataclass(frozen=True, slots=True)
class Options:
    """The arguments of `stream`, checked."""

    fn: Callable[..., Any]
    format: Format | None
    cache: Cache | None
    budget: int | None
    close: bool
    message_id: str
    auto_append: bool
    keep_partial: bool
    drafts: bool

    @classmethod
    def checked(cls, fn: object, *, message_id: object, **given: Any) -> Options:
        """Raises `InvalidError` that names the argument."""
        if not callable(fn):
            raise InvalidError(f"fn: expected a function, got {type(fn).__name__}", details={"field": "fn"})
        if given["format"] is not None:
            types.one_of("format", given["format"], get_args(Format))
        elif given["cache"] is not None:
            raise InvalidError("cache: needs a format that has breakpoints", details={"field": "cache"})
        types.integer("budget", given["budget"], 1, TOKEN_BUDGET_MAX)
        if message_id is None:
            message_id = f"msg_{uuid.uuid4().hex}"
        return cls(fn=fn, message_id=_checked_id(message_id), **given)


def _checked_id(message_id: object) -> str:
    """Here, and not when the answer has been paid for: it is the id of a message and an idempotency key."""
    try:
        size = len(message_id.encode()) if isinstance(message_id, str) and message_id.isprintable() else 0
    except UnicodeEncodeError:
        size = 0
    if not isinstance(message_id, str) or not 1 <= size <= _ID_BYTES_MAX:
        message = f"message_id: expected a string of 1 to {_ID_BYTES_MAX} bytes that can be printed, got {message_id!r}"
        raise InvalidError(message, details={"field": "message_id"})
    return message_id
