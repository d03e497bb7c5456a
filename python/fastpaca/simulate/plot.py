"""Window tokens over model calls, as PNG or SVG. Needs matplotlib: `pip install 'fastpaca[plot]'`."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Final

from fastpaca.simulate.results import Results, Run
from fastpaca.simulate.settings import SettingError

SUFFIXES: Final = (".png", ".svg")


def require(path: Path) -> None:
    """Raises `SettingError` where no plot could be written, before anything is simulated."""
    if path.suffix.lower() not in SUFFIXES:
        raise SettingError(f"--plot {path}: expected a name that ends in .png or .svg")
    if not path.parent.is_dir():
        raise SettingError(f"--plot {path}: there is no directory {path.parent}")
    if find_spec("matplotlib") is None:
        raise SettingError("plotting needs matplotlib: pip install 'fastpaca[plot]'")


def write(results: Results, path: Path) -> None:
    """Plots the conversation with the most calls: one panel a budget, one line a strategy."""
    from matplotlib.figure import Figure  # noqa: PLC0415

    if not results.runs:
        raise SettingError("there is nothing to plot: no model call was found")
    longest = max(results.runs, key=lambda run: len(run.calls)).conversation
    budgets = results.budgets
    figure = Figure(figsize=(10, 3.6 * len(budgets)), layout="constrained")
    for axes, budget in zip(figure.subplots(len(budgets), squeeze=False)[:, 0], budgets, strict=True):
        for run in _shown(results, longest, budget):
            axes.plot(*_line(run), label=run.strategy, linewidth=1.3, linestyle=_style(run), gid=run.strategy)
        axes.axhline(budget, color="0.6", linewidth=0.8, linestyle=":")
        axes.set(title=f"budget {budget:,} tokens".replace(",", " "), xlabel="model call", ylabel="window tokens")
        axes.set_ylim(bottom=0)
        axes.legend(fontsize="small", loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    figure.suptitle(longest)
    figure.savefig(path, format=path.suffix[1:].lower(), dpi=144)


def _shown(results: Results, conversation: str, budget: int) -> list[Run]:
    """One run a strategy, the longest where several conversations share an id."""
    shown: dict[str, Run] = {}
    for run in results.runs:
        if run.conversation == conversation and run.budget == budget:
            before = shown.get(run.strategy)
            if before is None or len(before.calls) < len(run.calls):
                shown[run.strategy] = run
    return list(shown.values())


def _line(run: Run) -> tuple[list[int], list[float]]:
    tokens = [float("nan") if call.is_refused else float(call.window_tokens) for call in run.calls]
    return list(range(1, len(tokens) + 1)), tokens


def _style(run: Run) -> str:
    return "-" if run.kind == "policy" else "--"
