"""The use cases: one method each, for in-process use and for the server alike.

A write runs through four steps: parse (any thread), plan (ordered per context, under its lock), commit (the log's
writer thread) and apply (there as well, before anyone is told). Reads see applied state alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
import time
import unicodedata
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final, TypeVar, cast

from fastpaca import _core
from fastpaca.errors import ClosedError, FastpacaError, InvalidError, NotFoundError, NotYetError, from_code
from fastpaca.log.base import Commit, Family, Log, OnGroup, Put

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")

CACHE_BYTES: Final = 256 * 1024 * 1024
"""Loaded contexts and rendered windows, together."""

_SCAN_RECORDS: Final = 512
_LIST_PAGE: Final = 256
_EVICTED_AT_ONCE: Final = 16
_WRITES_ACCOUNTED: Final = 16
"""After so many writes it is noted again what a context holds: looking costs as much as a tenth of a write."""
_LARGE_BYTES: Final = 64 * 1024
"""Bodies from which on parsing leaves the event loop's thread: counting their tokens takes milliseconds."""
_ZERO: Final = bytes(16)
_NOTHING: Final = _core.Fetched()
"""What most operations need: nothing is ever put into it."""

_logger = logging.getLogger("fastpaca.engine")
_Waiter = Callable[["Ticket"], None]


@dataclass(slots=True, eq=False)
class Ticket:
    """A write on its way. Once settled, `error` or `reply` holds."""

    reply: bytes
    version: int
    created: bool = False
    replayed: bool = False
    settled: bool = False
    error: BaseException | None = None

    def result(self) -> Reply:
        """The reply of a settled write, or its error."""
        if self.error is not None:
            raise self.error
        return Reply(self.reply, self.version, created=self.created, replayed=self.replayed)


@dataclass(frozen=True, slots=True)
class Reply:
    """The reply to a write: a JSON body (empty for a deletion), and the version that it made or found."""

    body: bytes
    version: int
    created: bool = False
    replayed: bool = False


class Handle:
    """A loaded context. `lock` orders planning: who plans submits before the next one plans."""

    __slots__ = ("context", "evicted", "id", "lock", "resident_bytes", "waiting", "writes")

    def __init__(self, context_id: str) -> None:
        self.id = context_id
        self.lock = threading.Lock()
        self.context: _core.Context | None = None
        self.evicted = False
        self.resident_bytes = 0
        self.writes = 0
        self.waiting: dict[int, list[tuple[Ticket, _Waiter]]] = {}


def check_id(context_id: str) -> None:
    """Raises `InvalidError` for an id that no context can have."""
    try:
        size = len(context_id.encode())
    except UnicodeEncodeError:
        raise InvalidError("the context id is not valid Unicode", details={"field": "id"}) from None
    if not 1 <= size <= _core.CONTEXT_ID_BYTES_MAX:
        message = f"the context id has {size} bytes, 1 to {_core.CONTEXT_ID_BYTES_MAX} are allowed"
        raise InvalidError(message, details={"field": "id"})
    if "/" in context_id or any(unicodedata.category(c) == "Cc" for c in context_id):
        message = "the context id must not hold a slash or control characters"
        raise InvalidError(message, details={"field": "id"})


def _raised(error: _core.CoreError) -> Exception:
    code, message, details = error.args
    return from_code(code, message, details)


