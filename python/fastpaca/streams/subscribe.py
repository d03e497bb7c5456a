"""The two faces of a subscription: an iterator, and one for event loops."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from fastpaca.streams.frames import Frame
    from fastpaca.streams.hub import Hub, Subscription


class AsyncFrames:
    """Frames for an event loop, oldest first. Ends behind the frame `tombstoned` or `gap`, or when it is closed."""

    def __init__(
        self, hub: Hub, context_id: str | None, cursor: int | str | None, *, include_messages: bool = True
    ) -> None:
        self._hub = hub
        self._wanted = (context_id, cursor, include_messages)
        self._subscription: Subscription | None = None
        self._arrived = asyncio.Event()
        self._taken: deque[Frame] = deque()

    async def open(self) -> Self:
        """Begins it, which iterating does by itself. Raises `NotFoundError`, or `InvalidError` for the cursor."""
        if self._subscription is None:
            self._subscription = await asyncio.to_thread(self._subscribe, asyncio.get_running_loop())
        return self

    def _subscribe(self, loop: asyncio.AbstractEventLoop) -> Subscription:
        context_id, cursor, include_messages = self._wanted
        return self._hub.subscribe(
            context_id, cursor, include_messages=include_messages, loop=loop, wake=self._arrived.set
        )

    @property
    def cursor(self) -> str:
        """Where an open subscription begins: what is behind it comes."""
        assert self._subscription is not None
        at = self._subscription.at
        return str(at) if self._subscription.context_id is None else str(at.version)

    async def batch(self) -> list[Frame]:
        """What comes next, at least one frame; empty at the end."""
        await self.open()
        subscription = self._subscription
        assert subscription is not None
        while True:
            if not subscription.live and not subscription.ended:
                frames = await asyncio.to_thread(subscription.catch_up)
                if frames:
                    return frames
                continue
            self._arrived.clear()
            frames = subscription.take()
            if frames or subscription.ended:
                return frames
            await self._arrived.wait()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Frame:
        if not self._taken:
            self._taken.extend(await self.batch())
        if not self._taken:
            raise StopAsyncIteration
        return self._taken.popleft()

    def end(self) -> None:
        """Ends it, from the loop's thread: what has come is still given. Again: does nothing."""
        if self._subscription is not None:
            self._subscription.close()
            self._arrived.set()

    async def aclose(self) -> None:
        """Ends it. Again: does nothing."""
        self.end()

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(self, *_exc: object) -> None:
        await self.aclose()


class Frames:
    """As `AsyncFrames`, blocking. Another thread may `close` it."""

    def __init__(
        self, hub: Hub, context_id: str | None, cursor: int | str | None, *, include_messages: bool = True
    ) -> None:
        self._hub = hub
        self._wanted = (context_id, cursor, include_messages)
        self._subscription: Subscription | None = None
        self._arrived = threading.Event()
        self._taken: deque[Frame] = deque()

    def open(self) -> Self:
        """Begins it, which iterating does by itself. Raises `NotFoundError`, or `InvalidError` for the cursor."""
        if self._subscription is None:
            context_id, cursor, include_messages = self._wanted
            self._subscription = self._hub.subscribe(
                context_id, cursor, include_messages=include_messages, loop=None, wake=self._arrived.set
            )
        return self

    def batch(self) -> list[Frame]:
        """What comes next, at least one frame; empty at the end."""
        self.open()
        subscription = self._subscription
        assert subscription is not None
        while True:
            if not subscription.live and not subscription.ended:
                frames = subscription.catch_up()
                if frames:
                    return frames
                continue
            self._arrived.clear()
            frames = subscription.take()
            if frames or subscription.ended:
                return frames
            self._arrived.wait()

    def take_nowait(self) -> list[Frame]:
        """What is there already, maybe nothing."""
        self.open()
        assert self._subscription is not None
        found = list(self._taken)
        self._taken.clear()
        while not self._subscription.live and not self._subscription.ended:
            found += self._subscription.catch_up()
        return found + self._subscription.take()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Frame:
        if not self._taken:
            self._taken.extend(self.batch())
        if not self._taken:
            raise StopIteration
        return self._taken.popleft()

    def close(self) -> None:
        """Ends it. Again: does nothing."""
        if self._subscription is not None:
            self._subscription.close()
            self._arrived.set()

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(self, *_exc: object) -> None:
        self.close()
