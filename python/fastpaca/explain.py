"""`fastpaca explain`: what a window shows of a context and why, as a table."""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any, Final

import fastpaca
from fastpaca.errors import FastpacaError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_TIMEOUT_S: Final = 30
_COLOURS: Final = {
    "kept": "32",
    "pinned": "1;32",
    "edited": "33",
    "summary": "36",
    "repair": "35",
    "cut": "34",
    "dropped": "31",
    "rewound": "90",
    "orphan": "90",
}
_WHY: Final = {
    "as_it_came": "",
    "head": "system head",
    "pinned": "metadata.pinned",
    "budget": "does not fit the budget",
    "append": "when it was appended",
    "caller": "a caller's compaction",
    "policy": "policy",
    "late_result": "a late result, shown with its call",
    "no_result": "its call got no result",
    "no_call": "a result without an open call",
    "rewind": "a rewind",
    "revert": "a revert",
    "earlier": "by an earlier rewrite",
}


class ExplainError(Exception):
    """The window could not be had; the message says why."""


def from_directory(data_dir: Path, context_id: str, options: Mapping[str, int]) -> bytes:
    """The explained window of a context in a data directory. Raises `ExplainError`."""
    if not data_dir.is_dir():
        raise ExplainError(f"there is no data directory {data_dir}")
    asked: dict[str, Any] = {"budget": options.get("budget_tokens"), "at_version": options.get("at_version")}
    try:
        with fastpaca.open(data_dir) as store:
            return store.context(context_id).window(explain=True, **asked).raw
    except FastpacaError as error:
        raise ExplainError(str(error)) from error


def from_server(url: str, context_id: str, options: Mapping[str, int]) -> bytes:
    """The explained window of a context on a server. Raises `ExplainError`."""
    query = urllib.parse.urlencode({"explain": "true", **options})
    path = f"/v1/contexts/{urllib.parse.quote(context_id, safe='')}/window?{query}"
    if urllib.parse.urlsplit(url).scheme not in {"http", "https"}:
        raise ExplainError(f"{url} is no http or https address")
    try:
        with urllib.request.urlopen(url.rstrip("/") + path, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - checked above
            found: bytes = answer.read()
            return found
    except urllib.error.HTTPError as error:
        raise ExplainError(_message(error.read()) or str(error)) from error
    except (urllib.error.URLError, OSError) as error:
        raise ExplainError(f"{url}: {error}") from error


def _message(body: bytes) -> str | None:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return None


def is_coloured() -> bool:
    """Whether standard output is a terminal whose user has nothing against colours."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def table(context_id: str, raw: bytes, *, colour: bool = False) -> str:
    """The explanation for people."""
    window = json.loads(raw)
    explanation = window["explanation"]
    tokens, budget = explanation["tokens"], explanation["budget"]
    lines = [
        (
            f"{context_id} at version {window['version']}: {window['used_tokens']} tokens shown of"
            f" {tokens['kept']} kept, budget {budget['token_budget']}, reserve {budget['reserve_tokens']},"
            f" policy {budget['policy']}"
        ),
        "",
        *_rows([("MESSAGES", "STATE", "TOKENS", "VERSION", "WHY"), *map(_row, explanation["runs"])], colour=colour),
        "",
        _sums("by role", tokens["by_role"]),
        _sums("by kind", tokens["by_kind"]),
        f"calibration: {tokens['overhead']:+d} tokens beside what is counted here",
        f"trigger: {_trigger(window, budget)}",
    ]
    return "\n".join(lines)


def as_json(raw: bytes) -> str:
    """The explanation for programs."""
    return json.dumps(json.loads(raw)["explanation"], ensure_ascii=False)


def _trigger(window: Mapping[str, Any], budget: Mapping[str, int]) -> str:
    at = f"{budget['trigger_tokens']} tokens"
    if window["needs_compaction"]:
        suggested = window.get("suggested_range")
        hint = f"; messages {suggested['from_seq']} to {suggested['to_seq']} are worth summarising" if suggested else ""
        return f"over {at}: needs compaction{hint}"
    return f"{at}, {budget['until_trigger']} to go"


def _row(run: Mapping[str, Any]) -> tuple[str, ...]:
    first, last = run["from_seq"], run["to_seq"]
    place = "-" if first > last else str(first) if first == last else f"{first}-{last}"
    why = _WHY.get(run["why"], run["why"])
    if run["strategy"]:
        why = f"{why} {run['strategy']}"
    return place, run["state"], str(run["tokens"]), "" if run["version"] is None else str(run["version"]), why


def _rows(rows: Sequence[tuple[str, ...]], *, colour: bool) -> list[str]:
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    lines = []
    for row in rows:
        place, state, tokens, version, why = row
        cells = [place.ljust(widths[0]), state.ljust(widths[1]), tokens.rjust(widths[2]), version.rjust(widths[3]), why]
        if colour and state in _COLOURS:
            cells[1] = f"\x1b[{_COLOURS[state]}m{cells[1]}\x1b[0m"
        lines.append("  ".join(cells).rstrip())
    return lines


def _sums(name: str, sums: Mapping[str, int]) -> str:
    return f"{name}: " + (", ".join(f"{kind} {tokens}" for kind, tokens in sums.items()) or "nothing")
