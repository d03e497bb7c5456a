"""`at_version`: the window as it was answered then, to the byte."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fastpaca.errors import FastpacaError
from fastpaca.log import MemoryDisk
from tests.support.cases import seeds
from tests.support.memory import append, memory_engine, window, write
from tests.support.walk import CONTEXT, POLICIES, Walk

REQUESTS: list[dict[str, Any]] = [
    {},
    {"budget_tokens": 90},
    {"budget_tokens": 90, "fit": "largest"},
    {"budget_tokens": 10_000, "close": True},
]


def answers(walk: Walk, at_version: int | None = None) -> list[bytes]:
    """What each request gets: the reply, or the refusal."""
    found = []
    for request in REQUESTS:
        try:
            found.append(walk.engine.read(CONTEXT, lambda c, f, r=request: c.window(f, at_version=at_version, **r)))  # type: ignore[misc]
        except FastpacaError as error:
            found.append(f"{error.code} {error} {error.details}".encode())
    return found


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: f"{policy['strategy']}-{json.dumps(policy['config'])}")
@pytest.mark.parametrize("seed", seeds(1, of=4))
def test_every_version_that_was_answered_is_answered_again(seed: int, policy: dict[str, Any]) -> None:
    walk = Walk(seed, policy=policy)
    then: dict[int, list[bytes]] = {walk.versions[-1]: answers(walk)}
    for _ in range(80):
        walk.step()
        then[walk.versions[-1]] = answers(walk)
    for restarted in (False, True):
        for version, expected in then.items():
            assert answers(walk, version) == expected, f"version {version}, restarted: {restarted}"
        walk.restart()
    walk.close()


def test_a_context_of_several_chunks_of_the_index() -> None:
    walk = Walk(7, policy=POLICIES[3], budget=4000)
    then: dict[int, list[bytes]] = {}
    while walk.described["last_seq"] < 640:
        walk.append(20)
        walk.note()
        if walk.chance.random() < 0.1:
            walk.compact()
            walk.note()
        then[walk.versions[-1]] = answers(walk)
    walk.restart()
    for version in walk.chance.sample(sorted(then), 25):
        assert answers(walk, version) == then[version], f"version {version}"
    walk.close()


def test_repairs_that_came_later_are_not_counted_as_reported() -> None:
    engine = memory_engine(MemoryDisk())
    write(engine, CONTEXT, "configure", token_budget=10_000)
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    ask = {"role": "user", "content": "Do it.", "token_count": 20}
    version = append(engine, CONTEXT, [ask, {"role": "assistant", "tool_calls": [call], "token_count": 30}])["version"]
    counted = json.loads(window(engine, CONTEXT))["used_tokens"]
    append(engine, CONTEXT, [ask])
    usage = {"input_tokens": counted, "window_version": version}
    append(engine, CONTEXT, [{"role": "assistant", "content": "Yes.", "token_count": 5, "usage": usage}])
    shown = json.loads(window(engine, CONTEXT))
    assert any(item.get("repair") for item in shown["messages"])
    assert shown["used_tokens"] == sum(item["token_count"] for item in shown["messages"])
    engine.close()


def test_what_was_counted_for_a_window_before_a_rewrite_is_not_taken() -> None:
    engine = memory_engine(MemoryDisk())
    write(engine, CONTEXT, "configure", token_budget=10_000)
    ask = {"role": "user", "content": "Do it.", "token_count": 20}
    version = append(engine, CONTEXT, [ask] * 3)["version"]
    write(engine, CONTEXT, "compact", from_seq=1, to_seq=2, replacement=[{**ask, "content": "Asked."}])
    used = append(engine, CONTEXT, [ask])["used_tokens"]
    says = {"role": "assistant", "content": "Yes.", "token_count": 5}
    for window_version, counted in ((version, 0), (version + 1, 60)):
        usage = {"input_tokens": 100, "window_version": window_version}
        used += 5 + counted
        assert append(engine, CONTEXT, [{**says, "usage": usage}])["used_tokens"] == used
    engine.close()
