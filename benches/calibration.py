"""How far `used_tokens` is from what the provider counted, before and after it has been told.

Recorded coding sessions carry the provider's own count of each call's input. Each session is appended message by
message to three contexts: one is never told, one is told once, by its first answer, one by each answer. Before each
call `used_tokens` of the window is held against what the provider then reported. A compaction that the recording
application made is made here as well, by its recorded summary.

    python benches/calibration.py
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from corpus import DATA
from fastpaca import Context, Store, _core, transcripts
from fastpaca.engine import Engine
from fastpaca.local import LocalTransport
from fastpaca.log import MemoryLog
from fastpaca.transcripts import Conversation, Recorded

REPORTS = {"never told": 0, "told once": 1, "told by each answer": 10**9}


@dataclass
class Watched:
    """One context, and its errors: counted less reported, as a share of reported."""

    context: Context
    reports: int
    told: int = 0
    before: list[float] = field(default_factory=list)
    after: list[float] = field(default_factory=list)
    version: int = 0

    def call(self, recorded: Recorded) -> None:
        """Compares before an answer that carries the provider's count."""
        assert recorded.usage is not None
        window = self.context.window()
        self.version = window.version
        error = window.used_tokens / recorded.usage.input_tokens - 1
        (self.after if self.told else self.before).append(error)

    def append(self, recorded: Recorded) -> None:
        """Appends, with a report where the answer has one to give."""
        message = dict(recorded.message)
        message.pop("usage", None)
        if recorded.usage is not None and self.told < self.reports:
            self.told += 1
            message["usage"] = {"input_tokens": recorded.usage.input_tokens, "window_version": self.version}
        if recorded.is_summary:
            self.context.compact(message, if_version=self.context.info().version)
        else:
            self.context.append(message)


def model_of(conversation: Conversation) -> str | None:
    """The model that answered first."""
    for recorded in conversation.messages:
        model = recorded.message.get("metadata", {}).get("model")
        if isinstance(model, str) and not model.startswith("<"):
            return model
    return None


def run(conversation: Conversation, store: Store, number: int) -> dict[str, Watched]:
    """Replays one session."""
    options: dict[str, Any] = {"budget": _core.TOKEN_BUDGET_MAX, "model": model_of(conversation)}
    options["policy"] = {"strategy": "budget", "config": {"max_result_tokens": _core.TOKEN_BUDGET_MAX}}
    watched = {
        name: Watched(store.context(f"{number} {name}", **options), reports) for name, reports in REPORTS.items()
    }
    for place, recorded in enumerate(conversation.messages):
        if recorded.message["role"] == "system":
            continue  # Marks of the recording application, which the model never saw.
        for each in watched.values():
            if recorded.usage is not None and place > 0:
                each.call(recorded)
            each.append(recorded)
    return watched


def percentile(errors: Iterable[float], share: float) -> float:
    """The error that this share of calls does not exceed."""
    ordered = sorted(abs(error) for error in errors)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def line(name: str, errors: list[float]) -> str:
    """A row of the table."""
    absolute = [abs(error) for error in errors]
    figures = f"{median(absolute):.2%} | {percentile(errors, 0.95):.2%} | {median(errors):+.2%}"
    return f"| {name} | {len(errors)} | {figures} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, default=[DATA / "claude_code_entire.jsonl.gz"])
    parser.add_argument("--limit", type=int, help="only the first so many sessions")
    given = parser.parse_args()
    found: dict[str, list[Watched]] = {name: [] for name in REPORTS}
    sessions = [conversation for path in given.files for conversation in transcripts.read(path)][: given.limit]
    for number, conversation in enumerate(sessions):
        store = Store(LocalTransport(Engine(MemoryLog())))
        for name, watched in run(conversation, store, number).items():
            found[name].append(watched)
        store.close()
    print(f"{len(sessions)} sessions; error of `used_tokens` as a share of the provider's count\n")
    print("| | calls | median | 95th percentile | median with sign |")
    print("|---|---|---|---|---|")
    first = [watched.before[0] for watched in found["told once"] if watched.before]
    print(line("before the first report: the first call", first))
    print(line("never told: every call", [error for watched in found["never told"] for error in watched.before]))
    print(line("told once: every call after", [error for watched in found["told once"] for error in watched.after]))
    print(line("told by each answer: every call after", [e for w in found["told by each answer"] for e in w.after]))


if __name__ == "__main__":
    main()
