"""What applications do without us: a sliding window, and LangChain's `trim_messages`."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any, Final, Protocol

from fastpaca.simulate.conversation import INSTRUCTIONS, is_bare
from fastpaca.simulate.recording import Native, Recording
from fastpaca.simulate.results import Call, Run
from fastpaca.simulate.rules import Checker

_FORMAT: Final = "openai"
_ENDS: Final = frozenset({"user", "tool"})


class Peer(Protocol):
    """Chooses what to send. It sees native messages, and counts them as the policies are counted."""

    name: str

    def change(self, kept: int, added: Sequence[Native]) -> None:
        """The messages behind the first `kept` give way to `added`."""
        ...

    def choose(self, natives: Sequence[Native], budget: int) -> list[int]:
        """The places of the messages to send, ascending."""
        ...


class SlidingWindow:
    """The instructions at the start, and as many of the last messages as fit."""

    name = "sliding window"

    def change(self, kept: int, added: Sequence[Native]) -> None:
        """It remembers nothing."""

    def choose(self, natives: Sequence[Native], budget: int) -> list[int]:
        """The head, and a suffix."""
        head = 0
        while head < len(natives) and natives[head].message["role"] in INSTRUCTIONS:
            head += 1
        left = budget - sum(native.tokens for native in natives[:head])
        start = len(natives)
        while start > head and natives[start - 1].tokens <= left:
            start -= 1
            left -= natives[start].tokens
        return [*range(head), *range(start, len(natives))]


class TrimMessages:
    """LangChain's `trim_messages` as its documentation advises: the last messages, from a human one on."""

    name = "trim_messages"

    def __init__(self) -> None:
        self._messages: list[Any] = []

    def change(self, kept: int, added: Sequence[Native]) -> None:
        """Converts what is new."""
        from langchain_core.messages import convert_to_messages  # noqa: PLC0415

        del self._messages[kept:]
        for place, message in enumerate(convert_to_messages([native.message for native in added]), kept):
            message.id = str(place)
            self._messages.append(message)

    def choose(self, natives: Sequence[Native], budget: int) -> list[int]:
        """Runs it on the messages that could fit: those before them make no difference, but for the system message."""
        from langchain_core.messages import trim_messages  # noqa: PLC0415

        end = len(natives)
        while end > 0 and natives[end - 1].message["role"] not in _ENDS:
            end -= 1
        tokens, start = 0, end
        while start > 0 and tokens <= budget:
            start -= 1
            tokens += natives[start].tokens
        has_system = start > 0 and natives[0].message["role"] == "system"
        trimmed = trim_messages(
            self._messages[:1] * has_system + self._messages[start:end],
            max_tokens=budget,
            strategy="last",
            token_counter=lambda messages: sum(natives[int(message.id)].tokens for message in messages),
            start_on="human",
            end_on=("human", "tool"),
            include_system=True,
        )
        return [int(message.id or 0) for message in trimmed]


def peers() -> tuple[list[type[Peer]], list[str]]:
    """The peers that are installed, and a line for each that is not."""
    found: list[type[Peer]] = [SlidingWindow]
    if find_spec("langchain_core") is None:
        return found, ["LangChain trim_messages: install langchain-core to compare with it"]
    return [*found, TrimMessages], []


def simulate(recording: Recording, peer: Peer, budget: int, model: str | None) -> Run:
    """Runs one conversation."""
    natives: list[Native] = []
    before: list[int] | None = None
    chosen: list[int] = []
    calls: list[Call] = []
    check = Checker(_FORMAT, model)
    for moment in recording.moments:
        del natives[moment.kept :]
        natives += moment.added
        peer.change(moment.kept, moment.added)
        chosen = peer.choose(natives, budget)
        same = _same(before or [], chosen, moment.kept)
        tokens = sum(natives[place].tokens for place in chosen)
        prefix = sum(natives[place].tokens for place in chosen[:same])
        is_break = before is not None and same < len(before)
        request = {"messages": [natives[place].message for place in chosen]}
        violations = check(request, same, is_whole=is_break or moment is recording.last)
        bare = is_bare(request["messages"])
        calls.append(Call(tokens, prefix, moment.answer_tokens, violations, is_break=is_break, is_bare=bare))
        before = chosen
    shown = {natives[place].item for place in chosen}
    items = {native.item for native in natives}
    last = recording.last
    return Run(
        recording.id,
        peer.name,
        "peer",
        budget,
        _FORMAT,
        tuple(calls),
        None,
        last.log_messages,
        last.log_tokens,
        len(items - shown),
        max(0, last.log_tokens - (calls[-1].window_tokens if calls else 0)),
    )


def _same(before: list[int], chosen: list[int], kept: int) -> int:
    """Messages that two requests share at their start."""
    count = 0
    for one, other in zip(before, chosen, strict=False):
        if one != other or one >= kept:
            break
        count += 1
    return count
