"""What requests cost the store, in things that no busy machine changes: entries read, bytes put, syncs."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fastpaca import _core
from fastpaca.engine import Engine
from fastpaca.log import group
from fastpaca.log.base import Family, Pending, Put
from fastpaca.log.rocks import RocksLog
from tests.support.patience import PATIENCE_S

CHAT = "chat"
TEXT = "As long as messages in conversations are: some four hundred characters of text, as people write it. " * 4


@dataclass
class Counts:
    entries_read: int = 0
    bytes_put: int = 0
    batches: int = 0
    syncs: int = 0


class CountingLog(RocksLog):
    """RocksDB's, which counts, and can hold its first sync until so many commits were submitted."""

    def __init__(self, path: Path, *, hold: int = 0) -> None:
        self.counts = Counts()
        self._hold = hold
        self._submitted = 0
        self._all_submitted = threading.Event()
        super().__init__(path, purpose="guard", sync=False)

    def get(self, family: Family, key: bytes) -> bytes | None:
        self.counts.entries_read += 1
        return super().get(family, key)

    def get_many(self, family: Family, keys: Sequence[bytes]) -> list[bytes | None]:
        self.counts.entries_read += len(keys)
        return super().get_many(family, keys)

    def scan(self, *arguments: Any, **options: Any) -> list[tuple[bytes, bytes]]:
        found = super().scan(*arguments, **options)
        self.counts.entries_read += len(found)
        return found

    def submit(self, commit: Pending, *, wake: bool = True) -> None:
        super().submit(commit, wake=wake)
        self._submitted += 1
        if self._submitted >= self._hold:
            self._all_submitted.set()

    def _write_batch(self, puts: Sequence[Put]) -> bool:
        self.counts.batches += 1
        self.counts.bytes_put += sum(len(key) + len(value or b"") for _, key, value in puts)
        return super()._write_batch(puts)

    def _sync(self) -> None:
        self.counts.syncs += 1
        if self._hold:
            assert self._all_submitted.wait(PATIENCE_S)
        super()._sync()


@contextmanager
def opened(path: Path, *, hold: int = 0) -> Iterator[tuple[Engine, Counts]]:
    log = CountingLog(path, hold=hold)
    engine = Engine(log)
    try:
        log.counts = Counts()
        yield engine, log.counts
    finally:
        engine.close()


def body(messages: int) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": TEXT, "token_count": 100}] * messages}).encode()


def fill(engine: Engine, messages: int) -> None:
    engine.write(CHAT, "configure", b'{"token_budget": 20000}')
    for _ in range(messages // 100):
        engine.write(CHAT, "append", body(100))


def window(context: _core.Context, fetched: _core.Fetched) -> bytes:
    return context.window(fetched)


def test_a_context_in_memory_is_written_and_read_without_the_store(tmp_path: Path) -> None:
    with opened(tmp_path / "data") as (engine, counts):
        fill(engine, 1_000)
        engine.read(CHAT, window)
        before = counts.entries_read
        for _ in range(20):
            engine.write(CHAT, "append", body(1))
            engine.read(CHAT, window)
        assert counts.entries_read == before


Operation = Callable[[_core.Context, _core.Fetched], bytes]


@pytest.mark.parametrize(
    ("operation", "entries"),
    [
        (window, 13),
        (lambda context, fetched: context.window(fetched, budget_tokens=10_000), 13),
        (lambda context, fetched: context.replay(fetched, from_seq=500, limit=100), 13),
        (lambda context, fetched: context.tail(fetched, limit=50), 12),
    ],
    ids=["window", "another budget", "page", "tail"],
)
def test_a_cold_read_costs_what_it_shows(tmp_path: Path, operation: Operation, entries: int) -> None:
    read = {}
    for messages in (1_000, 10_000):
        path = tmp_path / str(messages)
        with opened(path) as (engine, _):
            fill(engine, messages)
        with opened(path) as (engine, counts):
            engine.read(CHAT, operation)
            read[messages] = counts.entries_read
    assert read[10_000] <= read[1_000] <= entries


def test_a_load_reads_few_of_the_records_that_are_large(tmp_path: Path) -> None:
    mebibyte = json.dumps({"message": {"role": "user", "content": "x" * (1 << 20), "token_count": 100}}).encode()
    with opened(tmp_path / "data") as (engine, counts):
        engine.write(CHAT, "configure", b"{}")
        for _ in range(40):
            engine.write(CHAT, "append", mebibyte)
    # And two snapshots, not one behind each record from the first on.
    assert counts.batches <= 41 + 2
    with opened(tmp_path / "data") as (engine, counts):
        assert engine.read(CHAT, lambda context, _: context.version) == 40
        # The snapshot, and fewer records behind it than make 16 MiB.
        assert counts.entries_read < 1 + 16


def test_an_append_puts_little_more_than_the_message(tmp_path: Path) -> None:
    appends = 512
    with opened(tmp_path / "data") as (engine, counts):
        engine.write(CHAT, "configure", b"{}")
        before = counts.bytes_put
        for _ in range(appends):
            engine.write(CHAT, "append", body(1))
    # Two chunks of columns and a snapshot are written behind.
    assert (counts.bytes_put - before) / appends < len(TEXT) + 400


@pytest.mark.parametrize("grouped", [True, False])
def test_appends_that_meet_share_a_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, grouped: bool) -> None:
    writers = 32
    if not grouped:
        # What it would cost without groups, and the proof that this test counts.
        monkeypatch.setattr(group, "GROUP_PUTS_MAX", 1)
    with opened(tmp_path / "data", hold=writers) as (engine, counts), ThreadPoolExecutor(writers) as pool:
        waiting = [pool.submit(engine.write, f"{CHAT}-{n}", "configure", b"{}") for n in range(writers)]
        for each in waiting:
            each.result(PATIENCE_S)
        assert (counts.syncs, counts.batches) == ((2, 2) if grouped else (writers, writers))
