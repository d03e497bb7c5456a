"""What was recorded, prepared once for every strategy: calls, the log before each, and native messages for peers."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from fastpaca import _core
from fastpaca.errors import FastpacaError
from fastpaca.simulate.context import Asked, Simulated
from fastpaca.simulate.conversation import Exchange, Json, exchanges, provider_format
from fastpaca.simulate.request import Requests, Weigh
from fastpaca.simulate.settings import Policy
from fastpaca.transcripts import Conversation
from fastpaca.types import encode

_WHOLE: Final = Policy("budget", {"max_result_tokens": _core.TOKEN_BUDGET_MAX})


@dataclass(frozen=True, slots=True)
class Native:
    """A message as an application without us would hold it, in OpenAI's shape. `item` numbers the log's message."""

    message: Json
    tokens: int
    item: int


@dataclass(frozen=True, slots=True)
class Moment:
    """What there is at one model call."""

    log_messages: int
    log_tokens: int
    answer_tokens: int
    kept: int
    """Native messages that are the same as at the call before; the others gave way to `added`."""
    added: tuple[Native, ...]


@dataclass(frozen=True, slots=True)
class Recording:
    """A conversation. `exchanges` and `moments` are of the same length."""

    id: str
    format: str
    exchanges: tuple[Exchange, ...]
    moments: tuple[Moment, ...]

    @property
    def last(self) -> Moment:
        """The last call."""
        return self.moments[-1]

    @property
    def messages(self) -> int:
        """Messages that are simulated."""
        return sum(len(exchange.input) + len(exchange.output) for exchange in self.exchanges)


@dataclass(slots=True)
class _Natives:
    """The log's items in OpenAI's shape, converted once each."""

    weigh: Weigh
    items: list[int] = field(default_factory=list)
    """How many native messages each item has."""

    def take(self, kept: int, messages: Sequence[Json]) -> tuple[int, tuple[Native, ...]]:
        """Takes the items behind the first `kept`; gives how many native messages stay, and those that follow."""
        del self.items[kept:]
        stay = sum(self.items)
        added: list[Native] = []
        for number, item in enumerate(messages[kept:], kept):
            natives = self._natives(number, item)
            self.items.append(len(natives))
            added += natives
        return stay, tuple(added)

    def _natives(self, number: int, item: Json) -> list[Native]:
        converted = json.loads(_core.convert([encode({"messages": [item]})], "openai"))["request"]["messages"]
        weights = [self.weigh(json.dumps(message)) for message in converted]
        whole = sum(weights) or 1
        tokens = [item["token_count"] * weight // whole for weight in weights]
        return [Native(message, share, number) for message, share in zip(converted, tokens, strict=True)]


def record(conversation: Conversation, weigh: Weigh, *, model: str | None, problem: Callable[[str], None]) -> Recording:
    """Prepares a conversation. Messages that the engine refuses go to `problem` and are left out.

    The log's calls and results are paired and, where the recording lacks a result, repaired before peers get them: what
    is rejected of theirs is the doing of their cut alone.
    """
    whole = Simulated(_WHOLE, Asked(_core.TOKEN_BUDGET_MAX, "parts", model))
    shown = Requests(lambda _: 0)
    natives = _Natives(weigh)
    moments: list[Moment] = []
    done: list[Exchange] = []
    try:
        for exchange in exchanges(conversation.messages):
            given = _append(whole, exchange.input, problem)
            if not exchange.output or (not done and not given):
                continue
            raw = whole.window()
            kept = 0 if raw is None else shown.take(raw).kept
            stay, added = natives.take(kept, shown.messages)
            count, tokens = whole.messages, int(shown.fields.get("used_tokens", 0))
            before = whole.tokens
            answer = _append(whole, exchange.output, problem)
            moments.append(Moment(count, tokens, whole.tokens - before, stay, added))
            done.append(Exchange(given, answer))
    finally:
        whole.close()
    return Recording(conversation.id, provider_format(conversation), tuple(done), tuple(moments))


def _append(whole: Simulated, messages: list[Json], problem: Callable[[str], None]) -> list[Json]:
    """Appends what the engine takes, and gives it."""
    try:
        whole.append(messages)
    except FastpacaError:
        return [message for message in messages if _takes(whole, message, problem)]
    return messages


def _takes(whole: Simulated, message: Json, problem: Callable[[str], None]) -> bool:
    try:
        whole.append([message])
    except FastpacaError as error:
        problem(f"a message is left out: {error}")
        return False
    return True
