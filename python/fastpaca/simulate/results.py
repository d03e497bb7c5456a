"""What a simulation found. Everything is frozen; `Results.as_dict` is the JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

from fastpaca.simulate.settings import Price

Kind = Literal["policy", "peer"]


class Call(NamedTuple):
    """One model call of a recorded conversation, as a strategy would have made it."""

    window_tokens: int
    """Tokens of the window; 0 where no valid window fits."""
    prefix_tokens: int
    """Of these, the tokens that the request shares with the one before, from its start on."""
    output_tokens: int
    """Tokens of the recorded answer."""
    violations: tuple[str, ...] = ()
    """Rules that the request breaks, each with what is wrong."""
    is_refused: bool = False
    """No valid window fits the budget: there is no request."""
    is_break: bool = False
    """The request before is no prefix of this one."""
    is_bare: bool = False
    """The request holds nothing but instructions."""


@dataclass(frozen=True, slots=True)
class Run:
    """One conversation under one strategy and one budget."""

    conversation: str
    strategy: str
    kind: Kind
    budget: int
    format: str
    """Format of the requests."""
    calls: tuple[Call, ...]
    compactions: int | None
    """How often a policy rewrote what it keeps; None for peers, which keep nothing."""
    log_messages: int
    """Messages of the log at the last call."""
    log_tokens: int
    dropped_messages: int
    """Messages that the last window does not show."""
    dropped_tokens: int
    """Tokens that the last window has less than the log, edits included."""


@dataclass(frozen=True, slots=True)
class Example:
    """A request that would have been rejected. `call` counts from 1."""

    conversation: str
    call: int
    violation: str


@dataclass(frozen=True, slots=True)
class Total:
    """All conversations under one strategy and one budget."""

    strategy: str
    kind: Kind
    budget: int
    calls: int
    rejected: int
    """Requests that break a rule of the provider."""
    refused: int
    """Calls for which no valid window fits the budget."""
    violations: dict[str, int]
    """How many requests break each rule."""
    bare: int
    """Requests that hold nothing but instructions: the question and all that followed is gone."""
    example: Example | None
    window_tokens_mean: float
    window_tokens_max: int
    prefix_share: float | None
    """Tokens that are an unchanged prefix of the request before, of all tokens, the first calls left out."""
    cost_per_1000_calls: float
    breaks: int
    """Requests of which the one before is no prefix."""
    compactions: int | None
    log_messages: int
    log_tokens: int
    dropped_messages: int
    dropped_tokens: int


@dataclass(frozen=True)
class Results:
    """What a simulation found."""

    runs: tuple[Run, ...]
    price: Price
    conversations: int
    messages: int
    problems: tuple[str, ...] = ()
    """What could not be read, with file and line."""
    skipped: tuple[str, ...] = ()
    """Comparisons that were not made, and why."""

    @cached_property
    def totals(self) -> tuple[Total, ...]:
        """One for each budget and strategy, in the order in which they were given."""
        by_key: dict[tuple[int, str], list[Run]] = {}
        for run in self.runs:
            by_key.setdefault((run.budget, run.strategy), []).append(run)
        return tuple(_total(runs, self.price) for runs in by_key.values())

    @property
    def budgets(self) -> tuple[int, ...]:
        """The budgets, in the order given."""
        return tuple(dict.fromkeys(run.budget for run in self.runs))

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "conversations": self.conversations,
            "messages": self.messages,
            "price_per_million_tokens": asdict(self.price),
            "totals": [asdict(total) for total in self.totals],
            "runs": [_run_dict(run, self.price) for run in self.runs],
            "problems": list(self.problems),
            "skipped": list(self.skipped),
        }


def _run_dict(run: Run, price: Price) -> dict[str, Any]:
    total = asdict(_total([run], price))
    total["conversation"] = run.conversation
    total["format"] = run.format
    total["window_tokens"] = [call.window_tokens for call in run.calls]
    return total


def _total(runs: Sequence[Run], price: Price) -> Total:
    calls = [call for run in runs for call in run.calls]
    sent = [call for call in calls if not call.is_refused]
    later = [call for run in runs for call in _later(run.calls)]
    later_tokens = sum(call.window_tokens for call in later)
    rules = Counter(rule for call in sent for rule in {violation.partition(":")[0] for violation in call.violations})
    counted = [run.compactions for run in runs if run.compactions is not None]
    return Total(
        strategy=runs[0].strategy,
        kind=runs[0].kind,
        budget=runs[0].budget,
        calls=len(calls),
        rejected=sum(bool(call.violations) for call in sent),
        refused=len(calls) - len(sent),
        violations=dict(rules.most_common()),
        bare=sum(call.is_bare for call in sent),
        example=_example(runs),
        window_tokens_mean=sum(call.window_tokens for call in sent) / max(1, len(sent)),
        window_tokens_max=max((call.window_tokens for call in sent), default=0),
        prefix_share=sum(call.prefix_tokens for call in later) / later_tokens if later_tokens else None,
        cost_per_1000_calls=1000 * sum(_cost(call, price) for call in sent) / max(1, len(sent)),
        breaks=sum(call.is_break for call in sent),
        compactions=sum(counted) if counted else None,
        log_messages=sum(run.log_messages for run in runs),
        log_tokens=sum(run.log_tokens for run in runs),
        dropped_messages=sum(run.dropped_messages for run in runs),
        dropped_tokens=sum(run.dropped_tokens for run in runs),
    )


def _later(calls: Iterable[Call]) -> list[Call]:
    """Calls that have one before them."""
    return [call for call in calls if not call.is_refused][1:]


def _cost(call: Call, price: Price) -> float:
    return price.of(call.window_tokens - call.prefix_tokens, call.prefix_tokens, call.output_tokens)


def _example(runs: Iterable[Run]) -> Example | None:
    """The first rejected request of the conversation that has most of them."""
    worst = max(runs, key=lambda run: sum(bool(call.violations) for call in run.calls))
    for number, call in enumerate(worst.calls, 1):
        if call.violations:
            return Example(worst.conversation, number, call.violations[0].partition(": ")[2])
    return None
