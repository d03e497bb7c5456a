"""Contexts leave memory when it is full, but not while a write to them is under way."""

from __future__ import annotations

import threading
import time

import pytest

from fastpaca.engine import Engine
from fastpaca.errors import NotFoundError
from tests.support.faulty_log import Faults, FaultyMemoryLog
from tests.support.memory import append, describe, write


def test_writes_under_way_hold_their_context() -> None:
    """The second one is planned, but not in the log yet: who loaded the context from there would plan it again."""
    faults = Faults()
    engine = Engine(FaultyMemoryLog(faults=faults), cache_bytes=1)
    write(engine, "busy", "configure")
    seqs: list[int] = []

    def one() -> None:
        seqs.append(append(engine, "busy", [{"role": "user", "content": "x"}])["seq"])

    threads = [threading.Thread(target=one) for _ in range(3)]
    faults.hold()
    for under_way, thread in enumerate(threads[:2], start=1):
        thread.start()
        deadline = time.monotonic() + 10
        while engine.loaded("busy").context.in_flight < under_way:
            assert time.monotonic() < deadline
        assert faults.at_sync.wait(10)
    for n in range(40):
        with pytest.raises(NotFoundError):
            describe(engine, f"other-{n}")
    threads[2].start()
    time.sleep(0.05)
    faults.release()
    for thread in threads:
        thread.join(10)
    assert sorted(seqs) == [1, 2, 3]
    assert describe(engine, "busy")["last_seq"] == 3
    assert engine.loaded_contexts < 40
    engine.close()
