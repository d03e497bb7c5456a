"""A context driven at random: messages with calls and results of every kind, compactions, rewinds, settings, restarts.

No model stands beside it: what the core refuses is passed over. For properties that hold whatever came before.
"""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

from fastpaca.errors import FastpacaError
from fastpaca.log import MemoryDisk
from tests.support.memory import append, describe, memory_engine, write
from tests.support.native import CALL_FORMS, RESULT_FORMS, SINGLE, Spec
from tests.support.shapes import Ref

if TYPE_CHECKING:
    from fastpaca.engine import Engine

CONTEXT = "c"
FORMS = [form for form in CALL_FORMS if form != "functions"]
"""Those whose calls have ids."""
POLICIES: list[dict[str, Any]] = [
    {"strategy": "budget", "config": {}},
    {"strategy": "last_n", "config": {"limit": 6, "chunk": 2}},
    {"strategy": "last_n", "config": {"limit": 40}},
    {"strategy": "strip_tool_results", "config": {"keep_last": 1, "keep_tokens": 10, "clear_at_least": 0}},
    {"strategy": "skip_parts", "config": {}},
    {"strategy": "time_aware", "config": {"max_age": "1h"}},
]
"""Every strategy of the core."""


class Walk:
    """One context in memory and a source of chance."""

    def __init__(
        self, seed: int, *, policy: dict[str, Any] | None = None, budget: int = 400, distinct: bool = False
    ) -> None:
        self.distinct = distinct
        self.issued: list[Ref] = []
        self.chance = random.Random(seed)
        self.disk = MemoryDisk()
        self.engine: Engine = memory_engine(self.disk)
        self.policy = policy or self.chance.choice(POLICIES)
        self.versions: list[int] = []
        write(self.engine, CONTEXT, "configure", token_budget=budget, policy=self.policy)
        self.note()

    def note(self) -> None:
        """Remembers the version as one that a caller has seen."""
        version = self.described["version"]
        if not self.versions or self.versions[-1] != version:
            self.versions.append(version)

    @property
    def described(self) -> dict[str, Any]:
        """The context as it stands."""
        return describe(self.engine, CONTEXT)

    def restart(self) -> None:
        """Closes the engine and opens another on the same bytes."""
        self.engine.close()
        self.engine = memory_engine(self.disk)

    def close(self) -> None:
        """Closes the engine."""
        self.engine.close()

    # Steps

    def step(self) -> None:
        """One random operation."""
        steps = [self.append] * 12 + [self.compact, self.compact, self.rewind, self.configure, self.calibrate]
        self.chance.choice([*steps, self.replace, self.note_metadata, self.restart])()
        self.note()

    def append(self, most: int = 5) -> None:
        """A batch."""
        batch = [self.spec().json() for _ in range(self.chance.randint(1, most))]
        append(self.engine, CONTEXT, batch)

    def spec(self) -> Spec:
        """A message; pins, results of calls that may not be there, thinking."""
        chance = self.chance
        tokens = chance.randint(0, 30)
        pinned = chance.random() < 0.05
        kind = chance.choice(["user", "user", "assistant", "calls", "calls", "results", "results", "results", "thinks"])
        if kind == "calls":
            form = chance.choice(FORMS if self.distinct else CALL_FORMS)
            calls = [self.call(form) for _ in range(1 if form in SINGLE else chance.randint(1, 3))]
            return Spec("assistant", form, tuple(calls), text=None, tokens=tokens, pinned=pinned)
        if kind == "results":
            form = chance.choice(FORMS if self.distinct else RESULT_FORMS)
            one = form in SINGLE or form == "openai" or self.distinct
            results = [self.result(form) for _ in range(1 if one else chance.randint(1, 3))]
            role = {"anthropic": "user", "functions": "function"}.get(form, "tool")
            text = chance.choice([None, None, "And then?"]) if form == "anthropic" else None
            return Spec(role, form, results=tuple(results), text=text, tokens=tokens)
        if kind == "thinks":
            return Spec("assistant", thinks=True, tokens=tokens)
        role = "system" if kind == "user" and chance.random() < 0.1 else kind
        return Spec(role, text="Hello.", tokens=tokens, pinned=pinned, id=chance.choice([None, "m1"]))

    def call(self, form: str) -> Ref:
        """A call; with an id that no other has where the walk is `distinct`."""
        if not self.distinct:
            return self.ref(form)
        self.issued.append(Ref(f"call{len(self.issued)}", "f"))
        return self.issued[-1]

    def result(self, form: str) -> Ref:
        """A result, which may find its call."""
        return self.chance.choice(self.issued[-6:] or [Ref("none", "f")]) if self.distinct else self.ref(form)

    def ref(self, form: str) -> Ref:
        """One side of a pair; few names, so that pairs come about, and ids repeat."""
        name = self.chance.choice(["f", "g"])
        if form == "functions":
            return Ref(None, name)
        return Ref(self.chance.choice(["a", "b", "c", "d"]), name)

    def compact(self) -> None:
        """A range, or all that was read at a version."""
        last = self.described["last_seq"]
        if last == 0:
            return
        first = self.chance.randint(1, last)
        to = min(last, first + self.chance.randint(0, 12))
        asked: dict[str, Any] = {"from_seq": first, "to_seq": to}
        if self.chance.random() < 0.3:
            asked = self.chance.choice([{}, {"up_to_version": self.chance.choice(self.versions)}])
            first, to = 1, last
        self.tried("compact", replacement=self.pieces(first, to), force=True, **asked)

    def pieces(self, first: int, last: int) -> list[dict[str, Any]]:
        """Summaries and references to what stands there, or stood."""
        summary = {"role": self.chance.choice(["user", "system"]), "content": "A summary.", "token_count": 9}
        at = self.chance.randint(first, last)
        live = {"from_seq": at, "to_seq": min(last, at + self.chance.randint(0, 4))}
        return self.chance.choice([[summary], [summary], [summary, live], [live, summary], [live], []])

    def rewind(self) -> None:
        """To a message of late."""
        last = self.described["last_seq"]
        self.tried("rewind", to_seq=max(0, last - self.chance.randint(0, 4)))

    def configure(self) -> None:
        """Another budget, trigger or reserve."""
        changes: list[dict[str, Any]] = [
            {"token_budget": self.chance.choice([300, 400, 900])},
            {"trigger_ratio": self.chance.choice([0.3, 0.7, 1])},
            {"reserve_tokens": self.chance.choice([0, 10]), "metadata": {"n": self.chance.randint(0, 9)}},
            {"policy": self.policy | {"config": self.policy["config"] | {"target_ratio": 0.2}}},
        ]
        self.tried("configure", **self.chance.choice(changes))

    def note_metadata(self) -> None:
        """Metadata alone."""
        self.tried("metadata", metadata={"n": self.chance.randint(0, 9)})

    def calibrate(self) -> None:
        """A message that says what the provider counted."""
        usage = {"input_tokens": self.chance.randint(0, 300), "window_version": self.versions[-1]}
        spec = Spec("assistant", text="Yes.", tokens=5).json()
        append(self.engine, CONTEXT, [self.spec().json(), {**spec, "usage": usage}, self.spec().json()])

    def replace(self) -> None:
        """The newest message again, where it has the id that most have."""
        spec = Spec("user", text="Again.", tokens=3, id="m1").json()
        self.tried("append", message=spec, replace=True)

    def tried(self, route: str, **fields: Any) -> dict[str, Any] | None:
        """A write that may be refused."""
        try:
            body = write(self.engine, CONTEXT, route, **fields).body
        except FastpacaError as error:
            assert error.code not in {"corrupt", "internal"}, error
            return None
        reply: dict[str, Any] = json.loads(body)
        return reply
