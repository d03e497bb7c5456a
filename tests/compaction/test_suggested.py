"""`suggested_range` is taken by `compact` as it stands, and compacting it helps."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import fastpaca
from tests.support.memory import ALL_TOKENS, window, write
from tests.support.validator import Asked, check_window
from tests.support.walk import CONTEXT, Walk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fastpaca.sync import Context

SUMMARY = {"role": "user", "content": "A summary.", "token_count": 1}
POLICIES: list[dict[str, Any]] = [
    {"strategy": "budget", "config": {}},
    {"strategy": "last_n", "config": {"limit": 40}},
    {"strategy": "strip_tool_results", "config": {"overflow": "flag"}},
]


def kept(walk: Walk) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(window(walk.engine, CONTEXT))
    return found


def check_suggestion(shown: dict[str, Any], first: int, last: int) -> None:
    """Behind the head, before the newest message, no pinned message."""
    messages = shown["messages"]
    behind = next(item for item in messages if item.get("role") not in {"system", "developer"})
    assert behind.get("seq", min(behind.get("from_seq", 1), behind.get("to_seq", 1))) <= first <= last
    assert last < max(item.get("seq", item.get("to_seq", 0)) for item in messages)
    inside = [item for item in messages if first <= item.get("seq", item.get("from_seq", 0)) <= last]
    assert not [item for item in inside if item.get("metadata", {}).get("pinned")]


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy["strategy"])
@pytest.mark.parametrize("seed", range(6))
def test_what_is_suggested_can_be_compacted(seed: int, policy: dict[str, Any]) -> None:
    walk = Walk(seed, policy=policy)
    for _ in range(60):
        walk.step()
        shown = kept(walk)
        assert shown["needs_compaction"] or "suggested_range" not in shown
        if "suggested_range" not in shown:
            continue
        first, last = shown["suggested_range"]["from_seq"], shown["suggested_range"]["to_seq"]
        check_suggestion(shown, first, last)
        if walk.chance.random() < 0.5:
            continue
        reply = json.loads(
            write(walk.engine, CONTEXT, "compact", from_seq=first, to_seq=last, replacement=SUMMARY).body
        )
        assert reply["tokens_after"] < reply["tokens_before"]
        walk.note()
        after = kept(walk)
        pinned = [item["seq"] for item in shown["messages"] if item.get("metadata", {}).get("pinned")]
        assert set(pinned) <= {item.get("seq") for item in after["messages"]}
        overhead = after["used_tokens"] - sum(item["token_count"] for item in after["messages"])
        check_window(after, Asked(ALL_TOKENS, walk.described["last_seq"], overhead=overhead))
    walk.close()


@pytest.fixture
def chat(tmp_path: Path) -> Iterator[Context]:
    with fastpaca.open(tmp_path / "data") as store:
        yield store.context("chat", budget=1000, trigger=0.5)


def say(text: str, tokens: int = 50, **more: Any) -> dict[str, Any]:
    return {"role": "user", "content": text, "token_count": tokens, **more}


def answer(tokens: int = 50) -> dict[str, Any]:
    return {"role": "assistant", "content": "Yes.", "token_count": tokens}


def call(name: str, tokens: int = 50) -> list[dict[str, Any]]:
    function = {"name": "f", "arguments": "{}"}
    asks = {"role": "assistant", "tool_calls": [{"id": name, "type": "function", "function": function}]}
    return [
        asks | {"token_count": tokens},
        {"role": "tool", "tool_call_id": name, "content": "", "token_count": tokens},
    ]


def test_whole_turns_behind_the_head_down_to_the_target(chat: Context) -> None:
    chat.append({"role": "system", "content": "Be brief.", "token_count": 10})
    for n in range(5):
        chat.append([say(f"{n}"), answer()])
    assert chat.window().suggested_range is not None
    assert chat.window().suggested_range == (2, 7)
    chat.compact(SUMMARY, from_seq=2, to_seq=7)
    assert chat.window().suggested_range is None


def test_the_largest_stretch_between_pins(chat: Context) -> None:
    chat.append([say("0"), say("pinned", metadata={"pinned": True}), answer()])
    for n in range(8):
        chat.append([say(f"{n}"), answer()])
    first, last = chat.window().suggested_range or (0, 0)
    assert first == 3
    chat.compact(SUMMARY, from_seq=first, to_seq=last)
    assert [item.get("seq") for item in chat.window().messages][:3] == [1, 2, None]


def test_summaries_of_before_are_summed_up_whole(chat: Context) -> None:
    chat.append([say("0"), answer(), say("1"), answer()])
    chat.compact(SUMMARY, from_seq=1, to_seq=2)
    for n in range(8):
        chat.append([say(f"{n}"), answer()])
    first, last = chat.window().suggested_range or (0, 0)
    assert first == 1
    assert last > 4
    chat.compact(SUMMARY, from_seq=first, to_seq=last)
    assert sum("from_seq" in item for item in chat.window().messages) == 1


def test_inside_a_long_turn_its_question_and_its_newest_call_stay(chat: Context) -> None:
    chat.append([say("Do it.")])
    for n in range(9):
        chat.append(call(f"call{n}"))
    first, last = chat.window().suggested_range or (0, 0)
    assert first == 2
    assert last < 18
    chat.compact(SUMMARY, from_seq=first, to_seq=last)
    kept = [item.get("seq") for item in chat.window().messages]
    assert kept[:2] == [1, None]
    assert kept[-2:] == [18, 19]


def test_nothing_is_suggested_where_nothing_is_worth_it(chat: Context) -> None:
    chat.append([say("Small.", tokens=5), answer(5), say("Large.", tokens=900), answer()])
    window = chat.window()
    assert window.needs_compaction
    assert window.suggested_range is None
