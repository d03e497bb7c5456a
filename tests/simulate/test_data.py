"""Recorded conversations: no policy has a request rejected, and no window is over its budget."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastpaca import simulate
from tests.support.data import DATA, needs_data

SAMPLES = [("tau_airline_gpt4o.jsonl.gz", 6, 3_000), ("openhands.jsonl.gz", 2, 6_000), ("swe_agent.jsonl.gz", 6, 8_000)]
AGENTS = [
    "claude_code_entire.jsonl.gz",
    "pi_large_session.jsonl.gz",
    "openhands.jsonl.gz",
    "tau_airline_gpt4o.jsonl.gz",
]


def check(path: Path, budgets: list[int], limit: int | None = None) -> dict[str, int]:
    """Simulates a set; gives how many requests of each strategy would be rejected at the least budget."""
    results = simulate.run([path], budgets=budgets, limit=limit)
    assert results.problems == ()
    for total in results.totals:
        if total.kind == "policy":
            assert (total.rejected, total.bare) == (0, 0), total
            assert total.window_tokens_max <= total.budget
        assert total.calls > 10
    return {total.strategy: total.rejected for total in results.totals if total.budget == min(budgets)}


@pytest.mark.slow
@needs_data
@pytest.mark.parametrize(("name", "limit", "budget"), SAMPLES)
def test_a_sample(name: str, limit: int, budget: int) -> None:
    check(DATA / name, [budget], limit)


@needs_data
@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", AGENTS)
def test_recorded_agents(name: str) -> None:
    assert check(DATA / name, [8_000, 32_000])["sliding window"] > 0


@needs_data
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_session_log_in_its_own_format() -> None:
    path = min((DATA / "raw" / "claude_code").glob("*.jsonl.gz"), key=lambda path: path.stat().st_size)
    results = simulate.run([path], budgets=[32_000], with_peers=False)
    assert {run.format for run in results.runs} == {"anthropic"}
    assert {total.rejected for total in results.totals} == {0}
