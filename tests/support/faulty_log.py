"""Logs that fail where a test says: the nth write, the nth sync, or a stop between a write and its sync.

The faults sit in the writer's own seams, `_write` and `_sync`, so all behind them is the real log.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from fastpaca.log import Commit, Family, MemoryLog, Put, RocksLog
from fastpaca.log.group import GroupWriter
from tests.support.patience import PATIENCE_S


class InjectedFault(Exception):
    """The fault that a test asked for."""


@dataclass
class Faults:
    """What goes wrong, and when. Writes and syncs are counted from 1."""

    fail_write: int | None = None
    fail_sync: int | None = None
    sync_delay_s: float = 0.0
    writes: int = 0
    syncs: int = 0
    at_sync: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.released.set()

    def hold(self) -> None:
        """The next sync waits for `release`; `at_sync` is set once it has been reached: written, not yet synced."""
        self.at_sync.clear()
        self.released.clear()

    def reach(self) -> None:
        """Waits until the held sync has been reached."""
        assert self.at_sync.wait(PATIENCE_S)

    def release(self) -> None:
        """Lets the held sync go on."""
        self.released.set()

    def on_write(self) -> None:
        """Called before a batch is written."""
        self.writes += 1
        if self.writes == self.fail_write:
            raise InjectedFault(f"write {self.writes}")

    def on_sync(self) -> None:
        """Called before a sync."""
        self.syncs += 1
        self.at_sync.set()
        self.released.wait()
        time.sleep(self.sync_delay_s)
        if self.syncs == self.fail_sync:
            raise InjectedFault(f"sync {self.syncs}")


class _Faulty(GroupWriter):
    def __init__(self, *args: Any, faults: Faults | None = None, **options: Any) -> None:
        self.faults = faults or Faults()
        super().__init__(*args, **options)

    def _write(self, puts: Sequence[Put]) -> None:
        self.faults.on_write()
        super()._write(puts)  # type: ignore[safe-super]

    def _sync(self) -> None:
        self.faults.on_sync()
        super()._sync()  # type: ignore[safe-super]


class FaultyRocksLog(_Faulty, RocksLog):
    """RocksDB with faults."""


class FaultyMemoryLog(_Faulty, MemoryLog):
    """Memory with faults."""


class Outcomes:
    """Collects what a log reports, in the order in which it does."""

    def __init__(self) -> None:
        self.reports: list[tuple[str, int, BaseException | None]] = []
        self._changed = threading.Condition()

    def commit(self, context_id: str, version: int, *more: Put, value: bytes = b"record") -> Commit:
        """A commit of one record, which reports here."""
        return Commit(
            context_id,
            version,
            [(Family.RECORDS, record_key(context_id, version), value), *more],
            self._done(context_id, version),
        )

    def _done(self, context_id: str, version: int) -> Callable[[BaseException | None], None]:
        def done(error: BaseException | None) -> None:
            with self._changed:
                self.reports.append((context_id, version, error))
                self._changed.notify_all()

        return done

    def wait(self, count: int) -> list[tuple[str, int, BaseException | None]]:
        """The first `count` reports."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.reports) >= count, PATIENCE_S), self.reports
            return self.reports[:count]


def record_key(context_id: str, version: int) -> bytes:
    """The key of a record."""
    return context_id.encode() + b"\x00" + version.to_bytes(8, "big")
