"""Whether an explanation accounts for all of a window and all of the log."""

from __future__ import annotations

from typing import Any

SHOWN = {"kept", "pinned", "edited", "summary", "repair"}
GONE = {"dropped", "rewound", "orphan"}


def check_explained(window: dict[str, Any], last_seq: int) -> None:
    """Runs cover the log, those shown add up to the window, and nothing is told to be gone that the window shows."""
    explanation = window["explanation"]
    runs = explanation["runs"]
    tokens = explanation["tokens"]
    shown = [run for run in runs if run["state"] in SHOWN]
    assert sum(run["tokens"] for run in shown) == tokens["shown"]
    assert tokens["shown"] == sum(item["token_count"] for item in window["messages"])
    assert sum(tokens["by_role"].values()) == sum(tokens["by_kind"].values()) == tokens["shown"]
    assert max(0, tokens["shown"] + tokens["overhead"]) == tokens["used"] == window["used_tokens"]
    kept = [run for run in runs if run["state"] not in GONE]
    assert sum(run["tokens"] for run in kept) == tokens["kept"]
    assert seqs(runs) == set(range(1, last_seq + 1))
    gone = [seq for run in runs if run["state"] in GONE for seq in range(run["from_seq"], run["to_seq"] + 1)]
    assert len(gone) == len(set(gone))
    in_window = {item["seq"] for item in window["messages"] if "seq" in item}
    assert in_window.isdisjoint(gone)
    budget = explanation["budget"]
    assert window["needs_compaction"] == (max(0, tokens["kept"] + tokens["overhead"]) > budget["trigger_tokens"])


def seqs(runs: list[dict[str, Any]]) -> set[int]:
    """All messages that the runs name."""
    return {seq for run in runs for seq in range(run["from_seq"], run["to_seq"] + 1)}
