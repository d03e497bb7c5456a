"""A process that appends under load is killed, and a disk that fills up: what was acknowledged is there."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fastpaca.errors import OutcomeUnknownError, PoisonedError, UnavailableError
from fastpaca.local import open_engine
from tests.support import crash_engine
from tests.support.disk import small_disk
from tests.support.memory import describe, replay, verify, window, write

if TYPE_CHECKING:
    from fastpaca.engine import Engine
    from fastpaca.ticket import Reply

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "python"), str(ROOT)])}
WRITERS = 8
CONTEXTS = 3


@dataclass(frozen=True)
class Acknowledged:
    """What the child said before it died."""

    context_id: str
    version: int
    seq: int
    id: str


def killed(path: Path, turn: int, after_s: float) -> list[Acknowledged]:
    """Runs the child, and kills it so many seconds after its first append."""
    arguments = [str(path), str(turn), str(WRITERS), str(CONTEXTS)]
    process = subprocess.Popen(
        [sys.executable, crash_engine.__file__, *arguments], env=ENVIRONMENT, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    with process, process.stdout as out:
        assert out.readline() == b"ready\n"
        first = out.readline()
        threading.Timer(after_s, process.send_signal, [signal.SIGKILL]).start()
        lines = (first + out.read()).decode().split("\n")[:-1]
    assert process.returncode == -signal.SIGKILL
    told = [line.split(" ") for line in lines]
    return [Acknowledged(c, int(version), int(seq), name) for c, version, seq, name in told]


def check(engine: Engine, acknowledged: list[Acknowledged]) -> int:
    """Every acknowledged message once, at its seq; records whole; the chain intact. Gives their number."""
    total = 0
    for number in range(CONTEXTS):
        context_id = f"c{number}"
        version, last_seq = verify(engine.log, context_id)
        described = describe(engine, context_id)
        assert (described["version"], described["last_seq"]) == (version, last_seq) == (last_seq, last_seq)
        messages = replay(engine, context_id)
        ids = [message["id"] for message in messages]
        assert [message["seq"] for message in messages] == list(range(1, last_seq + 1))
        assert len(set(ids)) == len(ids)
        for each in acknowledged:
            if each.context_id == context_id:
                assert ids[each.seq - 1] == each.id
                assert each.version <= version
        check_order(ids)
        total += last_seq
    return total


def check_order(ids: list[str]) -> None:
    """Each writer's batches whole, and in the order in which it made them."""
    by_writer: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for name in ids:
        turn, writer, number, n = map(int, name.split("-"))
        by_writer.setdefault((turn, writer), []).append((number, n))
    for made in by_writer.values():
        last = made[-1][0]
        assert made == [(number, n) for number in range(last + 1) for n in range(1 + number % 3)]


def rounds(path: Path, count: int) -> None:
    chance = random.Random(7)
    acknowledged: list[Acknowledged] = []
    for turn in range(count):
        acknowledged += killed(path, turn, chance.uniform(0.01, 0.5))
        engine = open_engine(path)
        total = check(engine, acknowledged)
        again = [each for each in acknowledged if each.id.endswith("-0")][-20:]
        for each in again:
            ids = [f"{each.id[:-2]}-{n}" for n in range(1 + int(each.id.split("-")[2]) % 3)]
            messages = [{"role": "user", "content": f"{name} " * 40, "id": name} for name in ids]
            reply = write(engine, each.context_id, "append", key=f"key {each.id}", messages=messages)
            assert reply.replayed
            assert reply.version == each.version
        engine.close()
    print(f"{count} kills: {len(acknowledged)} messages acknowledged, {total} there, none lost, none twice")
    assert len(acknowledged) > count * 10


def test_a_kill_loses_nothing(tmp_path: Path) -> None:
    rounds(tmp_path / "store", 1)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_thirty_kills_lose_nothing(tmp_path: Path) -> None:
    rounds(tmp_path / "store", 30)


@pytest.mark.slow
def test_a_full_disk_refuses_and_loses_nothing(tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", "64m") as disk:
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(44 * 1024 * 1024))
        fill_twice(disk / "store", ballast)


def fill_twice(path: Path, ballast: Path) -> None:
    """Appends until the disk is full, and again once the ballast is gone."""
    engine = open_engine(path)
    write(engine, "c0", "configure")
    good, refusal = fill_up(engine)
    assert isinstance(refusal, OutcomeUnknownError)
    assert good > 20
    with pytest.raises(PoisonedError):
        fill(engine, good)
    assert describe(engine, "c0")["last_seq"] == good
    assert len(json.loads(window(engine, "c0"))["messages"]) == good
    ids = [message["id"] for message in replay(engine, "c0")]
    assert ids == [f"m{n}" for n in range(good)]
    engine.close()
    ballast.unlink()
    engine = open_engine(path)
    there = [message["id"] for message in replay(engine, "c0")]
    assert there[:good] == ids
    assert len(there) <= good + 1
    assert verify(engine.log, "c0") == (len(there), len(there))
    assert fill(engine, good).replayed == (len(there) > good)
    assert not fill(engine, good + 1).replayed
    engine.close()


def fill_up(engine: Engine) -> tuple[int, UnavailableError]:
    """Appends until the disk is full; gives how many appends were acknowledged, and the refusal."""
    for number in range(10_000):
        try:
            fill(engine, number)
        except UnavailableError as refusal:
            return number, refusal
    raise AssertionError("the disk never filled up")


def fill(engine: Engine, number: int) -> Reply:
    """Appends a message that no compression makes small."""
    text = random.Random(number).randbytes(20_000).hex()
    message = {"role": "user", "content": text, "id": f"m{number}", "token_count": 1}
    return write(engine, "c0", "append", key=f"key {number}", message=message)
