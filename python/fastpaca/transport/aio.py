"""What a transport offers, on an event loop.

`sync.py` is made of this file by `tools/make_sync.py`; change this one.
"""

from __future__ import annotations

from typing import Protocol, Self

from fastpaca.streams.frames import Frame
from fastpaca.ticket import Reply
from fastpaca.types import Fit


class AsyncSubscription(Protocol):
    """Frames as they become visible, oldest first. Ends behind the frame `tombstoned` of its context, or when it is
    closed.
    """

    def __aiter__(self) -> Self:
        """Itself."""
        ...

    async def __anext__(self) -> Frame:
        """The next frame. Raises `NotFoundError`, or `InvalidError` for a cursor that nothing has reached."""
        ...

    async def __aenter__(self) -> Self:
        """Begins it, which iterating does by itself."""
        ...

    async def __aexit__(self, *_exc: object) -> None:
        """Closes it."""
        ...

    async def aclose(self) -> None:
        """Ends it. Again: does nothing."""
        ...


class AsyncTransport(Protocol):
    """How an interface reaches the contexts: in process, or over HTTP."""

    async def write(self, context_id: str, route: str, body: bytes, *, key: str | None) -> Reply:
        """Runs a write; see `Engine.write`."""
        ...

    async def describe(self, context_id: str, *, min_version: int) -> bytes:
        """The context's JSON. Like every read of a context it is not older than `min_version`."""
        ...

    async def window(
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

    async def compactions(self, context_id: str, *, cursor: int | None, limit: int, min_version: int) -> bytes:
        """A page of compactions as JSON, newest first."""
        ...

    async def lease(self, context_id: str, body: bytes) -> bytes:
        """Takes or renews a lease; see `Leases.take`."""
        ...

    async def release(self, context_id: str, body: bytes) -> None:
        """Ends a lease; see `Leases.release`."""
        ...

    async def replay(
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

    async def tail(self, context_id: str, *, offset: int, limit: int, min_version: int) -> bytes:
        """A page from the newest message backwards as JSON."""
        ...

    async def draft(self, context_id: str, message_id: str, offset: int, delta: str) -> int:
        """Continues a draft."""
        ...

    async def drop_draft(self, context_id: str, message_id: str) -> None:
        """Drops a draft."""
        ...

    async def contexts(self, *, prefix: str, needs_compaction: bool | None, cursor: str | None, limit: int) -> bytes:
        """A page of contexts as JSON."""
        ...

    def subscribe(
        self, context_id: str | None, *, cursor: int | str | None, include_messages: bool
    ) -> AsyncSubscription:
        """Frames of one context, or of all."""
        ...

    async def close(self) -> None:
        """Releases what it holds."""
        ...
