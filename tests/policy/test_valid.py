"""Random conversations of every shape under every policy: after each message a provider takes every window."""

from __future__ import annotations

import contextlib
import random
from typing import TYPE_CHECKING, Any

import pytest

from fastpaca.errors import BudgetTooSmallError, InvalidError
from fastpaca.log import MemoryDisk
from tests.support.chat import Chat, at
from tests.support.data import DATA, conversations, needs_data
from tests.support.erratic import NAME, registered
from tests.support.memory import memory_engine, verify, write

if TYPE_CHECKING:
    from collections.abc import Iterator

POLICIES: list[tuple[str, dict[str, Any]]] = [
    ("strip_tool_results", {"keep_last": 1, "keep_tokens": 30, "clear_at_least": 0}),
    ("strip_tool_results", {"keep_last": 0, "keep_tokens": 0, "clear_at_least": 0, "overflow": "flag", "limit": 12}),
    ("skip_parts", {}),
    ("skip_parts", {"kinds": ["tool_use", "text"], "overflow": "flag"}),
    ("skip_parts", {"kinds": ["tool_result"], "limit": 9, "keep_system": False}),
    ("time_aware", {"max_age": "2h", "session_gap": "20m"}),
    ("time_aware", {"min_messages": 6, "session_gap": 1}),
    ("last_n", {"limit": 10, "chunk": 3}),
    (NAME, {}),
]


@pytest.fixture(autouse=True)
def erratic() -> Iterator[None]:
    with registered():
        yield


class Talk:
    """A conversation that goes on at random: results in any order, late, twice, or never; ids that repeat or lack."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.calls: list[str] = []
        self.minute = 0.0

    def next(self) -> dict[str, Any]:
        self.minute += self.chance.choice([0.1, 1, 5, 45])
        kinds = [self.user, self.user, self.says, self.openai, self.anthropic, self.answer, self.answer, self.ui]
        message = self.chance.choice([*kinds, self.system, self.thinks, self.blocks])()
        if self.chance.random() < 0.04:
            message["metadata"] = {"pinned": True}
        return at(message, self.minute)

    def words(self, most: int = 40) -> str:
        return "word " * self.chance.randint(1, most)

    def called(self) -> str:
        self.calls.append(f"c{self.chance.randint(1, 12)}")
        return self.calls[-1]

    def user(self) -> dict[str, Any]:
        return {"role": "user", "content": self.words()}

    def says(self) -> dict[str, Any]:
        return {"role": "assistant", "content": self.words()}

    def system(self) -> dict[str, Any]:
        return {"role": "system", "content": self.words(5)}

    def thinks(self) -> dict[str, Any]:
        return {"role": "assistant", "content": [{"type": "thinking", "thinking": self.words(), "signature": "c2ln"}]}

    def openai(self) -> dict[str, Any]:
        function = {"name": "f", "arguments": "{}"}
        calls = [
            {"id": self.called(), "type": "function", "function": function} for _ in range(self.chance.randint(1, 3))
        ]
        return {"role": "assistant", "content": self.chance.choice([None, "I look."]), "tool_calls": calls}

    def anthropic(self) -> dict[str, Any]:
        uses = [
            {"type": "tool_use", "id": self.called(), "name": "f", "input": {}}
            for _ in range(self.chance.randint(1, 2))
        ]
        before = [{"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}, {"type": "text", "text": "So."}]
        return {"role": "assistant", "content": [*before[: self.chance.randint(0, 2)], *uses]}

    def answer(self) -> dict[str, Any]:
        call_id = self.chance.choice([*self.calls[-3:], "c0"])
        return {"role": "tool", "tool_call_id": call_id, "content": self.words(200)}

    def blocks(self) -> dict[str, Any]:
        ids = dict.fromkeys([*self.calls[-2:], "c0"])
        results = [{"type": "tool_result", "tool_use_id": each, "content": self.words(150)} for each in ids]
        return {"role": "user", "content": [*results, {"type": "text", "text": "And?"}][: self.chance.randint(1, 4)]}

    def ui(self) -> dict[str, Any]:
        done = {"state": "output-available", "input": {}, "output": self.words(150)}
        part = {"type": "tool-f", "toolCallId": "u", **done}
        return {
            "role": "assistant",
            "parts": [{"type": "reasoning", "text": "Hm."}, part, {"type": "text", "text": "So."}],
        }


@pytest.mark.parametrize("count", [1, pytest.param(8, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("strategy", "config"), POLICIES, ids=str)
def test_random_conversations(strategy: str, config: dict[str, Any], count: int) -> None:
    windows = edited = 0
    for seed in range(count):
        chance = random.Random(seed)
        disk = MemoryDisk()
        chat = Chat(memory_engine(disk)).configure(strategy, budget=chance.choice([400, 900]), **config)
        talk = Talk(chance)
        for _ in range(90):
            chat.add(*(talk.next() for _ in range(chance.choice([1, 1, 1, 4]))))
            if chance.random() < 0.03:
                with contextlib.suppress(InvalidError):
                    write(chat.engine, chat.id, "rewind", to_seq=max(1, chat.count - chance.randint(1, 6)))
            for budget in (10**6, 700):
                with contextlib.suppress(BudgetTooSmallError):
                    shown = chat.window(budget)
                    windows += 1
                    edited += any(message.get("edited") for message in shown["messages"])
        before = chat.window()
        chat.engine.close()
        again = memory_engine(disk)
        assert Chat(again, count=chat.count).window() == before
        assert verify(again.log, chat.id)[1] == chat.count
        assert again.policy_errors == chat.engine.policy_errors == {}
    assert windows > 100 * count
    assert edited > 0 or strategy in {"time_aware", "last_n"}


@needs_data
@pytest.mark.slow
@pytest.mark.parametrize(("strategy", "config"), POLICIES, ids=str)
def test_recorded_agent_sessions(strategy: str, config: dict[str, Any]) -> None:
    """Message by message, so that every run of the policy is looked at."""
    windows = 0
    for path in sorted(DATA.glob("*.jsonl.gz")):
        if not path.name.startswith(("swe", "claude", "openhands", "tau", "inspect", "sgd")):
            continue
        for conversation, _ in zip(conversations(path), range(3), strict=False):
            chat = Chat(id=conversation.id).configure(strategy, budget=6_000, **config)
            for message in conversation.messages[:150]:
                chat.add(message)
                chat.window()
                windows += 1
    print(windows, "windows")
    assert windows > 100
