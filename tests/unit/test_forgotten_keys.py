"""Idempotency keys are forgotten when they are old and behind enough newer ones, and only then."""

from __future__ import annotations

import itertools

import pytest

from fastpaca import errors
from fastpaca.engine import Engine
from fastpaca.log.base import Family
from fastpaca.log.memory import MemoryLog

DAY_MS = 24 * 60 * 60 * 1000
KEYS_NEWER = 10_000


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    now_ms = [1_800_000_000_000]
    monkeypatch.setattr("fastpaca.engine.time.time_ns", lambda: now_ms[0] * 1_000_000)
    return now_ms


def append(engine: Engine, text: str, key: str) -> bool:
    body = f'{{"message":{{"role":"user","content":"{text}","token_count":1}}}}'
    return engine.write("chat", "append", body.encode(), key=key).replayed


def stored_keys(engine: Engine) -> int:
    return len(engine.log.scan(Family.KEYS, b"chat\x00k", b"chat\x00l", limit=100_000))


def test_age_alone_forgets_nothing(clock: list[int]) -> None:
    engine = Engine(MemoryLog())
    engine.write("chat", "configure", b"")
    append(engine, "first", "k")
    clock[0] += 3 * DAY_MS
    assert append(engine, "first", "k")
    with pytest.raises(errors.KeyReusedError):
        append(engine, "other", "k")


def test_old_and_behind_newer_keys(clock: list[int]) -> None:
    engine = Engine(MemoryLog())
    engine.write("chat", "configure", b"")
    append(engine, "first", "k")
    numbers = itertools.count()
    for _ in range(KEYS_NEWER - 1):
        append(engine, "x", f"n{next(numbers)}")
    clock[0] += DAY_MS + 1
    assert append(engine, "first", "k"), "behind 9 999 newer keys"
    append(engine, "x", f"n{next(numbers)}")
    assert not append(engine, "other", "k"), "behind 10 000 newer keys, and older than a day"
    assert append(engine, "x", "n5"), "younger keys stay"


@pytest.mark.slow
def test_forgotten_keys_leave_the_store(clock: list[int]) -> None:
    engine = Engine(MemoryLog())
    engine.write("chat", "configure", b"")
    for n in range(600):
        append(engine, "x", f"old{n}")
    clock[0] += DAY_MS + 1
    for n in range(KEYS_NEWER + 400):
        append(engine, "x", f"new{n}")
    assert stored_keys(engine) < KEYS_NEWER + 600
    assert engine.log.get(Family.KEYS, b"chat\x00kold0") is None
    assert append(engine, "x", "new0")
    engine.close()
