"""The engine beside a naive model of the contract: random operations, windows at random budgets, restarts, replay."""

from __future__ import annotations

import itertools
import json
from typing import Any, ClassVar

import pytest
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from fastpaca.errors import BudgetTooSmallError, FastpacaError
from fastpaca.log import MemoryDisk
from tests.support import cases
from tests.support.conversations import specs, texts, tokens
from tests.support.memory import ALL_TOKENS, append, describe, memory_engine, replay, verify, window, write
from tests.support.model import Live, Model, New, Refused
from tests.support.model_list import Item
from tests.support.model_view import TooSmall, View, Views
from tests.support.native import Spec
from tests.support.validator import Asked, check_window, is_prefix, messages_of

BAD_RANGES = {"unknown_seq", "invalid_range"}
"""The contract says 400 of both and does not tell them apart."""


class Beside(RuleBasedStateMachine):
    """The engine and the model, side by side."""

    strategy: ClassVar[str] = "budget"

    def __init__(self) -> None:
        super().__init__()
        self.disk = MemoryDisk()
        self.engine = memory_engine(self.disk)
        self.model = Model()
        self.by_token: dict[str, bytes] = {}
        self.windows: dict[int, list[int]] = {}
        self.config: dict[str, Any] = {}

    @initialize(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        trigger = data.draw(st.sampled_from([0.1, 0.7, 1]), label="trigger")
        target = data.draw(st.sampled_from([None, 0.1, 0.05]), label="target")
        config = {"max_result_tokens": ALL_TOKENS, **self.policy_config(data)}
        if target is not None:
            config["target_ratio"] = target
        self.target = target if target is not None else trigger / 2
        self.config = {
            "token_budget": data.draw(st.sampled_from([100, 400, 100_000]), label="budget"),
            "reserve_tokens": data.draw(st.sampled_from([0, 0, 7]), label="reserve"),
            "trigger_ratio": trigger,
            "policy": {"strategy": self.strategy, "config": config},
        }
        write(self.engine, "c", "configure", **self.config)

    def policy_config(self, data: st.DataObject) -> dict[str, Any]:
        return {}

    def teardown(self) -> None:
        self.engine.close()

    # Operations

    @rule(batch=st.lists(specs, min_size=1, max_size=5))
    def append(self, batch: list[Spec]) -> None:
        before = self.model.version
        reply = append(self.engine, "c", [spec.json() for spec in batch])
        self.model.append([spec.message() for spec in batch])
        assert reply["seq"] == self.model.last_seq
        assert reply["first_seq"] == self.model.last_seq - len(batch) + 1
        assert reply["token_estimate"] == sum(spec.tokens for spec in batch)
        assert reply["version"] > before
        self.after_append(reply)

    def after_append(self, reply: dict[str, Any]) -> None:
        assert reply["version"] == self.model.version

    @rule(spec=texts, right=st.booleans())
    def replace(self, spec: Spec, right: bool) -> None:
        newest = self.model.visible[-1] if self.model.visible else None
        new_id = newest.id if newest is not None and right else "m3"
        if new_id is None:
            assume(False)
        spec = Spec(spec.role, text="Again.", tokens=spec.tokens, id=new_id)

        def to_model() -> None:
            self.model.append([spec.message()], replace=True)

        reply = self.both("append", to_model, message=spec.json(), replace=True)
        if reply is not None:
            self.after_append(reply)

    @rule(data=st.data())
    def rewind(self, data: st.DataObject) -> None:
        to = data.draw(st.integers(0, self.model.last_seq + 1), label="to")
        self.both("rewind", lambda: self.model.rewind(to), to_seq=to)

    @precondition(lambda self: self.model.last_seq > 0)
    @rule(data=st.data())
    def compact_range(self, data: st.DataObject) -> None:
        first = data.draw(st.integers(1, self.model.last_seq), label="first")
        last = data.draw(st.integers(first, self.model.last_seq), label="last")
        pieces = data.draw(self.pieces(first, last), label="pieces")
        self.both(
            "compact",
            lambda: self.model.compact_range(first, last, pieces),
            from_seq=first,
            to_seq=last,
            replacement=[self.sent(piece) for piece in pieces],
        )

    @precondition(lambda self: self.model.last_seq > 0)
    @rule(data=st.data())
    def compact_whole(self, data: st.DataObject) -> None:
        read = data.draw(st.sampled_from([None, *sorted(self.windows)[-6:]]), label="up to")
        last = self.model.last_seq if read is None else max(self.windows[read], default=1)
        pieces = data.draw(self.pieces(1, max(last, 1)), label="pieces")
        asked: dict[str, Any] = {} if read is None else {"up_to_version": read}
        self.both(
            "compact",
            lambda: self.model.compact_whole(pieces, read),
            replacement=[self.sent(piece) for piece in pieces],
            **asked,
        )

    def pieces(self, first: int, last: int) -> st.SearchStrategy[list[Live | New]]:
        new = st.builds(New, st.sampled_from(["user", "system", "assistant"]), tokens)
        spans = st.tuples(st.integers(first, last), st.integers(0, 6))
        live = st.builds(lambda span: Live(span[0], min(last, span[0] + span[1])), spans)
        ascending = st.lists(live, max_size=2).map(lambda found: sorted(found, key=lambda piece: piece.first))
        return st.one_of(
            st.lists(new, min_size=1, max_size=2).map(list),
            st.tuples(new, ascending).map(lambda pair: [pair[0], *pair[1]]),
            st.tuples(ascending.filter(bool), new).map(lambda pair: [*pair[0], pair[1]]),
            live.map(lambda piece: [piece]),
        )

    @staticmethod
    def sent(piece: Live | New) -> dict[str, Any]:
        if isinstance(piece, New):
            return {"role": piece.role, "content": "A summary.", "token_count": piece.tokens}
        if piece.first == piece.last:
            return {"seq": piece.first}
        return {"from_seq": piece.first, "to_seq": piece.last}

    def both(self, route: str, to_model: Any, **fields: Any) -> dict[str, Any] | None:
        """The engine refuses what the model refuses."""
        try:
            to_model()
            refused = None
        except Refused as refusal:
            refused = str(refusal)
        try:
            reply: dict[str, Any] = json.loads(write(self.engine, "c", route, **fields).body)
        except FastpacaError as error:
            assert refused is not None, f"the engine refuses with {error.code}: {error}"
            same = refused == error.code or {refused, error.code} <= BAD_RANGES
            assert same, f"the engine refuses with {error.code}: {error}; the model with {refused}"
            return None
        assert refused is None, f"the engine does not refuse: {refused}"
        return reply

    @rule(input_tokens=st.integers(0, 400))
    def calibrate(self, input_tokens: int) -> None:
        """What a provider counted for the window as it stands."""
        budget = self.config["token_budget"]
        view = self.views().select(budget, self.step(budget))
        spec = Spec("assistant", text="Yes.", tokens=5)
        usage = {"input_tokens": input_tokens, "window_version": self.model.version}
        reply = append(self.engine, "c", [{**spec.json(), "usage": usage}])
        if isinstance(view, View):
            shown = sum(self.model.list.items[p].tokens or 0 for p in view.positions)
            self.model.overhead = input_tokens - shown
        self.model.append([spec.message()])
        self.after_append(reply)

    @rule(budgets=st.lists(st.integers(1, 600), min_size=1, max_size=3))
    def restart(self, budgets: list[int]) -> None:
        before = self.told(budgets)
        self.engine.close()
        self.engine = memory_engine(self.disk)
        assert self.told(budgets) == before
        assert verify(self.engine.log, "c") == (self.model.version, self.model.last_seq)

    def told(self, budgets: list[int]) -> list[bytes]:
        answers = [self.engine.read("c", lambda context, _: context.describe()), window(self.engine, "c")]
        for budget in budgets:
            for fit in ("steps", "largest"):
                try:
                    answers.append(window(self.engine, "c", budget, fit=fit))
                except BudgetTooSmallError as error:
                    answers.append(str(error).encode())
        answers.append(json.dumps(replay(self.engine, "c", all=True)).encode())
        return answers

    @rule(budgets=st.lists(st.integers(1, 600), min_size=1, max_size=5))
    def look(self, budgets: list[int]) -> None:
        for budget in [*budgets, self.config["token_budget"]]:
            for fit in ("steps", "largest"):
                self.compare_view(budget, fit)

    # Comparing

    def step(self, budget: int) -> int:
        return max(1, int(budget * max(0.0, 1.0 - self.target)))

    def views(self, closing: int = 0) -> Views:
        return Views(self.model.list.items, self.model.overhead, self.config["reserve_tokens"], closing)

    @invariant()
    def same_list(self) -> None:
        if not self.config:
            return
        raw = window(self.engine, "c")
        shown = json.loads(raw)
        self.check_raw(raw, ALL_TOKENS)
        items = self.model.list.items
        self.same_items(shown["messages"], items)
        for item, message in zip(items, shown["messages"], strict=True):
            if item.tokens is None:
                item.tokens = message["token_count"]
            assert item.tokens == message["token_count"], message
        assert shown["open_calls"] == self.model.waiting
        assert shown["version"] == self.model.version
        assert not shown["truncated"]
        self.windows[self.model.version] = [message.seq for message in self.model.visible]

    @staticmethod
    def same_items(shown: list[dict[str, Any]], items: list[Item]) -> None:
        engine, model = [told(item) for item in shown], [expected(item) for item in items]
        assert engine == model, f"the engine shows {engine}, the model {model}"

    @invariant()
    def same_state(self) -> None:
        if not self.config:
            return
        described = describe(self.engine, "c")
        used = max(0, self.model.kept_tokens + self.model.overhead)
        assert described["version"] == self.model.version
        assert described["last_seq"] == self.model.last_seq
        assert described["used_tokens"] == used
        trigger = int(self.config["token_budget"] * self.config["trigger_ratio"])
        assert described["needs_compaction"] == (used > trigger)
        assert [m["seq"] for m in replay(self.engine, "c")] == [m.seq for m in self.model.visible]
        assert [m["seq"] for m in replay(self.engine, "c", all=True)] == list(range(1, self.model.last_seq + 1))

    def compare_view(self, budget: int, fit: str) -> None:
        wanted = self.views().select(budget, None if fit == "largest" else self.step(budget))
        try:
            raw = window(self.engine, "c", budget, fit=fit)
        except BudgetTooSmallError as error:
            assert wanted == TooSmall(int(error.details["needed_tokens"] or 0)), (budget, fit, wanted)
            return
        assert isinstance(wanted, View), (budget, fit, wanted, raw)
        shown = json.loads(raw)
        items = self.model.list.items
        self.same_items(shown["messages"], [items[p] for p in wanted.positions])
        assert (shown["used_tokens"], shown["truncated"]) == (wanted.tokens, wanted.truncated)
        self.check_raw(raw, budget)

    def check_raw(self, raw: bytes, budget: int) -> None:
        """What holds for every window, whatever the model says."""
        shown = json.loads(raw)
        asked = Asked(budget, self.model.last_seq, self.config["reserve_tokens"], self.model.overhead)
        check_window(shown, asked)
        before, messages = self.by_token.get(shown["prefix"]), messages_of(raw)
        if before is not None:
            shorter, messages = sorted((before, messages), key=len)
            assert is_prefix(shorter, messages)
        self.by_token[shown["prefix"]] = messages

    @rule(budget=st.sampled_from([ALL_TOKENS, 300]))
    def close_calls(self, budget: int) -> None:
        """`close` answers what waits, and counts it."""
        try:
            shown = json.loads(window(self.engine, "c", budget, close=True))
        except BudgetTooSmallError:
            return
        reserve = self.config["reserve_tokens"]
        check_window(shown, Asked(budget, self.model.last_seq, reserve, self.model.overhead, close=True))
        made = shown["messages"][len(shown["messages"]) - len(self.model.waiting) :]
        assert [told(item)[1:] for item in made] == [(name,) for name in self.model.waiting]


def told(item: dict[str, Any]) -> tuple[Any, ...]:
    """What a shown item is."""
    if item.get("repair"):
        return "repair", item["parts"][0]["call_id"]
    if "from_seq" in item:
        return "summary", item["from_seq"], item["to_seq"], item["role"]
    return ("edit" if item.get("edited") else "message"), item["seq"]


def expected(item: Item) -> tuple[Any, ...]:
    """What an item of the model is."""
    if item.kind == "repair":
        return "repair", item.call
    if item.kind == "summary":
        return "summary", item.seq, item.to, item.role
    return ("edit" if item.kind == "edit" or (item.kind == "late" and item.edited) else "message"), item.seq


class BesideLastN(Beside):
    """With a policy that drops: what it leaves is taken over where it keeps the rules."""

    strategy: ClassVar[str] = "last_n"

    def policy_config(self, data: st.DataObject) -> dict[str, Any]:
        self.limit = data.draw(st.integers(1, 9), label="limit")
        self.floor: int | None = None
        return {"limit": self.limit, "chunk": data.draw(st.integers(1, min(4, self.limit)), label="chunk")}

    def after_append(self, reply: dict[str, Any]) -> None:
        listing = self.model.list
        before = list(listing.items)
        ran = reply["version"] == self.model.version + 1
        assert ran or reply["version"] == self.model.version
        shown = json.loads(window(self.engine, "c"))["messages"]
        left = self.matched(before, shown)
        views = Views(left, self.model.overhead)
        if ran:
            self.model.dropped(lambda item: item in left)
            self.check_dropped([item for item in before if item not in left], Views(before))
            self.floor = self.model.kept_tokens
        inside, room = listing.last != listing.turn, self.config["token_budget"] - self.config["reserve_tokens"]
        waits = inside and max(0, sum(item.tokens or 0 for item in left) + self.model.overhead) <= room
        if not waits:
            self.check_limit(views, [before[p] for p in self.required(Views(before))])

    @staticmethod
    def matched(items: list[Item], shown: list[dict[str, Any]]) -> list[Item]:
        """The items that are shown, group by group from the end on, with their tokens."""
        left: list[Item] = []
        wanted = list(shown)
        groups = [list(group) for _, group in itertools.groupby(items, key=lambda item: id(item.group))]
        for group in reversed(groups):
            found = wanted[max(0, len(wanted) - len(group)) :]
            if [told(item) for item in found] == [expected(item) for item in group]:
                for item, message in zip(group, found, strict=True):
                    item.tokens = message["token_count"]
                del wanted[len(wanted) - len(group) :]
                left = group + left
        assert not wanted, wanted
        return left

    def required(self, views: Views) -> set[int]:
        """Head, the newest group, its turn's opener; pins with what they need."""
        last = len(views.items) - 1
        opener = views.opener(last)
        if opener is None:
            return set(range(len(views.items)))
        needed = set(range(views.head)) | set(views.unit(last)) | {opener}
        return needed.union(*views.pins())

    def check_dropped(self, gone: list[Item], views: Views) -> None:
        """A policy never drops what is required."""
        required = [views.items[p] for p in self.required(views)]
        lost = [expected(item) for item in gone if item in required]
        assert not lost, f"of {[expected(item) for item in views.items]} the policy dropped {lost}"

    def check_limit(self, views: Views, required: list[Item]) -> None:
        """At most `limit` messages beside head and pins (and what these need), or only what was, or is, required."""
        pins = set[int]().union(*views.pins())
        others = set(range(views.head, len(views.items))) - pins
        needed = self.required(views) | {p for p, item in enumerate(views.items) if item in required}
        assert len(others) <= self.limit or others <= needed, f"{len(others)} beside head and pins"


@cases.limit(120)
@pytest.mark.parametrize("machine", [Beside, BesideLastN])
def test_the_engine_is_the_model(machine: type[Beside]) -> None:
    run_state_machine_as_test(machine, settings=cases.machine(25, 25))


@pytest.mark.slow
@cases.limit(600)
@pytest.mark.parametrize("machine", [Beside, BesideLastN])
def test_the_engine_is_the_model_for_long(machine: type[Beside]) -> None:
    run_state_machine_as_test(machine, settings=cases.machine(400, 40))
