"""The command `fastpaca verify`."""

from __future__ import annotations

import argparse
import sys

from fastpaca.commands.common import EXIT_PROBLEM, Commands
from fastpaca.config import Config


def add_to(commands: Commands[argparse.ArgumentParser]) -> None:
    """Adds the command."""
    parser = commands.add_parser("verify", help="check everything that a data directory holds")
    parser.add_argument("--data-dir", help="directory of the store (FASTPACA_DATA_DIR, ./data)")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Runs the command; gives its exit code."""
    from fastpaca import verify  # noqa: PLC0415

    report = verify.verify(Config.from_environ(data_dir=given.data_dir).data_dir, progress=_progress)
    print(report.json() if given.json else report.text())  # noqa: T201
    return 0 if report.ok else EXIT_PROBLEM


def _progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201
