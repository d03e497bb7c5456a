"""What a summary is about, and what came of it. No I/O."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from fastpaca import types
from fastpaca._core import Counting
from fastpaca.errors import InvalidError, LeaseHeldError, SummaryNotSmallerError
from fastpaca.types import Compacted, ContextInfo, Format, Message, Window

FIRST_PAUSE_S: Final = 5.0
LONGEST_PAUSE_S: Final = 600.0
_MESSAGE_TOKENS: Final = 4


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one attempt. Nothing of all where there is nothing worth summarising."""

    compacted: Compacted | None = None
    error: Exception | None = None
    """It failed, and nothing has changed."""
    held_s: float | None = None
    """Another worker is at it, for so long at most."""


class Pauses:
    """How long to leave a context alone after failures: every attempt may cost a call of a model."""

    def __init__(self) -> None:
        self._failures = 0

    def after(self, outcome: Outcome) -> float:
        """Seconds; 0 behind what did not fail."""
        self._failures = 0 if outcome.error is None else self._failures + 1
        return min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(self._failures - 1, 16)) if self._failures else 0.0


def held_s(error: LeaseHeldError) -> float:
    """Seconds until the lease ends that another worker holds, by the clocks of both machines; a little more."""
    ends = datetime.fromisoformat(str(error.details["expires_at"]))
    return max((ends - datetime.now(UTC)).total_seconds(), 0.0) + 0.5


class Stretch:
    """The messages that a summary is to replace, from a window that shows all that is kept."""

    def __init__(self, window: Window, wanted: tuple[int, int]) -> None:
        self.from_seq, self.to_seq = wanted
        self.version = window.version
        self.messages = [message for message in window.messages if self._holds(message)]
        self.tokens = sum(message["token_count"] for message in self.messages)

    def _holds(self, message: Message) -> bool:
        return self.from_seq <= _first(message) <= self.to_seq

    def tokens_of(self, item: Message) -> int | None:
        """What a reference to messages that stay shows; None for what is no reference."""
        if "role" in item or not ("seq" in item or "from_seq" in item):
            return None
        last = item.get("seq", item.get("to_seq"))
        shown = [each for each in self.messages if _first(item) <= _first(each) <= last]
        return sum(int(each["token_count"]) for each in shown)

    def arguments(self, format: Format | None, model: str | None) -> dict[str, Any]:
        """What the function that summarises gets: the arguments of its library's call, or `messages`."""
        if format is None:
            return {"messages": self.messages}
        # Thinking that was signed behind other messages than these would be refused: none of it is shown.
        behind = {"from_seq": self.to_seq + 1, "loop_from_seq": self.to_seq + 1}
        shown = types.envelope(messages=self.messages, signed_thinking=behind)
        request: dict[str, Any] = types.convert([shown], format, model=model)["request"]
        return request


def _first(item: Message) -> int:
    return int(item.get("seq", item.get("from_seq", 0)))


def replacement_of(summary: object, stretch: Stretch, info: ContextInfo) -> Message | Sequence[Message]:
    """What a function gave, as the replacement: text is a message of the user's, which every provider takes first.

    Raises `InvalidError` for what is no summary, and `SummaryNotSmallerError`.
    """
    if isinstance(summary, str):
        summary = {"role": "user", "content": summary}
    messages = [summary] if isinstance(summary, Mapping) else summary
    if not isinstance(messages, Sequence) or not all(isinstance(message, Mapping) for message in messages):
        message = f"fn: expected a text, a message or a list of them, got {type(summary).__name__}"
        raise InvalidError(message, details={"field": "fn"})
    shown = [stretch.tokens_of(message) for message in messages]
    tokens = sum(
        _tokens(message, info) if known is None else known for message, known in zip(messages, shown, strict=True)
    )
    if tokens >= stretch.tokens:
        details = {"summary_tokens": tokens, "range_tokens": stretch.tokens}
        message = f"the summary has {tokens} tokens, the messages {stretch.from_seq} to {stretch.to_seq} "
        raise SummaryNotSmallerError(f"{message}have {stretch.tokens}", details=details)
    return messages


def _tokens(message: Message, info: ContextInfo) -> int:
    """An estimate, with the context's own counter; what is no plain text counts as its JSON."""
    content = message.get("content", message.get("parts"))
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False, default=str)
    counting = Counting(model=info.model, tokenizer=info.tokenizer)
    return counting.count(text) * counting.factor_permille // 1000 + _MESSAGE_TOKENS
