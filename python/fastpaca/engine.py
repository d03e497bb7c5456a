"""The use cases: one method each, for in-process use and for the server alike.

A write runs through four steps: parse (any thread), plan (ordered per context, under its lock), commit (the log's
writer thread) and apply (there as well, before anyone is told). Reads see applied state alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar

from fastpaca import _core
from fastpaca.consult import Consults, Deferred, Write
from fastpaca.errors import FastpacaError, NotFoundError, NotYetError, TombstonedError
from fastpaca.handles import NOTHING, Handle, Handles, raised
from fastpaca.lease import Leases
from fastpaca.log.base import Family, Log, OnGroup, Pending
from fastpaca.streams.hub import Hub
from fastpaca.ticket import Reply, Ticket

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")
Operation = Callable[[_core.Context, _core.Fetched], T]
"""A read of a context's visible state. It raises `Need` for bytes that were not fetched, and is run again with them."""

CACHE_BYTES: Final = 256 * 1024 * 1024
"""Loaded contexts and rendered windows, together."""

_LIST_PAGE: Final = 256
_WRITES_ACCOUNTED: Final = 16
"""After so many writes it is noted again what a context holds: looking costs as much as a tenth of a write."""
_LARGE_BYTES: Final = 64 * 1024
"""Bodies from which on parsing leaves the event loop's thread: counting their tokens takes milliseconds."""
_ZERO: Final = bytes(16)

_logger = logging.getLogger("fastpaca.engine")
Decided = tuple[set[int], set[int]]
"""What a custom policy decided: messages that leave, and messages whose results are stripped."""


