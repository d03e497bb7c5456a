"""Policies of the caller: what they see, what becomes of what they decide, and who waits for them."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import fastpaca
from fastpaca import consult, policies
from fastpaca.errors import ClosedError, InvalidError
from fastpaca.log import MemoryDisk
from fastpaca.policies import ConfigError, Decision, KeptList
from tests.support.chat import Chat, at, call, result, says, user
from tests.support.memory import append, describe, memory_engine, write
from tests.support.patience import PATIENCE_S, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


@pytest.fixture
def register() -> Iterator[Callable[[Any], None]]:
    """Registers a policy as `mine` for one test."""
    yield lambda policy: policies.register("mine", policy)
    policies.unregister("mine")


class Slow:
    """Waits until it is let go; drops all but the newest."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.go = threading.Event()
        self.threads: list[str] = []

    def decide(self, kept: KeptList) -> Decision:
        self.threads.append(threading.current_thread().name)
        self.asked.set()
        assert self.go.wait(PATIENCE_S)
        return Decision(drop=[item.seq for item in kept if not item.protected])


def test_it_sees_columns(register: Callable[[Any], None]) -> None:
    seen: list[KeptList] = []
    register(lambda kept: Decision(drop=seen.append(kept) or ()))  # type: ignore[func-returns-value]
    chat = Chat().configure("mine", target_ratio=0.25, color="red")
    chat.add(at({"role": "system", "content": "Be brief.", "token_count": 5}, 0))
    chat.add(user(tokens=300, metadata={"pinned": True}), call("a", tokens=20), user(tokens=400))
    (kept,) = seen
    assert (kept.budget, kept.trigger, kept.target, kept.used_tokens) == (1000, 700, 250, sum(kept.tokens))
    assert kept.config == {"target_ratio": 0.25, "color": "red"}
    assert list(kept.seq) == [1, 2, 3, 3, 4]
    assert kept.type == ["message", "message", "message", "repair", "message"]
    assert kept.role == ["system", "user", "assistant", "tool", "user"]
    assert kept.kinds[2] >= {"tool_call"}
    assert list(kept.tokens)[:3] == [5, 300, 20]
    assert list(kept.turn) == [0, 2, 2, 2, 4]
    assert list(kept.group) == [1, 2, 3, 3, 4]
    assert list(kept.pinned) == [False, True, False, False, False]
    assert list(kept.protected) == [True, True, False, False, True]
    assert list(kept.time_ms) == sorted(kept.time_ms)
    assert kept[1].tokens == 300
    assert [item.seq for item in kept[1:3]] == [2, 3]
    with pytest.raises(TypeError):
        kept.tokens[0] = 1  # type: ignore[index]


def decided(register: Callable[[Any], None], drop: set[int], strip: set[int] = frozenset()) -> Chat:  # type: ignore[assignment]
    """Head, a turn with a group of two calls, a pinned message, a turn with two groups; then the decision."""
    register(lambda _: Decision(drop=drop, strip=strip))
    chat = Chat().configure("mine")
    chat.add({"role": "system", "content": "Be brief.", "token_count": 5})
    chat.add(user(), call("a", "b"), result("a"), result("b"), says())
    chat.add(user(), says(metadata={"pinned": True}), call("c"), result("c"), call("d"), result("d"), says())
    chat.add(user(tokens=400))
    return chat


def test_groups_leave_whole(register: Callable[[Any], None]) -> None:
    assert decided(register, {3, 4, 5}).kept() == [1, 2, 6, 7, 8, 9, 10, 11, 12, 13, 14]


def test_half_a_group_stays_whole(register: Callable[[Any], None]) -> None:
    assert decided(register, {4, 9, 10}).kept() == [1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 14]


def test_a_turn_keeps_its_opening_message_while_anything_of_it_stays(register: Callable[[Any], None]) -> None:
    assert decided(register, {2, 3, 4, 5}).kept() == [1, 2, 6, 7, 8, 9, 10, 11, 12, 13, 14]


