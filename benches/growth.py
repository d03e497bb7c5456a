"""How operations grow with the messages of one context, and with the number of contexts; opening and memory.
`python benches/growth.py [--quick]`.

Without sync, which costs the same at any size, and with token counts given. A cold window is the first of its context
after the store was opened. A slope is the power of the size that a time grows with: 0 is constant, 1 is linear.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from random import Random
from statistics import median
from typing import TYPE_CHECKING, Any

import psutil

import corpus
import stores
from report import Figures, Row, at_most, columns, machine, number, ratios, slope
from stores import CONTEXT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fastpaca import _core
    from fastpaca.engine import Engine

EACH = 10
"""Messages of each of many contexts."""
PAGE = 100
MESSAGES = "messages in one context"
CONTEXTS = f"contexts of {EACH} messages"
OPENING = "opening, messages stored"


@dataclass(frozen=True, slots=True)
class Size:
    """How much a run does."""

    rounds: int
    messages: Sequence[int]
    contexts: Sequence[int]
    opened: Sequence[int]


FULL = Size(5, (1_000, 10_000, 100_000, 1_000_000), (10, 100, 1_000, 10_000, 100_000), (100_000, 1_000_000, 10_000_000))
QUICK = Size(1, (1_000, 10_000, 100_000), (10, 100, 1_000), (1_000, 10_000, 100_000))


def _filled(path: Path, messages: int) -> list[str]:
    with stores.opened(path, sync=False) as engine:
        stores.fill(engine, messages)
    return [CONTEXT]


def _many(path: Path, contexts: int) -> list[str]:
    bodies = [stores.batch(corpus.messages(EACH, token_count=True, start=EACH * n)) for n in range(500)]
    ids = [f"{CONTEXT}-{n}" for n in range(contexts)]
    with stores.opened(path, sync=False) as engine:
        for n, context_id in enumerate(ids):
            engine.write(context_id, "configure", b'{"token_budget":%d}' % stores.WINDOW_TOKENS)
            engine.write(context_id, "append", bodies[n % len(bodies)])
    return ids


def _us(run: Callable[[], object], calls: int) -> float:
    """Of one call, the median."""
    took = []
    for _ in range(calls):
        began = time.perf_counter()
        run()
        took.append(time.perf_counter() - began)
    return median(took) * 1e6


def _operations(engine: Engine, context_id: str, messages: int) -> dict[str, Callable[[], object]]:
    body = stores.batch(corpus.messages(1, token_count=True))
    budgets = count(stores.WINDOW_TOKENS, -130)

    def another(context: _core.Context, fetched: _core.Fetched) -> bytes:
        # Never the whole, and never cut where it was before: more than one message less each time.
        asked = next(budgets) if messages > EACH else 300 + next(budgets) % 600
        return context.window(fetched, budget_tokens=asked)

    def page(context: _core.Context, fetched: _core.Fetched) -> bytes:
        return context.replay(fetched, from_seq=max(1, messages // 2), limit=PAGE)

    return {
        "append": lambda: engine.write(context_id, "append", body),
        "window": lambda: engine.read(context_id, stores.window),
        "window of another budget": lambda: engine.read(context_id, another),
        f"page of {PAGE}": lambda: engine.read(context_id, page),
    }


def _round(path: Path, ids: Sequence[str], messages: int, chosen: Random, calls: int = 30) -> dict[str, float]:
    """One store's figures of one round, in microseconds."""
    cold = []
    for _ in range(3):
        context_id = chosen.choice(ids)
        with stores.opened(path, sync=False) as engine:
            cold.append(_us(partial(engine.read, context_id, stores.window), 1))
    found = {"cold window": median(cold)}
    with stores.opened(path, sync=False) as engine:
        for name, run in _operations(engine, chosen.choice(ids), messages).items():
            run()
            found[name] = _us(run, calls)
    return found


