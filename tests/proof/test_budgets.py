"""W1 at every budget: a window fits, or the refusal names the least that does."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fastpaca.engine import Engine
from fastpaca.errors import BudgetTooSmallError
from tests.support.memory import append, memory_engine, window, write
from tests.support.validator import Asked, check_window

RESERVE = 7


def say(role: str, tokens: int, *, pinned: bool = False) -> dict[str, Any]:
    return {"role": role, "content": "Text.", "token_count": tokens, "metadata": {"pinned": pinned}}


@pytest.fixture
def engine() -> Engine:
    engine = memory_engine()
    write(engine, "c", "configure", token_budget=100, reserve_tokens=RESERVE)
    append(engine, "c", [say("system", 5)])
    append(engine, "c", [say("user", 10, pinned=True), say("assistant", 11), say("user", 12), say("assistant", 13)])
    append(engine, "c", [say("user", 14, pinned=True), say("assistant", 15), say("user", 16), say("assistant", 17)])
    return engine


def shown(engine: Engine, budget: int, fit: str) -> tuple[int, ...]:
    reply = json.loads(window(engine, "c", budget, fit=fit))
    check_window(reply, Asked(budget, 9, RESERVE))
    return tuple(item["seq"] for item in reply["messages"])


@pytest.mark.parametrize("fit", ["steps", "largest"])
def test_every_budget(engine: Engine, fit: str) -> None:
    """Head, newest message and the one that opens its turn are required; pins yield, the oldest first."""
    seen: dict[tuple[int, ...], int] = {}
    for budget in range(1, 130):
        try:
            seen.setdefault(shown(engine, budget, fit), budget)
        except BudgetTooSmallError as error:
            assert not seen
            assert error.details["needed_tokens"] == 5 + 16 + 17 + RESERVE
    least = {
        (1, 8, 9): 38 + RESERVE,
        (1, 6, 8, 9): 52 + RESERVE,
        (1, 2, 6, 8, 9): 62 + RESERVE,
        (1, 2, 3, 4, 5, 6, 7, 8, 9): 113 + RESERVE,
    }
    assert {items: budget for items, budget in seen.items() if items in least} == least


def test_the_cut_moves_in_steps() -> None:
    """W1, W5: by the budget less the target, 130 tokens, so that a window starts like the one before it."""
    engine = memory_engine()
    write(engine, "c", "configure", token_budget=200)
    prefixes: dict[str, set[str]] = {"steps": set(), "largest": set()}
    for _ in range(40):
        append(engine, "c", [say("user", 10), say("assistant", 10)])
        for fit, seen in prefixes.items():
            seen.add(json.loads(window(engine, "c", 200, fit=fit))["prefix"])
    assert len(prefixes["steps"]) == 1 + 5
    assert len(prefixes["largest"]) == 1 + 30
