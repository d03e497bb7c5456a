"""How much of each request is an unchanged prefix of the one before, turn by turn on recorded conversations.

Every policy and the two peers (a sliding window, LangChain's `trim_messages`), at several budgets, in one run. The goal
is a share of 0.95 where the budget is at least 100 times what a conversation grows by from call to call, on average. A
short conversation can't reach it, whatever is done: what it would have without any budget is its bound.

    python benches/prefix_share.py [--limit 5] [--budgets 8000,32000]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from statistics import mean

from corpus import DATA
from fastpaca import _core, simulate
from fastpaca.simulate import Run

SETS = {
    "coding agents": ("claude_code_entire", "pi_large_session", "openhands", "swe_agent"),
    "long chats": ("beam", "locomo", "aider_chat_history"),
}
POLICIES = ("budget", "last_n:limit=200", "strip_tool_results", "skip_parts", "time_aware")
BUDGETS = (8_000, 32_000, 100_000, 200_000)
GOAL = 0.95
GROWTHS = 100

Key = tuple[str, str]


def growth(run: Run) -> float:
    """Tokens that the log grows by from call to call."""
    return run.log_tokens / max(1, len(run.calls))


def share(runs: Sequence[Run]) -> float | None:
    """Tokens that are an unchanged prefix, of all tokens of requests that have one before them."""
    later = [call for run in runs for call in [call for call in run.calls if not call.is_refused][1:]]
    tokens = sum(call.window_tokens for call in later)
    return sum(call.prefix_tokens for call in later) / tokens if tokens else None


def cell(runs: Mapping[Key, Run], bounds: Mapping[Key, float]) -> str:
    """The share over all calls; over the conversations that the goal applies to; how many of those reach it."""
    whole = share(list(runs.values()))
    if whole is None:
        return "-"
    rejected = sum(bool(call.violations) for run in runs.values() for call in run.calls)
    said = f"{whole:.3f}"
    applicable = [key for key, run in runs.items() if growth(run) * GROWTHS <= run.budget and key in bounds]
    able = [key for key in applicable if bounds[key] >= GOAL]
    if able:
        pooled = share([runs[key] for key in applicable]) or 0.0
        reached = sum((share([runs[key]]) or 0.0) >= GOAL for key in able)
        said += f"; {pooled:.3f}, {reached} of {len(able)}"
    return f"{said}; {rejected:,} rejected" if rejected else said


def report(title: str, runs: Mapping[Key, list[Run]], bounds: Mapping[Key, float], budgets: Sequence[int]) -> None:
    """Prints a table: a row for each strategy, a column for each budget."""
    first = [found[0] for found in runs.values()]
    calls = sum(len(run.calls) for run in first)
    print(f"\n**{title}**: {len(first)} conversations, {calls:,} calls, {mean(map(growth, first)):,.0f} tokens a call")
    for budget in budgets:
        applicable = [key for key, found in runs.items() if growth(found[0]) * GROWTHS <= budget and key in bounds]
        able = sum(bounds[key] >= GOAL for key in applicable)
        print(f"{budget:,}: the goal applies to {len(applicable)} conversations, {able} of them are long enough")
    print("\n| strategy | " + " | ".join(f"{budget:,}" for budget in budgets) + " |")
    print("|---" * (len(budgets) + 1) + "|")
    for strategy in dict.fromkeys(run.strategy for found in runs.values() for run in found):
        cells = []
        for budget in budgets:
            chosen = {
                key: run
                for key, found in runs.items()
                for run in found
                if (run.strategy, run.budget) == (strategy, budget)
            }
            cells.append(cell(chosen, bounds))
        print(f"| {strategy} | " + " | ".join(cells) + " |", flush=True)


def study(name: str, *, policies: list[str], budgets: list[int], limit: int | None) -> tuple[list[Run], list[Run]]:
    """The runs of one set, and those without any budget."""
    path = [DATA / f"{name}.jsonl.gz"]
    found = simulate.run(path, policies=policies, budgets=budgets, limit=limit)
    whole = simulate.run(
        path,
        policies=["budget:max_result_tokens=10000000"],
        budgets=[_core.TOKEN_BUDGET_MAX],
        limit=limit,
        with_peers=False,
    )
    return list(found.runs), list(whole.runs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, help="only the first so many conversations of each set")
    parser.add_argument("--budgets", default=",".join(map(str, BUDGETS)))
    given = parser.parse_args()
    budgets = [int(budget) for budget in given.budgets.split(",")]
    started = time.monotonic()
    work = partial(study, policies=list(POLICIES), budgets=budgets, limit=given.limit)
    names = [name for group in SETS.values() for name in group]
    with ProcessPoolExecutor(max_workers=2) as pool:
        studied = dict(zip(names, pool.map(work, names), strict=True))
    print(
        "share of all; share of the conversations that the goal applies to, how many of the long enough ones reach it"
    )
    for title, group in SETS.items():
        runs: dict[Key, list[Run]] = {}
        bounds: dict[Key, float] = {}
        for name in group:
            for run in studied[name][0]:
                runs.setdefault((name, run.conversation), []).append(run)
            bounds |= {
                (name, run.conversation): found for run in studied[name][1] if (found := share([run])) is not None
            }
        report(title, runs, bounds, budgets)
    print(f"\n{time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
