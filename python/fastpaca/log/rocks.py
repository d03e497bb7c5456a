"""The log of one process: RocksDB, one column family for each `Family`, one synced batch for each group of commits."""

from __future__ import annotations

import ctypes
import heapq
import logging
import os
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import Any, Protocol

from rocksdict import DbClosedError, Rdict, ReadOptions, Snapshot, WriteBatch

from fastpaca.errors import ClosedError, FastpacaError, ForkedError, StoreCorruptError, StoreError
from fastpaca.log import rocks_store
from fastpaca.log.base import Family, Put, bounded
from fastpaca.log.feed import decode_entry, decode_position
from fastpaca.log.group import GroupWriter
from fastpaca.log.owner import Owner
from fastpaca.log.rocks_options import CACHE_BYTES, write_options

_STALL_POLL_S = 0.002
_CLOSE_WAIT_S = 5.0

_logger = logging.getLogger("fastpaca.log")


Pair = tuple[bytes, bytes]


class _Reader(Protocol):
    """What a family is read through: RocksDB, the same less a failed batch, or nothing after `close`."""

    def get(self, key: Any) -> Any: ...

    def walk(self, start: bytes, stop: bytes | None, reverse: bool) -> Iterator[Pair]: ...


class RocksLog(GroupWriter):
    """A `Log` on a directory of this machine's disk.

    `wait_s`: how long to wait for the directory's present owner. `sync=False` loses acknowledged writes at power loss:
    for tests. Raises `StoreLockedError`, `StoreFormatError`, `StoreCorruptError`, `StoreError`.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        purpose: str = "fastpaca",
        wait_s: float = 0.0,
        sync: bool = True,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        self.path = Path(path)
        self._synced = sync
        deadline = time.monotonic() + wait_s
        rocks_store.make_directory(self.path)
        self._owner = Owner.acquire(self.path, purpose=purpose, deadline=deadline)
        try:
            self._db: Rdict | None = rocks_store.open_database(self.path, cache_bytes=cache_bytes, deadline=deadline)
            names = [family.name.lower() for family in Family]
            self._families = [self._db.get_column_family(name) for name in names]
            self._handles = [self._db.get_column_family_handle(name) for name in names]
            self._readers: Sequence[_Reader] = [_Live(family) for family in self._families]
            self._before: list[Snapshot] = []
            self._write_options = write_options()
            position = self._last_position()
            rocks_store.check_format(self._db, self.path, empty=position == 0)
        except BaseException:
            self._drop()
            self._owner.release()
            raise
        self._start(position, name=self.path.name)

    def get(self, family: Family, key: bytes) -> bytes | None:
        """The value of one key."""
        try:
            value: bytes | None = self._readers[family].get(key)
        except Exception as error:
            raise self._read_error(error) from error
        return value

    def get_many(self, family: Family, keys: Sequence[bytes]) -> list[bytes | None]:
        """The values of many keys, in their order."""
        try:
            values: list[bytes | None] = self._readers[family].get(list(keys))
        except Exception as error:
            raise self._read_error(error) from error
        return values

    def scan(
        self,
        family: Family,
        start: bytes,
        stop: bytes | None,
        *,
        limit: int,
        limit_bytes: int | None = None,
        reverse: bool = False,
    ) -> list[Pair]:
        """Pairs with `start` <= key < `stop`, ascending, or descending from `stop`."""
        if limit <= 0 or (stop is not None and stop <= start):
            return []
        try:
            return bounded(islice(self._readers[family].walk(start, stop, reverse), limit), limit_bytes)
        except Exception as error:
            raise self._read_error(error) from error

    def _last_position(self) -> int:
        for key, value in self.scan(Family.FEED, b"", None, limit=1, reverse=True):
            decode_entry(value)
            return decode_position(key)
        return 0

    def _mark(self) -> None:
        # Consistent across families, because only this thread writes. Costs about 2 us.
        self._before = [family.snapshot() for family in self._families]

    def _write(self, puts: Sequence[Put]) -> None:
        while not self._write_batch(puts):
            time.sleep(_STALL_POLL_S)

    def _write_batch(self, puts: Sequence[Put]) -> bool:
        """Whether the batch was written; not, when RocksDB has to flush or compact first."""
        assert self._db is not None
        batch = WriteBatch(raw_mode=True)
        put, delete, handles = batch.put, batch.delete, self._handles
        for family, key, value in puts:
            if value is None:
                delete(key, handles[family])
            else:
                put(key, value, handles[family])
        try:
            self._db.write(batch, self._write_options)
        except Exception as error:
            if "Write stall" in str(error):
                return False
            raise
        return True

    def _sync(self) -> None:
        assert self._db is not None
        if self._synced:
            self._db.flush_wal(True)

    def _hide_failed(self, puts: Sequence[Put]) -> None:
        touched: list[set[bytes]] = [set() for _ in Family]
        for family, key, _ in puts:
            touched[family].add(key)
        self._readers = [_Restored(*each) for each in zip(self._families, self._before, touched, strict=True)]
        self._before = []

    def _release(self) -> None:
        self._readers = _gone(ClosedError("this log is closed"))
        failures = self._close_families()
        self._drop()
        self._owner.release()
        if failures and not self.poisoned:
            raise StoreError(f"closing {self.path}: {failures[0]}")
        if failures:
            # What was acknowledged stands in the WAL. After a failed write RocksDB flushes no more: nothing new.
            _logger.warning("closing a poisoned log: %s", failures[0])

    def _close_families(self) -> list[str]:
        """Flushes the memtables, so that the next open has no WAL to replay. Returns what went wrong, as text.

        As text, and without a local for each family: a traceback that somebody keeps would keep RocksDB open.
        """
        deadline = time.monotonic() + _CLOSE_WAIT_S
        failures = []
        while self._families:
            try:
                self._families[-1].close()
            except Exception as error:
                # PyO3 says so while another thread is inside a call on this object.
                if "borrowed" in str(error) and time.monotonic() < deadline:
                    time.sleep(0.001)
                    continue
                failures.append(str(error))
            self._families.pop()
        return failures

    def _drop(self) -> None:
        """Lets go of every reference: RocksDB closes, and frees its lock, with the last of them."""
        self._readers = _gone(ClosedError("this log is closed"))
        self._before = []
        self._handles = []
        self._families = []
        self._db = None

    def _abandon(self) -> None:
        # Dropping these in the child would flush into the parent's files, or hang: RocksDB's threads stayed there. So
        # they must outlive the child's interpreter.
        for kept in (self._db, self._readers, self._families, self._handles, self._before):
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(kept))
        # At the child's end RocksDB would join threads that are not there, and crash. This runs first, with the status.
        libc = ctypes.CDLL(None)
        if hasattr(libc, "on_exit"):
            libc.on_exit(libc._exit, None)
        self._readers = _gone(ForkedError("this log was opened before the fork; open the store in the child"))

    def _read_error(self, error: Exception) -> FastpacaError:
        if isinstance(error, FastpacaError):
            return error
        if isinstance(error, DbClosedError) or (self._db is None or "borrowed" in str(error)):
            return ClosedError("this log is closed")
        if "Corruption" in str(error):
            return StoreCorruptError(f"reading {self.path}: {error}")
        return StoreError(f"reading {self.path}: {error}")


class _Live:
    """A family as it is."""

    def __init__(self, family: Rdict) -> None:
        self._family = family
        self.get = family.get

    def walk(self, start: bytes, stop: bytes | None, reverse: bool) -> Iterator[Pair]:
        # With the bound RocksDB does not walk the deleted keys behind `stop`; it keeps a pointer to these bytes. No
        # lower bound: rocksdict 0.3.29 sets the upper one instead (`set_iterate_lower_bound` in its options.rs).
        bounds = ReadOptions()
        if stop is not None:
            bounds.set_iterate_upper_bound(stop)
        # Not `items`: it ends without a word where a block is damaged. This iterator's `status` raises then.
        walker = self._family.iter(bounds)
        if reverse:
            walker.seek_to_last()
            step = walker.prev
        else:
            walker.seek(start)
            step = walker.next
        while walker.valid():
            key = walker.key()
            if key < start:
                return
            yield key, walker.value()
            step()
        walker.status()


class _Restored:
    """A family without what the failed batch did to it: live reads, but the old values of the keys that it touched."""

    def __init__(self, family: Rdict, before: Snapshot, touched: set[bytes]) -> None:
        self._live = _Live(family)
        self._old = {key: _value_before(before, key) for key in touched}

    def get(self, key: Any) -> Any:
        if not isinstance(key, list):
            return self._old[key] if key in self._old else self._live.get(key)
        found: list[bytes | None] = self._live.get(key) or []
        return [self._old.get(each, value) for each, value in zip(key, found, strict=True)]

    def walk(self, start: bytes, stop: bytes | None, reverse: bool) -> Iterator[Pair]:
        live = (pair for pair in self._live.walk(start, stop, reverse) if pair[0] not in self._old)
        old = [(key, value) for key, value in self._old.items() if value is not None]
        restored = [pair for pair in old if start <= pair[0] and (stop is None or pair[0] < stop)]
        return heapq.merge(live, sorted(restored, reverse=reverse), key=itemgetter(0), reverse=reverse)


def _value_before(before: Snapshot, key: bytes) -> bytes | None:
    # By key alone: iterators of rocksdict 0.3.29 ignore their snapshot and show the present.
    try:
        value: bytes = before[key]
    except Exception as error:
        if str(error) != "key not found":
            raise
        return None
    return value


class _Gone:
    """A family of a log that can't be used any more."""

    def __init__(self, error: ClosedError) -> None:
        self._error = error

    def get(self, key: Any) -> Any:
        raise type(self._error)(*self._error.args)

    def walk(self, start: bytes, stop: bytes | None, reverse: bool) -> Iterator[Pair]:
        raise type(self._error)(*self._error.args)


def _gone(error: ClosedError) -> list[_Reader]:
    return [_Gone(error) for _ in Family]
