"""A decision stands in the record of its append: restarts, new settings and records in flight change none."""

from __future__ import annotations

import threading

import pytest

from fastpaca.engine import Engine
from fastpaca.log import MemoryDisk
from tests.support.chat import Chat, at, call, result, says, steps, user
from tests.support.faulty_log import Faults, FaultyMemoryLog
from tests.support.memory import append, memory_engine
from tests.support.patience import PATIENCE_S, until


@pytest.mark.parametrize("strategy", ["strip_tool_results", "skip_parts", "time_aware", "last_n"])
def test_a_restart_decides_nothing_again(strategy: str) -> None:
    disk = MemoryDisk()
    chat = Chat(memory_engine(disk)).configure(strategy, **({"limit": 6} if strategy == "last_n" else {}))
    for n in range(8):
        chat.each(at(user(), 50 * n), at(call(f"c{n}"), 50 * n), at(result(f"c{n}", 150), 50 * n), at(says(), 50 * n))
    before = chat.window()
    chat.engine.close()
    again = Chat(memory_engine(disk), count=chat.count)
    assert again.window() == before
    assert len(before["messages"]) < chat.count or any(m.get("edited") for m in before["messages"])


def test_a_batch_is_edited_in_the_record_that_brings_it() -> None:
    chat = Chat().configure("strip_tool_results", keep_last=0, keep_tokens=0)
    reply = append(chat.engine, chat.id, [user(), *steps(4, tokens=200), says(), user()])
    chat.count = reply["seq"]
    assert reply["version"] == 12
    assert chat.kept() == [1, 2, -3, 4, -5, 6, -7, 8, -9, 10, 11]


def test_a_new_policy_acts_from_the_next_append_on() -> None:
    chat = Chat().configure("last_n", limit=100)
    chat.add(user(tokens=400), says(tokens=400), user(tokens=100), says(tokens=100), user(tokens=100))
    assert chat.kept() == [3, 4, 5]
    chat.add(says(tokens=100))
    # 400 tokens: the old policy would wait until there are 650, and one that counts from its run until there are 525.
    chat.configure("last_n", limit=100, trigger_ratio=0.45)
    chat.add(user(tokens=100))
    assert chat.kept() == [7]
    idle = Chat(id="idle").configure("last_n", limit=100, overflow="flag")
    idle.add(user(tokens=400), says(tokens=400), user(tokens=100))
    assert idle.kept() == [1, 2, 3]
    idle.configure("last_n", limit=100)
    idle.add(says(), user())
    assert idle.kept() == [3, 4, 5]


def test_records_in_flight_are_edited_as_well() -> None:
    faults = Faults()
    chat = Chat(Engine(FaultyMemoryLog(faults=faults))).configure("strip_tool_results", keep_last=0, keep_tokens=0)
    faults.hold()
    batches = [[user()], [*steps(3, tokens=200), says()], [user(tokens=150)]]
    writes = []
    for batch in batches:
        writes.append(threading.Thread(target=append, args=(chat.engine, chat.id, batch)))
        writes[-1].start()
        until(lambda: chat.engine.loaded(chat.id).context.in_flight == len(writes))
    faults.release()
    for write in writes:
        write.join(PATIENCE_S)
    chat.count = 9
    assert chat.kept() == [1, 2, -3, 4, -5, 6, -7, 8, 9]
