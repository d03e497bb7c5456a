"""What the subcommands share: exit codes, complaints, the store that they work on, and how far they are."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TextIO

from fastpaca.config import Config

if TYPE_CHECKING:
    from fastpaca.sync import Store

Commands = argparse._SubParsersAction  # noqa: SLF001 - argparse has no public name for it

EXIT_PROBLEM: Final = 1
EXIT_USAGE: Final = 2
EXIT_STOPPED: Final = 3
"""The store took no more: the same command again goes on from there."""

EXIT_INTERRUPTED: Final = 130
EXIT_BROKEN_PIPE: Final = 141

FORMATS: Final = ("parts", "openai", "anthropic", "ai-sdk", "claude-code")
"""Those of `fastpaca.transcripts`, which is not imported for them."""

_PROGRESS_S: Final = 1.0
_TERMINAL_S: Final = 0.2
API_KEY: Final = "FASTPACA_API_KEY"


class CommandError(Exception):
    """What ends a command: the message for people, and the exit code."""

    def __init__(self, message: str, code: int = EXIT_PROBLEM) -> None:
        super().__init__(message)
        self.code = code


def complain(message: str, code: int) -> int:
    """Says what went wrong, and gives the exit code."""
    print(f"fastpaca: {message}", file=sys.stderr)  # noqa: T201
    return code


def add_store(parser: argparse.ArgumentParser) -> None:
    """Adds the options that say which store."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--data-dir", help="directory of the store (FASTPACA_DATA_DIR, ./data)")
    where.add_argument("--url", help="address of a server, such as http://127.0.0.1:4000")
    parser.add_argument("--api-key", help=f"of the server ({API_KEY}, where other users do not see it)")


def open_store(given: argparse.Namespace, *, make: bool = False) -> Store:
    """The store that the options name. A directory without one is an error unless it is to be made.

    Raises `CommandError` and `FastpacaError`.
    """
    import fastpaca  # noqa: PLC0415
    from fastpaca.errors import InvalidError  # noqa: PLC0415

    if given.url is not None:
        try:
            return fastpaca.connect(given.url, given.api_key or os.environ.get(API_KEY))
        except ImportError as error:
            raise CommandError(str(error)) from None
        except InvalidError as error:
            raise CommandError(str(error), EXIT_USAGE) from None
    data_dir = Config.from_environ(data_dir=given.data_dir).data_dir
    if not make and not has_store(given):
        raise CommandError(f"{data_dir} holds no store")
    return fastpaca.open(data_dir)


def has_store(given: argparse.Namespace) -> bool:
    """Whether there is something to read: a server, or a directory that holds a store."""
    return given.url is not None or (Config.from_environ(data_dir=given.data_dir).data_dir / "CURRENT").is_file()


def is_coloured() -> bool:
    """Whether standard output is a terminal whose user has nothing against colours."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def tokens(text: str) -> int:
    """A number of tokens, as an option has it: `100000`, `100_000`."""
    number = int(text.replace("_", "").replace(" ", ""))
    if number < 1:
        raise argparse.ArgumentTypeError("expected a positive number")
    return number


class Progress:
    """Says how far it is: in place on a terminal; elsewhere a line each second, or nothing."""

    def __init__(self, stream: TextIO, *, on_terminals_only: bool = False) -> None:
        self._stream = stream
        self._in_place = stream.isatty()
        self._is_off = on_terminals_only and not self._in_place
        self._every_s = _TERMINAL_S if self._in_place else _PROGRESS_S
        self._last = time.monotonic()
        self._shown = False

    def __call__(self, line: str | Callable[[], str]) -> None:
        """Shows the line, unless the last one was just now."""
        now = time.monotonic()
        if self._is_off or now - self._last < self._every_s:
            return
        self._last = now
        self._shown = True
        text = line if isinstance(line, str) else line()
        self._stream.write(f"\r\x1b[K{text}" if self._in_place else f"{text}\n")
        self._stream.flush()

    def end(self) -> None:
        """Clears the line."""
        if self._shown and self._in_place:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
