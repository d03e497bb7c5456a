"""What a context answered at each version, asked again later: windows, explanations, compactions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from fastpaca.errors import BudgetTooSmallError
from tests.support.explained import check_explained
from tests.support.memory import ALL_TOKENS, describe

if TYPE_CHECKING:
    from fastpaca.engine import Engine

Json = dict[str, Any]

REQUESTS: list[Json] = [
    {"budget_tokens": ALL_TOKENS},
    {"budget_tokens": 150, "fit": "largest", "close": True},
    {"budget_tokens": 60, "explain": True},
]


def answers(engine: Engine, at_version: int | None = None) -> list[bytes]:
    """What each request gets: the reply, or the refusal."""
    found = []
    for request in REQUESTS:
        try:
            found.append(engine.read("c", lambda c, f, r=request: c.window(f, at_version=at_version, **r)))  # type: ignore[misc]
        except BudgetTooSmallError as error:
            found.append(f"{error} {error.details}".encode())
    return found


def compactions(engine: Engine) -> dict[int, Json]:
    """The compactions, by version."""
    page = json.loads(engine.read("c", lambda c, f: c.compactions(f, limit=1000)))
    assert page["next_cursor"] is None
    return {each["version"]: each for each in page["compactions"]}


class Past:
    """The versions of one context that were looked at."""

    def __init__(self) -> None:
        self.told: dict[int, list[bytes]] = {}
        self.whole: dict[int, Json] = {}

    def note(self, engine: Engine) -> None:
        """Remembers what is answered now, and checks the explanation."""
        described = describe(engine, "c")
        if described["version"] in self.told:
            return
        self.told[described["version"]] = answers(engine)
        raw = engine.read("c", lambda c, f: c.window(f, budget_tokens=ALL_TOKENS, explain=True))
        explained = json.loads(raw)
        check_explained(explained, described["last_seq"])
        del explained["explanation"]
        self.whole[described["version"]] = explained

    def check(self, engine: Engine, version: int) -> None:
        """At that version the same is answered, to the byte."""
        assert answers(engine, version) == self.told[version], f"at version {version}"

    def undone(self, engine: Engine, version: int) -> None:
        """The compaction at that version, after which nothing came, was reverted: all is as it was before."""
        before = self.whole[version - 1]
        now = json.loads(engine.read("c", lambda c, f: c.window(f, budget_tokens=ALL_TOKENS)))
        changed = {name for name in {*now, *before} if now.get(name) != before.get(name)}
        assert changed <= {"version", "prefix", "signed_thinking"}, [
            (name, before.get(name), now.get(name)) for name in changed
        ]
