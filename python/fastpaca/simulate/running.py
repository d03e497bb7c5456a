"""A simulation from files to results."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from fastpaca.errors import FastpacaError
from fastpaca.simulate import peers, policy
from fastpaca.simulate.context import Asked, Simulated
from fastpaca.simulate.conversation import PROVIDERS
from fastpaca.simulate.count import Counter
from fastpaca.simulate.recording import Recording, record
from fastpaca.simulate.results import Results, Run
from fastpaca.simulate.settings import Policy, Price, SettingError, usual_policies
from fastpaca.transcripts import Conversation, Format, read

Source = str | os.PathLike[str] | Conversation
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class _Plan:
    policies: tuple[Policy, ...]
    budgets: tuple[int, ...]
    provider: str | None
    model: str | None
    trigger: float | None
    peers: tuple[type[peers.Peer], ...]

    def asked(self, budget: int, format: str) -> Asked:
        return Asked(budget, self.provider or format, self.model, self.trigger)


@dataclass(slots=True)
class _Found:
    runs: list[Run] = field(default_factory=list)
    conversations: int = 0
    messages: int = 0
    calls: int = 0
    problems: list[str] = field(default_factory=list)


def run(
    sources: Iterable[Source],
    *,
    policies: Sequence[Policy | str] = (),
    budgets: Sequence[int] = (100_000,),
    format: Format | None = None,
    provider: str | None = None,
    model: str | None = None,
    trigger: float | None = None,
    target: float | None = None,
    price: Price | None = None,
    limit: int | None = None,
    with_peers: bool = True,
    progress: Progress = lambda _: None,
) -> Results:
    """Simulates recorded conversations under each policy and budget, beside the peers.

    `sources` are files, or conversations that were read already; `format` is theirs, `provider` that of the requests
    (default: what the conversation is made of). `trigger` and `target` are the contexts' ratios, `limit` the number of
    conversations. `progress` is told how far it is. Raises `SettingError` for what can't be simulated, and
    `TranscriptError` for files that can't be read; damaged lines are listed in the results.
    """
    chosen = tuple(Policy.parse(each) if isinstance(each, str) else each for each in policies) or usual_policies()
    classes, skipped = peers.peers() if with_peers else ([], [])
    policies_targeted = tuple(each.with_target(target) for each in chosen)
    plan = _Plan(policies_targeted, tuple(budgets), provider, model, trigger, tuple(classes))
    _require(plan)
    found = _Found()
    counter = Counter(model)
    for conversation in islice(_conversations(sources, format, found), limit):
        _simulate(conversation, plan, counter, found, progress)
    return Results(
        tuple(found.runs),
        price or Price(),
        found.conversations,
        found.messages,
        tuple(found.problems),
        tuple(skipped),
    )


def _require(plan: _Plan) -> None:
    """Raises `SettingError` for a policy or a budget that the engine refuses, before any file is read."""
    if plan.provider is not None and plan.provider not in PROVIDERS:
        raise SettingError(f"provider {plan.provider!r}: expected one of {', '.join(PROVIDERS)}")
    labels = [policy.label for policy in plan.policies]
    if len(set(labels)) < len(labels):
        raise SettingError("the same policy is given twice")
    for each in plan.policies:
        for budget in plan.budgets:
            try:
                Simulated(each, plan.asked(budget, "parts")).close()
            except FastpacaError as error:
                raise SettingError(f"policy {each.label!r} at {budget} tokens: {error}") from None


def _conversations(sources: Iterable[Source], format: Format | None, found: _Found) -> Iterator[Conversation]:
    for source in sources:
        if isinstance(source, Conversation):
            yield source
        else:
            yield from read(source, format=format, on_problem=lambda problem: found.problems.append(str(problem)))


def _simulate(conversation: Conversation, plan: _Plan, counter: Counter, found: _Found, progress: Progress) -> None:
    place = f"{conversation.path}:{conversation.line}"
    recording = record(
        conversation, counter, model=plan.model, problem=lambda text: found.problems.append(f"{place}: {text}")
    )
    found.conversations += 1
    found.messages += len(conversation.messages)
    if not recording.moments:
        return
    found.calls += len(recording.moments)
    for budget in plan.budgets:
        for run in _runs(recording, plan, budget, counter):
            found.runs.append(run)
            progress(f"conversation {found.conversations}, {found.calls} calls: {run.strategy} at {budget} tokens")


def _runs(recording: Recording, plan: _Plan, budget: int, counter: Counter) -> Iterator[Run]:
    asked = plan.asked(budget, recording.format)
    for each in plan.policies:
        yield policy.simulate(recording, each, asked, counter)
    for peer in plan.peers:
        yield peers.simulate(recording, peer(), budget, plan.model)
