"""Which result belongs to which call where ids say little, and which calls are parallel."""

from __future__ import annotations

import json
from typing import Any

from tests.support.memory import append, memory_engine, window, write
from tests.support.validator import Asked, check_window


def shown(*messages: dict[str, Any]) -> list[int | str]:
    """What a valid window shows of a conversation: messages, and the calls that repairs answer."""
    engine = memory_engine()
    write(engine, "c", "configure", policy={"strategy": "budget"})
    append(engine, "c", messages)
    reply = json.loads(window(engine, "c"))
    check_window(reply, Asked(10**7, len(messages)))
    return [item.get("seq") or item["parts"][0]["call_id"] for item in reply["messages"]]


USER = {"role": "user", "content": "Go on."}
CALL = {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}}
RESULT = {"role": "function", "name": "f", "content": "done"}


def test_a_result_without_an_id_answers_the_call_that_waits() -> None:
    assert shown(USER, CALL, USER, CALL, RESULT) == [1, 2, "call_2_0", 3, 4, 5]


def test_a_result_without_an_id_is_late_where_none_waits() -> None:
    assert shown(USER, CALL, USER, RESULT) == [1, 2, 4, 3]


def test_a_result_with_an_unknown_id_answers_no_repaired_call() -> None:
    other = {"role": "tool", "tool_call_id": "a", "content": "done"}
    assert shown(USER, CALL, USER, other) == [1, 2, "call_2_0", 3]


def test_calls_behind_one_that_brought_its_result_are_not_parallel() -> None:
    part = {"type": "tool-f", "toolCallId": "a", "input": {}}
    answered = part | {"state": "output-available", "output": 1}
    half = {"role": "assistant", "parts": [answered, part | {"toolCallId": "b", "state": "input-available"}]}
    assert shown(USER, half, CALL, RESULT) == [1, 2, "b", 3, 4]
