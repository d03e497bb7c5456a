"""How contexts are summarised."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, get_args

from fastpaca import types
from fastpaca.errors import InvalidError
from fastpaca.lease import SECONDS_MAX
from fastpaca.types import Format

LEASE_S: Final = 60
_CONCURRENCY_MAX: Final = 1000

OnError = Callable[[str, Exception], object]
"""Is told the id of a context and what went wrong with its summary; no id where it is the stream of all contexts that
failed, which is tried again. Called on the worker's own thread or loop.
"""


@dataclass(frozen=True, slots=True)
class Options:
    """The arguments of `auto_compact` and `compaction_worker`, checked."""

    fn: Callable[..., Any]
    format: Format | None
    concurrency: int
    lease_seconds: int
    on_error: OnError | None
    holder: str
    """What a lease says of who holds it."""

    @classmethod
    def checked(cls, fn: object, *, concurrency: int = 1, **given: Any) -> Options:
        """Raises `InvalidError` that names the argument."""
        for field, value in (("fn", fn), ("on_error", given["on_error"])):
            if not callable(value) and (value is not None or field == "fn"):
                message = f"{field}: expected a function, got {type(value).__name__}"
                raise InvalidError(message, details={"field": field})
        if given["format"] is not None:
            types.one_of("format", given["format"], get_args(Format))
        for field, count, most in (
            ("concurrency", concurrency, _CONCURRENCY_MAX),
            ("lease_seconds", given["lease_seconds"], SECONDS_MAX),
        ):
            if count is None:
                raise InvalidError(f"{field}: expected an integer, got None", details={"field": field})
            types.integer(field, count, 1, most)
        holder = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"[-255:]
        return cls(fn=fn, concurrency=concurrency, holder=holder, **given)  # type: ignore[arg-type]
