"""The command `fastpaca serve`."""

from __future__ import annotations

import argparse

from fastpaca.commands.common import CommandError, Commands
from fastpaca.config import Config


def add_to(commands: Commands[argparse.ArgumentParser]) -> None:
    """Adds the command."""
    parser = commands.add_parser("serve", help="serve a data directory over HTTP")
    parser.add_argument("--host", help="address to listen on (FASTPACA_HOST, 127.0.0.1)")
    parser.add_argument("--port", help="port to listen on (FASTPACA_PORT, 4000)")
    parser.add_argument("--data-dir", help="directory of the store (FASTPACA_DATA_DIR, ./data)")
    parser.add_argument("--log-level", help="debug, info, warning, error or critical (FASTPACA_LOG_LEVEL, info)")
    parser.add_argument("--workers", type=int, help=argparse.SUPPRESS)
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Runs the command; gives its exit code."""
    config = Config.from_environ(host=given.host, port=given.port, data_dir=given.data_dir, log_level=given.log_level)
    try:
        from fastpaca.http import server  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("fastpaca"):
            raise
        message = f"serving needs more packages ({error.name}): pip install 'fastpaca[server]'"
        raise CommandError(message) from None
    try:
        server.run(config, workers=given.workers)
    except server.ServerError as error:
        raise CommandError(str(error)) from None
    return 0
