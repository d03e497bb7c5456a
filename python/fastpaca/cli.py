"""The command `fastpaca`. What a subcommand needs is imported when it runs: `--version` is quick."""

from __future__ import annotations

import argparse
import os
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

from fastpaca.commands import explain, policies, serve, simulate, transfer, verify
from fastpaca.commands.common import (
    EXIT_BROKEN_PIPE,
    EXIT_INTERRUPTED,
    EXIT_PROBLEM,
    EXIT_USAGE,
    CommandError,
    complain,
)
from fastpaca.config import ConfigError
from fastpaca.errors import FastpacaError

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
    for command in (serve, verify, explain, policies, simulate, transfer):
        command.add_to(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
