"""What `strip_tool_results` leaves, exactly."""

from __future__ import annotations

import json
from typing import Any

from tests.support.chat import Chat, call, result, says, steps, user

PLACEHOLDER = "[Old tool result removed]"


def test_older_results_become_the_placeholder() -> None:
    chat = Chat().configure("strip_tool_results", keep_tokens=0, overflow="flag")
    chat.add(user(), *steps(6), says())
    assert chat.kept() == list(range(1, 15))
    reply = chat.add(user())
    # 690 tokens are below the trigger of 700, 25 more are not.
    assert reply["used_tokens"] == 690
    reply = chat.each(says(tokens=15)).add(user())
    assert chat.kept() == [1, 2, -3, 4, -5, 6, -7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17]
    texts = chat.texts()
    assert [PLACEHOLDER in texts[seq] for seq in (3, 5, 7, 9)] == [True, True, True, False]
    window = chat.window()
    stripped = [m for m in window["messages"] if m.get("edited")]
    assert {m["token_count"] for m in stripped} == {10}
    assert [m["tool_call_id"] for m in stripped] == ["c1", "c2", "c3"]
    assert reply["used_tokens"] == window["used_tokens"] == 715 - 3 * 90
    assert reply["version"] == 18


def test_keep_tokens_keeps_the_newest_results() -> None:
    chat = Chat().configure("strip_tool_results", keep_last=0, keep_tokens=250, overflow="flag")
    chat.add(user(), *steps(7), says(), user())
    assert chat.kept() == [1, 2, -3, 4, -5, 6, -7, 8, -9, 10, -11, 12, 13, 14, 15, 16, 17]


def test_excluded_tools_stay() -> None:
    chat = Chat().configure("strip_tool_results", keep_last=0, keep_tokens=0, overflow="flag", exclude_tools=["read"])
    chat.add(user(), *steps(3), *steps(3, first=4, name="read"), *steps(1, first=7), says(), user())
    assert chat.kept() == [1, 2, -3, 4, -5, 6, -7, 8, 9, 10, 11, 12, 13, 14, -15, 16, 17]


def test_a_result_that_names_its_tool_needs_no_call() -> None:
    chat = Chat().configure("strip_tool_results", keep_last=0, keep_tokens=0, overflow="flag", exclude_tools=["read"])
    chat.add(user(), call("a", "b"), result("a", 400, name="read"), result("b", 400), says(), user())
    assert chat.kept() == [1, 2, 3, -4, 5, 6]


def test_too_little_to_clear_is_not_cleared() -> None:
    chat = Chat().configure("strip_tool_results", keep_last=0, keep_tokens=0, overflow="flag")
    chat.add(user(tokens=600), *steps(1, tokens=90), says(), user())
    assert chat.kept() == [1, 2, 3, 4, 5]
    assert chat.window()["needs_compaction"]
    other = Chat(id="d").configure("strip_tool_results", keep_last=0, keep_tokens=0, overflow="flag", clear_at_least=80)
    other.add(user(tokens=600), *steps(1, tokens=90), says(), user())
    assert other.kept() == [1, 2, -3, 4, 5]


def test_what_stripping_does_not_free_overflows() -> None:
    chat = Chat().configure("strip_tool_results", keep_last=0, keep_tokens=0)
    chat.add(user(tokens=300), *steps(1), says(), user(tokens=300), *steps(1, first=2), says(), user())
    # 10 tokens for each stripped result: 670 are more than the target of 350, so the first turn leaves.
    assert chat.kept() == [5, 6, -7, 8, 9]
    assert chat.window()["used_tokens"] == 340


def test_the_limit_holds_after_stripping() -> None:
    chat = Chat().configure("strip_tool_results", keep_last=0, keep_tokens=0, limit=4)
    chat.add(user(), *steps(1, tokens=600), says(), user(), says(tokens=100), user())
    assert chat.kept() == [5, 6, 7]


