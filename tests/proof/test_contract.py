"""W1 to W6 on random conversations of any structure, under every policy, whatever is done to them: the engine alone."""

from __future__ import annotations

import datetime as dt
import itertools
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from fastpaca import _core, providers
from fastpaca.errors import BudgetTooSmallError, FastpacaError
from fastpaca.log import MemoryDisk
from tests.support import cases
from tests.support.conversations import agent_run, messages, policies
from tests.support.erratic import registered
from tests.support.memory import ALL_TOKENS, append, describe, memory_engine, replay, verify, window, write
from tests.support.past import Past, compactions
from tests.support.shapes import shape_of
from tests.support.validator import Asked, check_truth, check_window, is_prefix, messages_of, stored

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, Any]

REFUSALS = {"unknown_seq", "invalid_range", "not_newest", "compaction_conflict", "revert_conflict"}
BUDGETS = [20, 60, 150, 300, 700, 2_000, ALL_TOKENS]
FORMATS = [name for name in _core.FORMATS if name in providers.FORMATS]
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
SEEN: Counter[str] = Counter()


class Contract(RuleBasedStateMachine):
    """One context, and what its windows have shown."""

    def __init__(self) -> None:
        super().__init__()
        self.disk = MemoryDisk()
        self.engine = memory_engine(self.disk)
        self.sent: list[Json] = []
        self.by_token: dict[str, bytes] = {}
        self.config: Json = {}
        self.clock = START
        self.past = Past()
        self.compacted: list[int] = []

    @initialize(
        policy=policies(), budget=st.sampled_from([100, 400, 2_000, 100_000]), reserve=st.sampled_from([0, 0, 7])
    )
    def begin(self, policy: Json, budget: int, reserve: int) -> None:
        self.configure(policy, budget, reserve)

    def configure(self, policy: Json, budget: int, reserve: int) -> None:
        self.config = {"token_budget": budget, "reserve_tokens": reserve, "policy": policy}
        write(self.engine, "c", "configure", **self.config)

    def teardown(self) -> None:
        if self.config:
            verify(self.engine.log, "c")
            assert self.engine.policy_errors == {}
        self.engine.close()

    # Operations

    @rule(policy=policies())
    def switch_policy(self, policy: Json) -> None:
        self.configure(policy, self.config["token_budget"], self.config["reserve_tokens"])

    @rule(batch=st.lists(messages, min_size=1, max_size=6), minutes=st.sampled_from([0, 0, 0, 5, 45]))
    def append(self, batch: list[Json], minutes: int) -> None:
        self.clock += dt.timedelta(minutes=minutes)
        if minutes:
            batch = [{**message, "created_at": self.clock.isoformat()} for message in batch]
        self.add(batch)

    @rule(calls=st.integers(1, 12), words=st.sampled_from([1, 30]), parallel=st.integers(1, 3))
    def run_agent(self, calls: int, words: int, parallel: int) -> None:
        for message in agent_run(calls, words, parallel):
            self.add([message])

    def add(self, batch: list[Json]) -> None:
        before = self.whole()
        reply = append(self.engine, "c", batch)
        self.sent += batch
        assert reply["seq"] == len(self.sent)
        after = self.whole()
        self.check_kept_by_policy(before, after, batch)
        if after["version"] == before["version"] + len(batch):
            # W5: nothing was rewritten, so the list has only grown.
            assert after["prefix"] == before["prefix"]

    def check_kept_by_policy(self, before: Json, after: Json, batch: list[Json]) -> None:
        """W3, W4: a policy drops no head and no pin, and neither edits nor drops what came last."""
        there = {item["seq"] for item in after["messages"] if "seq" in item}
        # A pin in front of all that a view could start with can't stand in a view by itself.
        behind = itertools.dropwhile(lambda item: not opens(item), before["messages"])
        wanted = {item["seq"] for item in behind if item.get("metadata", {}).get("pinned")}
        if self.config["policy"]["config"].get("keep_system", True):
            wanted |= set(head_of(before))
        assert wanted <= there, f"dropped {sorted(wanted - there)}"
        shape = shape_of(batch[-1])
        if not shape.results:
            last = after["messages"][-1]
            assert last.get("seq") == len(self.sent), "the newest message was dropped"
            assert not last.get("edited"), "the newest message was edited"

    @rule(right=st.booleans())
    def replace(self, right: bool) -> None:
        visible = replay(self.engine, "c")
        newest = visible[-1].get("id") if visible and right else None
        message = {"role": "user", "content": "Again.", "id": newest or "m3"}
        if self.tried("append", message=message, replace=True):
            self.sent.append(message)

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def rewind(self, data: st.DataObject) -> None:
        self.tried("rewind", to_seq=data.draw(st.integers(0, len(self.sent)), label="to"))

    @precondition(lambda self: self.sent)
    @rule(data=st.data(), whole=st.booleans())
    def compact(self, data: st.DataObject, whole: bool) -> None:
        first = 1 if whole else data.draw(st.integers(1, len(self.sent)), label="first")
        last = len(self.sent) if whole else data.draw(st.integers(first, len(self.sent)), label="last")
        pieces = data.draw(self.pieces(first, last), label="pieces")
        reply = self.tried("compact", replacement=pieces, **({} if whole else {"from_seq": first, "to_seq": last}))
        self.compacted += [reply["version"]] if reply else []

    @precondition(lambda self: self.compacted)
    @rule(data=st.data())
    def revert(self, data: st.DataObject) -> None:
        """Refused where the list says so; without anything behind it, as if it had never been."""
        version = data.draw(st.sampled_from(self.compacted[-4:]), label="version")
        listed, newest = compactions(self.engine)[version], self.whole()["version"]
        reply = self.tried("revert", version=version)
        assert (reply is not None) == listed["revertible"] or listed["reason"] == "reverted", listed
        if newest == version:
            assert reply is not None, "nothing came behind it"
            self.past.undone(self.engine, version)

    @precondition(lambda self: self.past.told)
    @rule(data=st.data())
    def look_back(self, data: st.DataObject) -> None:
        version = data.draw(st.sampled_from(sorted(self.past.told)), label="version")
        self.past.check(self.engine, version)

    @staticmethod
    def pieces(first: int, last: int) -> st.SearchStrategy[list[Json]]:
        new = st.builds(
            lambda role, tokens: {"role": role, "content": "A summary.", "token_count": tokens},
            st.sampled_from(["user", "system", "assistant"]),
            st.integers(0, 40),
        )
        spans = st.tuples(st.integers(first, last), st.integers(0, 12))
        live = st.builds(lambda span: {"from_seq": span[0], "to_seq": min(last, span[0] + span[1])}, spans)
        ascending = st.lists(live, max_size=3).map(lambda found: sorted(found, key=lambda piece: piece["from_seq"]))
        return st.one_of(
            st.lists(new, min_size=1, max_size=2),
            st.tuples(new, ascending).map(lambda pair: [pair[0], *pair[1]]),
            st.tuples(ascending, new).map(lambda pair: [*pair[0], pair[1]]),
            live.map(lambda piece: [piece]),
        )

    def tried(self, route: str, **fields: Any) -> Json | None:
        """What the engine answers; None where it refuses, which changes nothing."""
        before = window(self.engine, "c")
        try:
            reply: Json = json.loads(write(self.engine, "c", route, **fields).body)
        except FastpacaError as error:
            assert error.code in REFUSALS, error
            assert window(self.engine, "c") == before
            SEEN[f"{route} refused"] += 1
            return None
        SEEN[route] += 1
        return reply

    @rule(budgets=st.lists(st.sampled_from(BUDGETS), min_size=1, max_size=3))
    def restart(self, budgets: list[int]) -> None:
        """W6: the same bytes from a cold engine."""
        before = self.told(budgets)
        self.engine.close()
        self.engine = memory_engine(self.disk)
        assert self.told(budgets) == before
        version, last_seq = verify(self.engine.log, "c")
        assert (version, last_seq) == (self.whole()["version"], len(self.sent))

    def told(self, budgets: list[int]) -> list[bytes | Json]:
        answers: list[bytes | Json] = [describe(self.engine, "c")]
        for budget in budgets:
            for fit in ("steps", "largest"):
                try:
                    answers.append(window(self.engine, "c", budget, fit=fit))
                except BudgetTooSmallError as error:
                    answers.append(str(error).encode())
        return [*answers, json.dumps(replay(self.engine, "c", all=True)).encode()]

    # What holds

    def whole(self) -> Json:
        raw: Json = json.loads(window(self.engine, "c"))
        return raw

    @invariant()
    def windows_hold(self) -> None:
        if not self.config:
            return
        for budget in BUDGETS:
            used = [self.looked(budget, fit) for fit in ("steps", "largest")]
            assert used[0] <= used[1], "the largest view is smaller than the one that moves in steps"
        self.closed()
        for name in FORMATS:
            self.request(name, ALL_TOKENS)
            self.request(name, 150)
        SEEN["stored as sent"] += check_truth(self.whole(), self.sent)
        assert [stored(m) for m in replay(self.engine, "c", all=True)] == [stored(m) for m in self.sent]
        self.past.note(self.engine)

    def looked(self, budget: int, fit: str) -> int:
        """W1 to W5 of one window; gives its tokens, or -1 where nothing fits and the need is exact."""
        try:
            raw = window(self.engine, "c", budget, fit=fit)
        except BudgetTooSmallError as error:
            needed = int(error.details["needed_tokens"] or 0)
            assert needed > budget
            self.check(window(self.engine, "c", needed, fit=fit), needed)
            SEEN["refused windows"] += 1
            return -1
        return self.check(raw, budget)

    def check(self, raw: bytes, budget: int) -> int:
        shown = json.loads(raw)
        check_window(shown, Asked(budget, len(self.sent), self.config["reserve_tokens"]))
        before, items = self.by_token.get(shown["prefix"]), messages_of(raw)
        if before is not None:
            shorter, items = sorted((before, items), key=len)
            assert is_prefix(shorter, items), "equal tokens, but no prefix"
        self.by_token[shown["prefix"]] = items
        SEEN["windows"] += 1
        return int(shown["used_tokens"])

    def request(self, name: str, budget: int) -> None:
        """W3, asked of the providers' own rules."""
        try:
            raw = self.engine.read("c", lambda c, got: c.window(got, format=name, budget_tokens=budget, close=True))
        except BudgetTooSmallError:
            return
        request = json.loads(raw)["request"]
        # Of a conversation that holds nothing but thinking nothing is left.
        if request.get("messages") or request.get("input"):
            violations = providers.check(name, request)
            assert not violations, (name, budget, violations, raw)
            SEEN[name] += 1

    def closed(self) -> None:
        """`close` answers what waits."""
        shown = json.loads(window(self.engine, "c", ALL_TOKENS, close=True))
        check_window(shown, Asked(ALL_TOKENS, len(self.sent), self.config["reserve_tokens"], close=True))