def test_a_whole_turn_leaves(register: Callable[[Any], None]) -> None:
    assert decided(register, {2, 3, 4, 5, 6}).kept() == [1, 7, 8, 9, 10, 11, 12, 13, 14]


def test_head_pins_and_the_newest_group_are_refused(register: Callable[[Any], None]) -> None:
    assert decided(register, set(range(99))).kept() == [1, 7, 8, 14]


def test_results_are_stripped(register: Callable[[Any], None]) -> None:
    assert decided(register, {12, 3}, {4, 10, 12, 13, 77}).kept() == [1, 2, 3, -4, 5, 6, 7, 8, 9, -10, 11, -12, 13, 14]


def test_results_that_are_pinned_or_newest_are_not_stripped(register: Callable[[Any], None]) -> None:
    register(lambda kept: Decision(strip=kept.seq))
    chat = Chat().configure("mine")
    chat.add(user(), call("a"), result("a", metadata={"pinned": True}), says(), user(), call("b"), result("b"), says())
    chat.add(user(), call("c", "d"), result("c", tokens=400), result("d", tokens=400))
    assert chat.kept() == [1, 2, 3, 4, 5, 6, -7, 8, 9, 10, 11, 12]


def test_a_decision_lands_in_the_record_of_its_append(register: Callable[[Any], None]) -> None:
    register(lambda kept: Decision(drop=kept.seq))
    disk = MemoryDisk()
    chat = Chat(memory_engine(disk)).configure("mine")
    first = chat.add(user(tokens=600), says(tokens=50))
    reply = chat.add(user(tokens=60))
    assert reply["version"] == first["version"] + 2
    assert reply["used_tokens"] == 60
    before = chat.window()
    chat.engine.close()
    policies.unregister("mine")
    again = Chat(memory_engine(disk), count=chat.count)
    assert again.window() == before
    assert again.kept() == [3]


def test_a_batch_is_one_record_and_keys_hold(register: Callable[[Any], None]) -> None:
    asked: list[int] = []
    register(lambda kept: Decision(drop=asked.append(len(kept)) or kept.seq))  # type: ignore[func-returns-value]
    engine = memory_engine()
    write(engine, "c", "configure", token_budget=1000, policy={"strategy": "mine"})
    batch = [user(tokens=600), says(tokens=100), user(tokens=100)]
    first = append(engine, "c", batch, idempotency_key="k")
    assert append(engine, "c", batch, idempotency_key="k") == first
    assert asked == [3]


@pytest.mark.parametrize(
    ("policy", "what"),
    [
        (lambda _: 1 / 0, "ZeroDivisionError"),
        (lambda _: None, "not NoneType"),
        (lambda _: [1], "not list"),
        (lambda _: Decision(drop=["1"]), "numbers of messages"),  # type: ignore[list-item]
        (lambda _: Decision(drop=[-1]), "numbers of messages"),
        (lambda _: Decision(drop=[1 << 64]), "numbers of messages"),
        (lambda _: Decision(drop=None), "not iterable"),  # type: ignore[arg-type]
        (lambda _: (_ for _ in ()).throw(SystemExit), "SystemExit"),
    ],
)
def test_one_that_fails_changes_nothing(
    register: Callable[[Any], None], caplog: pytest.LogCaptureFixture, policy: Any, what: str
) -> None:
    register(policy)
    chat = Chat().configure("mine")
    with caplog.at_level(logging.ERROR, logger="fastpaca.policies"):
        chat.add(user(tokens=800), says(), user())
    assert chat.kept() == [1, 2, 3]
    assert chat.engine.policy_errors == {"mine": 1}
    assert what in caplog.text
    chat.add(says(), user())
    assert chat.count == 5


