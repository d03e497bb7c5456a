"""What an import came to."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Final

_KEPT: Final = 1000
_SHOWN: Final = 20


@dataclass(slots=True)
class Noted:
    """Lines about the files: how many there are, and the first of them."""

    count: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, line: str) -> None:
        """Adds a line."""
        self.count += 1
        if len(self.first) < _KEPT:
            self.first.append(line)

    def lines(self, title: str) -> list[str]:
        """For people; nothing where there is none."""
        if not self.count:
            return []
        more = [f"  ... and {self.count - _SHOWN} more"] if self.count > _SHOWN else []
        return [title, *(f"  {line}" for line in self.first[:_SHOWN]), *more]


@dataclass(slots=True)
class Report:
    """What an import came to."""

    dry_run: bool = False
    contexts: int = 0
    """Contexts that messages were read for."""
    imported: int = 0
    """Messages appended; with `dry_run`, messages that would be."""
    present: int = 0
    """Messages that the contexts held already."""
    left_out: int = 0
    """Messages that were read and not imported."""
    problems: Noted = field(default_factory=Noted)
    """What could not be read or imported as it stands, with its place."""
    orphans: Noted = field(default_factory=Noted)
    """Results without a call, and calls without a result. They are imported; windows leave them out or repair them."""
    duration_s: float = 0.0

    @property
    def ok(self) -> bool:
        """All that the files hold is in the store."""
        return not self.problems.count

    def json(self) -> str:
        """As one JSON object."""
        return json.dumps({"ok": self.ok, **asdict(self)}, ensure_ascii=False)

    def text(self) -> str:
        """For people."""
        would = "would be " if self.dry_run else ""
        sums = f"{_many(self.imported, 'message')} {would}imported into {_many(self.contexts, 'context')}"
        if self.present:
            sums += f", {self.present} were there already"
        if self.left_out:
            sums += f", {self.left_out} {would}left out"
        return "\n".join(
            [
                *self.problems.lines(f"{_many(self.problems.count, 'problem')}:"),
                *self.orphans.lines(f"tool calls and results without each other: {self.orphans.count}"),
                f"{sums} ({self.duration_s:.1f} s)",
            ]
        )


def _many(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
