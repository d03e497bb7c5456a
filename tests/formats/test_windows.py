"""Formats over whole conversations: converted here or there the same bytes, grown at their end alone, always valid."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

import pytest

from fastpaca import _core
from fastpaca.engine import Engine
from fastpaca.errors import BudgetTooSmallError
from tests.formats.shapes import grows
from tests.formats.shapes_ai_sdk import model_faults, model_grows, ui_faults, ui_grows
from tests.formats.valid import fetched, is_known, violations
from tests.support.cases import seeds
from tests.support.data import Conversation, canonical_sets, conversations, native_conversations, needs_data
from tests.support.memory import append, memory_engine, write

CHECKS = {"ai-sdk": model_faults, "ai-sdk-ui": ui_faults}
GROWS = {"ai-sdk": model_grows, "ai-sdk-ui": ui_grows}
MODELS = [None, "gemini-3-pro", "gpt-5", "claude-sonnet-4-5", "claude-opus-4-8"]
FORMATS = [name for name in _core.FORMATS if name != "parts"]
FIRST = 10
"""Of so many conversations of each set the fast tests look at one."""


def filled(conversation: Conversation, model: str | None = None) -> Engine:
    engine = memory_engine()
    write(engine, "c", "configure", token_budget=_core.TOKEN_BUDGET_MAX, **({} if model is None else {"model": model}))
    for start in range(0, len(conversation.messages), 1000):
        append(engine, "c", conversation.messages[start : start + 1000])
    return engine


def check(conversation: Conversation, formats: Sequence[str]) -> int:
    """Windows of several budgets; gives how many were looked at."""
    model = random.Random(conversation.id).choice(MODELS)
    engine = filled(conversation, model)
    parsed = "responses" not in conversation.source or is_known(conversation.messages)
    seen = 0
    for budget in (_core.TOKEN_BUDGET_MAX, 32_000, 2_000):
        try:
            parts = fetched(engine, "c", budget_tokens=budget, close=True)
        except BudgetTooSmallError:
            continue
        for name in formats:
            options = {"budget_tokens": budget, "close": True, "format": name}
            reply = fetched(engine, "c", **options)
            assert reply == fetched(engine, "c", **options)
            converted = _core.convert([parts], name, model=model)
            assert reply.endswith(b"," + converted[1:]), (conversation.id, name, budget)
            request = json.loads(converted)["request"]
            if name in CHECKS:
                assert CHECKS[name](request) == [], (conversation.id, name, budget)
            assert violations(name, request, model, parsed=parsed) == [], (conversation.id, name, budget)
            seen += 1
    engine.close()
    assert seen >= len(formats), "the largest budget fits every conversation"
    return seen


@needs_data
@pytest.mark.parametrize("path", canonical_sets(), ids=lambda path: path.name.split(".")[0])
def test_real_conversations(path: Any) -> None:
    found = list(islice(conversations(path), FIRST))
    short = [each for each in found if len(each.messages) < 400] or [min(found, key=lambda each: len(each.messages))]
    check(random.Random(path.name).choice(short), FORMATS)


@needs_data
def test_real_native_conversations() -> None:
    by_source = {conversation.source: conversation for conversation in native_conversations()}
    assert len(by_source) >= 5
    for conversation in by_source.values():
        check(conversation, FORMATS)


@needs_data
@pytest.mark.slow
def test_many_real_conversations() -> None:
    """Every native one that is not long, and a part of each set."""
    short = (each for each in native_conversations() if len(each.messages) <= 400)
    windows = sum(check(each, FORMATS) for each in short)
    for path in canonical_sets():
        windows += sum(check(each, FORMATS) for each in islice(conversations(path), 0, 400, 25))
    print(f"{windows} windows")
    assert windows > 1000


def mixed(rng: random.Random, n: int) -> list[dict[str, Any]]:
    """The next messages of a conversation that changes its provider from turn to turn."""
    ids = [rng.choice([f"id{n}_{k}", "again", "x" * 60, None]) for k in range(rng.randint(1, 3))]
    # One provider gives all ids of an answer, or none, and no id twice.
    ids = [None if None in ids else f"{each}{k}" for k, each in enumerate(ids)]
    dialect = rng.choice(["chat", "items", "anthropic", "ours", "ui", "model"])
    results = rng.sample(range(len(ids)), rng.randint(0, len(ids)))
    if None in ids:
        results.sort()
    found: list[dict[str, Any]] = [{"role": "user", "content": f"question {n}"}] if rng.random() < 0.8 else []
    found += CALLS[dialect](rng, ids)
    results_given: list[dict[str, Any]] = RESULTS[dialect](
        [(ids[k], rng.choice(["", "text", {"x": 1.50}])) for k in results]
    )
    return found + results_given


def without_none(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _chat(rng: random.Random, ids: list[str | None]) -> list[dict[str, Any]]:
    calls = [without_none(id=i, type="function", function={"name": "f", "arguments": "{}"}) for i in ids]
    return [{"role": "assistant", "content": rng.choice([None, "", "well"]), "tool_calls": calls}]


def _items(rng: random.Random, ids: list[str | None]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [without_none(type="function_call", call_id=i, name="f", arguments="{}") for i in ids]
    found.insert(0, {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"})
    if rng.random() < 0.5:
        text = {"type": "output_text", "text": "well", "annotations": []}
        found.insert(
            1, {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [text]}
        )
    return found


def _anthropic(_: random.Random, ids: list[str | None]) -> list[dict[str, Any]]:
    uses = [without_none(type="tool_use", id=i, name="f", input={}) for i in ids]
    return [{"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": "s"}, *uses]}]


def _ours(_: random.Random, ids: list[str | None]) -> list[dict[str, Any]]:
    return [
        {"role": "assistant", "parts": [without_none(type="tool_call", call_id=i, name="f", payload={}) for i in ids]}
    ]


def _ui(_: random.Random, ids: list[str | None]) -> list[dict[str, Any]]:
    done = [
        without_none(type="tool-f", toolCallId=i, state="output-available", input={}, output={"y": [1]}) for i in ids
    ]
    return [{"role": "assistant", "parts": [{"type": "step-start"}, *done, {"type": "text", "text": "so"}]}]


def _model(_: random.Random, ids: list[str | None]) -> list[dict[str, Any]]:
    return [
        {
            "role": "assistant",
            "content": [without_none(type="tool-call", toolCallId=i, toolName="f", input={}) for i in ids],
        }
    ]


CALLS: dict[str, Any] = {
    "chat": _chat,
    "items": _items,
    "anthropic": _anthropic,
    "ours": _ours,
    "ui": _ui,
    "model": _model,
}
RESULTS: dict[str, Any] = {
    "chat": lambda rs: [
        without_none(role="tool", tool_call_id=i, content=c if isinstance(c, str) else json.dumps(c)) for i, c in rs
    ],
    "items": lambda rs: [
        without_none(type="function_call_output", call_id=i, output=c if isinstance(c, str) else json.dumps(c))
        for i, c in rs
    ],
    "anthropic": lambda rs: (
        [{"role": "user", "content": [without_none(type="tool_result", tool_use_id=i, content=str(c)) for i, c in rs]}]
        if rs
        else []
    ),
    "ours": lambda rs: [
        {"role": "tool", "parts": [without_none(type="tool_result", call_id=i, content=c)]} for i, c in rs
    ],
    "ui": lambda _: [],
    "model": lambda rs: (
        [
            {
                "role": "tool",
                "content": [
                    without_none(type="tool-result", toolCallId=i, toolName="f", output={"type": "json", "value": c})
                    for i, c in rs
                ],
            }
        ]
        if rs
        else []
    ),
}


MANY = 40_000
VERY_LONG: dict[str, Callable[[], list[dict[str, Any]]]] = {
    "calls and results": lambda: [
        *_ours(random.Random(), [str(n) for n in range(MANY)]),
        {"role": "tool", "parts": [{"type": "tool_result", "call_id": str(n), "content": ""} for n in range(MANY)]},
    ],
    "calls and results without ids": lambda: [
        {"role": "assistant", "parts": [{"type": "tool_call", "name": "f", "payload": {}}] * MANY},
        {"role": "tool", "parts": [{"type": "tool_result", "name": "f", "content": ""}] * MANY},
    ],
    "approvals": lambda: [
        {
            "role": "assistant",
            "content": [
                *({"type": "tool-call", "toolCallId": str(n), "toolName": "f", "input": {}} for n in range(MANY)),
                *({"type": "tool-approval-request", "approvalId": f"a{n}", "toolCallId": str(n)} for n in range(MANY)),
            ],
        }
    ],
    "steps": lambda: [{"role": "assistant", "parts": [{"type": "step-start"}, {"type": "text", "text": "so"}] * MANY}],
    "calls of the provider": lambda: [
        {
            "role": "assistant",
            "content": [
                *({"type": "server_tool_use", "id": f"srvtoolu_{n}", "name": "f", "input": {}} for n in range(MANY)),
                *({"type": "f_tool_result", "tool_use_id": f"srvtoolu_{n}", "content": []} for n in range(MANY)),
            ],
        }
    ],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", VERY_LONG)
def test_one_message_of_very_many_parts(name: str) -> None:
    """The time limit would end it, if what each part costs grew with the message."""
    engine = memory_engine()
    write(engine, "c", "configure", token_budget=_core.TOKEN_BUDGET_MAX)
    append(engine, "c", [{"role": "user", "content": "go"}, *VERY_LONG[name]()])
    for each in FORMATS:
        assert len(fetched(engine, format=each, close=True)) > 100
    engine.close()


@pytest.mark.slow
@pytest.mark.parametrize("seed", seeds(3, of=12))
@pytest.mark.parametrize("name", FORMATS)
def test_a_conversation_over_several_providers(name: str, seed: int) -> None:
    rng = random.Random(seed)
    engine = memory_engine()
    write(engine, "c", "configure", token_budget=100_000)
    append(engine, "c", [{"role": "system", "content": "be brief"}])
    before: dict[str, Any] | None = None
    prefix = ""
    for n in range(25):
        for message in mixed(rng, n):
            append(engine, "c", [message])
            if rng.random() < 0.5:
                continue
            closed = json.loads(fetched(engine, "c", format=name, close=True))
            if name in CHECKS:
                assert CHECKS[name](closed["request"]) == []
            assert violations(name, closed["request"], None) == []
            reply = fetched(engine, "c", format=name)
            assert reply.endswith(b"," + _core.convert([fetched(engine, "c")], name)[1:])
            now = json.loads(reply)
            if before is not None and now["prefix"] == prefix:
                assert GROWS.get(name, grows)(before, now["request"])
            before, prefix = now["request"], now["prefix"]
    engine.close()
