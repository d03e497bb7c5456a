"""Contexts in memory: loaded when they are asked for, dropped when all of them hold more than their bound."""

from __future__ import annotations

import threading
import unicodedata
from collections import OrderedDict
from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING, Final, TypeVar

from fastpaca import _core
from fastpaca.errors import ClosedError, InvalidError, from_code
from fastpaca.log.base import Family, Log

if TYPE_CHECKING:
    from collections import deque

    from fastpaca.consult import Write
    from fastpaca.ticket import Ticket

T = TypeVar("T")

NOTHING: Final = _core.Fetched()
"""What most operations need: nothing is ever put into it."""

_SCAN_RECORDS: Final = 512
_EVICTED_AT_ONCE: Final = 16


class Handle:
    """A context in memory. `lock` orders planning: who plans submits before the next one plans.

    `context` is there once it is `loaded`. `waiting` holds repeated requests, by the version that they wait for; `turn`
    holds writes while a custom policy is asked.
    """

    __slots__ = ("context", "evicted", "exists", "id", "loaded", "lock", "resident_bytes", "turn", "waiting", "writes")

    context: _core.Context

    def __init__(self, context_id: str) -> None:
        self.id = context_id
        self.lock = threading.Lock()
        self.loaded = False
        self.exists = False
        self.evicted = False
        self.resident_bytes = 0
        self.writes = 0
        self.waiting: dict[int, list[Ticket]] = {}
        self.turn: deque[Write] | None = None


def check_id(context_id: object) -> None:
    """Raises `InvalidError` for an id that no context can have."""
    if not isinstance(context_id, str):
        message = f"the context id is a string, not {type(context_id).__name__}"
        raise InvalidError(message, details={"field": "id"})
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


def raised(error: _core.CoreError) -> Exception:
    """The exception that stands for a refusal of the core."""
    code, message, details = error.args
    return from_code(code, message, details)


class Handles:
    """The contexts of one log that are in memory."""

    def __init__(self, log: Log, cache_bytes: int) -> None:
        self._log = log
        self._cache_bytes = cache_bytes
        self._resident_bytes = 0
        self._handles: OrderedDict[str, Handle] = OrderedDict()
        self._handles_lock = threading.Lock()
        self._closed = False

    def _get(self, context_id: str) -> Handle:
        """The handle of a context, loaded or not, and now the most recently used."""
        if self._closed:
            raise ClosedError("the store is closed")
        handle = self._handles.get(context_id)
        if handle is not None:
            # Another thread may have dropped it meanwhile; whoever locks the handle looks whether it is still in use.
            try:  # noqa: SIM105 - `suppress` costs several times what the move does
                self._handles.move_to_end(context_id)
            except KeyError:
                pass
            return handle
        check_id(context_id)
        with self._handles_lock:
            return self._handles.setdefault(context_id, Handle(context_id))

    def loaded(self, context_id: str) -> Handle:
        """The handle of a context that is loaded, or known not to exist."""
        handle = self._get(context_id)
        while not handle.loaded:
            with handle.lock:
                if not handle.loaded and not handle.evicted:
                    self._load(handle)
            if handle.evicted:
                handle = self._get(context_id)
            else:
                self.account(handle)
        return handle

    def _load(self, handle: Handle) -> None:
        """Loads a context whose lock the caller holds."""
        try:
            handle.context = self.fetching(lambda fetched: _core.Context.load(handle.id, fetched))
        except BaseException:
            with self._handles_lock:
                self._drop(handle)
            raise
        handle.exists = handle.context.version is not None
        handle.loaded = True

    def _drop(self, handle: Handle) -> None:
        """Forgets a handle; the caller holds its lock and that of all handles."""
        handle.evicted = True
        self._resident_bytes -= handle.resident_bytes
        handle.resident_bytes = 0
        if self._handles.get(handle.id) is handle:
            del self._handles[handle.id]

    def account(self, handle: Handle) -> None:
        """Notes what a context holds, and drops the least recently used ones over the bound."""
        held = handle.context.resident_bytes
        if held == handle.resident_bytes:
            return
        with self._handles_lock:
            if handle.evicted:
                return
            self._resident_bytes += held - handle.resident_bytes
            handle.resident_bytes = held
            if self._resident_bytes > self._cache_bytes:
                self._evict(handle)

    def _evict(self, used: Handle) -> None:
        """Drops idle contexts, least recently used first, but not the one in use."""
        for handle in list(islice(self._handles.values(), _EVICTED_AT_ONCE)):
            if self._resident_bytes <= self._cache_bytes:
                return
            if handle is used or not handle.lock.acquire(blocking=False):
                continue
            try:
                if handle.loaded and handle.turn is None and handle.context.in_flight == 0:
                    self._drop(handle)
            finally:
                handle.lock.release()

    def __len__(self) -> int:
        return len(self._handles)

    def hot(self, context_id: str) -> Handle | None:
        """The handle of a context that is in memory, and now the most recently used."""
        handle = self._handles.get(context_id)
        if handle is None or not handle.loaded or self._closed:
            return None
        try:
            self._handles.move_to_end(context_id)
        except KeyError:
            return None
        return handle

    def close(self) -> None:
        """Refuses what comes from now on."""
        self._closed = True

    @property
    def resident_bytes(self) -> int:
        """Bytes that they hold, roughly."""
        return self._resident_bytes

    def fetching(self, operation: Callable[[_core.Fetched], T]) -> T:
        """Runs an operation of the core, fetching stored bytes until it lacks none."""
        fetched = NOTHING
        while True:
            try:
                return operation(fetched)
            except _core.Need as need:
                if fetched is NOTHING:
                    fetched = _core.Fetched()
                self.fetch(need, fetched)
            except _core.CoreError as error:
                raise raised(error) from None

    def fetch(self, need: _core.Need, fetched: _core.Fetched) -> None:
        """Fetches what an operation lacks."""
        gets, scan, holding = need.args
        by_family: dict[int, list[bytes]] = {}
        for family, key in gets:
            by_family.setdefault(family, []).append(key)
        for family, keys in by_family.items():
            values = self._log.get_many(Family(family), keys)
            for key, value in zip(keys, values, strict=True):
                fetched.insert(family, key, value)
        if scan is not None:
            start, stop, after, up_to = scan
            fetched.insert_range(after, up_to, [value for _, value in self._scan(Family.RECORDS, start, stop)])
        for start, stop, version in holding:
            newest = self._log.scan(Family.RECORDS, start, stop, limit=1, reverse=True)
            fetched.insert_holding(version, newest[0][1] if newest else None)

    def _scan(self, family: Family, start: bytes, stop: bytes) -> list[tuple[bytes, bytes]]:
        found: list[tuple[bytes, bytes]] = []
        while True:
            page = self._log.scan(family, start, stop, limit=_SCAN_RECORDS)
            found += page
            if len(page) < _SCAN_RECORDS:
                return found
            start = page[-1][0] + b"\x00"