def opens(item: Json) -> bool:
    """A view may start with it."""
    return "from_seq" in item or shape_of(item).is_user


def head_of(window: Json) -> list[int]:
    """Messages of the log that the head consists of."""
    found = []
    for item in window["messages"]:
        if item.get("role") not in {"system", "developer"}:
            break
        found += [item["seq"]] if "seq" in item else []
    return found


@pytest.fixture(autouse=True)
def erratic() -> Iterator[None]:
    with registered():
        yield


@cases.limit(120)
def test_the_contract_holds() -> None:
    run_state_machine_as_test(Contract, settings=cases.machine(12, 12))


@pytest.mark.slow
@cases.limit(600)
def test_the_contract_holds_for_long() -> None:
    SEEN.clear()
    run_state_machine_as_test(Contract, settings=cases.machine(300, 30))
    print(dict(SEEN))
    assert SEEN["windows"] > 10_000
    routes = ("append", "rewind", "compact", "revert")
    for name in (*FORMATS, *routes, *(f"{route} refused" for route in routes), "refused windows", "stored as sent"):
        assert SEEN[name] > 10, name


@pytest.mark.parametrize(
    "strategy",
    [
        "budget",
        "last_n",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("strip_tool_results", "skip_parts")),
    ],
)
def test_a_turn_of_300_calls(strategy: str) -> None:
    machine = Contract()
    config = {"limit": 200} if strategy == "last_n" else {}
    machine.configure({"strategy": strategy, "config": config}, 8_000, 0)
    run = agent_run(300, 30, 3)
    for start in range(0, len(run), 25):
        machine.add(run[start : start + 25])
        machine.windows_hold()
    shown = json.loads(window(machine.engine, "c", 2_000))
    assert shown["messages"][0]["seq"] == 1
    assert shown["truncated"]
    machine.restart(BUDGETS[4:])
    machine.teardown()
