"""Results as a table for people."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from fastpaca.simulate.results import Results, Total

_GOOD, _BAD, _DIM, _BOLD = "32", "31", "2", "1"
_PROBLEMS_SHOWN: Final = 5


class _Cell(NamedTuple):
    text: str
    style: str = ""


class _Column(NamedTuple):
    title: str
    cell: Callable[[Total], _Cell]


def _rejected(total: Total) -> _Cell:
    share = f" ({max(0.01, total.rejected / total.calls):.0%})" if total.rejected else ""
    return _Cell(f"{total.rejected}{share}", _BAD if total.rejected else _GOOD)


def _dropped(total: Total) -> _Cell:
    share = total.dropped_tokens / total.log_tokens if total.log_tokens else 0.0
    return _Cell(f"{total.dropped_messages:,} ({share:.0%} of tokens)".replace(",", " "))


def _number(value: float) -> str:
    return f"{value:,.0f}".replace(",", " ")


_COLUMNS: Final = (
    _Column("strategy", lambda total: _Cell(total.strategy, _BOLD if total.kind == "policy" else "")),
    _Column("calls", lambda total: _Cell(_number(total.calls))),
    _Column("rejected", _rejected),
    _Column("bare", lambda total: _Cell(_number(total.bare), _BAD if total.bare else _DIM)),
    _Column("no window", lambda total: _Cell(_number(total.refused), _BAD if total.refused else _DIM)),
    _Column("window", lambda total: _Cell(_number(total.window_tokens_mean))),
    _Column("largest", lambda total: _Cell(_number(total.window_tokens_max))),
    _Column("cached", lambda total: _Cell("-" if total.prefix_share is None else f"{total.prefix_share:.1%}")),
    _Column("breaks", lambda total: _Cell(_number(total.breaks))),
    _Column("rewrites", lambda total: _Cell("-" if total.compactions is None else _number(total.compactions))),
    _Column("dropped", _dropped),
    _Column("cost/1000", lambda total: _Cell(f"{total.cost_per_1000_calls:,.2f}".replace(",", " "))),
)

LEGEND: Final = """\
rejected   requests that break a rule of the provider      bare       requests with nothing but instructions
no window  calls for which no valid window fits            window     tokens of a window, mean
largest    tokens of the largest window                    cached     unchanged prefix of the request before
breaks     requests that do not continue the one before    rewrites   compactions that the policy made
dropped    messages that the last window does not show     cost/1000  1 000 calls, at the price below"""


def table(results: Results, *, colour: bool) -> str:
    """The whole report: a table for each budget with its verdict, then what could not be read."""
    paint = _paint if colour else _plain
    lines = [f"{_count(results.conversations, 'conversation')}, {_count(results.messages, 'message')}"]
    for budget in results.budgets:
        totals = [total for total in results.totals if total.budget == budget]
        lines += ["", paint(f"budget {_number(budget)} tokens", _BOLD), *_rows(totals, paint), "", verdict(totals)]
        lines += _examples(totals, paint)
    price = results.price
    lines += ["", paint(LEGEND, _DIM)]
    lines.append(
        f"price of a million tokens: {price.input:g} new input, {price.cached:g} cached, {price.output:g} output"
    )
    lines += [f"not compared: {line}" for line in results.skipped]
    lines += _problems(results)
    return "\n".join(lines)


def verdict(totals: Sequence[Total]) -> str:
    """One sentence on the strategies of one budget."""
    policies = [total for total in totals if total.kind == "policy" and total.rejected == 0]
    if not policies:
        return "Every policy had requests rejected: please report this, with the example below."
    best = min(policies, key=lambda total: (total.refused, total.cost_per_1000_calls))
    said = f"{best.strategy} is the cheapest policy without a rejected request"
    if best.refused:
        said += f" ({_count(best.refused, 'call')} of {_number(best.calls)} would need a larger budget)"
    peers = [total for total in totals if total.kind == "peer"]
    return "; ".join([said, *(_against(best, peer) for peer in peers)]) + "."


def _against(best: Total, peer: Total) -> str:
    change = 1 - best.cost_per_1000_calls / peer.cost_per_1000_calls if peer.cost_per_1000_calls else 0.0
    said = f"{abs(change):.0%} {'cheaper' if change >= 0 else 'dearer'} than {peer.strategy}"
    faults = [f"{_number(peer.rejected)} would be rejected"] if peer.rejected else []
    faults += [f"{_number(peer.bare)} hold nothing but instructions"] if peer.bare else []
    return f"{said}, of whose {_number(peer.calls)} requests {' and '.join(faults)}" if faults else said


def _examples(totals: Sequence[Total], paint: Callable[[str, str], str]) -> list[str]:
    """The worst offender: of each strategy with rejected requests the first one."""
    lines = []
    for total in totals:
        example = total.example
        if example is not None:
            place = f"{total.strategy}: {example.conversation}, call {example.call}"
            lines.append(f"  {paint(place, _BAD)}: {example.violation}")
    return lines


def _rows(totals: Sequence[Total], paint: Callable[[str, str], str]) -> list[str]:
    rows = [[_Cell(column.title, _DIM) for column in _COLUMNS]]
    rows += [[column.cell(total) for column in _COLUMNS] for total in totals]
    widths = [max(len(row[at].text) for row in rows) for at in range(len(_COLUMNS))]
    return ["  ".join(_aligned(row, widths, paint)).rstrip() for row in rows]


def _aligned(row: Sequence[_Cell], widths: Sequence[int], paint: Callable[[str, str], str]) -> list[str]:
    """The first column to the left, numbers to the right."""
    padded = []
    for at, (cell, width) in enumerate(zip(row, widths, strict=True)):
        space = " " * (width - len(cell.text))
        text = paint(cell.text, cell.style)
        padded.append(text + space if at == 0 else space + text)
    return padded


def _problems(results: Results) -> list[str]:
    problems = results.problems
    if not problems:
        return []
    more = len(problems) - _PROBLEMS_SHOWN
    lines = [f"left out: {_count(len(problems), 'line or message', 'lines or messages')} that can't be read"]
    lines += [f"  {problem}" for problem in problems[:_PROBLEMS_SHOWN]]
    return [*lines, f"  and {more} more (--json lists them)"] if more > 0 else lines


def _count(number: int, one: str, many: str | None = None) -> str:
    return f"{_number(number)} {one if number == 1 else many or one + 's'}"


def _paint(text: str, style: str) -> str:
    return f"\x1b[{style}m{text}\x1b[0m" if style else text


def _plain(text: str, _style: str) -> str:
    return text
