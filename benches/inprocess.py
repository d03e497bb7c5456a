"""Rows 3, 6, 7 and 8: durable appends against SQLite, growth, memory, opening. `python benches/inprocess.py`."""

from __future__ import annotations

import argparse
import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import corpus
import fastpaca
import stores
from report import Row, at_least, at_most, interleaved, machine, number, ratios, sync_ms, table
from stores import CONTEXT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

BATCH = 100
SMALL = 1_000


# Row 3


def _sqlite(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("pragma journal_mode = wal")
    database.execute("pragma synchronous = full")
    database.execute("create table messages (context text, seq integer, body text, primary key (context, seq))")
    return database


def _timed(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def appends(*, rounds: int, batches: int) -> list[Row]:
    """Durable appends in batches, against SQLite with the same JSON in the same batches."""
    with (
        stores.folder() as path,
        fastpaca.open(Path(path, "data")) as store,
        closing(_sqlite(Path(path, "sqlite"))) as database,
    ):
        return [
            _append_row(store, database, rounds, batches, given=True, least=1.0),
            _append_row(store, database, rounds, batches, given=False, least=0.3),
        ]


def _append_row(
    store: fastpaca.Store, database: sqlite3.Connection, rounds: int, batches: int, *, given: bool, least: float
) -> Row:
    name = "token_count given" if given else "counting"
    context = store.context(name, budget=1_000_000)
    messages = corpus.messages(BATCH * batches, token_count=given)
    cut = [messages[at : at + BATCH] for at in range(0, len(messages), BATCH)]
    seq = 0

    def ours() -> None:
        for batch in cut:
            context.append(batch)

    def theirs() -> None:
        nonlocal seq
        for batch in cut:
            rows = []
            for message in batch:
                seq += 1
                rows.append((name, seq, json.dumps(message, ensure_ascii=False, separators=(",", ":"))))
            database.execute("begin")
            database.executemany("insert into messages values (?, ?, ?)", rows)
            database.execute("commit")

    ours()
    theirs()
    took = interleaved({"ours": lambda: _timed(ours), "theirs": lambda: _timed(theirs)}, rounds)
    mine, others = ([len(messages) / seconds for seconds in took[which]] for which in ("ours", "theirs"))
    what = f"durable append, batches of {BATCH}, {name}"
    return at_least("3", what, f"{number(median(mine))}/s", f"{number(median(others))}/s", ratios(mine, others), least)


# Rows 6 and 7


def growth(*, rounds: int, sizes: Sequence[int], calls: int = 30) -> list[Row]:
    """The same operations on a small context and on large ones; cold ones open the store again each time."""
    with stores.folder() as path:
        found: dict[int, dict[str, list[float]]] = {size: {} for size in (SMALL, *sizes)}
        resident: dict[int, int] = {}
        entries: dict[int, int] = {}
        for size in found:
            with stores.opened(Path(path, str(size)), sync=False) as engine:
                stores.fill(engine, size)
                resident[size] = stores.loaded(engine).resident_bytes
        for _ in range(rounds):
            for size, took in found.items():
                _measure_one(Path(path, str(size)), calls, took, entries, size)
        rows = []
        for size in sizes:
            rows += [_growth_row(name, size, found, entries) for name in found[SMALL]]
            rows.append(_resident_row(size, resident))
    return rows


def _measure_one(path: Path, calls: int, took: dict[str, list[float]], entries: dict[int, int], size: int) -> None:
    with stores.opened(path, sync=False) as engine:
        counted = stores.Counted(engine)
        took.setdefault("cold window", []).append(_timed(lambda: engine.read(CONTEXT, stores.window)))
        entries.setdefault(size, counted.entries)
        body = stores.batch(corpus.messages(1, token_count=True))
        for name, run in (
            ("append (no sync)", lambda: engine.write(CONTEXT, "append", body)),
            ("window, hot", lambda: engine.read(CONTEXT, stores.window)),
            ("window, another budget each time", _budgets(engine)),
        ):
            run()
            took.setdefault(name, []).append(median(_timed(run) for _ in range(calls)))


def _budgets(engine: Any) -> Callable[[], bytes]:
    budget = stores.WINDOW_TOKENS

    def run() -> bytes:
        nonlocal budget
        budget -= 130
        asked = budget
        reply: bytes = engine.read(CONTEXT, lambda context, fetched: context.window(fetched, budget_tokens=asked))
        return reply

    return run


def _growth_row(name: str, size: int, found: dict[int, dict[str, list[float]]], entries: dict[int, int]) -> Row:
    large, small = found[size][name], found[SMALL][name]
    shown = [f"{number(median(each) * 1e6)} us" for each in (large, small)]
    if name == "cold window":
        shown = [f"{text}, {entries[at]} entries" for text, at in zip(shown, (size, SMALL), strict=True)]
    return at_most("6", f"{name}, {size:,} messages against {SMALL:,}", shown[0], shown[1], ratios(large, small), 2.0)


def _resident_row(size: int, resident: dict[int, int]) -> Row:
    each = (resident[size] - resident[SMALL]) / (size - SMALL)
    return at_most("7", f"resident bytes a message, {size:,} messages", f"{each:.1f} bytes", "", [each], 32.0)


# Row 8


def opening(*, rounds: int, messages: int) -> list[Row]:
    """Opening a cleanly closed store, against opening an empty one."""
    with stores.folder() as path:
        full, empty = Path(path, "full"), Path(path, "empty")
        with stores.opened(full, sync=False) as engine:
            stores.fill(engine, messages)
        with stores.opened(empty):
            pass

        def seconds(which: Path) -> float:
            began = time.perf_counter()
            with stores.opened(which):
                return time.perf_counter() - began

        took = interleaved({"full": lambda: seconds(full), "empty": lambda: seconds(empty)}, rounds)
    ours, theirs = (f"{median(took[name]) * 1000:.1f} ms" for name in ("full", "empty"))
    what = f"opening, {messages:,} messages against none"
    return [at_most("8", what, ours, theirs, ratios(took["full"], took["empty"]), 3.0)]


def rows(*, rounds: int, large: int) -> list[Row]:
    """All of them."""
    return [
        *appends(rounds=rounds, batches=50),
        *growth(rounds=rounds, sizes=[100_000, large] if large > 100_000 else [large]),
        *opening(rounds=rounds, messages=large),
    ]


def main() -> None:
    """Prints rows 3, 6, 7 and 8."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--messages", type=int, default=1_000_000, help="of the largest context")
    given = parser.parse_args()
    print(f"{machine()}\ntext: {corpus.describe()}; sync of 4 KB {sync_ms():.2f} ms\n{given.rounds} rounds, medians\n")
    print(table(rows(rounds=given.rounds, large=given.messages)))


if __name__ == "__main__":
    main()
