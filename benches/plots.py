"""Draws `benches/results.json`, as PNG and SVG for the docs. `python benches/plots.py [RESULTS] [FOLDER]`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from statistics import median
from typing import Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure

from report import slope

ROOT: Final = Path(__file__).resolve().parent.parent
RESULTS: Final = ROOT / "benches" / "results.json"
FOLDER: Final = ROOT / "docs"
NAME: Final = "benchmarks"
COLOURS: Final = {"fastpaca": "#1f6feb", "constant": "#9aa4b2", "redis": "#d1242f", "postgres": "#336791"}
DASHES: Final = ("-", "--", ":", "-.", (0, (5, 1)))

_Figures = list[dict[str, Any]]


def draw(results: dict[str, Any], folder: Path) -> list[Path]:
    """Returns the files."""
    sections = results["sections"]
    panels = [
        (_rates, sections.get("chat", {}).get("figures", [])),
        (_latencies, sections.get("chat", {}).get("figures", [])),
        (_calls, sections.get("memories", {}).get("figures", [])),
        (_tokens, sections.get("tokens", {}).get("figures", [])),
        (_curves, sections.get("growth", {}).get("figures", [])),
        (_opening, sections.get("growth", {}).get("opening", [])),
    ]
    mpl.rcParams.update(
        {
            "svg.hashsalt": NAME,
            "svg.fonttype": "none",
            "font.size": 8,
            "axes.titlesize": 9,
            "axes.grid": True,
            "grid.alpha": 0.3,
        }
    )
    figure = Figure(figsize=(14, 12), layout="constrained")
    for axes, (panel, found) in zip(figure.subplots(3, 2).flat, panels, strict=True):
        if found:
            panel(axes, found)
        else:
            axes.set_axis_off()
    quick = " (a quick run: shows that it works, no more)" if results["mode"] == "quick" else ""
    figure.suptitle(f"{results['machine']}{quick}", fontsize=8)
    paths = [folder / f"{NAME}.{kind}" for kind in ("png", "svg")]
    for path in paths:
        figure.savefig(path, dpi=110, metadata={"Date": None} if path.suffix == ".svg" else None)
    return paths


def _of(found: _Figures, name: str) -> dict[tuple[str, str, str], float]:
    return {
        (each["group"], each["operation"], each["subject"]): median(each["values"][name])
        for each in found
        if name in each["values"]
    }


def _bars(axes: Any, values: dict[tuple[str, str, str], float], title: str, unit: str) -> None:
    """A cluster of bars for each group and operation, a bar for each subject."""
    rows = list(dict.fromkeys(key[:2] for key in values))
    subjects = list(dict.fromkeys(key[2] for key in values))
    height = 0.8 / len(subjects)
    for n, subject in enumerate(subjects):
        shown = [(at + n * height, values[(*row, subject)]) for at, row in enumerate(rows) if (*row, subject) in values]
        axes.barh(*zip(*shown, strict=True), height=height, label=subject, color=COLOURS.get(subject))
    names = [": ".join(filter(None, row)) for row in rows]
    axes.set_yticks([at + 0.4 - height / 2 for at in range(len(rows))], names)
    axes.invert_yaxis()
    axes.set(title=title, xlabel=unit, xscale="log")
    axes.legend(fontsize="x-small", loc="upper left", bbox_to_anchor=(1, 1), frameon=False)


def _rates(axes: Any, found: _Figures) -> None:
    _bars(axes, _of(found, "per_s"), "Chat load over HTTP: throughput (more is better)", "answers a second")


def _latencies(axes: Any, found: _Figures) -> None:
    _bars(axes, _of(found, "p99_ms"), "Chat load over HTTP: 99th percentile (less is better)", "ms")


def _calls(axes: Any, found: _Figures) -> None:
    values = {("", key[1], key[2]): value for key, value in _of(found, "us").items()}
    _bars(axes, values, "In process (less is better)", "us a call")


def _tokens(axes: Any, found: _Figures) -> None:
    values = {
        ("", key[1], key[2].removesuffix(", one thread")): value
        for key, value in _of(found, "mb_per_s").items()
        if key[2].endswith("one thread")
    }
    _bars(axes, values, "Counting tokens, one thread (more is better)", "MB/s")


def _curves(axes: Any, found: _Figures) -> None:
    values = _of(found, "us")
    groups = list(dict.fromkeys(key[0] for key in values))
    operations = list(dict.fromkeys(key[1] for key in values))
    for group, colour in zip(groups, ("#1f6feb", "#d1242f"), strict=True):
        for operation, dash in zip(operations, DASHES, strict=True):
            points = [(int(key[2]), value) for key, value in values.items() if key[:2] == (group, operation)]
            label = f"{operation} ({group.split()[0]}), slope {slope(points):+.2f}"
            axes.plot(*zip(*points, strict=True), linestyle=dash, color=colour, marker=".", label=label)
    axes.set(
        xscale="log", yscale="log", title="Growth (flat is better)", xlabel="messages, or contexts", ylabel="us a call"
    )
    axes.legend(fontsize="x-small", loc="upper left", bbox_to_anchor=(1, 1), frameon=False)


def _opening(axes: Any, found: _Figures) -> None:
    sizes = [max(1, int(each["subject"])) for each in found]
    for name, label in (
        ("ms", "ms to open"),
        ("resident_mb", "MB then"),
        ("resident_after_a_window_mb", "MB after a window"),
    ):
        axes.plot(sizes, [median(each["values"][name]) for each in found], marker=".", label=label)
    title = "Opening a store (flat is better; empty: 1)"
    axes.set(xscale="log", yscale="log", title=title, xlabel="messages stored")
    axes.legend(fontsize="x-small", loc="upper left", bbox_to_anchor=(1, 1), frameon=False)


def main() -> None:
    given = [Path(argument) for argument in sys.argv[1:]]
    results, folder = (*given, *(RESULTS, FOLDER)[len(given) :])
    print(*draw(json.loads(results.read_text(encoding="utf-8")), folder), sep="\n")


if __name__ == "__main__":
    main()
