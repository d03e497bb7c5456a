"""Frames of this process, on an event loop.

`sync.py` is made of this file by `tools/make_sync.py`; change this one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from fastpaca.streams.frames import Frame
    from fastpaca.streams.hub import Hub, Subscription


class AsyncFrames:
    """Frames, oldest first. Ends behind the frame `tombstoned` of its context, behind `gap`, or when it is closed,
    which any thread may do.
    """

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
            context_id, cursor, include_messages = self._wanted
            self._subscription = await asyncio.to_thread(
                self._hub.subscribe,
                context_id,
                cursor,
                include_messages=include_messages,
                loop=asyncio.get_running_loop(),
                wake=self._arrived.set,
            )
        return self

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
        """Ends it: what has come is still given. Again: does nothing."""
        if self._subscription is not None:
            self._subscription.close()

    async def aclose(self) -> None:
        """As `end`."""
        self.end()

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(self, *_exc: object) -> None:
        self.end()
