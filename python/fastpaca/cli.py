"""The command `fastpaca`. What a subcommand needs is imported when it runs: `--version` is quick."""

from __future__ import annotations

import argparse
import json
import os
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING, NoReturn

from fastpaca.commands import transfer
from fastpaca.commands.common import (
    EXIT_BROKEN_PIPE,
    EXIT_INTERRUPTED,
    EXIT_PROBLEM,
    EXIT_USAGE,
    CommandError,
    complain,
)
from fastpaca.config import Config, ConfigError
from fastpaca.errors import FastpacaError
from fastpaca.simulate_command import add_to as add_simulate

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command. Gives its exit code, one of docs/cli.md."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.run is None:
        parser.print_help()
        return EXIT_USAGE
    try:
        code: int = given.run(given)
        sys.stdout.flush()
    except CommandError as error:
        return complain(str(error), error.code)
    except (ConfigError, FastpacaError) as error:
        return complain(str(error), EXIT_USAGE if isinstance(error, ConfigError) else EXIT_PROBLEM)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # What is still buffered must not be flushed into the pipe again when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fastpaca", description="Context infrastructure for LLM applications.")
    parser.add_argument("--version", action="version", version=f"fastpaca {version('fastpaca')}")
    parser.set_defaults(run=None)
    commands = parser.add_subparsers(title="commands", metavar="")
    serve = commands.add_parser("serve", help="serve a data directory over HTTP")
    serve.add_argument("--host", help="address to listen on (FASTPACA_HOST, 127.0.0.1)")
    serve.add_argument("--port", help="port to listen on (FASTPACA_PORT, 4000)")
    serve.add_argument("--data-dir", help="directory of the store (FASTPACA_DATA_DIR, ./data)")
    serve.add_argument("--log-level", help="debug, info, warning, error or critical (FASTPACA_LOG_LEVEL, info)")
    serve.add_argument("--workers", type=int, help=argparse.SUPPRESS)
    serve.set_defaults(run=_serve)
    verify = commands.add_parser("verify", help="check everything that a data directory holds")
    verify.add_argument("--data-dir", help="directory of the store (FASTPACA_DATA_DIR, ./data)")
    verify.add_argument("--json", action="store_true", help="print the result as JSON")
    verify.set_defaults(run=_verify)
    explain = commands.add_parser("explain", help="show what a window holds of a context, and why")
    explain.add_argument("context", help="the context's id")
    where = explain.add_mutually_exclusive_group()
    where.add_argument("--data-dir", help="directory of the store (FASTPACA_DATA_DIR, ./data)")
    where.add_argument("--url", help="address of a server, such as http://127.0.0.1:4000")
    explain.add_argument("--budget", type=int, dest="budget_tokens", help="tokens, instead of the context's budget")
    explain.add_argument("--at-version", type=int, help="as it was at that version")
    explain.add_argument("--json", action="store_true", help="print the explanation as JSON")
    explain.set_defaults(run=_explain)
    policies = commands.add_parser("policies", help="list the compaction policies that a context may have")
    policies.add_argument("--json", action="store_true", help="print the list as JSON")
    policies.set_defaults(run=_policies)
    transfer.add_to(commands)
    add_simulate(commands)
    return parser


def _serve(given: argparse.Namespace) -> int:
    config = Config.from_environ(host=given.host, port=given.port, data_dir=given.data_dir, log_level=given.log_level)
    try:
        from fastpaca.http import server  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("fastpaca"):
            raise
        return complain(f"serving needs more packages ({error.name}): pip install 'fastpaca[server]'", EXIT_PROBLEM)
    from fastpaca.errors import FastpacaError  # noqa: PLC0415

    try:
        server.run(config, workers=given.workers)
    except (FastpacaError, server.ServerError) as error:
        return complain(str(error), EXIT_PROBLEM)
    return 0


def _explain(given: argparse.Namespace) -> int:
    from fastpaca import explain  # noqa: PLC0415

    options = {name: vars(given)[name] for name in ("budget_tokens", "at_version") if vars(given)[name] is not None}
    try:
        if given.url is not None:
            raw = explain.from_server(given.url, given.context, options)
        else:
            data_dir = Config.from_environ(data_dir=given.data_dir).data_dir
            raw = explain.from_directory(data_dir, given.context, options)
    except explain.ExplainError as error:
        return complain(str(error), EXIT_PROBLEM)
    print(explain.as_json(raw) if given.json else explain.table(given.context, raw, colour=explain.is_coloured()))  # noqa: T201
    return 0


def _verify(given: argparse.Namespace) -> int:
    config = Config.from_environ(data_dir=given.data_dir)
    from fastpaca import verify  # noqa: PLC0415
    from fastpaca.errors import FastpacaError  # noqa: PLC0415

    try:
        report = verify.verify(config.data_dir, progress=_progress)
    except FastpacaError as error:
        return complain(str(error), EXIT_PROBLEM)
    print(report.json() if given.json else report.text())  # noqa: T201
    return 0 if report.ok else EXIT_PROBLEM


def _policies(given: argparse.Namespace) -> int:
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


def _progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201


def run() -> NoReturn:
    """For `python -m fastpaca.cli`."""
    sys.exit(main())


if __name__ == "__main__":
    run()
