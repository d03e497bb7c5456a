"""Measuring in interleaved rounds, and printing what came out."""

from __future__ import annotations

import math
import os
import platform
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: a figure of ours, its counterpart's, and their ratio in each round."""

    number: str
    what: str
    ours: str
    theirs: str
    ratios: Sequence[float]
    target: str
    reached: bool | None = None

    @property
    def ratio(self) -> float:
        """The median."""
        return statistics.median(self.ratios)

    def cells(self) -> tuple[str, ...]:
        """For the table."""
        spread = f"{_short(min(self.ratios))} to {_short(max(self.ratios))}" if len(self.ratios) > 1 else ""
        verdict = {True: "yes", False: "NO", None: ""}[self.reached]
        return self.number, self.what, self.ours, self.theirs, _short(self.ratio), spread, self.target, verdict


def _short(value: float) -> str:
    return f"{value:.2f}" if value < 100 else f"{value:.0f}"


def at_least(
    number: str, what: str, ours: str, theirs: str, ratios: Sequence[float], least: float | None = None
) -> Row:
    """A row whose ratio has to be at least so much."""
    reached = None if least is None else statistics.median(ratios) >= least
    return Row(number, what, ours, theirs, ratios, "" if least is None else f">= {least:g}", reached)


def at_most(number: str, what: str, ours: str, theirs: str, ratios: Sequence[float], most: float | None = None) -> Row:
    """A row whose ratio has to be at most so much."""
    reached = None if most is None else statistics.median(ratios) <= most
    return Row(number, what, ours, theirs, ratios, "" if most is None else f"<= {most:g}", reached)


@dataclass(slots=True)
class Figures:
    """What is measured of one operation on one subject, each in rounds: name and unit of a figure, its values."""

    group: str
    operation: str
    subject: str
    values: dict[str, list[float]] = field(default_factory=dict)

    def add(self, **figures: float) -> None:
        """One round's."""
        for name, value in figures.items():
            self.values.setdefault(name, []).append(value)


def interleaved(runs: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Runs everything once a round, so that what disturbs the machine disturbs all; the order turns round by round."""
    found: dict[str, list[float]] = {name: [] for name in runs}
    names = list(runs)
    for n in range(rounds):
        for name in names if n % 2 == 0 else reversed(names):
            found[name].append(runs[name]())
    return found


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Ours to theirs, round by round."""
    return [mine / other for mine, other in zip(ours, theirs, strict=True)]


def slope(points: Iterable[tuple[float, float]]) -> float:
    """The power of the size that a time grows with: that of log time over log size. Points are size and time."""
    logs = [(math.log(size), math.log(took)) for size, took in points]
    return statistics.linear_regression(*zip(*logs, strict=True)).slope


def number(value: float) -> str:
    """A figure of three digits or more, without a tail of noise."""
    if value >= 100:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.3g}"


def table(rows: Sequence[Row]) -> str:
    """The rows in columns."""
    head = ("row", "what", "ours", "counterpart", "ratio", "rounds", "target", "met")
    return columns([head, *(row.cells() for row in rows)])


def columns(lines: Sequence[Sequence[str]]) -> str:
    """Lines of cells, the first of them the head, as wide as they need to be."""
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    padded = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
    return "\n".join(line.rstrip() for line in padded)


def machine() -> str:
    """What this was measured on, and how busy it was."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = (line.partition(":") for line in cpuinfo.read_text(encoding="utf-8").splitlines())
        model = next((value.strip() for name, _, value in lines if name.startswith("model name")), model)
    load = ", ".join(f"{each:.2f}" for each in os.getloadavg())
    system = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    return f"{os.cpu_count()} x {model}, {system}, load average {load}"


def sync_ms() -> float:
    """What making 4 KB durable takes where the stores of the benchmarks stand: the floor of a durable write."""
    with tempfile.TemporaryFile() as file:
        took = []
        for _ in range(50):
            began = time.perf_counter()
            file.write(bytes(4096))
            file.flush()
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - began)
    return statistics.median(took) * 1000
