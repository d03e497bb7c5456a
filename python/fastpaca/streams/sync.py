"""Frames of this process, blocking.

Made of `aio.py` by `tools/make_sync.py`; change that one.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from fastpaca.streams.frames import Frame
    from fastpaca.streams.hub import Hub, Subscription


class Frames:
    """Frames, oldest first. Ends behind the frame `tombstoned` of its context, behind `gap`, or when it is closed,
    which any thread may do.
    """

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
                context_id,
                cursor,
                include_messages=include_messages,
                loop=None,
                wake=self._arrived.set,
            )
        return self

    @property
    def cursor(self) -> str:
        """Where an open subscription begins: what is behind it comes."""
        assert self._subscription is not None
        at = self._subscription.at
        return str(at) if self._subscription.context_id is None else str(at.version)

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

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Frame:
        if not self._taken:
            self._taken.extend(self.batch())
        if not self._taken:
            raise StopIteration
        return self._taken.popleft()

    def end(self) -> None:
        """Ends it: what has come is still given. Again: does nothing."""
        if self._subscription is not None:
            self._subscription.close()

    def close(self) -> None:
        """As `end`."""
        self.end()

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(self, *_exc: object) -> None:
        self.end()
