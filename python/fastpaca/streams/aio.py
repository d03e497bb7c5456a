"""Frames of this process, on an event loop.

`sync.py` is made of this file by `tools/make_sync.py`; change this one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from fastpaca.streams.frames import Frame
    from fastpaca.streams.hub import Hub
    from fastpaca.streams.subscription import Subscription


class AsyncFrames:
    """Frames, oldest first. Ends behind the frame `tombstoned` of its context, or when any thread closes it.

    With `gaps` one that is too slow ends behind the frame `gap`; else it reads from disk what it missed.
    """

    def __init__(
        self,
        hub: Hub,
        context_id: str | None,
        cursor: int | str | None,
        *,
        include_messages: bool = True,
        gaps: bool = False,
    ) -> None:
        self._hub = hub
        self._wanted = (context_id, cursor, include_messages, gaps)
        self._subscription: Subscription | None = None
        self._arrived = asyncio.Event()
        self._taken: deque[Frame] = deque()
        self._ended = False

    def __del__(self) -> None:
        if self._subscription is not None:
            self._hub.abandon(self._subscription)

    async def open(self) -> Self:
        """Begins it, which iterating does by itself. Raises `NotFoundError`, or `InvalidError` for the cursor."""
        await self._begun()
        return self

    async def _begun(self) -> Subscription:
        context_id, cursor, include_messages, gaps = self._wanted
        if self._subscription is None:
            self._subscription = self._hub.subscribe(
                context_id,
                include_messages=include_messages,
                gaps=gaps,
                loop=asyncio.get_running_loop(),
                wake=self._arrived.set,
            )
        if not self._subscription.begun:
            await asyncio.to_thread(self._subscription.begin, cursor)
            self._subscription.check()
        return self._subscription

    @property
    def cursor(self) -> str:
        """Where an open subscription begins: what is behind it comes."""
        assert self._subscription is not None
        at = self._subscription.at
        return str(at) if self._subscription.context_id is None else str(at.version)

    @property
    def ended(self) -> bool:
        """Whether nothing more comes but what is there."""
        return self._ended or (self._subscription is not None and self._subscription.ended)

    async def batch(self) -> list[Frame]:
        """What comes next, at least one frame; empty at the end."""
        if self._ended:
            return []
        subscription = await self._begun()
        while True:
            self._arrived.clear()
            frames = subscription.take()
            if frames is None:
                return []
            if frames:
                return frames
            if subscription.live:
                await self._arrived.wait()
            else:
                await asyncio.to_thread(subscription.catch_up)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Frame:
        if not self._taken:
            self._taken.extend(await self.batch())
        if not self._taken:
            raise StopAsyncIteration
        return self._taken.popleft()

    def put(self, frame: Frame) -> None:
        """Adds a frame of the reader's own, such as a ping, to one that is open."""
        assert self._subscription is not None
        self._subscription.put(frame)
        self._arrived.set()

    def end(self) -> None:
        """Ends it: what has come is still given. Again: does nothing."""
        if self._subscription is None:
            self._ended = True
        else:
            self._subscription.close()

    async def aclose(self) -> None:
        """As `end`."""
        self.end()

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(self, *_exc: object) -> None:
        self.end()
