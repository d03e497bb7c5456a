"""Compactions beside writers: a slow summariser loses no message, of two one wins, a revert happens once."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

import fastpaca
from fastpaca.engine import Engine
from fastpaca.errors import CompactionConflictError, FastpacaError, RevertConflictError
from fastpaca.ticket import Reply
from tests.support.faulty_log import Faults, FaultyMemoryLog
from tests.support.memory import append, window, write
from tests.support.patience import PATIENCE_S, until

if TYPE_CHECKING:
    from pathlib import Path

WRITERS, EACH = 4, 60


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


@pytest.mark.parametrize("face", ["whole", "range"])
def test_a_slow_summariser_loses_no_message(tmp_path: Path, face: str) -> None:
    with fastpaca.open(tmp_path / "data") as store:
        chat = store.context("chat", budget=1_000_000)
        chat.append(user("first"))
        writing = threading.Event()
        writing.set()
        covered: list[tuple[int, int]] = []

        def has_covered(times: int) -> bool:
            return len(covered) >= times

        def write_all(writer: int) -> None:
            mine = store.context("chat")
            for n in range(EACH):
                mine.append(user(f"{writer}.{n}"))
                # However fast the disk is: compactions come in between.
                until(partial(has_covered, n // 20))

        def summarise() -> None:
            mine = store.context("chat")
            while writing.is_set():
                read = mine.window()
                last = read.segments[-1]["to_seq"]
                time.sleep(0.01)
                if face == "whole":
                    mine.compact({"role": "user", "content": f"A summary up to {last}."})
                else:
                    mine.compact({"role": "user", "content": "A summary."}, from_seq=1, to_seq=last)
                covered.append((mine.window().version, last))

        with ThreadPoolExecutor(WRITERS + 1) as pool:
            summariser = pool.submit(summarise)
            for writer in [pool.submit(write_all, n) for n in range(WRITERS)]:
                writer.result()
            writing.clear()
            summariser.result()
        segments = chat.window().segments
        assert len(covered) >= 2
        assert [each["type"] for each in segments] in (["summary"], ["summary", "live"])
        assert (segments[0]["from_seq"], segments[0]["to_seq"]) == (1, covered[-1][1])
        assert segments[-1]["to_seq"] == WRITERS * EACH + 1
        listed = list(chat.compactions())
        assert [each.to_seq for each in listed] == [last for _, last in reversed(covered)]
        texts = {message["parts"][0]["text"] for message in chat.messages()}
        assert texts == {"first"} | {f"{writer}.{n}" for writer in range(WRITERS) for n in range(EACH)}


def test_of_two_summarisers_one_wins(tmp_path: Path) -> None:
    with fastpaca.open(tmp_path / "data") as store:
        store.context("chat", budget=1000).append([user("one"), user("two")])
        both = threading.Barrier(2)

        def summarise(name: str) -> str:
            mine = store.context("chat")
            mine.window()
            both.wait()
            try:
                mine.compact(user(f"A summary by {name}."))
            except CompactionConflictError:
                return "late"
            return name

        with ThreadPoolExecutor(2) as pool:
            won = sorted(pool.map(summarise, ("a", "b")), key="late".__eq__)
        assert won[1] == "late"
        (message,) = store.context("chat").window().messages
        assert message["parts"][0]["text"] == f"A summary by {won[0]}."


def test_a_revert_happens_once(tmp_path: Path) -> None:
    with fastpaca.open(tmp_path / "data") as store:
        chat = store.context("chat", budget=1000)
        chat.append([user("one"), user("two")])
        version = chat.compact(user("A summary."), from_seq=1, to_seq=2).version

        def revert(_: int) -> bool:
            try:
                store.context("chat").revert(version)
            except RevertConflictError:
                return False
            return True

        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(revert, range(8))) == 1
        assert [message["seq"] for message in chat.window().messages] == [1, 2]


def test_idempotent_revert(tmp_path: Path) -> None:
    with fastpaca.open(tmp_path / "data") as store:
        chat = store.context("chat", budget=1000)
        chat.append([user("one"), user("two")])
        version = chat.compact(user("A summary."), from_seq=1, to_seq=2).version
        first = chat.revert(version, idempotency_key="k", if_version=version)
        again = chat.revert(version, idempotency_key="k", if_version=version)
        assert (again.version, again.replayed) == (first.version, True)
        assert first.tokens_after == chat.info().used_tokens


@pytest.mark.parametrize("route", ["rewind", "compact", "revert"])
def test_what_is_planned_reads_what_is_in_flight(route: str) -> None:
    """The log does not show the records yet that the plan needs."""
    faults = Faults()
    engine = Engine(FaultyMemoryLog(faults=faults))
    write(engine, "c", "configure", token_budget=1000)
    append(engine, "c", [user("one"), user("two")])
    faults.hold()
    with ThreadPoolExecutor(4) as pool:
        # The first is written and waits for its sync; what comes behind it is not even written.
        pending = [pool.submit(write, engine, "c", "metadata", metadata={"n": 1})]
        faults.reach()
        call = {"role": "assistant", "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f"}}]}
        steps: list[tuple[str, dict[str, Any]]] = [
            ("append", {"messages": [call, {"role": "tool", "tool_call_id": "a", "content": "done"}, user("three")]}),
            ("compact", {"from_seq": 3, "to_seq": 4, "replacement": user("A summary.")}),
        ]
        last: dict[str, tuple[str, dict[str, Any]]] = {
            "rewind": ("rewind", {"to_seq": 3}),
            "compact": ("compact", {"from_seq": 3, "to_seq": 4, "replacement": {"from_seq": 3, "to_seq": 4}}),
            "revert": ("revert", {"version": 7}),
        }
        steps.append(last[route])
        for n, (name, fields) in enumerate(steps):
            pending.append(pool.submit(write, engine, "c", name, **fields))
            until(partial(is_planned, engine, n + 2, pending[-1]))
        faults.release()
        for each in pending:
            each.result(PATIENCE_S)
    shown = [message.get("seq") for message in json.loads(window(engine, "c"))["messages"]]
    assert shown == ([1, 2, 3] if route == "rewind" else [1, 2, 3, 4, 5])
    engine.close()


def is_planned(engine: Engine, records: int, pending: Future[Reply]) -> bool:
    return pending.done() or engine._handles.loaded("c").context.in_flight >= records


def test_a_failed_revert_leaves_nothing(tmp_path: Path) -> None:
    with fastpaca.open(tmp_path / "data") as store:
        chat = store.context("chat", budget=1000)
        chat.append([user("one"), user("two")])
        version = chat.compact(user("A summary."), from_seq=1, to_seq=2).version
        chat.compact(user("Another."), from_seq=1, to_seq=2)
        before = chat.window().raw
        with pytest.raises(FastpacaError, match="can't be reverted"):
            chat.revert(version)
        assert chat.window().raw == before