def curves(size: Size) -> list[Figures]:
    """Every operation at every size, in rounds that take turns."""
    with stores.folder() as folder:
        made: list[tuple[str, int, Path, list[str], int]] = []
        for messages in size.messages:
            path = Path(folder, f"messages-{messages}")
            made.append((MESSAGES, messages, path, _filled(path, messages), messages))
        for contexts in size.contexts:
            path = Path(folder, f"contexts-{contexts}")
            made.append((CONTEXTS, contexts, path, _many(path, contexts), EACH))
        found: dict[tuple[str, str, int], Figures] = {}
        chosen = Random(1)
        for turn in range(size.rounds):
            for group, at, path, ids, messages in made if turn % 2 == 0 else reversed(made):
                for operation, took_us in _round(path, ids, messages, chosen).items():
                    key = group, operation, at
                    found.setdefault(key, Figures(group, operation, str(at))).add(us=took_us)
    return list(found.values())


def opening(size: Size) -> list[Figures]:
    """Opening a cleanly closed store in a process of its own: time, and memory after it and after the first window."""
    found = [Figures(OPENING, "open", str(at)) for at in (0, *size.opened)]
    with stores.folder() as folder:
        paths = []
        for figures in found:
            path = Path(folder, figures.subject)
            _filled(path, int(figures.subject))
            paths.append(path)
        for turn in range(size.rounds):
            pairs = list(zip(found, paths, strict=True))
            for figures, path in pairs if turn % 2 == 0 else reversed(pairs):
                done = subprocess.run(
                    [sys.executable, __file__, "--open", str(path)], stdout=subprocess.PIPE, check=True
                )
                figures.add(**json.loads(done.stdout))
    return found


def _open(path: str) -> dict[str, float]:
    process = psutil.Process()
    before = process.memory_info().rss
    began = time.perf_counter()
    with stores.opened(path, sync=False) as engine:
        opened_ms = (time.perf_counter() - began) * 1e3
        opened = process.memory_info().rss - before
        engine.read(CONTEXT, stores.window)
        windowed = process.memory_info().rss - before
    return {"ms": opened_ms, "resident_mb": opened / 1e6, "resident_after_a_window_mb": windowed / 1e6}


def row(opened: Sequence[Figures]) -> Row:
    """Row 8: the largest store against an empty one."""
    empty, full = opened[0], opened[-1]
    took = ratios(full.values["ms"], empty.values["ms"])
    ours, theirs = (f"{median(each.values['ms']):.1f} ms" for each in (full, empty))
    return at_most("8", f"opening, {int(full.subject):,} messages against none, new process", ours, theirs, took, 3.0)


def measure(*, quick: bool) -> tuple[list[Figures], list[Figures]]:
    """Curves, and opening."""
    size = QUICK if quick else FULL
    return curves(size), opening(size)


def text(found: Sequence[Figures], opened: Sequence[Figures]) -> str:
    """For people."""
    tables = []
    for group in dict.fromkeys(each.group for each in found):
        mine = [each for each in found if each.group == group]
        sizes = list(dict.fromkeys(each.subject for each in mine))
        lines = [(group, *(f"{int(at):,}" for at in sizes), "slope")]
        for operation in dict.fromkeys(each.operation for each in mine):
            took = {each.subject: median(each.values["us"]) for each in mine if each.operation == operation}
            power = f"{slope((int(at), us) for at, us in took.items()):+.2f}"
            lines.append((operation, *(f"{number(took[at])} us" for at in sizes), power))
        tables.append(columns(lines))
    lines = [(OPENING, "time", "resident", "after a window")]
    for each in opened:
        middle = {name: number(median(values)) for name, values in each.values.items()}
        shown = (f"{middle['ms']} ms", f"{middle['resident_mb']} MB", f"{middle['resident_after_a_window_mb']} MB")
        lines.append((f"{int(each.subject):,}", *shown))
    return "\n\n".join([*tables, columns(lines)])


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few rounds, small sizes: to see that it works")
    parser.add_argument("--open", metavar="PATH", help=argparse.SUPPRESS)
    given: Any = parser.parse_args()
    if given.open:
        print(json.dumps(_open(given.open)))
        return
    print(f"{machine()}\ntext: {corpus.describe()}\n", text(*measure(quick=given.quick)), sep="\n")


if __name__ == "__main__":
    main()
