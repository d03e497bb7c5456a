"""One conversation under one policy: an engine in memory takes it as the application would have appended it."""

from __future__ import annotations

from fastpaca.simulate.context import Asked, Simulated
from fastpaca.simulate.conversation import is_bare
from fastpaca.simulate.recording import Recording
from fastpaca.simulate.request import Requests, Weigh
from fastpaca.simulate.results import Call, Run
from fastpaca.simulate.rules import Checker
from fastpaca.simulate.settings import Policy


def simulate(recording: Recording, policy: Policy, asked: Asked, weigh: Weigh) -> Run:
    """Runs one conversation. Raises `FastpacaError` for a policy that the engine refuses."""
    context = Simulated(policy, asked)
    requests = Requests(weigh)
    check = Checker(asked.format, asked.model)
    calls: list[Call] = []
    try:
        for exchange, moment in zip(recording.exchanges, recording.moments, strict=True):
            context.append(exchange.input)
            is_last = moment is recording.last
            calls.append(_call(context, requests, check, moment.answer_tokens, is_last=is_last))
            context.append(exchange.output)
    finally:
        context.close()
    segments = requests.fields.get("segments", [])
    dropped = sum(run["to_seq"] - run["from_seq"] + 1 for run in segments if run["type"] == "dropped")
    last = recording.last
    return Run(
        recording.id,
        policy.label,
        "policy",
        asked.budget,
        asked.format,
        tuple(calls),
        context.compactions,
        last.log_messages,
        last.log_tokens,
        dropped,
        max(0, last.log_tokens - requests.fields.get("used_tokens", 0)),
    )


def _call(context: Simulated, requests: Requests, check: Checker, answer_tokens: int, *, is_last: bool) -> Call:
    raw = context.window()
    if raw is None:
        return Call(0, 0, 0, is_refused=True)
    step = requests.take(raw)
    tokens = requests.fields["used_tokens"]
    request = {**requests.fields["request"], "messages": requests.messages}
    violations = check(request, step.kept, is_whole=step.is_break or is_last)
    prefix = round(tokens * step.prefix_share)
    bare = is_bare(requests.messages)
    return Call(tokens, prefix, answer_tokens, violations, is_break=step.is_break, is_bare=bare)
