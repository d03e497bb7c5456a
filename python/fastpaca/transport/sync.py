"""What a transport offers, blocking.

Made of `aio.py` by `tools/make_sync.py`; change that one.
"""

from __future__ import annotations

from typing import Protocol, Self

from fastpaca.streams.frames import Frame
from fastpaca.ticket import Reply
from fastpaca.types import Fit


class Subscription(Protocol):
    """Frames as they become visible, oldest first. Ends behind the frame `tombstoned` of its context, or when it is
    closed.
    """

    def __iter__(self) -> Self:
        """Itself."""
        ...

    def __next__(self) -> Frame:
        """The next frame. Raises `NotFoundError`, or `InvalidError` for a cursor that nothing has reached."""
        ...

    def __enter__(self) -> Self:
        """Begins it, which iterating does by itself."""
        ...

    def __exit__(self, *_exc: object) -> None:
        """Closes it."""
        ...

    def close(self) -> None:
        """Ends it. Again: does nothing."""
        ...


class Transport(Protocol):
    """How an interface reaches the contexts: in process, or over HTTP."""

    def write(self, context_id: str, route: str, body: bytes, *, key: str | None) -> Reply:
        """Runs a write; see `Engine.write`."""
        ...

    def describe(self, context_id: str, *, min_version: int) -> bytes:
        """The context's JSON. Like every read of a context it is not older than `min_version`."""
        ...

    def window(
        self,
        context_id: str,
        *,
        budget_tokens: int | None,
        fit: Fit,
        close: bool,
        at_version: int | None,
        min_version: int,
        explain: bool = False,
    ) -> tuple[bytes, str | None]:
        """The window's JSON, and the model that it goes to."""
        ...

    def compactions(self, context_id: str, *, cursor: int | None, limit: int, min_version: int) -> bytes:
        """A page of compactions as JSON, newest first."""
        ...

    def lease(self, context_id: str, body: bytes) -> bytes:
        """Takes or renews a lease; see `Leases.take`."""
        ...

    def release(self, context_id: str, body: bytes) -> None:
        """Ends a lease; see `Leases.release`."""
        ...

    def replay(
        self,
        context_id: str,
        *,
        from_seq: int | None,
        to_seq: int | None,
        cursor: int | None,
        limit: int,
        all: bool,
        min_version: int,
    ) -> bytes:
        """A page of the log as JSON."""
        ...

    def tail(self, context_id: str, *, offset: int, limit: int, min_version: int) -> bytes:
        """A page from the newest message backwards as JSON."""
        ...

    def draft(self, context_id: str, message_id: str, offset: int, delta: str) -> int:
        """Continues a draft."""
        ...

    def drop_draft(self, context_id: str, message_id: str) -> None:
        """Drops a draft."""
        ...

    def contexts(self, *, prefix: str, needs_compaction: bool | None, cursor: str | None, limit: int) -> bytes:
        """A page of contexts as JSON."""
        ...

    def subscribe(self, context_id: str | None, *, cursor: int | str | None, include_messages: bool) -> Subscription:
        """Frames of one context, or of all."""
        ...

    def close(self) -> None:
        """Releases what it holds."""
        ...