class Engine:
    """The contexts of one log."""

    def __init__(self, log: Log, *, cache_bytes: int = CACHE_BYTES) -> None:
        self.log = log
        self._handles = Handles(log, cache_bytes)
        self._leases = Leases()
        # Writes of event loops that are settled. Filled and emptied by the log's writer thread alone.
        self._settled: list[Ticket] = []
        # Event loops that will wake the writer in their next turn.
        self._waking: set[asyncio.AbstractEventLoop] = set()
        self._observers: list[OnGroup] = []
        self._consults = Consults(self)
        log.observe(self._wake_loops)
        self.hub = Hub(self)

    def observe(self, on_group: OnGroup) -> None:
        """Adds what is called after each group of commits, on the writer's thread."""
        self._observers.append(on_group)

    @property
    def loaded_contexts(self) -> int:
        """Contexts held in memory."""
        return len(self._handles)

    @property
    def resident_bytes(self) -> int:
        """Bytes that they hold, roughly."""
        return self._handles.resident_bytes

    @property
    def policy_errors(self) -> dict[str, int]:
        """How often each custom policy failed."""
        return self._consults.errors

    # Writes

    def write(self, context_id: str, route: str, body: bytes, *, key: str | None = None) -> Reply:
        """Runs a write and waits until it is durable and visible.

        `route` is one of configure, append, compact, revert, rewind, metadata, tombstone; `body` the JSON of the
        request; `key` the idempotency key given beside it. Raises a `FastpacaError`.
        """
        settled = threading.Lock()
        settled.acquire()
        ticket = Ticket(lambda _: settled.release())
        try:
            self._submit(ticket, context_id, route, body, key)
        except Deferred as deferred:
            return deferred.future.result()
        if not ticket.settled:
            settled.acquire()
        return ticket.result()

    async def awrite(self, context_id: str, route: str, body: bytes, *, key: str | None = None) -> Reply:
        """As `write`, for an event loop. Cancelling it does not take the write back."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        ticket = Ticket(self._settled.append, future)
        handle = self._handles.hot(context_id) if len(body) <= _LARGE_BYTES else None
        try:
            if handle is not None and self._attempt(ticket, handle, route, body, key):
                if loop not in self._waking:
                    # Once for all that this turn of the loop submits: two threads that run take the interpreter from
                    # each other, which costs more than the writer's work.
                    self._waking.add(loop)
                    loop.call_soon(self._wake, loop)
            else:
                await loop.run_in_executor(None, self._submit, ticket, context_id, route, body, key)
        except Deferred as deferred:
            return await asyncio.shield(asyncio.wrap_future(deferred.future))
        if not ticket.settled:
            await future
        return ticket.result()

    def _wake(self, loop: asyncio.AbstractEventLoop) -> None:
        self._waking.discard(loop)
        self.log.wake()

    def _submit(self, ticket: Ticket, context_id: str, route: str, body: bytes, key: str | None) -> None:
        """Parses, plans and hands over a write. Raises `Deferred` where a custom policy is asked first."""
        while not self._attempt(ticket, self._handles.loaded(context_id), route, body, key):
            pass
        self.log.wake()

    def _attempt(self, ticket: Ticket, handle: Handle, route: str, body: bytes, key: str | None) -> bool:
        """As `_submit`, on a context in memory; the log is to be woken. False where it has to be tried again."""
        try:
            request = handle.context.parse(route, body, key=key)
        except _core.CoreError as error:
            if error.args[0] == "unknown_strategy":
                raise self._consults.configure(handle.id, Write(route, body, key), error) from None
            raise raised(error) from None
        with handle.lock:
            if handle.evicted:
                return False
            if handle.turn is not None:
                raise self._consults.join(handle.turn, Write(route, body, key, request))
            try:
                planned = self._plan(handle, request)
            except _core.Consult as consult:
                raise self._consults.begin(handle, Write(route, body, key, request), consult) from None
            if planned is None:
                # The context counts by other rules since its messages were parsed.
                return False
            self._hand_over(ticket, handle, planned)
        handle.writes += 1
        if handle.writes % _WRITES_ACCOUNTED == 0:
            self._handles.account(handle)
        return True

    def plan_and_commit(self, handle: Handle, write: Write, decision: Decided | None) -> Ticket:
        """Plans and hands over a write that waited; the caller holds the context's lock. Raises `Consult`."""
        while True:
            planned = self._plan(handle, write.parsed(handle.context), decision)
            if planned is not None:
                ticket = Ticket(write.settle)
                self._hand_over(ticket, handle, planned)
                self.log.wake()
                return ticket
            write.request = None

    def loaded(self, context_id: str) -> Handle:
        """The handle of a context."""
        return self._handles.loaded(context_id)

    def account(self, handle: Handle) -> None:
        """Notes what a context holds."""
        self._handles.account(handle)

    def _plan(
        self, handle: Handle, request: _core.Request, decision: Decided | None = None
    ) -> _core.Commit | _core.Done | None:
        now_ms = time.time_ns() // 1_000_000
        incarnation = _ZERO if handle.exists else os.urandom(16)
        fetched = NOTHING
        if request.key is not None:
            fetched = _core.Fetched()
            family, key = _core.idempotency_key(handle.id, request.key)
            fetched.insert(family, key, self.log.get(Family(family), key))
        while True:
            try:
                return handle.context.plan(request, now_ms, incarnation, fetched, decision)
            except _core.Need as need:
                if fetched is NOTHING:
                    fetched = _core.Fetched()
                self._handles.fetch(need, fetched)
            except _core.CoreError as error:
                if error.args[0] == "stale":
                    return None
                raise raised(error) from None

    def _hand_over(self, ticket: Ticket, handle: Handle, planned: _core.Commit | _core.Done) -> None:
        """Gives a planned record to the log, which is to be woken. The caller holds the context's lock."""
        if isinstance(planned, _core.Done):
            self._await_visible(ticket, handle, planned)
            return
        ticket.commits(self, handle, planned)
        handle.exists = True
        try:
            self.log.submit(ticket, wake=False)
        except FastpacaError:
            if self.log.poisoned:
                handle.context.fail()
            raise

    def _await_visible(self, ticket: Ticket, handle: Handle, done: _core.Done) -> None:
        """Nothing to commit: settled already, or once the version that it tells of is visible."""
        ticket.found(done)
        visible = handle.context.version
        if visible is not None and visible >= done.version:
            ticket.settled = True
        else:
            handle.waiting.setdefault(done.version, []).append(ticket)
            # The loop that would wake the writer may be what waits here.
            self.log.wake()

    def store_derived(self, context: _core.Context) -> None:
        """Stores a snapshot, and forgets old idempotency keys. Should it fail, the next one will do."""
        try:
            self.log.submit_derived(context.snapshot() + self._handles.fetching(context.forget_keys))
        except FastpacaError as error:
            _logger.warning("a snapshot was not stored: %s", error)

    def _wake_loops(self, commits: Sequence[Pending]) -> None:
        """Wakes each event loop once for all its writes of a group. On the writer's thread."""
        by_loop: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
        futures: list[asyncio.Future[None]] = []
        last = None
        for ticket in self._settled:
            future = ticket.future
            assert future is not None
            loop = future.get_loop()
            if loop is not last:
                futures = by_loop.setdefault(loop, [])
                last = loop
            futures.append(future)
        self._settled.clear()
        for loop, futures in by_loop.items():
            # The loop may have been closed with writes under way: they are durable, nobody waits for them.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(_resolve, futures)
        for on_group in self._observers:
            on_group(commits)

    # Leases

    def lease(self, context_id: str, body: bytes) -> bytes:
        """Takes or renews the lease on compacting a context; see `Leases.take`."""
        self.read(context_id, writable)
        return self._leases.take(context_id, body)

    def release(self, context_id: str, body: bytes) -> None:
        """Ends a lease; see `Leases.release`."""
        self.read(context_id, lambda context, _: context.tombstoned)
        self._leases.release(context_id, body)

    # Reads

    def read(self, context_id: str, operation: Operation[T]) -> T:
        """Runs a read of the visible state. Raises `NotFoundError` for an unknown context."""
        handle = self._handles.loaded(context_id)
        result = self._handles.fetching(lambda fetched: operation(handle.context, fetched))
        self._handles.account(handle)
        return result

    async def aread(self, context_id: str, operation: Operation[T]) -> T:
        """As `read`, for an event loop: what has to fetch bytes runs on a thread."""
        handle = self._handles.hot(context_id)
        if handle is not None:
            try:
                result = operation(handle.context, NOTHING)
            except _core.Need:
                pass
            except _core.CoreError as error:
                raise raised(error) from None
            else:
                self._handles.account(handle)
                return result
        return await asyncio.get_running_loop().run_in_executor(None, self.read, context_id, operation)

    def contexts(
        self,
        *,
        prefix: str = "",
        needs_compaction: bool | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> bytes:
        """A page of descriptions of live contexts in the order of their ids, and the cursor of the next or null: JSON.

        `needs_compaction` keeps those that do, or those that do not.
        """
        tag = b"n" if needs_compaction else b"c"
        start = max(tag + prefix.encode(), b"" if cursor is None else tag + cursor.encode() + b"\x00")
        stop = tag + prefix.encode() + b"\xff"
        found: list[bytes] = []
        while True:
            page = self.log.scan(Family.STATE, start, stop, limit=_LIST_PAGE)
            for key, _ in page:
                context_id = key[1:].decode()
                described = self._described(context_id, needs_compaction=needs_compaction)
                if described is None:
                    continue
                found.append(described)
                if len(found) == limit:
                    return _page(found, context_id)
            if len(page) < _LIST_PAGE:
                return _page(found, None)
            start = page[-1][0] + b"\x00"

    def _described(self, context_id: str, *, needs_compaction: bool | None) -> bytes | None:
        """A context's description, if it is alive and of the kind asked for."""
        try:
            described, tombstoned = self.read(context_id, lambda context, _: (context.describe(), context.tombstoned))
        except NotFoundError:
            # Its first record is in flight.
            return None
        wanted = needs_compaction is None or (b'"needs_compaction":true' in described) == needs_compaction
        return described if wanted and not tombstoned else None

    def close(self) -> None:
        """Writes what is under way and releases the store. Again: does nothing."""
        self._handles.close()
        self._consults.close()
        self.log.close()
        self.hub.close()


def writable(context: _core.Context, _: _core.Fetched) -> None:
    """A read that raises `TombstonedError` where the context takes no more writes."""
    if context.tombstoned:
        raise TombstonedError("the context is deleted and takes no more writes")


def not_before(min_version: int | None, operation: Operation[T]) -> Operation[T]:
    """A read of a state that is not older than what the caller has seen. It raises `NotYetError` for an older one."""

    def run(context: _core.Context, fetched: _core.Fetched) -> T:
        actual = context.version
        if min_version is not None and actual is not None and actual < min_version:
            message = f"version {min_version} is not reached, the context is at version {actual}"
            raise NotYetError(message, details={"wanted": min_version, "actual": actual})
        return operation(context, fetched)

    return run


def _page(found: Sequence[bytes], cursor: str | None) -> bytes:
    next_cursor = json.dumps(cursor, ensure_ascii=False).encode()
    return b'{"contexts":[%b],"next_cursor":%b}' % (b",".join(found), next_cursor)


def _resolve(settled: list[asyncio.Future[None]]) -> None:
    for future in settled:
        if not future.done():
            future.set_result(None)
