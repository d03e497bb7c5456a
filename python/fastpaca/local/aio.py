"""The contexts of this process, for an event loop: the transport behind the `AsyncStore` of `open_async`.

`sync.py` is made of this file by `tools/make_sync.py`; change this one.
"""

from __future__ import annotations

import asyncio
from typing import Any

from fastpaca import _core
from fastpaca.engine import Engine, not_before, writable
from fastpaca.streams.aio import AsyncFrames
from fastpaca.streams.drafts import check_delta
from fastpaca.ticket import Reply


class AsyncLocalTransport:
    """Reaches an engine of this process. `options` are those of the core's method of the same name."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    async def write(self, context_id: str, route: str, body: bytes, *, key: str | None) -> Reply:
        """Runs a write; see `Engine.write`."""
        return await self.engine.awrite(context_id, route, body, key=key)

    async def describe(self, context_id: str, *, min_version: int) -> bytes:
        """The context's JSON."""
        return await self.engine.aread(context_id, not_before(min_version, lambda context, _: context.describe()))

    async def window(self, context_id: str, *, min_version: int, **options: Any) -> tuple[bytes, str | None]:
        """The window's JSON, and the model that it goes to."""
        version = options["at_version"]

        def read(context: _core.Context, fetched: _core.Fetched) -> tuple[bytes, str | None]:
            return context.window(fetched, **options), context.model(fetched, at_version=version)

        return await self.engine.aread(context_id, not_before(min_version, read))

    async def compactions(self, context_id: str, *, min_version: int, **options: Any) -> bytes:
        """A page of compactions as JSON, newest first."""
        return await self.engine.aread(
            context_id, not_before(min_version, lambda context, fetched: context.compactions(fetched, **options))
        )

    async def lease(self, context_id: str, body: bytes) -> bytes:
        """Takes or renews a lease."""
        return await asyncio.to_thread(self.engine.lease, context_id, body)

    async def release(self, context_id: str, body: bytes) -> None:
        """Ends a lease."""
        await asyncio.to_thread(self.engine.release, context_id, body)

    async def replay(self, context_id: str, *, min_version: int, **options: Any) -> bytes:
        """A page of the log as JSON."""
        return await self.engine.aread(
            context_id, not_before(min_version, lambda context, fetched: context.replay(fetched, **options))
        )

    async def tail(self, context_id: str, *, min_version: int, **options: Any) -> bytes:
        """A page from the newest message backwards as JSON."""
        return await self.engine.aread(
            context_id, not_before(min_version, lambda context, fetched: context.tail(fetched, **options))
        )

    async def contexts(self, **options: Any) -> bytes:
        """A page of contexts as JSON; `options` are those of `Engine.contexts`."""
        return await asyncio.to_thread(self.engine.contexts, **options)

    async def draft(self, context_id: str, message_id: str, offset: int, delta: str) -> int:
        """Continues a draft."""
        offset, delta = check_delta(message_id, offset, delta)
        await self.engine.aread(context_id, writable)
        return self.engine.hub.draft(context_id, message_id, offset, delta)

    async def drop_draft(self, context_id: str, message_id: str) -> None:
        """Drops a draft."""
        self.engine.hub.drop_draft(context_id, message_id)

    def subscribe(self, context_id: str | None, *, cursor: int | str | None, include_messages: bool) -> AsyncFrames:
        """Frames of one context, or of all."""
        return AsyncFrames(self.engine.hub, context_id, cursor, include_messages=include_messages)

    async def close(self) -> None:
        """Writes what is under way and releases the store. Again: does nothing."""
        await asyncio.to_thread(self.engine.close)
