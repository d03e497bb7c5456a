"""Calls and results without each other are those that a context finds: its explanation says so."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import chain, islice
from typing import Any

import pytest

from fastpaca import _core
from fastpaca.transfer.content import checked
from tests.support import memory
from tests.support.data import canonical_sets, conversations, native_conversations, needs_data

Json = dict[str, Any]


def of_the_context(messages: Sequence[Json]) -> tuple[list[int], int]:
    """Messages whose results have no call, and how many calls have no result."""
    engine = memory.memory_engine()
    memory.write(engine, "c", "configure", token_budget=memory.ALL_TOKENS)
    for start in range(0, len(messages), 500):
        memory.append(engine, "c", messages[start : start + 500])
    window = json.loads(engine.read("c", lambda context, fetched: context.window(fetched, explain=True)))
    engine.close()
    runs = window["explanation"]["runs"]
    orphans = [seq for run in runs if run["state"] == "orphan" for seq in range(run["from_seq"], run["to_seq"] + 1)]
    return orphans, sum(run["state"] == "repair" for run in runs) + len(window["open_calls"])


def here(messages: Iterable[Json]) -> tuple[list[int], int]:
    unpaired = _core.Unpaired()
    orphans = [seq for seq, message in enumerate(messages, 1) if unpaired.push(checked(message)[1], str(seq))]
    return orphans, len(unpaired.waiting())


def chat_call(*ids: str | None) -> Json:
    calls = [{"id": each, "type": "function", "function": {"name": "f", "arguments": "{}"}} for each in ids]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def chat_result(id: str | None) -> Json:
    return {"role": "tool", "content": "r", **({} if id is None else {"tool_call_id": id})}


def blocks(role: str, *parts: Json) -> Json:
    return {"role": role, "content": list(parts)}


def ui(state: str, id: str = "c") -> Json:
    return {"role": "assistant", "parts": [{"type": "tool-look", "toolCallId": id, "state": state, "input": {}}]}


USE = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "t", "content": "r"}
USER = {"role": "user", "content": "?"}
SERVER_USE = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
CASES: dict[str, list[Json]] = {
    "pairs": [chat_call("a", "b"), chat_result("b"), chat_result("a")],
    "twice": [chat_call("a"), chat_result("a"), chat_call("a"), chat_result("a"), chat_result("a")],
    "late": [chat_call("a"), USER, chat_result("a")],
    "alone": [chat_result("a"), USER, chat_call("a")],
    "no ids": [chat_call(None, None), chat_result(None), chat_result(None), chat_result(None)],
    "an id for none": [chat_call("a", "b"), chat_result(None), chat_result("b")],
    "function": [
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "r"},
    ],
    "anthropic": [blocks("assistant", USE), blocks("user", RESULT), blocks("user", RESULT)],
    "the provider's own": [blocks("assistant", SERVER_USE), USER],
    "model messages": [
        blocks("assistant", {"type": "tool-call", "toolCallId": "c", "toolName": "f", "input": {}}),
        blocks("tool", {"type": "tool-result", "toolCallId": "c", "toolName": "f", "output": {}}),
        blocks("tool", {"type": "tool-result", "toolCallId": "d", "toolName": "f", "output": {}}),
    ],
    "ui": [ui("output-available"), ui("input-available"), USER],
    "responses": [
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "r"},
        {"type": "function_call_output", "call_id": "d", "output": "r"},
        {"type": "web_search_call", "id": "w", "status": "completed"},
    ],
    "parts": [
        {"role": "assistant", "parts": [{"type": "tool_call", "name": "f", "call_id": "c", "payload": {}}]},
        {"role": "tool", "parts": [{"type": "tool_result", "call_id": "c", "name": "f", "content": "r"}]},
    ],
}


@pytest.mark.parametrize("name", CASES)
def test_every_shape(name: str) -> None:
    assert here(CASES[name]) == of_the_context(CASES[name])


def test_what_is_told_of_each() -> None:
    unpaired = _core.Unpaired()
    told = [
        unpaired.push(checked(message)[1], place)
        for place, message in (
            ("1", chat_call("a", "b", None)),
            ("2: message 7", USER),
            ("3", chat_result("a")),
            ("4", chat_result("a")),
            ("5", blocks("assistant", USE)),
        )
    ]
    assert told == [[], [], [], [("a", None)], []]
    assert unpaired.waiting() == [("1", "b", "f"), ("1", None, "f"), ("5", "t", "f")]
    with pytest.raises(ValueError, match="appends nothing"):
        unpaired.push(_core.parse("tombstone", b""), "6")


@needs_data
@pytest.mark.slow
def test_recorded_conversations() -> None:
    recorded = chain(*(islice(conversations(path), 0, 40, 20) for path in canonical_sets()), native_conversations())
    compared = 0
    for conversation in islice(recorded, 0, None, 9):
        try:
            found = of_the_context(conversation.messages)
        except ValueError:
            # Some recordings hold what no context takes.
            continue
        assert here(conversation.messages) == found, conversation.id
        compared += 1
    assert compared > 20
