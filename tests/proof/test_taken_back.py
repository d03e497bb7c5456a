"""Messages that a compaction took away and a later one brings back: they stand with what is beside them now."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fastpaca.engine import Engine
from fastpaca.errors import BudgetTooSmallError
from tests.support.memory import append, memory_engine, verify, window, write
from tests.support.validator import Asked, check_window

SUMMARY = {"role": "assistant", "content": "A summary.", "token_count": 10}


@pytest.fixture
def engine() -> Engine:
    engine = memory_engine()
    write(engine, "c", "configure", policy={"strategy": "budget", "config": {"max_result_tokens": 1000}})
    return engine


def say(role: str, tokens: int = 10, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": "Text.", "token_count": tokens, **more}


def call(name: str) -> dict[str, Any]:
    return {"role": "assistant", "parts": [{"type": "tool_call", "call_id": name, "name": "f"}], "token_count": 10}


def result(name: str, role: str = "tool") -> dict[str, Any]:
    return {"role": role, "parts": [{"type": "tool_result", "call_id": name, "content": "x"}], "token_count": 10}


def shown(engine: Engine, budget: int, last_seq: int) -> list[int | None]:
    """The valid window that is the largest for a budget."""
    reply = json.loads(window(engine, "c", budget, fit="largest"))
    check_window(reply, Asked(budget, last_seq))
    return [item.get("seq") for item in reply["messages"]]


@pytest.mark.parametrize("role", ["tool", "user"])
def test_a_result_that_was_an_orphan_stands_with_its_call(engine: Engine, role: str) -> None:
    append(engine, "c", [say("user"), call("a")])
    write(engine, "c", "compact", replacement=[SUMMARY])
    append(engine, "c", [result("a", role)])
    write(engine, "c", "compact", replacement=[{"from_seq": 1, "to_seq": 3}])
    assert shown(engine, 30, 3) == [1, 2, 3]
    with pytest.raises(BudgetTooSmallError):
        shown(engine, 29, 3)
    assert verify(engine.log, "c") == (5, 3)


def test_calls_that_were_one_group_are_two_where_a_result_parts_them(engine: Engine) -> None:
    append(engine, "c", [say("user"), call("z")])
    write(engine, "c", "compact", replacement=[SUMMARY])
    append(engine, "c", [call("a"), result("z"), call("b"), result("b")])
    write(engine, "c", "compact", replacement=[{"from_seq": 1, "to_seq": 6}])
    assert shown(engine, 1000, 6) == [1, 2, 3, 4, None, 5, 6]
    write(engine, "c", "compact", from_seq=1, to_seq=4, replacement=[{**SUMMARY, "role": "user"}])
    assert shown(engine, 1000, 6) == [None, 5, 6]


def test_calls_of_a_message_that_stays_out_wait_for_nothing(engine: Engine) -> None:
    parts = [*result("zz")["parts"], *call("a")["parts"]]
    append(engine, "c", [say("user"), {"role": "tool", "parts": parts}, say("user")])
    assert shown(engine, 100, 3) == [1, 3]


def test_a_call_taken_back_waits_again(engine: Engine) -> None:
    append(engine, "c", [say("user"), call("a"), say("user")])
    write(engine, "c", "compact", replacement=[SUMMARY])
    write(engine, "c", "compact", replacement=[{"from_seq": 1, "to_seq": 2}])
    append(engine, "c", [result("a")])
    assert shown(engine, 100, 4) == [1, 2, 4]


def test_an_edit_made_again_takes_out_what_stays_out_now(engine: Engine) -> None:
    append(engine, "c", [say("user"), call("a")])
    write(engine, "c", "compact", replacement=[SUMMARY])
    parts = [*result("a")["parts"], {"type": "text", "text": "And then?"}]
    append(engine, "c", [{"role": "user", "parts": parts}])
    edited = json.loads(window(engine, "c"))["messages"][-1]
    assert edited["edited"]
    assert edited["parts"] == parts[1:]
    write(engine, "c", "compact", replacement=[{"from_seq": 1, "to_seq": 3}])
    back = json.loads(window(engine, "c"))["messages"][-1]
    assert "edited" not in back
    assert back["parts"] == parts


def test_the_newest_user_message_opens_what_a_summary_left_of_its_turn(engine: Engine) -> None:
    append(engine, "c", [say("user"), say("user"), say("user"), say("assistant")])
    write(engine, "c", "compact", from_seq=2, to_seq=2, replacement=[SUMMARY])
    assert shown(engine, 20, 4) == [3, 4]


def test_a_turn_begins_where_it_did_in_the_log(engine: Engine) -> None:
    append(engine, "c", [say("user"), say("assistant")])
    write(engine, "c", "compact", from_seq=2, to_seq=2, replacement=[{"seq": 2}])
    write(engine, "c", "compact", replacement=[{"seq": 1}])
    append(engine, "c", [say("user"), say("assistant")])
    write(engine, "c", "compact", from_seq=1, to_seq=2, replacement=[{"from_seq": 1, "to_seq": 2}])
    assert shown(engine, 40, 4) == [1, 2, 3, 4]
    assert shown(engine, 20, 4) == [3, 4]


def test_late_results_of_one_message_stand_each_with_its_call(engine: Engine) -> None:
    """One keeps what else its message carries; several do not repeat it."""
    late_one = {"role": "user", "metadata": {"note": "n" * 1000}, "token_count": 10}
    append(engine, "c", [say("user"), call("a"), say("user"), call("b"), say("user"), call("c"), say("user")])
    append(engine, "c", [{**late_one, "content": [block("c"), {"type": "text", "text": "And?"}]}])
    append(engine, "c", [{**late_one, "content": [block("b"), block("a")]}])
    assert shown(engine, 1000, 9) == [1, 2, 9, 3, 4, 9, 5, 6, 8, 7, 8]
    late = [item for item in json.loads(window(engine, "c"))["messages"] if item.get("edited")]
    assert [item["content"][0].get("tool_use_id") for item in late] == ["a", "b", "c", None]
    assert [set(item) >= {"metadata"} for item in late] == [False, False, True, True]
    verify(engine.log, "c")


def block(name: str) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": name, "content": "x"}
