"""Row 5: selecting the window of a huge context, against LangChain's `trim_messages`. `python benches/selection.py`."""

from __future__ import annotations

import argparse
import time
from itertools import count
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from langchain_core.messages import convert_to_messages, trim_messages

import corpus
import stores
from report import Row, at_least, interleaved, machine, number, table

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastpaca.engine import Engine

TRIMMED = 10_000
"""Messages that `trim_messages` is given: the last ones. Ours selects among all."""
BUDGET = 20_000


def rows(*, rounds: int, size: int = 1_000_000) -> list[Row]:
    """Selection alone on both sides: no message is rendered, and every token count is known before."""
    with stores.folder() as path, stores.opened(Path(path, "data"), sync=False) as engine:
        stores.fill(engine, size)
        runs = {"ours": _ours(engine), "theirs": _theirs()}
        # The first call of either is not what the later ones cost.
        for run in runs.values():
            run()
        took = interleaved(runs, rounds)
    ratios = [their / our for our, their in zip(took["ours"], took["theirs"], strict=True)]
    ours, theirs = (f"{number(median(took[name]) * 1e6)} us" for name in ("ours", "theirs"))
    what = f"selection in {size:,} messages against trim_messages on the last {TRIMMED:,}"
    return [at_least("5", what, ours, theirs, ratios, 1000.0)]


def _ours(engine: Engine, calls: int = 200) -> Callable[[], float]:
    """Another budget each time, so that nothing was selected before."""
    context = stores.loaded(engine)
    budgets = count(BUDGET, 7)

    def select() -> None:
        budget = next(budgets)
        tokens = context.selected_tokens(budget_tokens=budget)
        # Its cut moves in large steps.
        if not budget / 4 < tokens <= budget:
            raise AssertionError(f"a budget of {budget} tokens gave a window of {tokens}")

    select()

    def run() -> float:
        began = time.perf_counter()
        for _ in range(calls):
            select()
        return (time.perf_counter() - began) / calls

    return run


def _theirs() -> Callable[[], float]:
    """Its counter looks up what each message was counted to: the least that a counter can cost."""
    given = corpus.messages(TRIMMED, token_count=True)
    bare = [{"role": each["role"], "content": each["content"], "id": str(n)} for n, each in enumerate(given)]
    messages = convert_to_messages(bare)
    tokens = {str(n): each["token_count"] for n, each in enumerate(given)}

    def counter(of: list[Any]) -> int:
        return sum(tokens[each.id] for each in of)

    def run() -> float:
        began = time.perf_counter()
        kept = trim_messages(messages, max_tokens=BUDGET, strategy="last", token_counter=counter, start_on="human")
        took = time.perf_counter() - began
        if not 1 < len(kept) < TRIMMED:
            raise AssertionError(f"trim_messages kept {len(kept)} messages")
        return took

    return run


def main() -> None:
    """Prints the row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", type=int, default=1_000_000)
    given = parser.parse_args()
    print(table(rows(rounds=given.rounds, size=given.size)), machine(), sep="\n\n")


if __name__ == "__main__":
    main()
