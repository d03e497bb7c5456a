"""Requests as they grow from call to call: only what is new is decoded and counted."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

_MESSAGES: Final = '"messages":['
_CLOSING: Final = len("]}")
_DECODER: Final = json.JSONDecoder()

Json = dict[str, Any]
Weigh = Callable[[str], int]
"""Tokens of a message's JSON."""


@dataclass(frozen=True, slots=True)
class Step:
    """What a request has in common with the one before."""

    kept: int
    """Messages at its start that are the same."""
    prefix_share: float
    """Share of its tokens that the two have in common from the start on."""
    is_break: bool
    """The request before is no prefix of this one."""


@dataclass(slots=True)
class Requests:
    """The requests of one conversation, one after the other, in the bytes of window replies."""

    weigh: Weigh
    texts: list[str] = field(default_factory=list)
    messages: list[Json] = field(default_factory=list)
    weights: list[int] = field(default_factory=list)
    fields: Json = field(default_factory=dict)
    """The reply, its messages left out."""
    _head: str = ""
    _head_weight: int = 0

    def take(self, raw: bytes) -> Step:
        """Takes the next reply. Its messages stand in `messages` afterwards."""
        text = raw.decode()
        start = text.index(_MESSAGES) + len(_MESSAGES)
        kept, place = self._same(text, start)
        is_first = not self.texts
        last = self.texts[kept] if kept < len(self.texts) else ""
        is_last = kept + 1 >= len(self.texts)
        del self.texts[kept:], self.messages[kept:], self.weights[kept:]
        end = self._decode(text, place)
        self.fields = json.loads(text[:start] + text[end:])
        if self._is_new_head():
            return Step(0, 0.0, is_break=not is_first)
        return self._step(kept, last, is_last=is_last)

    def _same(self, text: str, start: int) -> tuple[int, int]:
        """How many messages are as before, and where the next one stands."""
        place = start
        for kept, known in enumerate(self.texts):
            if not text.startswith(known, place):
                return kept, place
            # Behind each message stands a comma, or the bracket behind the last.
            place += len(known) + 1
        return len(self.texts), place

    def _decode(self, text: str, place: int) -> int:
        """Decodes the messages from `place` on; gives where the array ends."""
        if text[place - 1] == "]":
            return place - 1
        if text[place] == "]":
            return place
        while True:
            message, end = _DECODER.raw_decode(text, place)
            self.texts.append(text[place:end])
            self.messages.append(message)
            self.weights.append(self.weigh(self.texts[-1]))
            if text[end] == "]":
                return end
            place = end + 1

    def _is_new_head(self) -> bool:
        """Whether what stands beside the messages of a request, such as the system prompt, has changed."""
        request = self.fields.get("request") or {}
        beside = {name: value for name, value in request.items() if name != "messages"}
        head = json.dumps(beside) if beside else ""
        if head == self._head:
            return False
        self._head = head
        prompt = {"role": "system", "content": next(iter(beside.values()), "")}
        self._head_weight = self.weigh(json.dumps(prompt)) if beside else 0
        return True

    def _step(self, kept: int, last: str, *, is_last: bool) -> Step:
        total = self._head_weight + sum(self.weights)
        common = float(self._head_weight + sum(self.weights[:kept]))
        grown = not last
        if last and kept < len(self.texts):
            shared = _shared(last, self.texts[kept])
            common += self.weights[kept] * shared / len(self.texts[kept])
            # A message that gets more parts is the same but for the brackets that closed it.
            grown = is_last and shared >= len(last) - _CLOSING
        return Step(kept, common / total if total else 0.0, is_break=not grown)


def _shared(one: str, other: str) -> int:
    """Characters that two texts share at their start: a search by halves, each step one comparison of memory."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if other.startswith(one[low:middle], low):
            low = middle
        else:
            high = middle - 1
    return low
