"""Worker processes beside each other, and one that is killed: each context is summarised by one at a time, and what is
appended meanwhile is never lost.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import fastpaca
from tests.support.examples import ROOT
from tests.support.server import Server

CONTEXTS = 8
LEASE_S = 2


class Workers:
    """Worker processes of one server."""

    def __init__(self, server: Server, log: Path) -> None:
        self.server = server
        self.log = log
        self.processes: list[subprocess.Popen[bytes]] = []
        log.touch()

    def start(self, seconds: float) -> subprocess.Popen[bytes]:
        arguments = [self.server.url, str(self.log), str(seconds), str(LEASE_S)]
        process = subprocess.Popen([sys.executable, "-m", "tests.support.compaction_child", *arguments], cwd=ROOT)
        self.processes.append(process)
        return process

    def notes(self) -> list[tuple[float, int, str, str]]:
        lines = [line.split() for line in self.log.read_text().splitlines()]
        return [(float(at), int(pid), what, context) for at, pid, what, context in lines]

    def stop(self) -> list[int]:
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        return [process.wait(30) for process in self.processes]


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Workers]:
    with Server(tmp_path / "data") as server:
        workers = Workers(server, tmp_path / "log")
        yield workers
        for process in workers.processes:
            process.kill()
            process.wait()


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def grown(chat: fastpaca.Context, name: str) -> None:
    for turn in range(8):
        chat.append({"role": "user", "content": f"{name} question {turn} " + "word " * 20})
        chat.append({"role": "assistant", "content": f"{name} answer {turn} " + "yes " * 20})


def overlaps(notes: list[tuple[float, int, str, str]], killed: int = 0) -> list[str]:
    """Contexts at which two were at once. One that was killed was at it until its lease ended."""
    by_context: dict[str, list[tuple[float, int, str]]] = defaultdict(list)
    for at, pid, what, context in notes:
        by_context[context].append((at, pid, what))
    found = []
    for context, steps in by_context.items():
        at_work: set[int] = set()
        for _, pid, what in steps:
            if what == "begin":
                at_work.discard(killed)
                found += [context] if at_work else []
                at_work.add(pid)
            else:
                at_work.discard(pid)
    return found


@pytest.mark.slow
def test_two_workers_share_the_work(workers: Workers) -> None:
    workers.start(0.3)
    workers.start(0.3)
    with fastpaca.connect(workers.server.url) as store:
        until(lambda: sum(what == "ready" for _, _, what, _ in workers.notes()) == 2)
        chats = [store.context(f"c{number}", budget=400, trigger=0.5) for number in range(CONTEXTS)]
        for _ in range(3):
            for chat in chats:
                grown(chat, chat.id)
        until(lambda: not list(store.contexts(needs_compaction=True)))
        notes = workers.notes()
        assert overlaps(notes) == []
        assert len({pid for _, pid, what, _ in notes if what == "end"}) == 2
        assert workers.stop() == [0, 0]
        for chat in chats:
            check_whole(chat, 48)


@pytest.mark.slow
def test_the_work_of_a_killed_worker_is_taken_over(workers: Workers) -> None:
    with fastpaca.connect(workers.server.url) as store:
        chat = store.context("c0", budget=400, trigger=0.5)
        first = workers.start(60)
        grown(chat, "c0")
        until(lambda: any(what == "begin" for _, _, what, _ in workers.notes()))
        workers.start(0.1)
        # Longer than a lease: the first one keeps it alive while it works.
        time.sleep(LEASE_S + 1)
        assert [what for _, _, what, context in workers.notes() if context == "c0"] == ["begin"]
        killed = time.monotonic()
        first.kill()
        until(lambda: chat.info().needs_compaction is False)
        assert time.monotonic() - killed > LEASE_S / 3
        assert overlaps(workers.notes(), killed=first.pid) == []
        check_whole(chat, 16)
        assert chat.window().messages[0]["parts"][0]["text"] == "c0 in short"
        (compaction,) = chat.compactions()
        assert compaction.by == "caller"


def check_whole(chat: fastpaca.Context, count: int) -> None:
    """The log has everything; the window has it too, in its summary or behind it."""
    assert [message["seq"] for message in chat.messages()] == list(range(1, count + 1))
    covered = 0
    for message in chat.window(budget=10_000).messages:
        assert message.get("seq", message.get("from_seq")) == covered + 1
        covered = message.get("seq", message.get("to_seq", 0))
    assert covered == count
