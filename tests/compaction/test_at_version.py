"""`at_version`: the window as it was answered then, to the byte."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fastpaca.errors import FastpacaError
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


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: json.dumps(policy["config"]))
@pytest.mark.parametrize("seed", range(4))
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
