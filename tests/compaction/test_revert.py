"""Revert: what a caller's compaction covered comes back as it was shown, and what came after stays."""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import Any

import pytest

from fastpaca.errors import CompactionConflictError, FastpacaError, RevertConflictError
from tests.support.memory import append, verify, window, write
from tests.support.past import compactions
from tests.support.validator import Asked, check_window
from tests.support.walk import CONTEXT, POLICIES, Walk

BUDGET = {"strategy": "budget", "config": {}}
TAKEN_BACK = {3}
"""Seeds whose compaction had brought back messages that an earlier one had taken, with more behind it since."""
USER = {"role": "user", "content": "Go on.", "token_count": 3}


def state(walk: Walk) -> tuple[list[dict[str, Any]], list[str], int]:
    """The kept list, less the times at which it was written down; open calls, tokens. It is a valid window."""
    found = json.loads(window(walk.engine, CONTEXT))
    check_window(found, Asked(budget=10_000_000, last_seq=walk.described["last_seq"]))
    shown = [{name: value for name, value in item.items() if name != "inserted_at"} for item in found["messages"]]
    return shown, found["open_calls"], found["used_tokens"]


def drive(walk: Walk) -> None:
    for _ in range(12):
        walk.chance.choice([walk.append, walk.append, walk.append, walk.compact, walk.rewind])()
        walk.note()


def compact(walk: Walk, chance: random.Random) -> int:
    """A random compaction that is taken. Gives its version."""
    walk.chance, before = chance, walk.chance
    while True:
        last = walk.described["last_seq"]
        first = chance.randint(1, last)
        to = min(last, first + chance.randint(0, 20))
        asked: dict[str, Any] = chance.choice([{"from_seq": first, "to_seq": to}] * 3 + [{}])
        pieces = walk.pieces(asked.get("from_seq", 1), asked.get("to_seq", last))
        compacted = walk.tried("compact", replacement=pieces, force=True, **asked)
        if compacted is not None:
            walk.chance = before
            return int(compacted["version"])


@pytest.mark.parametrize("seed", range(40))
def test_a_reverted_compaction_has_never_been(seed: int) -> None:
    """Beside a twin that never compacts: the same window after the revert, and after whatever comes then."""
    one, twin = (Walk(seed, policy=BUDGET, distinct=True) for _ in range(2))
    for walk in (one, twin):
        drive(walk)
        append(walk.engine, CONTEXT, [USER])
    version = compact(one, random.Random(seed + 1))
    for walk in (one, twin):
        for _ in range(seed % 4):
            walk.append()
    if seed % 3 == 0:
        one.restart()
    if seed in TAKEN_BACK:
        with pytest.raises(RevertConflictError):
            write(one.engine, CONTEXT, "revert", version=version)
        return
    write(one.engine, CONTEXT, "revert", version=version)
    assert state(one) == state(twin)
    for walk in (one, twin):
        for _ in range(4):
            walk.append()
    one.restart()
    assert state(one) == state(twin)
    verify(one.engine.log, CONTEXT)
    for walk in (one, twin):
        walk.close()


def walk_with_reverts(seed: int, policy: dict[str, Any]) -> Counter[str]:
    """Ids that repeat, calls that wait, later compactions, rewinds: a revert is refused, as the list says, or valid."""
    walk = Walk(seed, policy=policy, budget=150)
    chance = random.Random(seed)
    drive(walk)
    compacted: list[int] = []
    seen: Counter[str] = Counter()
    for _ in range(25):
        if walk.described["last_seq"] and chance.random() < 0.3:
            compacted.append(compact(walk, chance))
        elif compacted and chance.random() < 0.5:
            version = chance.choice(compacted[-3:])
            listed = compactions(walk.engine)[version]
            reverted = walk.tried("revert", version=version) is not None
            assert reverted == listed["revertible"] or listed["reason"] == "reverted", listed
            seen["reverted" if reverted else "refused"] += 1
        else:
            chance.choice([walk.append, walk.append, walk.append, walk.rewind, walk.restart])()
        state(walk)
    verify(walk.engine.log, CONTEXT)
    walk.close()
    return seen


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: f"{policy['strategy']}-{json.dumps(policy['config'])}")
def test_whatever_is_reverted_the_window_is_valid(policy: dict[str, Any]) -> None:
    for seed in range(6):
        walk_with_reverts(seed, policy)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: f"{policy['strategy']}-{json.dumps(policy['config'])}")
