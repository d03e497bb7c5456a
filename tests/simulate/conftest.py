"""Conversations written by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Json = dict[str, Any]


def call(id: str, name: str = "search") -> Json:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": json.dumps({"query": f"about {id}"})}}


def agent(turns: int = 3, calls: int = 6, words: int = 60) -> list[Json]:
    """An agent's session: each turn a question, some calls in pairs with their results, and an answer."""
    messages: list[Json] = [{"role": "system", "content": "You look things up before you answer."}]
    for turn in range(turns):
        messages.append({"role": "user", "content": f"Question {turn}: " + "why " * 10})
        for step in range(calls):
            ids = [f"call_{turn}_{step}_{side}" for side in "ab"]
            messages.append({"role": "assistant", "content": None, "tool_calls": [call(each) for each in ids]})
            messages += [
                {"role": "tool", "tool_call_id": each, "content": f"{each}: " + "found " * words} for each in ids
            ]
        messages.append({"role": "assistant", "content": f"Answer {turn}: " + "because " * 20})
    return messages


@pytest.fixture
def transcript(tmp_path: Path) -> Callable[..., Path]:
    """Writes conversations, one a line."""

    def write(*conversations: list[Json], name: str = "log.jsonl") -> Path:
        lines = [{"id": f"chat-{n}", "messages": messages} for n, messages in enumerate(conversations)]
        path = tmp_path / name
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return path

    return write
