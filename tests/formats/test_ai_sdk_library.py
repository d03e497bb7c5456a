"""The AI SDK itself takes windows of mixed and of real conversations: `streamText` the one format, its validation and
conversion the other, and both come to the same calls and results.
"""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from fastpaca import _core
from fastpaca.engine import Engine
from fastpaca.errors import BudgetTooSmallError
from tests.formats.test_windows import filled, mixed
from tests.formats.valid import fetched
from tests.providers.ai_sdk import AiSdk
from tests.support.data import Conversation, canonical_sets, conversations, native_conversations, needs_data
from tests.support.memory import append, memory_engine, write

SAMPLE = 5
"""Conversations of each set."""

Json = dict[str, Any]


def take(ai_sdk: AiSdk, engine: Engine, budget: int) -> bool:
    """Whether there is a window of this budget; the SDK takes it in both formats."""
    try:
        parts = fetched(engine, "c", budget_tokens=budget, close=True)
    except BudgetTooSmallError:
        return False
    model, ui = (json.loads(_core.convert([parts], name))["request"] for name in ("ai-sdk", "ai-sdk-ui"))
    if not model["messages"]:
        return False
    assert pairs(ai_sdk.prompt(model)) == pairs(ai_sdk.ui_prompt(ui))
    return True


def pairs(prompt: list[Json]) -> list[tuple[str, list[str]]]:
    """The calls of each step with their results, which both formats have to show alike."""
    found: list[tuple[str, list[str]]] = []
    for message in prompt:
        if isinstance(message["content"], list):
            calls = [part["toolCallId"] for part in message["content"] if part["type"] == "tool-call"]
            results = [part["toolCallId"] for part in message["content"] if part["type"] == "tool-result"]
            found += [("calls", calls)] if calls else []
            if results and found and found[-1][0] == "results":
                found[-1][1].extend(results)
            elif results:
                found.append(("results", results))
    return [(kind, sorted(ids)) for kind, ids in found]


@pytest.mark.parametrize("seed", range(3))
def test_a_conversation_over_several_providers(ai_sdk: AiSdk, seed: int) -> None:
    rng = random.Random(seed)
    engine = memory_engine()
    write(engine, "c", "configure", token_budget=100_000)
    roles = ["system", "user", "assistant", "user"]
    append(engine, "c", [{"role": role, "content": "hello"} for role in roles])
    for n in range(12):
        append(engine, "c", mixed(rng, n))
        if n == 6:
            summary = {"role": ["user", "assistant", "system"][seed], "content": "All of it."}
            write(engine, "c", "compact", from_seq=2, to_seq=3, replacement=[summary])
        assert take(ai_sdk, engine, 100_000)
    engine.close()


def sample(found: list[Conversation], name: str) -> list[Conversation]:
    short = [each for each in found if len(each.messages) < 1500] or found[:1]
    return random.Random(name).sample(short, min(SAMPLE, len(short)))


def check(ai_sdk: AiSdk, conversation: Conversation) -> int:
    engine = filled(conversation)
    taken = sum(take(ai_sdk, engine, budget) for budget in (_core.TOKEN_BUDGET_MAX, 32_000, 2_000))
    engine.close()
    return taken


@needs_data
@pytest.mark.slow
@pytest.mark.parametrize("path", canonical_sets(), ids=lambda path: path.name.split(".")[0])
def test_real_conversations(ai_sdk: AiSdk, path: Any) -> None:
    assert sum(check(ai_sdk, each) for each in sample(list(conversations(path)), path.name)) > 0


@needs_data
@pytest.mark.slow
def test_real_native_conversations(ai_sdk: AiSdk) -> None:
    by_source: dict[str, list[Conversation]] = {}
    for conversation in native_conversations():
        by_source.setdefault(conversation.source, []).append(conversation)
    assert len(by_source) >= 5
    for source, found in by_source.items():
        assert sum(check(ai_sdk, each) for each in sample(found, source)) > 0
