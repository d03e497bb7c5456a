"""The command `fastpaca policies`."""

from __future__ import annotations

import argparse
import json

from fastpaca.commands.common import Commands


def add_to(commands: Commands[argparse.ArgumentParser]) -> None:
    """Adds the command."""
    parser = commands.add_parser("policies", help="list the compaction policies that a context may have")
    parser.add_argument("--json", action="store_true", help="print the list as JSON")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Runs the command; gives its exit code."""
    from fastpaca import policies  # noqa: PLC0415

    found = policies.listed()
    if given.json:
        print(json.dumps([each._asdict() for each in found], indent=2))  # noqa: T201
        return 0
    rows = [("NAME", "FROM", "KEYS", ""), *((p.name, p.source, ", ".join(p.keys) or "-", p.about) for p in found)]
    widths = [max(len(row[at]) for row in rows) for at in range(3)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        print("  ".join([*cells, row[3]]).rstrip())  # noqa: T201
    print(f"\nAll take {', '.join(policies.COMMON_KEYS)}.")  # noqa: T201
    return 0
