"""One subscriber: where it stands, and what waits for it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from fastpaca.errors import FastpacaError, InvalidError
from fastpaca.streams.frames import Cursor, Frame, made

if TYPE_CHECKING:
    from fastpaca.streams.hub import Hub

QUEUE_FRAMES_MAX: Final = 1024
QUEUE_BYTES_MAX: Final = 4 * 1024 * 1024
"""Bounds of what waits in memory for a subscriber, but for the newest record. What is behind them is on disk."""

END: Final = (1 << 64) - 1
"""Behind every version: the whole of a record."""


class Style(NamedTuple):
    """What the frames of a record differ in."""

    of_all: bool
    include_messages: bool


Wake = Callable[[], None]
Waker = asyncio.AbstractEventLoop | None


class Subscription:
    """A subscriber reads records from its cursor on until it has seen what is visible; then it is `live`, and is handed
    frames as they come. Its faces are in `aio.py` and `sync.py`.

    `begin`, `catch_up`, `check` and `take` are for one consumer; the hub fills the queue from the writer's thread.
    """

    def __init__(
        self,
        hub: Hub,
        context_id: str | None,
        *,
        include_messages: bool,
        gaps: bool,
        loop: Waker,
        wake: Wake,
    ) -> None:
        self.context_id = context_id
        self.style = Style(context_id is None, include_messages)
        self.loop = loop
        self.wake = wake
        self.begun = False
        self.live = False
        self.ended = False
        # Where it stands: what was queued last. On the stream of one context the position stays 0.
        self.at = Cursor(0, -1)
        self._gaps = gaps
        self._failure: FastpacaError | None = None
        self._seen = Cursor(0, -1)
        self._taken = Cursor(0, -1)
        self._queue: deque[Frame] = deque()
        self._queued_bytes = 0
        self._hub = hub
        # Who waited for `begin` or `catch_up` may be cancelled, and call it again while the first call still runs.
        self._reading = threading.Lock()

    # Called by the consumer.

    def begin(self, cursor: int | str | None) -> None:
        """Goes behind `cursor`; without one, behind what is visible now. Again: does nothing. Blocks.

        Fails with `NotFoundError` for an unknown context, `InvalidError` for a cursor that nothing has reached.
        """
        with self._reading, self._failing():
            if self.begun or self.ended:
                return
            end, final = self._hub.visible(self.context_id)
            self.at = self._taken = end if cursor is None else _place(cursor, self.context_id, end)
            self.begun = True
            if final and self._at_least(end):
                self.close()

    def catch_up(self) -> None:
        """Queues the next stretch from disk; makes it live where there is none. Blocks."""
        with self._reading, self._failing():
            if self.live or self.ended:
                return
            end, _ = self._hub.visible(self.context_id)
            if self._at_least(end):
                with self._hub.lock:
                    if self._at_least(self._seen):
                        self._go_live()
                        return
                    end = self._seen
            at, frames = self._read_context(end) if self.context_id is not None else self._read_feed(end)
            with self._hub.lock:
                self.at = at
                self._push(frames)

    @contextlib.contextmanager
    def _failing(self) -> Iterator[None]:
        """What fails here ends it. It is kept for `check`: who waited for this thread may have been cancelled."""
        try:
            yield
        except FastpacaError as error:
            self._failure = error
            self.close()

    def check(self) -> None:
        """Raises what it failed with, once."""
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def take(self) -> list[Frame] | None:
        """What has come, oldest first; None at the end. Raises what it failed with, once nothing is left."""
        with self._hub.lock:
            frames, ended = list(self._queue), self.ended
            self._clear()
            self._taken = self.at
        if not frames:
            self.check()
        return None if ended and not frames else frames

    def put(self, frame: Frame) -> None:
        """Queues a frame of the consumer's own."""
        with self._hub.lock:
            if not self.ended:
                self._push([frame])

    def close(self) -> None:
        """Ends it: nothing more comes. Any thread may do it; whoever waits is told."""
        self._hub.remove(self)

    def _go_live(self) -> None:
        self.live = True
        if self.style.include_messages and self.context_id is not None:
            self._push(self._hub.drafts.whole(self.context_id))

    def _at_least(self, end: Cursor) -> bool:
        return (self.at.version >= end.version) if self.context_id is not None else (self.at >= end)

    def _read_context(self, end: Cursor) -> tuple[Cursor, list[Frame]]:
        assert self.context_id is not None
        at, frames = self.at.version, []
        for record in self._hub.records(self.context_id, at, end.version):
            found = self._hub.frames(record, at, None, include_messages=self.style.include_messages)
            frames += [Frame(kind, data, version, version) for version, kind, _, data in found]
            at = frames[-1].version or 0
        return Cursor(0, at), frames

    def _read_feed(self, end: Cursor) -> tuple[Cursor, list[Frame]]:
        at, frames = self.at, []
        first = at.position + 1 if at.version == END else at.position
        for position, context_id, record in self._hub.feed(first, end.position):
            after = at.version if position == at.position else -1
            found = self._hub.frames(record, after, context_id, include_messages=self.style.include_messages)
            frames += [Frame(kind, data, version, str(Cursor(position, version))) for version, kind, _, data in found]
            at = Cursor(position, END)
        return at, frames

    # Called by the hub, under its lock.

    def offer(self, before: Cursor, reached: Cursor, frames: Sequence[Frame] | None) -> bool:
        """Takes the frames of a record, which goes on behind `before`. Where there are none, or the record before it
        did not come, it reads from disk. Tells whether that is news.
        """
        if self.ended:
            return False
        if not self.live:
            self._seen = reached
            return False
        if self._at_least(reached):
            return False
        if frames is None or self.at != before:
            self._read_again(reached)
        else:
            self.at = reached
            self._queue_up(frames)
        return True

    def offer_beside(self, frame: Frame) -> bool:
        """Takes a frame that stands for no entry."""
        if not self.live or self.ended or not self.style.include_messages:
            return False
        self._queue_up([frame])
        return True

    def _queue_up(self, frames: Iterable[Frame]) -> None:
        """Queues what comes live. The newest of it may be larger than the bounds."""
        waiting = bool(self._queue)
        self._push(frames)
        if waiting and (len(self._queue) > QUEUE_FRAMES_MAX or self._queued_bytes > QUEUE_BYTES_MAX):
            if self._gaps:
                self._give_up()
            else:
                self._read_again(self.at)

    def _read_again(self, reached: Cursor) -> None:
        """Goes back to reading from disk, where what waits is as well; drafts come again once it is live."""
        self._clear()
        self.at, self._seen = self._taken, reached
        self.live = self.ended = False

    def fail(self, error: FastpacaError) -> None:
        """Ends it with an error, behind what waits."""
        self.ended = True
        self._failure = error

    def _push(self, frames: Iterable[Frame]) -> None:
        for frame in frames:
            self._queue.append(frame)
            self._queued_bytes += len(frame.data)
            if frame.type == "tombstoned" and self.context_id is not None:
                self.ended = True

    def _clear(self) -> None:
        self._queue.clear()
        self._queued_bytes = 0

    def _give_up(self) -> None:
        """Too slow: what waits is not sent. The consumer may resume from its own cursor."""
        actual = str(self.at) if self.context_id is None else self.at.version
        expected = next((frame.cursor for frame in self._queue if frame.cursor is not None), actual)
        self._clear()
        self._push([made("gap", expected=expected, actual=actual)])
        self.ended = True


def _place(cursor: int | str, context_id: str | None, end: Cursor) -> Cursor:
    """Where a subscription begins. Raises `InvalidError` for what nothing has reached."""
    at = Cursor(0, int(cursor)) if context_id is not None else Cursor.parse(str(cursor))
    if at.position > end.position or (context_id is not None and at.version > end.version):
        raise InvalidError("cursor: nothing has reached it yet", code="cursor_ahead", details={"field": "cursor"})
    return at
