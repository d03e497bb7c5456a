"""The command `fastpaca explain`: what a window shows of a context and why, as a table."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any, Final

from fastpaca.commands.common import Commands, add_store, is_coloured, open_store

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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


def add_to(commands: Commands[argparse.ArgumentParser]) -> None:
    """Adds the command."""
    parser = commands.add_parser("explain", help="show what a window holds of a context, and why")
    parser.add_argument("context", help="the context's id")
    add_store(parser)
    parser.add_argument("--budget", type=int, help="tokens, instead of the context's budget")
    parser.add_argument("--at-version", type=int, help="as it was at that version")
    parser.add_argument("--json", action="store_true", help="print the explanation as JSON")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Runs the command; gives its exit code."""
    with open_store(given) as store:
        context = store.context(given.context)
        raw = context.window(budget=given.budget, at_version=given.at_version, explain=True).raw
    print(as_json(raw) if given.json else table(given.context, raw, colour=is_coloured()))  # noqa: T201
    return 0


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
