"""What each strategy of the core leaves, exactly."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest

from fastpaca.engine import Engine
from fastpaca.log import MemoryDisk
from tests.support.chat import Chat, at, call, result, says, user
from tests.support.faulty_log import Faults, FaultyMemoryLog
from tests.support.memory import append, memory_engine

PLACEHOLDER = "[Old tool result removed]"


def steps(count: int, *, tokens: int = 100, first: int = 1, name: str = "search") -> list[dict[str, Any]]:
    """Calls with their results, one after the other."""
    found: list[dict[str, Any]] = []
    for n in range(first, first + count):
        found += [call(f"c{n}", name=name), result(f"c{n}", tokens)]
    return found


# strip_tool_results


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


# skip_parts


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


# time_aware


def test_old_sessions_leave() -> None:
    chat = Chat().configure("time_aware", max_age="2h")
    chat.add(at(user(), 0), at(says(), 1), at(user(), 20), at(says(), 21))
    chat.add(at(user(), 60), at(says(), 61))
    assert chat.kept() == [1, 2, 3, 4, 5, 6]
    # 141 minutes are exactly two hours after the first session's last message.
    chat.add(at(user(), 141))
    assert chat.kept() == [1, 2, 3, 4, 5, 6, 7]
    chat.add(at(says(), 141.5), at(user(), 142))
    assert chat.kept() == [5, 6, 7, 8, 9]


def test_a_clock_that_goes_back_makes_nothing_younger() -> None:
    chat = Chat().configure("time_aware", max_age="2h")
    chat.add(at(user(), 0), at(says(), 0))
    chat.add(at(user(), 300), at(says(), 300), at(user(), 1))
    assert chat.kept() == [3, 4, 5]


def test_a_session_goes_whole() -> None:
    chat = Chat().configure("time_aware", max_age=3600, session_gap="1h")
    chat.each(*(at(user() if n % 2 else says(), 20 * n) for n in range(1, 11)))
    assert chat.kept() == list(range(1, 11))
    chat.each(at(user(), 400))
    assert chat.kept() == [11]


def test_two_messages_of_the_user_may_lie_in_two_sessions() -> None:
    chat = Chat().configure("time_aware", max_age="1h")
    chat.each(at(user(), 0), at(user(), 1), at(user(), 120), at(says(), 121), at(user(), 122))
    assert chat.kept() == [3, 4, 5]


def test_a_pause_inside_a_turn_is_no_end() -> None:
    chat = Chat().configure("time_aware", max_age="1h")
    chat.each(at(user(), 0), at(call("a"), 1), at(result("a"), 300), at(says(), 301), at(user(), 302))
    assert chat.kept() == [1, 2, 3, 4, 5]
    chat.each(at(says(), 303), at(user(), 400))
    assert chat.kept() == [7]


def test_instructions_before_a_turn_hide_no_pause() -> None:
    chat = Chat().configure("time_aware", max_age="1h")
    note = {"role": "system", "content": "It is evening."}
    chat.each(at(user(), 0), at(says(), 1), at(note, 119.9), at(user(), 120))
    assert chat.kept() == [4]


def test_min_messages_stay() -> None:
    chat = Chat().configure("time_aware", max_age="1h", min_messages=4)
    chat.each(at(user(), 0), at(says(), 1), at(user(), 200), at(says(), 201), at(user(), 400))
    assert chat.kept() == [1, 2, 3, 4, 5]
    chat.each(at(says(), 401), at(user(), 402))
    assert chat.kept() == [3, 4, 5, 6, 7]


def test_pins_and_head_outlive_their_session() -> None:
    chat = Chat().configure("time_aware", max_age="1h")
    pinned = user(metadata={"pinned": True})
    chat.add(
        at({"role": "system", "content": "Be brief."}, 0), at(user(), 0), at(says(), 1), at(pinned, 2), at(says(), 3)
    )
    chat.each(at(user(), 120))
    assert chat.kept() == [1, 4, 6]


def test_over_the_trigger_the_oldest_sessions_leave_first() -> None:
    chat = Chat().configure("time_aware")
    for start in (0, 100, 200, 300):
        chat.add(at(user(tokens=50), start), at(says(tokens=100), start + 1))
    chat.add(at(user(tokens=200), 301))
    # 800 tokens: two sessions leave 500, three leave 350, which is the target.
    assert chat.kept() == [7, 8, 9]


def test_min_messages_bound_the_overflow() -> None:
    chat = Chat().configure("time_aware", min_messages=5)
    for start in (0, 1, 2, 3):
        chat.add(at(user(tokens=50), start), at(says(tokens=100), start))
    chat.add(at(user(tokens=200), 4))
    assert chat.kept() == [5, 6, 7, 8, 9]


# Waiting


def test_a_policy_waits_for_the_next_turn_while_the_list_fits() -> None:
    chat = Chat().configure("strip_tool_results", keep_last=0, keep_tokens=0)
    chat.add(user())
    versions = [chat.add(*steps(1, tokens=190, first=n))["version"] for n in range(1, 6)]
    # 810 tokens are over the trigger and fit the budget, 1010 don't.
    assert versions == [3, 5, 7, 9, 12]
    assert chat.kept() == [1, 2, -3, 4, -5, 6, -7, 8, -9, 10, 11]


OVERFLOWING = pytest.mark.parametrize(
    ("strategy", "config"), [("last_n", {"limit": 100}), ("skip_parts", {}), ("strip_tool_results", {})]
)


@OVERFLOWING
def test_a_large_message_leaves_with_the_turn_that_it_opened(strategy: str, config: dict[str, Any]) -> None:
    chat = Chat().configure(strategy, **config).each(user(tokens=600), says(tokens=200), user())
    assert chat.kept() == [3]


@OVERFLOWING
def test_turns_that_come_as_batches_do_not_put_it_off(strategy: str, config: dict[str, Any]) -> None:
    chat = Chat().configure(strategy, **config)
    tokens = [chat.add(user(tokens=90), says(tokens=90))["used_tokens"] for _ in range(7)]
    # Due inside the fourth turn, which it waits for. It was due when the fifth began.
    assert tokens == [180, 360, 540, 720, 180, 360, 540]
    assert chat.kept() == [9, 10, 11, 12, 13, 14]


def test_a_batch_of_many_turns_is_over_the_trigger_before_its_last() -> None:
    chat = Chat().configure("last_n", limit=100)
    chat.add(*[message for _ in range(5) for message in (user(tokens=90), says(tokens=90))])
    assert chat.kept() == [9, 10]


def test_after_a_run_it_waits_for_growth() -> None:
    chat = Chat().configure("last_n", limit=100)
    rewrites: list[int] = []
    for n in range(1, 61):
        versions = chat.add(user(tokens=50) if n % 2 else says(tokens=50))["version"]
        if versions - len(rewrites) > n:
            rewrites.append(n)
    # 700 - 350 tokens are seven messages of 50; a policy that is due inside a turn waits for the next.
    assert rewrites == [15, 23, 31, 39, 47, 55]


@pytest.mark.parametrize(("keep_system", "left"), [(True, [1, 4, 5, 6]), (False, [4, 5, 6])])
def test_the_head_stays_unless_it_need_not(keep_system: bool, left: list[int]) -> None:
    chat = Chat().configure("last_n", limit=3, keep_system=keep_system)
    chat.each({"role": "system", "content": "Be brief."}, user(), says(), user(), says(), user())
    assert chat.kept() == left


def test_last_n_drops_in_steps_of_chunk() -> None:
    chat = Chat().configure("last_n", limit=8, chunk=4)
    left = []
    for _ in range(6):
        chat.add(user())
        chat.add(says())
        left.append(chat.kept())
    # The ninth message drops a chunk of four, the thirteenth the next.
    assert left[3] == list(range(1, 9))
    assert left[4] == list(range(5, 11))
    assert left[5] == list(range(5, 13))
    # By default a quarter of the limit.
    assert Chat().configure("last_n", limit=8).each(*[user(), says()] * 4, user()).kept() == list(range(3, 10))


def test_a_list_that_a_run_left_over_the_trigger_is_left_alone_until_it_has_grown() -> None:
    chat = Chat().configure("last_n", limit=100)
    version = chat.add(user(tokens=750, metadata={"pinned": True}), says(tokens=10))["version"]
    runs: list[int] = []
    for n in range(40):
        reply = chat.add(user(tokens=50) if n % 2 else says(tokens=50))
        if reply["version"] > version + 1:
            runs.append(n)
        version = reply["version"]
    # The first batch is due, with nothing that may leave. Then pin and newest turn stay, 800 tokens or 850; 350 more
    # are seven messages, and more than the budget.
    assert runs == [6, 13, 20, 27, 34]


def test_a_pin_behind_the_opening_message_does_not_go_in_the_place_of_another() -> None:
    chat = Chat().configure("last_n", limit=3, chunk=1, overflow="flag")
    chat.add(user(), user(metadata={"pinned": True}), user(), user(tokens=1000), says())
    assert chat.kept() == [1, 2, 4, 5]


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


def test_a_result_over_a_quarter_of_the_budget_is_clamped() -> None:
    chat = Chat().configure("budget")
    texts = ["word " * 200, "word " * 300]
    for name, text in zip("ab", texts, strict=True):
        chat.add(user(), call(name), {"role": "tool", "tool_call_id": name, "content": text})
    assert chat.kept() == [1, 2, 3, 4, 5, -6]
    assert 200 < chat.window()["messages"][-1]["token_count"] <= 250 + 4


def test_flag_keeps_everything() -> None:
    chat = Chat().configure("last_n", limit=100, overflow="flag")
    chat.each(*[user(tokens=100)] * 9)
    assert chat.kept() == list(range(1, 10))
    assert chat.window()["needs_compaction"]
    for strategy in ("skip_parts", "time_aware", "strip_tool_results"):
        other = Chat(id=strategy).configure(strategy, overflow="flag")
        other.each(user(tokens=500), says(tokens=500), user())
        assert other.kept() == [1, 2, 3]


def test_max_tokens_caps_the_budget_of_the_shares() -> None:
    chat = Chat().configure("last_n", budget=100_000, limit=100, max_tokens=1000)
    chat.each(*[user(tokens=100), says(tokens=100)] * 4, user(tokens=100))
    assert chat.kept() == [7, 8, 9]


# Restart and bodies in flight


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
        deadline = time.monotonic() + 20
        while chat.engine.loaded(chat.id).context.in_flight < len(writes) and time.monotonic() < deadline:
            time.sleep(0.001)
    assert chat.engine.loaded(chat.id).context.in_flight == 3
    faults.release()
    for write in writes:
        write.join(20)
    chat.count = 9
    assert chat.kept() == [1, 2, -3, 4, -5, 6, -7, 8, 9]


def test_calls_leave_with_their_results_even_if_that_saves_nothing() -> None:
    chat = Chat().configure("skip_parts", budget=400)
    calls = call("a", "b", tokens=1, text="I look for two things.")
    chat.add(user(tokens=50), calls, result("b", 120), result("a", 120), says(), user(tokens=50))
    assert chat.kept() == [1, -2, 5, 6]