def test_one_that_never_answers_changes_nothing(
    register: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The append succeeds, those behind it as well, and the store closes."""
    monkeypatch.setattr(consult, "SECONDS_MAX", 0.1)
    slow = Slow()
    register(slow)
    chat = Chat().configure("mine")
    chat.add(user(tokens=600), says())
    with ThreadPoolExecutor() as pool:
        replies = list(pool.map(lambda n: append(chat.engine, "c", [user(str(n), tokens=150)]), range(3)))
    assert sorted(reply["seq"] for reply in replies) == [3, 4, 5]
    chat.count = 5
    assert chat.kept() == [1, 2, 3, 4, 5]
    assert chat.engine.policy_errors["mine"] >= 1
    assert "no decision within" in caplog.text
    chat.engine.close()
    slow.go.set()


def test_a_context_outlives_its_policy(register: Callable[[Any], None], caplog: pytest.LogCaptureFixture) -> None:
    register(lambda kept: Decision(drop=kept.seq))
    disk = MemoryDisk()
    chat = Chat(memory_engine(disk)).configure("mine")
    chat.engine.close()
    policies.unregister("mine")
    again = Chat(memory_engine(disk))
    again.add(user(tokens=800), says(), user())
    assert again.kept() == [1, 2, 3]
    assert again.engine.policy_errors == {"mine": 1}
    assert "not registered" in caplog.text
    write(again.engine, "c", "configure", token_budget=2000)
    assert describe(again.engine, "c")["policy"] == {"strategy": "mine", "config": {}}
    with pytest.raises(InvalidError, match="time_aware") as caught:
        again.configure("mine")
    assert (caught.value.code, caught.value.details["field"]) == ("unknown_strategy", "policy.strategy")


class Strict:
    """Takes two keys."""

    keys = ("color", "size")

    def decide(self, kept: KeptList) -> Decision:
        return Decision()

    def validate(self, config: Mapping[str, Any]) -> None:
        assert "trigger_ratio" not in config
        if config.get("color") not in {None, "red"}:
            raise ConfigError("color", "must be red")
        if config.get("size") == 0:
            raise RuntimeError("too small")


def test_its_configuration_is_checked(register: Callable[[Any], None]) -> None:
    register(Strict)
    Chat().configure("mine", color="red", trigger_ratio=0.5)
    for config, field, code in [
        ({"color": "blue"}, "policy.config.color", "invalid_field"),
        ({"colour": "red"}, "policy.config.colour", "unknown_policy_key"),
        ({"size": 0}, "policy.config", "invalid_field"),
        ({"overflow": "x"}, "policy.config.overflow", "invalid_field"),
    ]:
        with pytest.raises(InvalidError) as caught:
            Chat().configure("mine", **config)  # type: ignore[arg-type]
        assert (caught.value.details["field"], caught.value.code) == (field, code)


def test_names() -> None:
    for name in ("last_n", "", "x" * 101, "a\nb"):
        with pytest.raises(ValueError, match="policy"):
            policies.register(name, lambda _: Decision())
    with pytest.raises(TypeError):
        policies.register("thing", object())

    @policies.register("decorated")
    def decorated(kept: KeptList) -> Decision:
        """What it does.

        And more.
        """
        return Decision()

    try:
        assert decorated.__name__ == "decorated"
        assert policies.Listed("decorated", "registered", (), "What it does.") in policies.listed()
        with pytest.raises(InvalidError, match="decorated"):
            Chat().configure("no_such")
    finally:
        policies.unregister("decorated")


def test_only_its_context_waits(register: Callable[[Any], None]) -> None:
    slow = Slow()
    register(slow)
    engine = memory_engine()
    chat, other = Chat(engine, "slow").configure("mine"), Chat(engine, "other").configure("mine")
    chat.add(user(tokens=600), says())
    done: list[str] = []

    def run(name: str, operation: Callable[[], Any]) -> threading.Thread:
        def target() -> None:
            operation()
            done.append(name)

        thread = threading.Thread(target=target)
        thread.start()
        return thread

    def queued(name: str, operation: Callable[[], Any]) -> threading.Thread:
        before = len(engine.loaded("slow").turn or ())
        thread = run(name, operation)
        until(lambda: len(engine.loaded("slow").turn or ()) > before)
        return thread

    first = run("first", lambda: append(engine, "slow", [user(tokens=200)]))
    assert slow.asked.wait(PATIENCE_S)
    waiting = [
        queued("second", lambda: append(engine, "slow", [says("two")])),
        queued("metadata", lambda: write(engine, "slow", "metadata", a=1)),
        queued("third", lambda: append(engine, "slow", [user("three")])),
    ]
    for n in range(20):
        other.add(user(str(n)), says())
    assert other.count == 40
    assert done == []
    assert chat.kept() == [1, 2]
    slow.go.set()
    for thread in [first, *waiting]:
        thread.join(PATIENCE_S)
    assert sorted(done) == ["first", "metadata", "second", "third"]
    chat.count = 5
    assert chat.kept() == [3, 4, 5]
    assert [chat.texts()[seq] for seq in (4, 5)] == [
        json.dumps([{"type": "text", "text": t}]) for t in ("two", "three")
    ]
    # Two messages, the decision, two messages and metadata between them.
    assert describe(engine, "slow")["version"] == 2 + 2 + 3
    assert all(name.startswith("fastpaca-policy") for name in slow.threads)


def test_the_event_loop_goes_on(register: Callable[[Any], None], tmp_path: Path) -> None:
    slow = Slow()
    register(slow)

    async def main() -> None:
        async with fastpaca.open_async(tmp_path) as store:
            chat = await store.context("slow", budget=1000, policy={"strategy": "mine"})
            other = await store.context("other", budget=1000)
            await chat.append(user(tokens=600))
            await chat.append(says())
            tasks = [asyncio.create_task(chat.append(user(str(n), tokens=200 if n == 0 else 1))) for n in range(30)]
            assert await asyncio.to_thread(slow.asked.wait, PATIENCE_S)
            for n in range(10):
                await other.append(user(str(n)))
            assert not any(task.done() for task in tasks)
            # Cancelling doesn't take the write back.
            tasks[7].cancel()
            await asyncio.sleep(0.01)
            slow.go.set()
            replies = await asyncio.gather(*tasks, return_exceptions=True)
            assert isinstance(replies.pop(7), asyncio.CancelledError)
            assert [reply.seq for reply in replies] == [3, 4, 5, 6, 7, 8, 9, *range(11, 33)]  # type: ignore[union-attr]
            shown = (await chat.window()).messages
            assert [m["parts"][0]["text"] for m in shown] == [str(n) for n in range(30)]

    asyncio.run(main())


def test_closing_waits_for_it(register: Callable[[Any], None]) -> None:
    slow = Slow()
    register(slow)
    disk = MemoryDisk()
    chat = Chat(memory_engine(disk)).configure("mine")
    chat.add(user(tokens=600), says())
    first = threading.Thread(target=lambda: append(chat.engine, "c", [user(tokens=200)]))
    first.start()
    assert slow.asked.wait(PATIENCE_S)
    closing = threading.Thread(target=chat.engine.close)
    closing.start()
    until(lambda: chat.engine._handles._closed)
    with pytest.raises(ClosedError):
        chat.add(user())
    assert closing.is_alive()
    slow.go.set()
    closing.join(PATIENCE_S)
    first.join(PATIENCE_S)
    assert Chat(memory_engine(disk), count=3).kept() == [3]


def test_a_context_is_not_dropped_from_memory_in_its_turn(register: Callable[[Any], None]) -> None:
    slow = Slow()
    register(slow)
    engine = memory_engine()
    engine._handles._cache_bytes = 1
    chat = Chat(engine).configure("mine")
    chat.add(user(tokens=600), says())
    first = threading.Thread(target=lambda: append(engine, "c", [user(tokens=200)]))
    first.start()
    assert slow.asked.wait(PATIENCE_S)
    handle = engine.loaded("c")
    for n in range(20):
        Chat(engine, f"other-{n}").configure("budget")
    assert engine.loaded("c") is handle
    slow.go.set()
    first.join(PATIENCE_S)
    chat.count = 3
    assert chat.kept() == [3]
