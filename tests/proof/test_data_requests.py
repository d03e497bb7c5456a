"""Windows of every recorded conversation, in every format: requests that their provider takes.

The rules are those of `fastpaca.providers`, which know nothing of selection and rendering.
"""

from __future__ import annotations

import itertools
import json
import os
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from fastpaca import _core, providers
from fastpaca.errors import BudgetTooSmallError
from tests.proof.test_data_windows import POLICIES, budgets, points_of, sample
from tests.support.data import Conversation, canonical_sets, conversations, native_conversations, needs_data
from tests.support.memory import append, describe, memory_engine, write

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fastpaca.engine import Engine

FORMATS = [name for name in _core.FORMATS if name in providers.FORMATS]
AFTER_ANSWERS = frozenset({"prefill_trailing_space"})
"""Rules of requests that end with the model's own words. Whoever sends one asks it to go on; `ends_with` tells."""
BATCH = 1000
STRIDE = int(os.environ.get("FASTPACA_STRIDE", "13"))
"""The slow test takes one of so many requests; with 1 it takes all, in about an hour."""


class Checked:
    """Requests that were checked, by format; one of `stride` is taken."""

    def __init__(self, stride: int) -> None:
        self.requests: Counter[str] = Counter()
        self.too_small = 0
        self._taken = itertools.cycle([True, *itertools.repeat(False, stride - 1)])

    def __str__(self) -> str:
        counts = ", ".join(f"{count} {name}" for name, count in sorted(self.requests.items()))
        return f"{self.requests.total()} requests without a violation ({counts}); {self.too_small} budgets too small"

    def look(self, engine: Engine, context_id: str) -> None:
        """Requests of one moment: every format, budgets from 500 tokens to all."""
        for budget, name in itertools.product(budgets(describe(engine, context_id)["used_tokens"]), FORMATS):
            if next(self._taken):
                self._request(engine, context_id, budget, name)

    def _request(self, engine: Engine, context_id: str, budget: int, name: str) -> None:
        options: dict[str, Any] = {"format": name, "budget_tokens": budget, "close": True}
        try:
            raw = engine.read(context_id, lambda context, fetched: context.window(fetched, **options))
        except BudgetTooSmallError:
            self.too_small += 1
            return
        request = json.loads(raw)["request"]
        # Of a conversation that has said nothing yet but its instructions, no request can be made.
        if not (request.get("messages") or request.get("input")):
            return
        violations = [each for each in providers.check(name, request, strict=True) if each.rule not in AFTER_ANSWERS]
        assert not violations, (name, budget, violations[:3])
        self.requests[name] += 1


def run(found: Iterable[Conversation], checked: Checked) -> None:
    """Each conversation under each policy, looked at early, in the middle and at the end."""
    engine = memory_engine()
    for (number, policy), conversation in itertools.product(enumerate(POLICIES), found):
        context_id = f"{conversation.id}-{number}"
        write(engine, context_id, "configure", **policy)
        appended = 0
        for point in points_of(conversation.messages):
            for start in range(appended, point, BATCH):
                append(engine, context_id, conversation.messages[start : min(start + BATCH, point)])
            appended = point
            try:
                checked.look(engine, context_id)
            except Exception as error:
                error.add_note(f"{conversation.source} {conversation.id}, policy {policy}, {appended} messages")
                raise
    engine.close()


def every() -> Iterator[Iterable[Conversation]]:
    """The sets, one after the other."""
    for path in canonical_sets():
        yield conversations(path)
    yield native_conversations()


@needs_data
@pytest.mark.slow
def test_requests_of_a_sample_are_taken() -> None:
    checked = Checked(stride=23)
    run(sample(), checked)
    print(checked)
    assert min(checked.requests[name] for name in FORMATS) > 50


@needs_data
@pytest.mark.slow
@pytest.mark.timeout(0)
def test_requests_of_every_conversation_are_taken() -> None:
    checked = Checked(STRIDE)
    for found in every():
        for some in _batched(found, 50):
            run(some, checked)
    print(checked)
    assert min(checked.requests[name] for name in FORMATS) > 100_000 // (len(FORMATS) * STRIDE)


def _batched(found: Iterable[Conversation], size: int) -> Iterator[tuple[Conversation, ...]]:
    rest = iter(found)
    while some := tuple(itertools.islice(rest, size)):
        yield some
