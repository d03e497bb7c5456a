"""A log in memory, for tests and for stores without a directory. Same writer, same groups, same refusals; no disk."""

from __future__ import annotations

import threading
from bisect import bisect_left, insort
from collections.abc import Sequence

from fastpaca.errors import ClosedError, ForkedError, StoreLockedError
from fastpaca.log.base import Family, Put, bounded
from fastpaca.log.feed import decode_position
from fastpaca.log.group import GroupWriter


class MemoryDisk:
    """What a data directory is to RocksDB: it outlives the log, and one log at a time has it open."""

    def __init__(self) -> None:
        self.values: list[dict[bytes, bytes]] = [{} for _ in Family]
        self.keys: list[list[bytes]] = [[] for _ in Family]
        self.lock = threading.Lock()
        self.owned = False

    def apply(self, puts: Sequence[Put]) -> list[Put]:
        """Applies a batch as a whole. What it returns undoes it."""
        undo: list[Put] = []
        with self.lock:
            for family, key, value in puts:
                values, keys = self.values[family], self.keys[family]
                undo.append((family, key, values.get(key)))
                if value is None:
                    if values.pop(key, None) is not None:
                        del keys[bisect_left(keys, key)]
                    continue
                if key not in values:
                    insort(keys, key)
                values[key] = value
        return undo[::-1]


class MemoryLog(GroupWriter):
    """A `Log` on a `MemoryDisk`; without one, everything is gone at `close`. Raises `StoreLockedError`."""

    def __init__(self, disk: MemoryDisk | None = None) -> None:
        self._disk = disk or MemoryDisk()
        self._undo: list[Put] = []
        self._gone: ClosedError | None = None
        with self._disk.lock:
            if self._disk.owned:
                raise StoreLockedError("this memory is already open in this process")
            self._disk.owned = True
        feed = self._disk.keys[Family.FEED]
        self._start(decode_position(feed[-1]) if feed else 0, name="memory")

    def get(self, family: Family, key: bytes) -> bytes | None:
        """The value of one key."""
        return self._usable().values[family].get(key)

    def get_many(self, family: Family, keys: Sequence[bytes]) -> list[bytes | None]:
        """The values of many keys, in their order."""
        disk = self._usable()
        with disk.lock:
            return [disk.values[family].get(key) for key in keys]

    def scan(
        self,
        family: Family,
        start: bytes,
        stop: bytes | None,
        *,
        limit: int,
        limit_bytes: int | None = None,
        reverse: bool = False,
    ) -> list[tuple[bytes, bytes]]:
        """Pairs with `start` <= key < `stop`, ascending, or descending from `stop`."""
        disk = self._usable()
        if limit <= 0:
            return []
        with disk.lock:
            keys, values = disk.keys[family], disk.values[family]
            first = bisect_left(keys, start)
            end = len(keys) if stop is None else bisect_left(keys, stop)
            chosen = keys[max(first, end - limit) : end][::-1] if reverse else keys[first : min(end, first + limit)]
            return bounded(((key, values[key]) for key in chosen), limit_bytes)

    def _usable(self) -> MemoryDisk:
        if self._gone is not None:
            raise type(self._gone)(*self._gone.args)
        return self._disk

    def _mark(self) -> None:
        self._undo = []

    def _write(self, puts: Sequence[Put]) -> None:
        self._undo = self._disk.apply(puts)

    def _sync(self) -> None:
        pass

    def _hide_failed(self, puts: Sequence[Put]) -> None:
        # Here the outcome is known at once: the batch is not there after a restart either.
        self._disk.apply(self._undo)

    def _release(self) -> None:
        self._gone = ClosedError("this log is closed")
        self._disk.owned = False

    def _abandon(self) -> None:
        self._gone = ForkedError("this log was opened before the fork; open the store in the child")