def test_whatever_is_reverted_the_window_is_valid_for_long(policy: dict[str, Any]) -> None:
    seen = sum((walk_with_reverts(seed, policy) for seed in range(100, 400)), Counter[str]())
    print(dict(seen))
    assert min(seen["reverted"], seen["refused"]) > 100


@pytest.mark.parametrize("seed", range(6))
def test_the_list_says_what_can_be_reverted(seed: int) -> None:
    walk = Walk(seed, policy=None)
    chance = random.Random(seed)
    drive(walk)
    for _ in range(6):
        compact(walk, chance)
        chance.choice([walk.append, walk.append, walk.rewind])()
    seen = []
    cursor = None
    while True:
        page = json.loads(
            walk.engine.read(CONTEXT, lambda c, f, at=cursor: c.compactions(f, cursor=at, limit=3))  # type: ignore[misc]
        )
        seen += page["compactions"]
        assert len(page["compactions"]) == 3 or page["next_cursor"] is None
        cursor = page["next_cursor"]
        if cursor is None:
            break
    versions = [each["version"] for each in seen]
    assert versions == sorted(versions, reverse=True)
    for each in seen:
        try:
            write(walk.engine, CONTEXT, "revert", version=each["version"], if_version=10**9)
            raise AssertionError("if_version is compared first")
        except FastpacaError as error:
            assert error.code == "version_conflict"
    newest = next((each for each in seen if each["revertible"]), None)
    if newest is None:
        return
    reverted = json.loads(write(walk.engine, CONTEXT, "revert", version=newest["version"]).body)
    page = json.loads(walk.engine.read(CONTEXT, lambda c, f: c.compactions(f, limit=1000)))
    assert page["next_cursor"] is None
    assert page["compactions"][0]["reverts"] == newest["version"]
    by_version = {each["version"]: each for each in page["compactions"]}
    assert by_version[newest["version"]]["reverted_by"] == reverted["version"]
    assert by_version[newest["version"]]["reason"] == "reverted"
    walk.close()


def test_what_a_rewind_took_since_does_not_come_back() -> None:
    walk = Walk(0, policy=BUDGET)
    append(walk.engine, CONTEXT, [USER] * 4)
    version = json.loads(write(walk.engine, CONTEXT, "compact", from_seq=2, to_seq=4, replacement=[], force=True).body)[
        "version"
    ]
    assert compactions(walk.engine)[version]["revertible"]
    write(walk.engine, CONTEXT, "rewind", to_seq=1)
    assert compactions(walk.engine)[version]["reason"] == "changed"
    with pytest.raises(RevertConflictError):
        write(walk.engine, CONTEXT, "revert", version=version)
    walk.close()


def test_what_a_later_compaction_replaced_is_not_reverted() -> None:
    walk = Walk(0, policy=BUDGET)
    append(walk.engine, CONTEXT, [USER] * 4)
    summaries = [{"role": "user", "content": text, "token_count": 3} for text in ("one", "another")]
    first, second = (
        json.loads(write(walk.engine, CONTEXT, "compact", from_seq=2, to_seq=3, replacement=[each]).body)["version"]
        for each in summaries
    )
    assert compactions(walk.engine)[first]["reason"] == "changed"
    with pytest.raises(RevertConflictError):
        write(walk.engine, CONTEXT, "revert", version=first)
    read = walk.described["version"]
    write(walk.engine, CONTEXT, "revert", version=second)
    assert "one" in window(walk.engine, CONTEXT).decode()
    # A summary of what was read before the revert would undo it.
    with pytest.raises(CompactionConflictError):
        write(walk.engine, CONTEXT, "compact", up_to_version=read, replacement=summaries)
    walk.close()
