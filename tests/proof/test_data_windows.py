"""Windows of every recorded conversation at many budgets: valid for providers, within budget, stable, determined."""

from __future__ import annotations

import hashlib
import itertools
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from fastpaca.errors import BudgetTooSmallError
from fastpaca.log import MemoryDisk
from tests.support.data import Conversation, canonical_sets, conversations, native_conversations, needs_data
from tests.support.memory import ALL_TOKENS, append, memory_engine, window, write
from tests.support.validator import Asked, check_truth, check_window, is_prefix, messages_of, required_tokens

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fastpaca.engine import Engine

BATCH = 1000
BUDGETS = 12
POLICIES: list[dict[str, Any]] = [
    {"policy": {"strategy": "budget"}},
    {"token_budget": 3_000, "policy": {"strategy": "last_n", "config": {"limit": 6, "chunk": 2}}},
    {"token_budget": 40_000, "policy": {"strategy": "last_n", "config": {"limit": 60}}},
    {"token_budget": 4_000, "policy": {"strategy": "strip_tool_results"}},
    {"token_budget": 20_000, "policy": {"strategy": "strip_tool_results", "config": {"overflow": "flag"}}},
    {"token_budget": 4_000, "policy": {"strategy": "skip_parts"}},
    {"token_budget": 3_000, "policy": {"strategy": "time_aware", "config": {"max_age": "1h", "min_messages": 4}}},
]


@dataclass
class Tally:
    """What was checked."""

    windows: int = 0
    refused: int = 0
    grown: int = 0
    unedited: int = 0
    cold: int = 0
    contexts: int = 0
    messages: int = 0

    def __str__(self) -> str:
        return (
            f"{self.windows} windows of {self.contexts} contexts with {self.messages} messages: all valid; "
            f"{self.refused} budgets refused with exact needs; {self.grown} windows that share a prefix token; "
            f"{self.unedited} items the stored message; {self.cold} windows equal from a cold engine"
        )


@dataclass
class Watched:
    """One context under test, with what its windows have shown."""

    engine: Engine
    id: str
    tally: Tally
    by_token: dict[str, bytes] = field(default_factory=dict)
    last: dict[tuple[int, str], bytes] = field(default_factory=dict)
    appended: int = 0

    def grow(self, messages: list[dict[str, Any]], points: Iterable[int]) -> None:
        """Appends up to each point, and looks at the windows there."""
        for point in points:
            for start in range(self.appended, point, BATCH):
                append(self.engine, self.id, messages[start : min(start + BATCH, point)])
            self.appended = point
            self.look(messages)

    def look(self, messages: list[dict[str, Any]]) -> None:
        """Checks windows at budgets from 500 tokens to all."""
        self.last = {}
        raw = self.check(ALL_TOKENS, "steps")
        assert raw is not None
        whole = json.loads(raw)
        self.tally.unedited += check_truth(whole, messages)
        for number, budget in enumerate(budgets(whole["used_tokens"])):
            for fit in ("steps", "largest") if number % 3 == 0 else ("steps",):
                if self.check(budget, fit) is None:
                    self.refuse(budget, whole)

    def check(self, budget: int, fit: str) -> bytes | None:
        """Checks one window; None where no valid one fits."""
        try:
            raw = window(self.engine, self.id, budget, fit=fit)
        except BudgetTooSmallError:
            return None
        shown = json.loads(raw)
        check_window(shown, Asked(budget=budget, last_seq=self.appended))
        self.check_prefix(shown["prefix"], messages_of(raw))
        self.last[budget, fit] = hashlib.blake2b(raw).digest()
        self.tally.windows += 1
        return raw

    def check_prefix(self, token: str, messages: bytes) -> None:
        """W5: equal tokens mean that one window is a prefix of the other."""
        before = self.by_token.get(token)
        if before is not None:
            shorter, longer = sorted((before, messages), key=len)
            assert is_prefix(shorter, longer), "equal tokens, but no prefix"
            self.tally.grown += 1
            messages = longer
        self.by_token[token] = messages

    def refuse(self, budget: int, whole: dict[str, Any]) -> None:
        """Nothing fits: the need is what is required, and one token less does not do."""
        with pytest.raises(BudgetTooSmallError) as caught:
            window(self.engine, self.id, budget)
        needed = caught.value.needed_tokens
        assert needed == required_tokens(whole)
        assert self.check(needed, "steps") is not None
        assert self.check(needed, "largest") is not None
        with pytest.raises(BudgetTooSmallError):
            window(self.engine, self.id, needed - 1, fit="largest")
        self.tally.refused += 1


def budgets(most: int) -> list[int]:
    """Budgets from 500 tokens to all, the steps between them equal factors."""
    top = max(most, 501)
    return sorted({round(500 * (top / 500) ** (n / (BUDGETS - 1))) for n in range(BUDGETS)} | {most})


def points_of(messages: list[dict[str, Any]]) -> list[int]:
    """Where to look: early, in the middle, and at the end."""
    count = len(messages)
    return sorted({max(1, count // 3), max(1, (2 * count) // 3), count})


def run(found: Iterable[Conversation], tally: Tally) -> None:
    """Checks conversations under each policy, then again from a cold engine."""
    disk = MemoryDisk()
    engine = memory_engine(disk)
    watched: list[Watched] = []
    for conversation in found:
        for number, policy in enumerate(POLICIES):
            each = Watched(engine, f"{conversation.id}-{number}", tally)
            write(engine, each.id, "configure", **policy)
            try:
                each.grow(conversation.messages, points_of(conversation.messages))
            except Exception as error:
                error.add_note(f"{conversation.source} {conversation.id}, policy {policy}, {each.appended} messages")
                raise
            each.by_token = {}
            watched.append(each)
            tally.contexts += 1
            tally.messages += each.appended
    engine.close()
    cold = memory_engine(disk)
    for each in watched:
        for budget, fit in itertools.islice(each.last, 0, None, 4):
            raw = window(cold, each.id, budget, fit=fit)
            assert hashlib.blake2b(raw).digest() == each.last[budget, fit], (each.id, budget, fit)
            tally.cold += 1
    cold.close()


def sample() -> Iterator[Conversation]:
    """A few conversations of each set, none of them long."""
    for path in canonical_sets():
        short = (each for each in conversations(path) if len(each.messages) <= 400)
        yield from itertools.islice(short, 0, 40, 16)
    native = (each for each in native_conversations() if len(each.messages) <= 400)
    yield from itertools.islice(native, 0, None, 46)


@needs_data
@pytest.mark.slow
def test_windows_of_a_sample_are_valid() -> None:
    tally = Tally()
    run(sample(), tally)
    print(tally)
    assert tally.windows > 3_000


@needs_data
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_windows_of_every_conversation_are_valid() -> None:
    tally = Tally()
    for path in canonical_sets():
        run(conversations(path), tally)
    run(native_conversations(), tally)
    print(tally)
    assert tally.windows > 100_000