class Engine:
    """The contexts of one log."""

    def __init__(self, log: Log, *, cache_bytes: int = CACHE_BYTES) -> None:
        self.log = log
        self._cache_bytes = cache_bytes
        self._resident_bytes = 0
        self._handles: OrderedDict[str, Handle] = OrderedDict()
        self._handles_lock = threading.Lock()
        self._closed = False
        # Filled and emptied by the log's writer thread alone.
        self._wakes: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[None], Ticket]]] = {}
        self._observers: list[OnGroup] = []
        log.observe(self._wake_loops)

    def observe(self, on_group: OnGroup) -> None:
        """Adds what is called after each group of commits, on the writer's thread."""
        self._observers.append(on_group)

    # Contexts in memory

    def _handle(self, context_id: str) -> Handle:
        """The handle of a context, loaded or not, and now the most recently used."""
        if self._closed:
            raise ClosedError("the store is closed")
        handle = self._handles.get(context_id)
        if handle is not None:
            try:
                self._handles.move_to_end(context_id)
            except KeyError:
                # Another thread dropped it meanwhile; whoever locks the handle looks whether it is still in use.
                pass
            return handle
        check_id(context_id)
        with self._handles_lock:
            return self._handles.setdefault(context_id, Handle(context_id))

    def _loaded(self, context_id: str) -> tuple[Handle, _core.Context]:
        handle = self._handle(context_id)
        while handle.context is None:
            with handle.lock:
                if handle.context is None and not handle.evicted:
                    try:
                        handle.context = self._fetching(lambda fetched: _core.Context.load(context_id, fetched))
                    except BaseException:
                        self._forget(handle)
                        raise
            if handle.evicted:
                handle = self._handle(context_id)
            else:
                self._account(handle)
        return handle, handle.context

    def _forget(self, handle: Handle) -> None:
        """Drops a handle, whose lock the caller holds."""
        handle.evicted = True
        with self._handles_lock:
            self._resident_bytes -= handle.resident_bytes
            if self._handles.get(handle.id) is handle:
                del self._handles[handle.id]

    def _account(self, handle: Handle) -> None:
        """Notes what a context holds, and drops the least recently used ones over the bound."""
        context = handle.context
        if context is None or handle.evicted:
            return
        held = context.resident_bytes
        with self._handles_lock:
            self._resident_bytes += held - handle.resident_bytes
            handle.resident_bytes = held
            if self._resident_bytes > self._cache_bytes:
                self._evict()

    def _evict(self) -> None:
        for handle in list(islice(self._handles.values(), _EVICTED_AT_ONCE)):
            if self._resident_bytes <= self._cache_bytes:
                return
            if not handle.lock.acquire(blocking=False):
                continue
            try:
                if handle.context is not None and handle.context.in_flight == 0:
                    handle.evicted = True
                    self._resident_bytes -= handle.resident_bytes
                    del self._handles[handle.id]
            finally:
                handle.lock.release()

    @property
    def loaded_contexts(self) -> int:
        """Contexts held in memory."""
        return len(self._handles)

    @property
    def resident_bytes(self) -> int:
        """Bytes that they hold, roughly."""
        return self._resident_bytes

    # Fetching what the core lacks

    def _fetching(self, operation: Callable[[_core.Fetched], T]) -> T:
        """Runs an operation of the core, fetching stored bytes until it lacks none."""
        fetched = _NOTHING
        while True:
            try:
                return operation(fetched)
            except _core.Need as need:
                if fetched is _NOTHING:
                    fetched = _core.Fetched()
                self._fetch(need, fetched)
            except _core.CoreError as error:
                raise _raised(error) from None

    def _fetch(self, need: _core.Need, fetched: _core.Fetched) -> None:
        gets, scan = need.args
        by_family: dict[int, list[bytes]] = {}
        for family, key in gets:
            by_family.setdefault(family, []).append(key)
        for family, keys in by_family.items():
            values = self.log.get_many(Family(family), keys)
            for key, value in zip(keys, values, strict=True):
                fetched.insert(family, key, value)
        if scan is not None:
            start, stop, after, up_to = scan
            fetched.insert_range(after, up_to, [value for _, value in self._scan(Family.RECORDS, start, stop)])

    def _scan(self, family: Family, start: bytes, stop: bytes) -> list[tuple[bytes, bytes]]:
        found: list[tuple[bytes, bytes]] = []
        while True:
            page = self.log.scan(family, start, stop, limit=_SCAN_RECORDS)
            found += page
            if len(page) < _SCAN_RECORDS:
                return found
            start = page[-1][0] + b"\x00"

    # Writes

    def write(self, context_id: str, route: str, body: bytes, *, key: str | None = None) -> Reply:
        """Runs a write and waits until it is durable and visible.

        `route` is one of configure, append, compact, rewind, metadata, tombstone; `body` the JSON of the request; `key`
        the idempotency key given beside it. Raises a `FastpacaError`.
        """
        settled = threading.Lock()
        settled.acquire()
        ticket = self._submit(context_id, route, body, key, lambda _: settled.release())
        if not ticket.settled:
            settled.acquire()
        return ticket.result()

    async def awrite(self, context_id: str, route: str, body: bytes, *, key: str | None = None) -> Reply:
        """As `write`, for an event loop. Cancelling it does not take the write back."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()

        def settle(ticket: Ticket) -> None:
            self._wakes.setdefault(loop, []).append((future, ticket))

        if self._is_cold(context_id) or len(body) > _LARGE_BYTES:
            ticket = await loop.run_in_executor(None, self._submit, context_id, route, body, key, settle)
        else:
            ticket = self._submit(context_id, route, body, key, settle)
        if not ticket.settled:
            await future
        return ticket.result()

    def _is_cold(self, context_id: str) -> bool:
        """Whether the context has to be read from the log first."""
        handle = self._handles.get(context_id)
        return handle is None or handle.context is None

    def _submit(self, context_id: str, route: str, body: bytes, key: str | None, waiter: _Waiter) -> Ticket:
        """Parses, plans and hands over a write. `waiter` is called once it is settled, unless it is already."""
        while True:
            handle, context = self._loaded(context_id)
            request = self._parse(context, route, body, key)
            with handle.lock:
                if handle.evicted:
                    continue
                planned = self._plan(handle, context, request)
                if planned is None:
                    # The context counts by other rules since its messages were parsed.
                    continue
                if isinstance(planned, _core.Done):
                    ticket = self._done(handle, context, planned, waiter)
                else:
                    ticket = self._commit(handle, context, planned, waiter)
            handle.writes += 1
            if handle.writes % _WRITES_ACCOUNTED == 0:
                self._account(handle)
            return ticket

    @staticmethod
    def _parse(context: _core.Context, route: str, body: bytes, key: str | None) -> _core.Request:
        try:
            return context.parse(route, body, key=key)
        except _core.CoreError as error:
            raise _raised(error) from None

    def _plan(self, handle: Handle, context: _core.Context, request: _core.Request) -> _core.Commit | _core.Done | None:
        now_ms = time.time_ns() // 1_000_000
        fetched = _NOTHING
        if request.key is not None:
            fetched = _core.Fetched()
            family, key = _core.idempotency_key(handle.id, request.key)
            fetched.insert(family, key, self.log.get(Family(family), key))
        while True:
            try:
                return context.plan(request, now_ms, os.urandom(16) if context.version is None else _ZERO, fetched)
            except _core.Need as need:
                if fetched is _NOTHING:
                    fetched = _core.Fetched()
                self._fetch(need, fetched)
            except _core.CoreError as error:
                if error.args[0] == "stale":
                    return None
                raise _raised(error) from None

    @staticmethod
    def _done(handle: Handle, context: _core.Context, done: _core.Done, waiter: _Waiter) -> Ticket:
        """Nothing to commit: settled already, or once the version that it tells of is visible."""
        ticket = Ticket(done.reply, done.version, replayed=done.replayed)
        visible = context.version
        if visible is not None and visible >= done.version:
            ticket.settled = True
        else:
            handle.waiting.setdefault(done.version, []).append((ticket, waiter))
        return ticket

    def _commit(self, handle: Handle, context: _core.Context, planned: _core.Commit, waiter: _Waiter) -> Ticket:
        ticket = Ticket(planned.reply, planned.version, created=planned.created)
        waiting = handle.waiting.setdefault(planned.version, [])
        mine = (ticket, waiter)
        waiting.append(mine)
        puts = _puts(planned.puts)
        commit = Commit(handle.id, planned.version, puts, lambda error: self._settle(handle, context, planned, error))
        try:
            self.log.submit(commit)
        except FastpacaError:
            waiting.remove(mine)
            if not waiting:
                handle.waiting.pop(planned.version, None)
            if self.log.poisoned:
                context.fail()
            raise
        return ticket

    def _settle(
        self, handle: Handle, context: _core.Context, planned: _core.Commit, error: BaseException | None
    ) -> None:
        """Applies a durable record, or discards what was planned, and tells who waits. On the writer's thread."""
        snapshot_due = False
        with handle.lock:
            if error is not None:
                context.fail()
            else:
                try:
                    snapshot_due = context.apply(planned.first_version)
                except _core.CoreError as refused:
                    error = _raised(refused)
                except BaseException as failed:  # noqa: BLE001 - whoever waits must be told, whatever it is
                    error = failed
            waiting = handle.waiting.pop(planned.version, [])
        for ticket, waiter in waiting:
            ticket.error = error
            ticket.settled = True
            waiter(ticket)
        if snapshot_due:
            self._store_derived(context)

    def _store_derived(self, context: _core.Context) -> None:
        """Stores a snapshot, and forgets old idempotency keys. Should it fail, the next one will do."""
        try:
            self.log.submit_derived(_puts(context.snapshot() + self._fetching(context.forget_keys)))
        except FastpacaError as error:
            _logger.warning("a snapshot was not stored: %s", error)

    def _wake_loops(self, commits: Sequence[Commit]) -> None:
        """Wakes each event loop once for all its writes of a group. On the writer's thread."""
        wakes, self._wakes = self._wakes, {}
        for loop, settled in wakes.items():
            # The loop may have been closed with writes under way: they are durable, nobody waits for them.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(_resolve, settled)
        for on_group in self._observers:
            on_group(commits)

    # Reads

    def read(self, context_id: str, operation: Callable[[_core.Context, _core.Fetched], T]) -> T:
        """Runs a read of the visible state. Raises `NotFoundError` for an unknown context."""
        handle, context = self._loaded(context_id)
        result = self._fetching(lambda fetched: operation(context, fetched))
        self._account(handle)
        return result

    async def aread(self, context_id: str, operation: Callable[[_core.Context, _core.Fetched], T]) -> T:
        """As `read`, for an event loop: what has to fetch bytes runs on a thread."""
        if not self._is_cold(context_id):
            handle, context = self._loaded(context_id)
            try:
                result = operation(context, _NOTHING)
            except _core.Need:
                pass
            except _core.CoreError as error:
                raise _raised(error) from None
            else:
                self._account(handle)
                return result
        return await asyncio.get_running_loop().run_in_executor(None, self.read, context_id, operation)

    def contexts(
        self,
        *,
        prefix: str = "",
        needs_compaction: bool | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> tuple[list[bytes], str | None]:
        """Descriptions of live contexts in the order of their ids, and the cursor of the next page or None.

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
                    return found, context_id
            if len(page) < _LIST_PAGE:
                return found, None
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
        self._closed = True
        self.log.close()


def at_version(context: _core.Context, min_version: int | None) -> None:
    """Raises `NotYetError` where the visible version is older than what the caller has seen."""
    actual = context.version
    if min_version is not None and actual is not None and actual < min_version:
        message = f"version {min_version} is not reached, the context is at version {actual}"
        raise NotYetError(message, details={"wanted": min_version, "actual": actual})


def _resolve(settled: list[tuple[asyncio.Future[None], Ticket]]) -> None:
    for future, _ in settled:
        if not future.done():
            future.set_result(None)


def _puts(puts: list[tuple[int, bytes, bytes | None]]) -> Sequence[Put]:
    # The core numbers families as `Family` does; a test holds them equal. Converting each costs more than writing it.
    return cast("Sequence[Put]", puts)
