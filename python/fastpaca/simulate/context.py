"""A context in memory that takes a recorded conversation, as the application's would have."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from fastpaca import _core
from fastpaca.engine import Engine
from fastpaca.errors import BudgetTooSmallError
from fastpaca.log import MemoryLog
from fastpaca.simulate.conversation import Json
from fastpaca.simulate.settings import Policy
from fastpaca.types import encode

_CONTEXT: Final = "simulated"


@dataclass(frozen=True, slots=True)
class Asked:
    """What windows are asked for."""

    budget: int
    format: str
    model: str | None = None
    trigger: float | None = None


class Simulated:
    """A context in memory."""

    def __init__(self, policy: Policy, asked: Asked) -> None:
        self.asked = asked
        self.compactions = 0
        self.messages = 0
        self.tokens = 0
        self._version = 0
        given = {"model": asked.model, "trigger_ratio": asked.trigger}
        configuration: dict[str, Any] = {
            "token_budget": asked.budget,
            "policy": {"strategy": policy.strategy, "config": policy.config},
        } | {name: value for name, value in given.items() if value is not None}
        self._engine = Engine(MemoryLog())
        try:
            self._engine.write(_CONTEXT, "configure", encode(configuration))
        except BaseException:
            self._engine.close()
            raise

    def append(self, messages: Sequence[Json]) -> None:
        """Appends a batch. Raises `FastpacaError` for a message that the engine refuses; then none is appended."""
        for start in range(0, len(messages), _core.BATCH_MESSAGES_MAX):
            batch = messages[start : start + _core.BATCH_MESSAGES_MAX]
            reply = json.loads(self._engine.write(_CONTEXT, "append", encode({"messages": batch})).body)
            self.compactions += reply["version"] - self._version - len(batch)
            self._version = reply["version"]
            self.messages += len(batch)
            self.tokens += reply["token_estimate"]

    def window(self) -> bytes | None:
        """The window as its reply; None where no valid one fits."""
        try:
            return self._engine.read(_CONTEXT, self._read)
        except BudgetTooSmallError:
            return None

    def _read(self, context: _core.Context, fetched: _core.Fetched) -> bytes:
        return context.window(fetched, format=self.asked.format, close=True)

    def close(self) -> None:
        """Forgets it."""
        self._engine.close()
