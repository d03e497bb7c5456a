"""The commands `fastpaca import` and `fastpaca export`."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

from fastpaca.commands.common import (
    EXIT_INTERRUPTED,
    EXIT_PROBLEM,
    EXIT_STOPPED,
    EXIT_USAGE,
    FORMATS,
    CommandError,
    Commands,
    Progress,
    add_store,
    complain,
    has_store,
    open_store,
    tokens,
)

if TYPE_CHECKING:
    from fastpaca.transfer import Options, Report

_IMPORT: Final = """\
Import conversations: each becomes a context, its messages are appended with the times that they had. What the store
holds already is passed over, so an import that was interrupted is run again as it is, and a file that grew brings what
is new. A context that holds other messages than the file is left alone."""

_IMPORT_MORE: Final = """\
files: JSON lines or JSON, gzipped or not: what `fastpaca export` writes, messages of OpenAI, Anthropic and the ai-sdk,
Claude Code session logs. A line is a conversation, or a message; `context_id` (or conversation_id, session_id,
thread_id) says which conversation it belongs to, else the file is one.

exit codes: 0 all is there; 1 something could not be read or imported, as reported; 2 a wrong call; 3 the store took no
more: the same command again goes on from there; 130 interrupted, likewise.

examples:
  fastpaca import chats.jsonl --dry-run
  fastpaca import chats.jsonl --budget 100000 --policy last_n:limit=200 --model gpt-4o
  fastpaca import ~/.claude/projects/*/*.jsonl --format claude-code --url http://127.0.0.1:4000"""

_EXPORT: Final = """\
Export contexts as JSON lines: one that describes the context, then one for each message of its log, with seq, times,
token count and metadata. `fastpaca import` reads it back."""

_EXPORT_MORE: Final = """\
exit codes: 0 all is written; 1 something went wrong: a file named with --output is not there then; 2 a wrong call;
141 whoever reads the output has stopped.

examples:
  fastpaca export --output backup.jsonl.gz
  fastpaca export chat-1 chat-2 --format openai > chats.jsonl
  fastpaca export --url http://127.0.0.1:4000 | fastpaca import /dev/stdin --data-dir ./copy"""

_AGAIN: Final = "nothing is lost or doubled: run the same command again, it goes on from there"
_BAR: Final = 24


def add_to(commands: Commands[argparse.ArgumentParser]) -> None:
    """Adds both commands."""
    raw = argparse.RawDescriptionHelpFormatter
    load = commands.add_parser(
        "import", help="import conversations", description=_IMPORT, epilog=_IMPORT_MORE, formatter_class=raw
    )
    load.add_argument("files", nargs="+", metavar="FILE", help="recorded conversations")
    load.add_argument("--format", choices=FORMATS, help="format that the files must have (detected)")
    add_store(load)
    load.add_argument("--budget", type=tokens, metavar="TOKENS", help="token budget of the contexts")
    load.add_argument("--policy", metavar="NAME[:KEY=VALUE,...]", help="their policy; it runs once, at the end")
    load.add_argument("--model", help="their model: decides how tokens are counted, all anew")
    load.add_argument("--context", metavar="ID", help="id of the context, for a file that holds one conversation")
    load.add_argument("--prefix", default="", help="stands before each id")
    load.add_argument("--dry-run", action="store_true", help="report what would be done, and write nothing")
    load.add_argument("--json", action="store_true", help="print the report as JSON")
    load.set_defaults(run=_import)

    dump = commands.add_parser(
        "export", help="export contexts", description=_EXPORT, epilog=_EXPORT_MORE, formatter_class=raw
    )
    dump.add_argument("contexts", nargs="*", metavar="CONTEXT", help="ids of contexts (every live one)")
    add_store(dump)
    dump.add_argument("--prefix", default="", help="only contexts whose id begins with it")
    dump.add_argument("--all", action="store_true", help="also messages that left by a rewind, marked as such")
    dump.add_argument("--format", choices=_export_formats(), default="parts", help="format of the messages (parts)")
    dump.add_argument("--output", "-o", type=Path, metavar="FILE", help="file to write (standard output)")
    dump.set_defaults(run=_export)


def _export_formats() -> tuple[str, ...]:
    from fastpaca.types import Format  # noqa: PLC0415

    return ("parts", *get_args(Format))


def _import(given: argparse.Namespace) -> int:
    from fastpaca import transfer  # noqa: PLC0415
    from fastpaca.errors import FastpacaError, UnavailableError  # noqa: PLC0415

    options = _options(given)
    # A dry run into a directory without a store makes none.
    store = open_store(given, make=True) if has_store(given) or not given.dry_run else None
    report = transfer.Report()
    shown = _ImportProgress(given.files)
    code = 0
    try:
        transfer.load(store, given.files, options, report=report, progress=shown)
    except UnavailableError as error:
        code = complain(f"stopped: {error}; {_AGAIN}", EXIT_STOPPED)
    except FastpacaError as error:
        code = complain(str(error), EXIT_PROBLEM)
    except KeyboardInterrupt:
        code = complain(f"interrupted; {_AGAIN}", EXIT_INTERRUPTED)
    finally:
        shown.end()
        if store is not None:
            store.close()
    print(report.json() if given.json else report.text())  # noqa: T201
    return code or (0 if report.ok else EXIT_PROBLEM)


def _options(given: argparse.Namespace) -> Options:
    """Raises `CommandError` for what no store takes."""
    from fastpaca.transfer import Options  # noqa: PLC0415

    named = {"token_budget": given.budget, "model": given.model, "policy": _policy(given)}
    return Options(
        format=given.format,
        settings={name: value for name, value in named.items() if value is not None},
        context=given.context,
        prefix=given.prefix,
        dry_run=given.dry_run,
    )


def _policy(given: argparse.Namespace) -> dict[str, Any] | None:
    if given.policy is None:
        return None
    from fastpaca import _core, policies  # noqa: PLC0415
    from fastpaca.simulate.settings import Policy, SettingError  # noqa: PLC0415
    from fastpaca.types import encode  # noqa: PLC0415

    try:
        parsed = Policy.parse(given.policy)
    except SettingError as error:
        raise CommandError(f"--policy: {error}", EXIT_USAGE) from None
    policy = {"strategy": parsed.strategy, "config": parsed.config}
    try:
        _core.parse("configure", encode({"policy": policy}))
    except _core.CoreError as error:
        # Policies that are not the core's are known to who runs them.
        elsewhere = given.url is not None or parsed.strategy in {each.name for each in policies.listed()}
        if error.args[0] != "unknown_strategy" or not elsewhere:
            raise CommandError(f"--policy: {error.args[1]}", EXIT_USAGE) from None
    return policy


class _ImportProgress:
    """A bar where the size of the files is known, and counts."""

    def __init__(self, files: list[str]) -> None:
        self._progress = Progress(sys.stderr, on_terminals_only=True)
        self._total = sum(_size(Path(file)) for file in files)
        self._read = 0
        self._started = time.monotonic()

    def __call__(self, report: Report, read: int) -> None:
        self._read += read
        self._progress(lambda: self._line(report))

    def _line(self, report: Report) -> str:
        done = report.imported + report.present
        rate = done / max(time.monotonic() - self._started, 0.001)
        counts = f"{done} messages, {report.contexts} contexts, {rate:.0f} a second"
        share = min(1.0, self._read / self._total) if self._total else 0.0
        return f"{_bar(share)} {share:4.0%}  {counts}" if self._total else counts

    def end(self) -> None:
        """Clears the line."""
        self._progress.end()


def _size(path: Path) -> int:
    """Bytes that will be read of a file; 0 where that is not known beforehand."""
    try:
        return path.stat().st_size if path.is_file() and path.suffix != ".gz" else 0
    except OSError:
        return 0


def _bar(share: float) -> str:
    done = round(share * _BAR)
    return f"[{'#' * done}{'.' * (_BAR - done)}]"


def _export(given: argparse.Namespace) -> int:
    from fastpaca import transfer  # noqa: PLC0415
    from fastpaca.errors import FastpacaError  # noqa: PLC0415
    from fastpaca.transfer.output import opened  # noqa: PLC0415

    if given.contexts and given.prefix:
        raise CommandError("--prefix chooses contexts, and so do ids: give one of them", EXIT_USAGE)
    progress = Progress(sys.stderr, on_terminals_only=True)
    lines = 0

    def count() -> None:
        nonlocal lines
        lines += 1
        progress(lambda: f"{lines} lines")

    wanted = None if given.format == "parts" else given.format
    with open_store(given) as store:
        try:
            with opened(given.output) as file:
                for line in transfer.dump(
                    store, given.contexts, prefix=given.prefix, format=wanted, all=given.all, progress=count
                ):
                    file.write(line)
        except (BrokenPipeError, FastpacaError):
            # A server that gives no answer is an OSError, too.
            raise
        except OSError as error:
            raise CommandError(f"{given.output or 'standard output'}: {error.strerror}") from None
        finally:
            progress.end()
    return 0
