"""Everything that has a counterpart, in one table. `make bench`, or `python benches/run.py [--quick] [--http]`."""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING

import client
import corpus
import http_load
import inprocess
import selection
import tokens
from report import machine, sync_ms, table

if TYPE_CHECKING:
    from collections.abc import Callable

    from report import Row


def _http(rounds: int, seconds: float) -> list[Row]:
    found = http_load.measure(rounds=rounds, seconds=seconds, run=client.CLIENTS[client.best()])
    print(*(scenario.detail() for scenario in found), sep="\n", end="\n\n")
    return [scenario.row() for scenario in found]


def main() -> None:
    """Prints the rows of the performance budget."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few and short rounds: to see that it works")
    parser.add_argument("--http", action="store_true", help="rows 1 and 2 alone")
    given = parser.parse_args()
    rounds = 2 if given.quick else 7
    steps: dict[str, Callable[[], list[Row]]] = {"rows 1 and 2": lambda: _http(rounds, 1 if given.quick else 2)}
    if not given.http:
        steps["rows 3, 6, 7 and 8"] = lambda: inprocess.rows(rounds=rounds, large=100_000 if given.quick else 1_000_000)
        steps["row 5"] = lambda: selection.rows(rounds=rounds, size=100_000 if given.quick else 1_000_000)
        steps["row 4"] = lambda: tokens.rows(rounds=rounds, seconds=0.05 if given.quick else 0.2)
    print(f"{machine()}\ntext: {corpus.describe()}; load by {client.best()}; sync of 4 KB {sync_ms():.2f} ms\n")
    rows: list[Row] = []
    for name, step in steps.items():
        began = time.monotonic()
        try:
            rows += step()
        except tokens.NotAvailableError as reason:
            print(f"{name}: skipped, {reason}")
        print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr)
    print(table(rows), f"afterwards: {machine()}", sep="\n\n")


if __name__ == "__main__":
    main()
