"""Every implementation of a log behind one way to open it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fastpaca.log import Log, MemoryDisk, MemoryLog, RocksLog
from tests.support.faulty_log import Faults, FaultyMemoryLog, FaultyRocksLog

AnyLog = RocksLog | MemoryLog
IMPLEMENTATIONS: tuple[type[Log], ...] = (RocksLog, MemoryLog)  # So the type checker compares them with the interface.


class Backend:
    """Opens logs on one storage, again and again; closes what a test leaves open."""

    def __init__(self, kind: str, path: Path) -> None:
        self.kind = kind
        self._path = path / "store"
        self._disk = MemoryDisk()
        self._opened: list[AnyLog] = []

    def open(self, faults: Faults | None = None) -> AnyLog:
        """Opens the storage as a test finds it."""
        log = self._log(faults)
        self._opened.append(log)
        return log

    def _log(self, faults: Faults | None) -> AnyLog:
        match self.kind:
            case "rocks":
                return RocksLog(self._path)
            case "memory":
                return MemoryLog(self._disk)
            case "faulty rocks":
                return FaultyRocksLog(self._path, faults=faults)
            case _:
                return FaultyMemoryLog(self._disk, faults=faults)

    def close(self) -> None:
        """Closes all."""
        for log in self._opened:
            if isinstance(log, FaultyRocksLog | FaultyMemoryLog):
                log.faults.release()
            log.close()


@pytest.fixture(params=["rocks", "memory", "faulty rocks", "faulty memory"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    """Each implementation."""
    backend = Backend(request.param, tmp_path)
    yield backend
    backend.close()


@pytest.fixture(params=["faulty rocks", "faulty memory"])
def faulty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    """Each implementation that can be told to fail."""
    backend = Backend(request.param, tmp_path)
    yield backend
    backend.close()
