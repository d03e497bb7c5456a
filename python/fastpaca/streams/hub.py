"""The hub: hands what became visible to subscribers, and reads for those that catch up.

The switch from one to the other is made under the hub's lock, so nothing is skipped and nothing comes twice. Records
are decoded without it: a subscriber that goes live meanwhile finds no frames made for it, and reads that one from disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from fastpaca import _core
from fastpaca.errors import ClosedError
from fastpaca.handles import raised
from fastpaca.log.base import Family, Pending
from fastpaca.log.feed import decode_entry, decode_position, encode_position
from fastpaca.streams.drafts import Drafts
from fastpaca.streams.frames import Cursor, Frame, made
from fastpaca.streams.subscription import END, Style, Subscription, Wake, Waker

if TYPE_CHECKING:
    from fastpaca.engine import Engine
    from fastpaca.ticket import Ticket

_RECORDS_AT_ONCE: Final = 16
_BYTES_AT_ONCE: Final = 256 * 1024
"""What a subscriber that catches up reads at once: so many records, or so many bytes of them and one record more."""

_logger = logging.getLogger("fastpaca.streams")


class _Record(NamedTuple):
    """What became visible: its frames in each style that somebody wanted, and the messages that are drafts no more."""

    ticket: Ticket
    frames: dict[Style, list[Frame]]
    ended_drafts: list[str]


class Hub:
    """Subscribers of one engine, and the drafts that they see."""

    def __init__(self, engine: Engine) -> None:
        self.lock = threading.Lock()
        self.drafts = Drafts()
        self._engine = engine
        self._by_context: dict[str | None, list[Subscription]] = {}
        # What nobody holds any more. The garbage collector calls in the middle of anything, so it takes no lock.
        self._abandoned: deque[Subscription] = deque()
        self._position = engine.log.position
        self._closed = False
        engine.observe(self._publish)

    def __len__(self) -> int:
        return sum(len(subscriptions) for subscriptions in self._by_context.values())

    def subscribe(
        self, context_id: str | None, *, include_messages: bool, gaps: bool, loop: Waker, wake: Wake
    ) -> Subscription:
        """A subscription that has yet to begin. `gaps` ends one that is too slow, rather than let it read from disk."""
        subscription = Subscription(
            self, context_id, include_messages=include_messages, gaps=gaps, loop=loop, wake=wake
        )
        with self.lock:
            if self._closed:
                raise ClosedError("the store is closed")
            self._forget_abandoned()
            self._by_context.setdefault(context_id, []).append(subscription)
        return subscription

    def remove(self, subscription: Subscription) -> None:
        """Ends a subscription; again: does nothing."""
        with self.lock:
            self._remove(subscription)
        _wake([subscription])

    def abandon(self, subscription: Subscription) -> None:
        """As `remove`, some time later, for one that nobody waits for."""
        self._abandoned.append(subscription)

    def close(self) -> None:
        """Ends every subscription with a `ClosedError`."""
        with self.lock:
            self._closed = True
            ended = [each for subscriptions in self._by_context.values() for each in subscriptions]
            for subscription in ended:
                subscription.fail(ClosedError("the store is closed"))
            self._by_context.clear()
        _wake(ended)

    def _remove(self, subscription: Subscription) -> None:
        subscription.ended = True
        subscriptions = self._by_context.get(subscription.context_id, [])
        if subscription in subscriptions:
            subscriptions.remove(subscription)
            if not subscriptions:
                del self._by_context[subscription.context_id]

    def _forget_abandoned(self) -> None:
        while self._abandoned:
            self._remove(self._abandoned.popleft())

    # Reading from disk

    def visible(self, context_id: str | None) -> tuple[Cursor, bool]:
        """What readers see, and whether it is the last. Raises `NotFoundError` for an unknown context."""
        if context_id is None:
            return Cursor(self._position, END), False
        return self._engine.read(context_id, _visible)

    def records(self, context_id: str, after: int, end: int) -> list[bytes]:
        """The next few records that hold versions behind `after`, up to version `end`."""
        log = self._engine.log
        _, first = _core.record_key(context_id, 0)
        _, behind = _core.record_key(context_id, after + 2)
        _, stop = _core.record_key(context_id, end + 1)
        holding = log.scan(Family.RECORDS, first, behind, limit=1, reverse=True)
        start = holding[0][0] if holding else first
        found = log.scan(Family.RECORDS, start, stop, limit=_RECORDS_AT_ONCE, limit_bytes=_BYTES_AT_ONCE)
        return [value for _, value in found]

    def feed(self, position: int, end: int) -> list[tuple[int, str, bytes]]:
        """The next few records of the store from a feed position on: position, context and record."""
        log = self._engine.log
        start, stop = encode_position(max(position, 1)), encode_position(end + 1)
        found: list[tuple[int, str, bytes]] = []
        size_bytes = 0
        for key, value in log.scan(Family.FEED, start, stop, limit=_RECORDS_AT_ONCE):
            version, context_id = decode_entry(value)
            _, first = _core.record_key(context_id, 0)
            _, behind = _core.record_key(context_id, version + 1)
            (_, record), *_ = log.scan(Family.RECORDS, first, behind, limit=1, reverse=True)
            found.append((decode_position(key), context_id, record))
            size_bytes += len(record)
            if size_bytes >= _BYTES_AT_ONCE:
                break
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
        """Continues a draft of a context that takes writes; gives its length. Raises `DraftConflictError`."""
        with self.lock:
            woken = self._drop_idle()
            length, frame = self.drafts.add(context_id, message_id, offset, delta)
            if frame is not None:
                woken += self._beside(context_id, frame)
        _wake(woken)
        return length

    def drop_draft(self, context_id: str, message_id: str) -> None:
        """Drops a draft that will not be appended, and tells subscribers."""
        with self.lock:
            woken = self._drop(context_id, message_id)
        _wake(woken)

    def sweep(self) -> None:
        """Drops drafts that have been idle for too long."""
        with self.lock:
            woken = self._drop_idle()
        _wake(woken)

    def _drop_idle(self) -> list[Subscription]:
        return [each for name in self.drafts.idle() for each in self._drop(*name)]

    def _drop(self, context_id: str, message_id: str) -> list[Subscription]:
        if not self.drafts.drop(context_id, message_id):
            return []
        return self._beside(context_id, made("draft", message_id=message_id, dropped=True))

    def _beside(self, context_id: str, frame: Frame) -> list[Subscription]:
        return [each for each in self._by_context.get(context_id, ()) if each.offer_beside(frame)]

    # What became visible

    def _publish(self, commits: Sequence[Pending]) -> None:
        """Called after each group, on the writer's thread."""
        tickets = [ticket for ticket in cast("Sequence[Ticket]", commits) if ticket.error is None]
        with self.lock:
            self._forget_abandoned()
            if tickets and not self._by_context and not self.drafts:
                self._position = tickets[-1].position
                return
            wanted = [self._wanted(ticket) for ticket in tickets]
        records = [self._decoded(ticket, *want) for ticket, want in zip(tickets, wanted, strict=True)]
        woken: list[Subscription] = []
        with self.lock:
            for record in records:
                self._position = record.ticket.position
                woken += self._offer(record)
        _wake(woken)

    def _wanted(self, ticket: Ticket) -> tuple[set[Style], list[str]]:
        """The styles that live subscribers want, and the drafts that may have ended."""
        styles = {each.style for each in self._concerned(ticket) if each.live}
        return styles, self.drafts.of(ticket.context_id)

    def _concerned(self, ticket: Ticket) -> list[Subscription]:
        return [*self._by_context.get(ticket.context_id, ()), *self._by_context.get(None, ())]

    def _decoded(self, ticket: Ticket, styles: set[Style], drafts: list[str]) -> _Record:
        """Whatever fails here, even by a panic of the core, subscribers meet where they read it from disk, each on its
        own.
        """
        record = _Record(ticket, {}, [])
        try:
            for style in styles:
                record.frames[style] = self._framed(ticket, style)
            if drafts:
                record.ended_drafts.extend(self._ended(ticket, drafts))
        except BaseException:
            facts = {"context_id": ticket.context_id, "version": ticket.version}
            _logger.exception("a record's frames can't be made", extra=facts)
        return record

    def _framed(self, ticket: Ticket, style: Style) -> list[Frame]:
        context_id = ticket.context_id if style.of_all else None
        found = self.frames(_bytes_of(ticket), -1, context_id, include_messages=style.include_messages)
        return [
            Frame(kind, data, version, str(Cursor(ticket.position, version)) if style.of_all else version)
            for version, kind, _, data in found
        ]

    def _ended(self, ticket: Ticket, drafts: list[str]) -> list[str]:
        """What was appended is no draft any more; its `message` frame says so. Behind a tombstone nothing is."""
        found = self.frames(_bytes_of(ticket), -1, None, include_messages=False)
        if any(kind == "tombstoned" for _, kind, _, _ in found):
            return drafts
        return [message_id for _, _, message_id, _ in found if message_id is not None]

    def _offer(self, record: _Record) -> list[Subscription]:
        ticket = record.ticket
        for message_id in record.ended_drafts:
            self.drafts.drop(ticket.context_id, message_id)
        in_context = Cursor(0, ticket.first_version - 1), Cursor(0, ticket.version)
        in_all = Cursor(ticket.position - 1, END), Cursor(ticket.position, END)
        frames = record.frames
        return [
            each
            for each in self._concerned(ticket)
            if each.offer(*(in_all if each.style.of_all else in_context), frames.get(each.style))
        ]


def _visible(context: _core.Context, _: _core.Fetched) -> tuple[Cursor, bool]:
    # The writer may apply a record between two looks; what was seen while the version stood still belongs together.
    while True:
        version = context.version
        tombstoned = context.tombstoned
        if version is not None and context.version == version:
            return Cursor(0, version), tombstoned


def _bytes_of(ticket: Ticket) -> bytes:
    record = ticket.puts[0][2]
    assert record is not None
    return record


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
