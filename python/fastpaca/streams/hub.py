"""The hub: hands what became visible to subscribers, and lets each catch up from disk before it goes live.

A subscriber reads records from its cursor on until it has seen what is visible, and is then handed frames as they come,
through a bounded queue. The switch is made under the hub's lock, so nothing is skipped and nothing comes twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final, cast

from fastpaca import _core
from fastpaca.errors import InvalidError, NotFoundError
from fastpaca.handles import raised
from fastpaca.log.base import Family, Pending
from fastpaca.log.feed import decode_entry, decode_position, encode_position
from fastpaca.streams.drafts import Drafts
from fastpaca.streams.frames import Cursor, Frame, made

if TYPE_CHECKING:
    from fastpaca.engine import Engine, Ticket

QUEUE_FRAMES_MAX: Final = 1024
QUEUE_BYTES_MAX: Final = 4 * 1024 * 1024
"""Bounds of what waits for a subscriber. One that falls further behind gets a `gap`, and has to resume."""
_RECORDS_AT_ONCE: Final = 16

_END: Final = (1 << 64) - 1
"""Behind every version: the whole of a record."""

Wake = Callable[[], None]
Waker = asyncio.AbstractEventLoop | None


class Subscription:
    """One subscriber: where it stands, and what waits for it. Its faces are in `aio.py` and `sync.py`.

    `take` and `catch_up` are for one consumer; the hub fills the queue from the writer's thread.
    """

    def __init__(self, hub: Hub, context_id: str | None, *, include_messages: bool, loop: Waker, wake: Wake) -> None:
        self.context_id = context_id
        self.include_messages = include_messages
        self.loop = loop
        self.wake = wake
        self.live = False
        self.ended = False
        # Where it stands: what was read last. On the stream of one context the position stays 0.
        self.at = Cursor(0, -1)
        self._seen = Cursor(0, -1)
        self._queue: deque[Frame] = deque()
        self._queued_bytes = 0
        self._hub = hub

    def take(self) -> list[Frame]:
        """What has come, oldest first."""
        with self._hub.lock:
            frames = list(self._queue)
            self._queue.clear()
            self._queued_bytes = 0
        return frames

    def catch_up(self) -> list[Frame]:
        """The next stretch from disk; empty once the subscription is live. Blocks. Raises a `FastpacaError`."""
        hub = self._hub
        end = hub.visible(self.context_id)
        if self._at_least(end):
            with hub.lock:
                if self._at_least(self._seen):
                    self.live = True
                    if self.include_messages and self.context_id is not None:
                        self._push_all(hub.drafts.whole(self.context_id))
                    return []
                end = self._seen
        frames = self._read_context(end) if self.context_id is not None else self._read_feed(end)
        self._note(frames)
        return frames

    def close(self) -> None:
        """Ends it: nothing more comes. Any thread may do it; whoever waits is told."""
        self._hub.remove(self)
        _wake([self])

    def _at_least(self, end: Cursor) -> bool:
        return (self.at.version >= end.version) if self.context_id is not None else (self.at >= end)

    def _note(self, frames: Sequence[Frame]) -> None:
        if any(frame.type == "tombstoned" for frame in frames) and self.context_id is not None:
            self.ended = True

    def _read_context(self, end: Cursor) -> list[Frame]:
        assert self.context_id is not None
        records = self._hub.records(self.context_id, self.at.version, end.version)
        frames: list[Frame] = []
        for record in records:
            found = self._hub.frames(record, self.at.version, None, include_messages=self.include_messages)
            frames += (Frame(kind, data, version, version) for version, kind, _, data in found)
            if found:
                self.at = Cursor(0, found[-1][0])
        return frames

    def _read_feed(self, end: Cursor) -> list[Frame]:
        frames: list[Frame] = []
        for position, context_id, record in self._hub.feed(self.at.position, end.position):
            after = self.at.version if position == self.at.position else -1
            for version, kind, _, data in self._hub.frames(
                record, after, context_id, include_messages=self.include_messages
            ):
                frames.append(Frame(kind, data, version, str(Cursor(position, version))))
            self.at = Cursor(position, _END)
        return frames

    # Called by the hub, under its lock.

    def offer(self, reached: Cursor, frames: Iterable[Frame]) -> bool:
        """Takes the frames of a record, unless it reads them from disk. Tells whether there is something new."""
        if not self.live:
            self._seen = reached
            return False
        if self.ended or self._at_least(reached):
            return False
        self.at = reached
        frames = list(frames)
        self._push_all(frames)
        self._note(frames)
        if len(self._queue) > QUEUE_FRAMES_MAX or self._queued_bytes > QUEUE_BYTES_MAX:
            self._overflow()
        return True

    def offer_beside(self, frame: Frame) -> bool:
        """Takes a frame that stands for no entry."""
        if not self.live or self.ended or not self.include_messages:
            return False
        self._push_all([frame])
        return True

    def _push_all(self, frames: Iterable[Frame]) -> None:
        for frame in frames:
            self._queue.append(frame)
            self._queued_bytes += len(frame.data)

    def _overflow(self) -> None:
        """Too slow: what waits is given up. The consumer may resume from its own cursor."""
        expected = next(frame.cursor for frame in self._queue if frame.cursor is not None)
        self._queue.clear()
        self._queued_bytes = 0
        actual = str(self.at) if self.context_id is None else self.at.version
        self._push_all([made("gap", expected=expected, actual=actual)])
        self.ended = True


class Hub:
    """Subscribers of one engine, and the drafts that they see."""

    def __init__(self, engine: Engine) -> None:
        self.lock = threading.Lock()
        self.drafts = Drafts()
        self._engine = engine
        self._by_context: dict[str | None, list[Subscription]] = {}
        self._position = engine.log.position
        engine.observe(self._publish)

    def __len__(self) -> int:
        return sum(len(subscriptions) for subscriptions in self._by_context.values())

    def subscribe(
        self,
        context_id: str | None,
        cursor: int | str | None,
        *,
        include_messages: bool,
        loop: Waker,
        wake: Wake,
    ) -> Subscription:
        """Begins a subscription behind `cursor`; without one, with what comes from now on. Blocks.

        Raises `NotFoundError` for an unknown context, `InvalidError` for a cursor that nothing has reached.
        """
        subscription = Subscription(self, context_id, include_messages=include_messages, loop=loop, wake=wake)
        with self.lock:
            self._by_context.setdefault(context_id, []).append(subscription)
        try:
            end = self.visible(context_id)
            subscription.at = end if cursor is None else _place(cursor, context_id, end)
        except BaseException:
            self.remove(subscription)
            raise
        return subscription

    def remove(self, subscription: Subscription) -> None:
        """Ends a subscription; again: does nothing."""
        with self.lock:
            subscription.ended = True
            subscriptions = self._by_context.get(subscription.context_id, [])
            if subscription in subscriptions:
                subscriptions.remove(subscription)
            if not subscriptions:
                self._by_context.pop(subscription.context_id, None)

    def visible(self, context_id: str | None) -> Cursor:
        """What readers see. Raises `NotFoundError` for an unknown context."""
        if context_id is None:
            return Cursor(self._position, _END)
        version = self._engine.read(context_id, lambda context, _: context.version)
        if version is None:
            raise NotFoundError(f"there is no context {context_id!r}")
        return Cursor(0, version)

    # Reading from disk

    def records(self, context_id: str, after: int, end: int) -> list[bytes]:
        """The next few records that hold versions behind `after`, up to version `end`."""
        log = self._engine.log
        _, first = _core.record_key(context_id, 0)
        _, behind = _core.record_key(context_id, after + 2)
        _, stop = _core.record_key(context_id, end + 1)
        holding = log.scan(Family.RECORDS, first, behind, limit=1, reverse=True)
        start = holding[0][0] if holding else first
        return [value for _, value in log.scan(Family.RECORDS, start, stop, limit=_RECORDS_AT_ONCE)]

    def feed(self, position: int, end: int) -> list[tuple[int, str, bytes]]:
        """The next few records of the store from a feed position on: position, context and record."""
        log = self._engine.log
        start, stop = encode_position(max(position, 1)), encode_position(end + 1)
        found: list[tuple[int, str, bytes]] = []
        for key, value in log.scan(Family.FEED, start, stop, limit=_RECORDS_AT_ONCE):
            version, context_id = decode_entry(value)
            _, first = _core.record_key(context_id, 0)
            _, behind = _core.record_key(context_id, version + 1)
            (_, record), *_ = log.scan(Family.RECORDS, first, behind, limit=1, reverse=True)
            found.append((decode_position(key), context_id, record))
        return found

    def frames(
        self, record: bytes, after: int, context_id: str | None, *, include_messages: bool
    ) -> list[tuple[int, str, str | None, bytes]]:
        """The core's frames of a record. Raises a `FastpacaError`."""
        behind = None if after < 0 else after
        try:
            return _core.frames(record, after=behind, context_id=context_id, include_messages=include_messages)
        except _core.CoreError as error:
            raise raised(error) from None

    # Drafts

    def draft(self, context_id: str, message_id: str, offset: int, delta: str) -> int:
        """Continues a draft; gives its length. Raises `DraftConflictError`, or `NotFoundError` for the context."""
        self.visible(context_id)
        with self.lock:
            length, frame = self.drafts.add(context_id, message_id, offset, delta)
            woken = self._beside(context_id, frame)
        _wake(woken)
        return length

    def drop_draft(self, context_id: str, message_id: str) -> bool:
        """Drops a draft that will not be appended, and tells subscribers."""
        with self.lock:
            dropped = self.drafts.drop(context_id, message_id)
            woken = self._beside(context_id, made("draft", message_id=message_id, dropped=True) if dropped else None)
        _wake(woken)
        return dropped

    def sweep(self) -> None:
        """Drops drafts that have been idle for too long."""
        with self.lock:
            idle = self.drafts.idle()
        for context_id, message_id in idle:
            self.drop_draft(context_id, message_id)

    def _beside(self, context_id: str, frame: Frame | None) -> list[Subscription]:
        if frame is None:
            return []
        return [each for each in self._by_context.get(context_id, ()) if each.offer_beside(frame)]

    # What became visible

    def _publish(self, commits: Sequence[Pending]) -> None:
        """Called after each group, on the writer's thread."""
        woken: list[Subscription] = []
        with self.lock:
            for commit in commits:
                ticket = cast("Ticket", commit)
                if ticket.error is None:
                    self._position = ticket.position
                    if self._by_context or self.drafts.has(ticket.context_id):
                        woken += self._offer(ticket)
        _wake(woken)

    def _offer(self, ticket: Ticket) -> list[Subscription]:
        record = ticket.puts[0][2]
        assert record is not None
        if self.drafts.has(ticket.context_id):
            self._end_drafts(ticket.context_id, record)
        made_already: dict[tuple[bool, bool], list[Frame]] = {}
        woken = []
        for subscription in (*self._by_context.get(ticket.context_id, ()), *self._by_context.get(None, ())):
            of_all = subscription.context_id is None
            style = (of_all, subscription.include_messages)
            if subscription.live and style not in made_already:
                made_already[style] = self._framed(record, ticket, *style)
            reached = Cursor(ticket.position, _END) if of_all else Cursor(0, ticket.version)
            if subscription.offer(reached, made_already.get(style, [])):
                woken.append(subscription)
        return woken

    def _end_drafts(self, context_id: str, record: bytes) -> None:
        """What was appended is no draft any more; its `message` frame says so."""
        for _, _, message_id, _ in self.frames(record, -1, None, include_messages=False):
            if message_id is not None:
                self.drafts.drop(context_id, message_id)

    def _framed(self, record: bytes, ticket: Ticket, of_all: bool, include_messages: bool) -> list[Frame]:
        context_id = ticket.context_id if of_all else None
        found = self.frames(record, -1, context_id, include_messages=include_messages)
        return [
            Frame(kind, data, version, str(Cursor(ticket.position, version)) if of_all else version)
            for version, kind, _, data in found
        ]


def _place(cursor: int | str, context_id: str | None, end: Cursor) -> Cursor:
    """Where a subscription begins. Raises `InvalidError` for what is ill-formed or not reached yet."""
    if context_id is None:
        at = Cursor.parse(str(cursor))
        reached = at.position <= end.position
    else:
        if isinstance(cursor, bool) or not isinstance(cursor, int) or cursor < -1:
            raise InvalidError(f"cursor: expected a version, got {cursor!r}", details={"field": "cursor"})
        at, reached = Cursor(0, cursor), cursor <= end.version
    if not reached:
        raise InvalidError("cursor: nothing has reached it yet", code="cursor_ahead", details={"field": "cursor"})
    return at


def _wake(woken: Iterable[Subscription]) -> None:
    """Wakes each event loop once for all its subscribers."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Wake]] = {}
    for subscription in woken:
        if subscription.loop is None:
            subscription.wake()
        else:
            by_loop.setdefault(subscription.loop, []).append(subscription.wake)
    for loop, wakes in by_loop.items():
        # A loop that was closed has nobody left to tell.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_call_all, wakes)


def _call_all(wakes: Iterable[Wake]) -> None:
    for wake in wakes:
        wake()