def test_one_message_with_many_results() -> None:
    blocks = [{"type": "tool_result", "tool_use_id": f"t{n}", "content": "word " * 100} for n in range(4)]
    blocks.insert(1, {"type": "tool_result", "tool_use_id": "t9", "content": "ok"})
    uses = [{"type": "tool_use", "id": block["tool_use_id"], "name": "f", "input": {}} for block in blocks]
    config: dict[str, Any] = {"keep_last": 1, "keep_tokens": 0, "max_result_tokens": 700, "overflow": "flag"}
    chat = Chat().configure("strip_tool_results", budget=700, **config)
    chat.add(user(), {"role": "assistant", "content": uses}, {"role": "user", "content": blocks}, says(), user())
    assert chat.kept() == [1, 2, -3, 4, 5]
    (shown,) = [m for m in chat.window()["messages"] if m["seq"] == 3]
    contents = {block["tool_use_id"]: block["content"] for block in shown["content"]}
    assert contents == {"t0": PLACEHOLDER, "t9": "ok", "t1": PLACEHOLDER, "t2": PLACEHOLDER, "t3": "word " * 100}


def test_the_output_inside_an_ai_sdk_part() -> None:
    part = {
        "type": "tool-f",
        "toolCallId": "x",
        "state": "output-available",
        "input": {"q": 1},
        "output": "word " * 300,
    }
    message = {"role": "assistant", "parts": [part, {"type": "text", "text": "It is so."}]}
    chat = Chat().configure("strip_tool_results", budget=400, keep_last=0, keep_tokens=0, max_result_tokens=400)
    chat.add(user(), message, user())
    assert chat.kept() == [1, -2, 3]
    assert chat.window()["messages"][1]["parts"] == [part | {"output": PLACEHOLDER}, message["parts"][1]]


def test_a_clamped_result_is_edited_again_and_only_once() -> None:
    config: dict[str, Any] = {
        "keep_last": 0,
        "keep_tokens": 0,
        "max_result_tokens": 200,
        "placeholder": "gone",
        "overflow": "flag",
    }
    chat = Chat().configure("strip_tool_results", **config)
    chat.add(user(), call("a"), {"role": "tool", "tool_call_id": "a", "content": "word " * 900}, says(tokens=500))
    assert chat.kept() == [1, 2, -3, 4]
    assert "omitted" in chat.texts()[3]
    chat.add(user())
    assert chat.texts()[3] == json.dumps([{"type": "text", "text": "gone"}])
    reply = chat.add(says(tokens=800), user(tokens=500))
    assert chat.kept() == [1, 2, -3, 4, 5, 6, 7]
    # Two messages and nothing else: what is stripped is not stripped again.
    assert reply["version"] == 8


def test_pins_and_the_newest_group_are_not_stripped() -> None:
    chat = Chat().configure("strip_tool_results", keep_last=0, keep_tokens=0, overflow="flag")
    chat.add(user(), call("a"), result("a", 400, metadata={"pinned": True}), call("b"), result("b", 400))
    chat.add(call("c"), result("c", 400))
    # Inside the turn, but over the budget.
    assert chat.kept() == [1, 2, 3, 4, -5, 6, 7]


def test_a_late_result_is_seen_before_it_is_stripped() -> None:
    chat = Chat().configure("strip_tool_results", keep_last=0, keep_tokens=0, overflow="flag")
    chat.add(user(), call("a"), says("Wait."), *steps(2, tokens=300), says(), user(tokens=100))
    assert chat.kept() == [1, 2, 0, 3, 4, -5, 6, -7, 8, 9]
    chat.add(result("a", 240))
    assert chat.kept() == [1, 2, 10, 3, 4, -5, 6, -7, 8, 9]
    chat.add(says(tokens=500), user())
    assert chat.kept() == [1, 2, -10, 3, 4, -5, 6, -7, 8, 9, 11, 12]


def test_an_edit_that_saves_nothing_is_not_made() -> None:
    chat = Chat().configure("strip_tool_results", keep_last=0, keep_tokens=0, clear_at_least=0, overflow="flag")
    use = {
        "role": "assistant",
        "content": [{"type": "tool_use", "id": "b", "name": "f", "input": {}}],
        "token_count": 10,
    }
    block = {"type": "tool_result", "tool_use_id": "b", "content": "It is a result."}
    chat.add(user(), call("a"), result("a", 700), use, {"role": "user", "content": [block], "token_count": 14}, says())
    chat.add(user())
    assert chat.kept() == [1, 2, -3, 4, 5, 6, 7]
