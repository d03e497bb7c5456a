"""Views of a model by brute force: every cut is tried, and W1 is taken at its word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.model_list import Item


@dataclass(frozen=True)
class View:
    """Positions of the kept list that are shown."""

    positions: tuple[int, ...]
    tokens: int
    truncated: bool


@dataclass(frozen=True)
class TooSmall:
    """Nothing fits."""

    needed: int


@dataclass
class Views:
    """All that may be shown of a list."""

    items: list[Item]
    overhead: int = 0
    reserve: int = 0
    closing: int = 0

    def used(self, positions: set[int]) -> int:
        """What the reply reports."""
        return max(0, sum(self.items[p].tokens or 0 for p in positions) + self.closing + self.overhead)

    @property
    def head(self) -> int:
        return next((p for p, item in enumerate(self.items) if not item.is_system), len(self.items))

    def starts_turn(self, position: int) -> bool:
        """A user message behind something else, or a summary of what began a turn."""
        item = self.items[position]
        if item.kind == "summary":
            return item.opens_turn
        return item.is_user and not (position > 0 and self.items[position - 1].is_user)

    def opener(self, position: int) -> int | None:
        """The turn that a position lies in."""
        return next((p for p in range(position, self.head - 1, -1) if self.starts_turn(p)), None)

    def unit(self, position: int) -> range:
        """Its group, or itself alone."""
        inside = [p for p, item in enumerate(self.items) if item.group is self.items[position].group]
        return range(max(inside[0], min(self.head, position)), inside[-1] + 1)

    def pins(self) -> list[set[int]]:
        """Each pinned message with what it needs to stand in a cut view, oldest first."""
        found = []
        for position, item in sorted(enumerate(self.items), key=lambda pair: pair[1].seq):
            if item.message is None or not item.message.pinned or position < self.head:
                continue
            needed = set(self.unit(position))
            first = self.items[min(needed)]
            if not (first.is_user or first.kind == "summary"):
                opener = self.opener(min(needed))
                if opener is None:
                    continue
                needed.add(opener)
            found.append(needed)
        return found

    def shown(self, cut: int, pins: list[set[int]], opener: int | None = None) -> set[int]:
        """The view of a cut."""
        positions = set(range(self.head)) | set(range(cut, len(self.items)))
        positions |= {p for pin in pins for p in pin}
        return positions if opener is None else positions | {opener}

    def select(self, budget: int, step: int | None) -> View | TooSmall:
        """The window. `step` None asks for the largest suffix."""
        room = max(0, budget - self.reserve)
        whole = set(range(len(self.items)))
        if self.used(whole) <= room:
            return View(tuple(sorted(whole)), self.used(whole), truncated=False)
        newest_opener = self.opener(len(self.items) - 1) if self.head < len(self.items) else None
        if newest_opener is None:
            return TooSmall(self.used(whole) + self.reserve)
        for cuts, opener in self.tiers(newest_opener):
            views = {cut: self.shown(cut, self.pins(), opener) for cut in cuts}
            if self.used(views[cuts[-1]]) <= room:
                return self.first_fitting(cuts, views, room, step)
        return self.without_pins(newest_opener, room)

    def tiers(self, opener: int) -> Iterator[tuple[list[int], int | None]]:
        """Cuts between turns; then those inside the newest turn, behind its opening message."""
        yield [p for p in range(self.head, opener + 1) if self.starts_turn(p)], None
        starts = [p for p in range(opener + 1, len(self.items)) if self.unit(p)[0] == p]
        if starts:
            yield starts, opener

    def first_fitting(self, cuts: list[int], views: dict[int, set[int]], room: int, step: int | None) -> View:
        if step is None:
            chosen = next(cut for cut in cuts if self.used(views[cut]) <= room)
        else:
            chosen = next(cut for cut in self.stepped(cuts, step) if self.used(views[cut]) <= room)
        return View(tuple(sorted(views[chosen])), self.used(views[chosen]), truncated=True)

    def stepped(self, cuts: list[int], step: int) -> Iterator[int]:
        """For k = 1, 2, ...: the first valid cut at or after k x S tokens behind the head, else the last."""
        before = {cut: sum(self.items[p].tokens or 0 for p in range(self.head, cut)) for cut in cuts}
        last = before[cuts[-1]]
        for wanted in range(step, last + step + 1, step):
            yield next((cut for cut in cuts if before[cut] >= wanted), cuts[-1])
        yield cuts[-1]

    def without_pins(self, opener: int, room: int) -> View | TooSmall:
        """Only what is required is left: pins yield, oldest first."""
        newest = max(self.unit(len(self.items) - 1)[0], opener)
        pins = self.pins()
        for gone in range(1, len(pins) + 1):
            positions = self.shown(newest, pins[gone:], opener)
            if self.used(positions) <= room:
                return View(tuple(sorted(positions)), self.used(positions), truncated=True)
        return TooSmall(self.used(self.shown(newest, [], opener)) + self.reserve)
