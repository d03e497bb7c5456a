"""What the provider of a format would reject, without checking again what stood in the request before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fastpaca.providers import check
from fastpaca.simulate.conversation import INSTRUCTIONS, Json

_MARGIN_MESSAGES: Final = 8
"""Messages before the new ones that are looked at again: rules speak of a message, its neighbours and its group."""


@dataclass(slots=True)
class Checker:
    """Checks the requests of one conversation, one after the other.

    A request that only grew is checked where it grew: its opening, and what stands around the new messages. Should that
    break a rule, or the request before have broken one, all of it is checked; so are the first request, each that is no
    continuation of the one before, and the last.
    """

    format: str
    model: str | None
    found: tuple[str, ...] = ()

    def __call__(self, request: Json, kept: int, *, is_whole: bool) -> tuple[str, ...]:
        """The rules that a request breaks, each as `rule: path: message`. Its first `kept` messages are known."""
        messages = request["messages"]
        start = 0 if is_whole or self.found else _start(messages, kept)
        opening = _opening(messages)
        if start > opening:
            around = {**request, "messages": [*messages[:opening], *messages[start:]]}
            if not check(self.format, around, model=self.model):
                self.found = ()
                return ()
        violations = check(self.format, request, model=self.model)
        self.found = tuple(f"{each.rule}: {each.path}: {each.message}" for each in violations)
        return self.found


def _opening(messages: Sequence[Json]) -> int:
    """Instructions, and the first message behind them."""
    instructions = 0
    while instructions < len(messages) and messages[instructions].get("role") in INSTRUCTIONS:
        instructions += 1
    return instructions + 1


def _start(messages: Sequence[Json], kept: int) -> int:
    """Where an answer of the model begins, some messages before the new ones; 0 where there is no such place."""
    for start in range(kept - _MARGIN_MESSAGES, 0, -1):
        if messages[start].get("role") == "assistant" and messages[start - 1].get("role") != "assistant":
            return start
    return 0
