"""The contexts of a data directory of this process."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from fastpaca.engine import CACHE_BYTES, Engine, Reply, at_version
from fastpaca.log.rocks import RocksLog
from fastpaca.streams.drafts import check_delta
from fastpaca.streams.subscribe import AsyncFrames, Frames

_T = TypeVar("_T")

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from fastpaca import _core

    _Read = Callable[[_core.Context, _core.Fetched], _T]


class LocalTransport:
    """Reaches an engine of this process, blocking."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def write(self, context_id: str, route: str, body: bytes, *, key: str | None) -> Reply:
        """Runs a write; see `Engine.write`."""
        return self.engine.write(context_id, route, body, key=key)

    def describe(self, context_id: str, *, min_version: int) -> bytes:
        """The context's JSON."""
        return self.engine.read(context_id, _at(min_version, lambda context, _: context.describe()))

    def window(self, context_id: str, *, min_version: int, **options: Any) -> tuple[bytes, str | None]:
        """The window's JSON and the context's model; `options` are those of `_core.Context.window`."""
        return self.engine.read(
            context_id, _at(min_version, lambda context, fetched: (context.window(fetched, **options), context.model))
        )

    def compactions(self, context_id: str, *, min_version: int, **options: Any) -> bytes:
        """A page of compactions as JSON; `options` are those of `_core.Context.compactions`."""
        return self.engine.read(
            context_id, _at(min_version, lambda context, fetched: context.compactions(fetched, **options))
        )

    def lease(self, context_id: str, body: bytes) -> bytes:
        """Takes or renews a lease."""
        return self.engine.lease(context_id, body)

    def release(self, context_id: str, body: bytes) -> None:
        """Ends a lease."""
        self.engine.release(context_id, body)

    def replay(self, context_id: str, *, min_version: int, **options: Any) -> bytes:
        """A page of the log as JSON; `options` are those of `_core.Context.replay`."""
        return self.engine.read(
            context_id, _at(min_version, lambda context, fetched: context.replay(fetched, **options))
        )

    def tail(self, context_id: str, *, min_version: int, **options: Any) -> bytes:
        """A page from the newest message backwards as JSON; `options` are those of `_core.Context.tail`."""
        return self.engine.read(context_id, _at(min_version, lambda context, fetched: context.tail(fetched, **options)))

    def contexts(self, **options: Any) -> bytes:
        """A page of contexts as JSON; `options` are those of `Engine.contexts`."""
        return self.engine.contexts(**options)

    def draft(self, context_id: str, message_id: str, offset: int, delta: str) -> int:
        """Continues a draft."""
        return self.engine.hub.draft(context_id, message_id, *check_delta(offset, delta))

    def drop_draft(self, context_id: str, message_id: str) -> None:
        """Drops a draft."""
        self.engine.hub.drop_draft(context_id, message_id)

    def subscribe(self, context_id: str | None, *, cursor: int | str | None, include_messages: bool) -> Frames:
        """Frames of one context, or of all."""
        return Frames(self.engine.hub, context_id, cursor, include_messages=include_messages)

    def close(self) -> None:
        """Writes what is under way and releases the store."""
        self.engine.close()


class AsyncLocalTransport:
    """Reaches an engine of this process from an event loop. What has to read the disk runs on a thread."""

    def __init__(self, engine: Engine) -> None:
        self._blocking = LocalTransport(engine)
        self.engine = engine

    async def write(self, context_id: str, route: str, body: bytes, *, key: str | None) -> Reply:
        """Runs a write; see `Engine.awrite`."""
        return await self.engine.awrite(context_id, route, body, key=key)

    async def describe(self, context_id: str, *, min_version: int) -> bytes:
        """The context's JSON."""
        return await self.engine.aread(context_id, _at(min_version, lambda context, _: context.describe()))

    async def window(self, context_id: str, *, min_version: int, **options: Any) -> tuple[bytes, str | None]:
        """The window's JSON and the context's model; `options` are those of `_core.Context.window`."""
        return await self.engine.aread(
            context_id, _at(min_version, lambda context, fetched: (context.window(fetched, **options), context.model))
        )

    async def compactions(self, context_id: str, *, min_version: int, **options: Any) -> bytes:
        """A page of compactions as JSON; `options` are those of `_core.Context.compactions`."""
        return await self.engine.aread(
            context_id, _at(min_version, lambda context, fetched: context.compactions(fetched, **options))
        )

    async def lease(self, context_id: str, body: bytes) -> bytes:
        """Takes or renews a lease."""
        return await asyncio.to_thread(self.engine.lease, context_id, body)

    async def release(self, context_id: str, body: bytes) -> None:
        """Ends a lease."""
        await asyncio.to_thread(self.engine.release, context_id, body)

    async def replay(self, context_id: str, **options: Any) -> bytes:
        """A page of the log as JSON."""
        return await asyncio.to_thread(self._blocking.replay, context_id, **options)

    async def tail(self, context_id: str, **options: Any) -> bytes:
        """A page from the newest message backwards as JSON."""
        return await asyncio.to_thread(self._blocking.tail, context_id, **options)

    async def contexts(self, **options: Any) -> bytes:
        """A page of contexts as JSON."""
        return await asyncio.to_thread(self._blocking.contexts, **options)

    async def draft(self, context_id: str, message_id: str, offset: int, delta: str) -> int:
        """Continues a draft."""
        return await asyncio.to_thread(self._blocking.draft, context_id, message_id, offset, delta)

    async def drop_draft(self, context_id: str, message_id: str) -> None:
        """Drops a draft."""
        self._blocking.drop_draft(context_id, message_id)

    def subscribe(self, context_id: str | None, *, cursor: int | str | None, include_messages: bool) -> AsyncFrames:
        """Frames of one context, or of all."""
        return AsyncFrames(self.engine.hub, context_id, cursor, include_messages=include_messages)

    async def close(self) -> None:
        """Writes what is under way and releases the store."""
        await asyncio.to_thread(self.engine.close)


def _at(min_version: int, operation: _Read[_T]) -> _Read[_T]:
    """A read of a state that is not older than what the caller has seen."""

    def run(context: _core.Context, fetched: _core.Fetched) -> _T:
        at_version(context, min_version)
        return operation(context, fetched)

    return run


def open_engine(path: str | os.PathLike[str], *, sync: bool = True, cache_bytes: int = CACHE_BYTES) -> Engine:
    """Opens a data directory, which is made if it is not there. One process at a time owns it.

    `sync=False` gives up durability against power loss: for tests. Raises `StoreLockedError`, which names the owner,
    `StoreCorruptError` or `StoreFormatError`.
    """
    return Engine(RocksLog(path, purpose="fastpaca.open", sync=sync), cache_bytes=cache_bytes)
