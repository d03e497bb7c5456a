"""Messages of conversations with tools, and what a policy left of them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.support.memory import ALL_TOKENS, append, memory_engine, window, write
from tests.support.validator import Asked, check_window

if TYPE_CHECKING:
    from fastpaca.engine import Engine

Json = dict[str, Any]


def user(text: str = "go on", tokens: int = 10, **more: Any) -> Json:
    return {"role": "user", "content": text, "token_count": tokens, **more}


def says(text: str = "done", tokens: int = 10, **more: Any) -> Json:
    return {"role": "assistant", "content": text, "token_count": tokens, **more}


def call(*ids: str, name: str = "search", tokens: int = 10, text: str | None = None) -> Json:
    """An assistant message of OpenAI's shape."""
    calls = [{"id": each, "type": "function", "function": {"name": name, "arguments": "{}"}} for each in ids]
    return {"role": "assistant", "content": text, "tool_calls": calls, "token_count": tokens}


def result(call_id: str, tokens: int = 100, text: str = "a result", **more: Any) -> Json:
    return {"role": "tool", "tool_call_id": call_id, "content": text, "token_count": tokens, **more}


def steps(count: int, *, tokens: int = 100, first: int = 1, name: str = "search") -> list[Json]:
    """Calls with their results, one after the other."""
    found: list[Json] = []
    for n in range(first, first + count):
        found += [call(f"c{n}", name=name), result(f"c{n}", tokens)]
    return found


def at(message: Json, minute: float) -> Json:
    """The message, said so many minutes after noon."""
    hours, minutes = divmod(minute, 60)
    days, hours = divmod(int(hours) + 12, 24)
    seconds = round((minutes % 1) * 60)
    return message | {"created_at": f"2026-03-{days + 1:02}T{hours:02}:{int(minutes):02}:{seconds:02}Z"}


@dataclass
class Chat:
    """A context of an engine in memory."""

    engine: Engine = field(default_factory=memory_engine)
    id: str = "c"
    count: int = 0

    def configure(self, strategy: str, *, budget: int = 1000, **config: Any) -> Chat:
        write(self.engine, self.id, "configure", token_budget=budget, policy={"strategy": strategy, "config": config})
        return self

    def add(self, *messages: Json) -> Json:
        """Appends a batch."""
        reply = append(self.engine, self.id, messages)
        self.count = reply["seq"]
        return reply

    def each(self, *messages: Json) -> Chat:
        """Appends one by one."""
        for message in messages:
            self.add(message)
        return self

    def window(self, budget: int = ALL_TOKENS) -> Json:
        """A window, which has been checked."""
        shown: Json = json.loads(window(self.engine, self.id, budget))
        check_window(shown, Asked(budget=budget, last_seq=self.count))
        return shown

    def kept(self) -> list[int]:
        """Numbers of the messages kept; repairs are 0, edits negative."""
        return [0 if m.get("repair") else m["seq"] * (-1 if m.get("edited") else 1) for m in self.window()["messages"]]

    def texts(self) -> dict[int, str]:
        """What each message of the window says, by number."""
        return {m["seq"]: json.dumps(m.get("parts") or m.get("content")) for m in self.window()["messages"]}
