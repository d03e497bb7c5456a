"""When a policy runs, what it waits for, and what it leaves whatever its strategy: head, pins, steps, shares."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.chat import Chat, call, says, steps, user


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
