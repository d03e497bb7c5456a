"""What `skip_parts` leaves, exactly."""

from __future__ import annotations

from typing import Any

from tests.support.chat import Chat, call, result, says, steps, user


def test_calls_and_results_of_closed_turns_leave_together() -> None:
    chat = Chat().configure("skip_parts")
    chat.add(user(), call("a", "b", text="I look."), result("a", 300), result("b", 300), says("It is so."))
    chat.add(user("and now?"), call("c"), result("c"))
    assert chat.kept() == [1, 2, 3, 4, 5, 6, 7, 8]
    chat.add(says(), user())
    assert chat.kept() == [1, -2, 5, 6, 9, 10]
    shown = chat.window()["messages"][1]
    assert (shown["parts"], "tool_calls" in shown) == ([{"type": "text", "text": "I look."}], False)


def test_the_open_turn_stays_whole() -> None:
    chat = Chat().configure("skip_parts", overflow="flag")
    chat.add(user(), *steps(8, tokens=200))
    assert chat.kept() == list(range(1, 18))


def test_thinking_leaves_with_its_call() -> None:
    parts = [
        {"type": "thinking", "thinking": "word " * 50, "signature": "c2ln"},
        {"type": "text", "text": "I look."},
        {"type": "tool_use", "id": "t", "name": "f", "input": {}},
    ]
    answer = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "word " * 200}]}
    chat = Chat().configure("skip_parts", budget=300, kinds=["tool"], overflow="flag", max_result_tokens=300)
    chat.add(user(), {"role": "assistant", "content": parts}, answer, says(), user())
    assert chat.kept() == [1, -2, 4, 5]
    assert chat.window()["messages"][1]["content"] == [parts[1]]


def test_one_type_of_ai_sdk_parts() -> None:
    def tool(name: str) -> dict[str, Any]:
        return {
            "type": f"tool-{name}",
            "toolCallId": name,
            "state": "output-available",
            "input": {},
            "output": "w " * 200,
        }

    message = {"role": "assistant", "parts": [tool("search"), tool("read"), {"type": "text", "text": "So."}]}
    chat = Chat().configure("skip_parts", budget=500, kinds=["tool-search"], overflow="flag")
    chat.add(user(), message, user())
    assert chat.kept() == [1, -2, 3]
    assert [part["type"] for part in chat.window()["messages"][1]["parts"]] == ["tool-read", "text"]


def test_a_prefix_that_names_calls_takes_their_results() -> None:
    chat = Chat().configure("skip_parts", kinds=["tool_use"], overflow="flag")
    uses = [{"type": "tool_use", "id": "t", "name": "f", "input": {}}, {"type": "text", "text": "Hm."}]
    answer = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "w " * 200}]}
    chat.add(user(tokens=700), {"role": "assistant", "content": uses}, answer, says(), user())
    assert chat.kept() == [1, -2, 4, 5]


def test_repairs_leave_with_their_calls() -> None:
    chat = Chat().configure("skip_parts")
    chat.add(user(tokens=300), call("a", tokens=400), user(), says(), user())
    assert chat.kept() == [1, 3, 4, 5]
    chat.add(result("a"))
    assert chat.kept() == [1, 3, 4, 5]


def test_what_opens_a_turn_stays() -> None:
    chat = Chat().configure("skip_parts", kinds=["image"], overflow="flag")
    picture = {"type": "image", "image": "https://example.org/a.png"}
    chat.add(
        {"role": "user", "content": [picture]}, says(), user(), {"role": "assistant", "content": [picture]}, user()
    )
    assert chat.kept() == [1, 2, 3, 5]


def test_nothing_to_skip_overflows() -> None:
    chat = Chat().configure("skip_parts")
    chat.add(user(), says(tokens=400), user(), says(tokens=300), user())
    assert chat.kept() == [3, 4, 5]


def test_calls_leave_with_their_results_even_if_that_saves_nothing() -> None:
    chat = Chat().configure("skip_parts", budget=400)
    calls = call("a", "b", tokens=1, text="I look for two things.")
    chat.add(user(tokens=50), calls, result("b", 120), result("a", 120), says(), user(tokens=50))
    assert chat.kept() == [1, -2, 5, 6]
