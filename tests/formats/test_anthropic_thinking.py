"""`anthropic`: thinking from before a rewrite, and what rewrites leave of a window."""

from __future__ import annotations

import contextlib
import json
import random
from typing import Any

import pytest

import fastpaca
from fastpaca import _core
from fastpaca.engine import Engine
from fastpaca.errors import BudgetTooSmallError, FastpacaError
from fastpaca.log import MemoryDisk
from tests.formats.blocks import USER, Json, converted, result, said, text, thinking, use
from tests.formats.shapes import grows
from tests.formats.valid import fetched, violations
from tests.support.cases import seeds
from tests.support.memory import append, memory_engine, write


def thoughts(chat: fastpaca.Context, model: str | None = None) -> list[str]:
    request = converted(chat, model)
    blocks = [block for message in request["messages"] for block in message["content"]]
    return [block["thinking"] for block in blocks if block["type"] == "thinking"]


def test_thinking_from_before_a_rewrite(chat: fastpaca.Context) -> None:
    for n in range(3):
        chat.append([USER, said("assistant", thinking(f"t{n}"), text("ok"))])
    assert thoughts(chat) == ["t0", "t1", "t2"]
    chat.compact({"role": "user", "content": "A summary."}, from_seq=1, to_seq=2)
    assert thoughts(chat) == ["t2"]
    assert chat.window().omitted_reasoning("anthropic") == [4]
    chat.append([USER, said("assistant", thinking("t3"), text("ok"))])
    # What a request showed stays in those that follow.
    assert thoughts(chat) == ["t2", "t3"]
    chat.rewind(to_seq=6)
    assert thoughts(chat) == ["t2"]


def test_thinking_of_a_tool_loop_that_was_open(chat: fastpaca.Context) -> None:
    chat.append([USER, said("assistant", thinking("old"), text("ok")), USER])
    for n in range(3):
        chat.append([said("assistant", thinking(f"t{n}"), use(f"a{n}")), said("user", result(f"a{n}", "1"))])
    chat.compact({"role": "user", "content": "A summary."}, from_seq=1, to_seq=1)
    assert thoughts(chat, "claude-sonnet-4-5") == ["t0", "t1", "t2"]
    assert thoughts(chat, "claude-opus-5") == ["t2"]
    chat.append([said("assistant", thinking("t3"), text("done")), USER])
    assert thoughts(chat, "claude-sonnet-4-5") == ["t0", "t1", "t2", "t3"]
    chat.compact({"role": "user", "content": "Another."}, from_seq=2, to_seq=2)
    assert thoughts(chat, "claude-sonnet-4-5") == ["t3"]


def test_thinking_of_a_pinned_message_far_before_a_cut(chat: fastpaca.Context) -> None:
    pinned = said("assistant", thinking("pinned"), text("Keep this.")) | {"metadata": {"pinned": True}}
    turns = [
        each | {"token_count": 100}
        for n in range(5)
        for each in (USER, said("assistant", thinking(f"t{n}"), text("ok")))
    ]
    chat.append([USER, USER, pinned, *turns])
    chat.compact({"role": "user", "content": "A summary."}, from_seq=1, to_seq=1)
    chat.append(turns)
    blocks = [block for message in chat.window(budget=700).to("anthropic")["messages"] for block in message["content"]]
    shown = [block["thinking"] for block in blocks if block["type"] == "thinking"]
    # The pinned message is shown before the cut, and it was not the newest.
    assert text("Keep this.") in blocks
    assert shown == ["t2", "t3", "t4"]


def turns(chat: fastpaca.Context, *names: str, model: str | None = None) -> list[str]:
    """Turns of 200 tokens, each with its thinking; gives what a window of 700 tokens shows of it behind the last."""
    for name in names:
        chat.append(USER | {"token_count": 100})
        chat.append(said("assistant", thinking(name), text("ok")) | {"token_count": 100})
    request = chat.window(budget=700, close=True).to("anthropic", model=model)
    blocks = [block for message in request["messages"] for block in message["content"]]
    return [block["thinking"] for block in blocks if block["type"] == "thinking"]


def test_thinking_from_before_the_cut_moved(chat: fastpaca.Context) -> None:
    assert turns(chat, "t0", "t1", "t2") == ["t0", "t1", "t2"]
    # The fourth question no longer fits beside all of it: windows begin at t3's since it has its answer.
    before = chat.window(budget=700)
    assert turns(chat, "t3") == ["t3"]
    window = chat.window(budget=700)
    assert window.truncated
    assert window.prefix != before.prefix
    assert turns(chat, "t4", "t5") == ["t3", "t4", "t5"]
    # A larger window shows all of it, as the windows of its size before did.
    assert chat.window(budget=5000).omitted_reasoning("anthropic") == []


def test_thinking_of_a_window_that_shows_more_than_the_newest(chat: fastpaca.Context) -> None:
    chat.configure(policy={"strategy": "budget", "config": {"trigger_ratio": 0.9, "target_ratio": 0.8}})
    assert turns(chat, "t0", "t1", "t2") == ["t0", "t1", "t2"]
    # Behind the cut t1 and t2 are shown still, but both answered windows that began before it.
    assert turns(chat, "t3") == ["t3"]
    assert chat.window(budget=700).omitted_reasoning("anthropic") == [4, 6]
    assert chat.window(budget=700).omitted_reasoning("ai-sdk") == [4, 6]


def test_thinking_of_a_tool_loop_in_which_the_cut_moved(chat: fastpaca.Context) -> None:
    chat.append(USER | {"token_count": 100})
    for n in range(6):
        chat.append(said("assistant", thinking(f"t{n}"), use(f"a{n}")) | {"token_count": 50})
        chat.append(said("user", result(f"a{n}", "1")) | {"token_count": 50})

    def shown(model: str) -> list[str]:
        request = chat.window(budget=560).to("anthropic", model=model)
        blocks = [block for message in request["messages"] for block in message["content"]]
        return [block["thinking"] for block in blocks if block["type"] == "thinking"]

    # The results behind t4 were the first for which there was no room beside all of it.
    assert shown("claude-sonnet-4-5") == ["t3", "t4", "t5"]
    assert shown("claude-opus-5") == ["t4", "t5"]


@pytest.mark.parametrize("name", ["parts", "openai", "anthropic", "ai-sdk"])
def test_budgets_whose_windows_differ_in_their_thinking_alone(name: str) -> None:
    engine = memory_engine()
    write(engine, "c", "configure")
    for n in range(5):
        append(engine, "c", [USER | {"token_count": 100}])
        append(engine, "c", [said("assistant", thinking(f"t{n}"), text("ok")) | {"token_count": 100}])

    def asked(budget: int) -> Json:
        reply: Json = json.loads(fetched(engine, budget_tokens=budget, fit="largest", format=name))
        return reply

    # Both begin with the third turn: the one since it got its last question, the other since that has its answer.
    small, large = asked(600), asked(700)
    leaves_out = name in {"anthropic", "ai-sdk"}
    assert [reply.get("omitted_reasoning") for reply in (small, large)] == {
        "parts": [None, None],
        "openai": [[6, 8, 10], [6, 8, 10]],
    }.get(name, [[6], [6, 8]])
    assert (small["prefix"] == large["prefix"]) is not leaves_out
    if name == "parts":
        assert small["messages"] == large["messages"]
        assert [reply["signed_thinking"]["from_seq"] for reply in (small, large)] == [8, 10]
    # Whichever was asked for last.
    assert (asked(600), asked(700)) == (small, large)
    engine.close()


def test_thinking_in_a_field_of_its_own_stands_first(chat: fastpaca.Context) -> None:
    def answer(words: str, **more: Any) -> Json:
        return {
            "role": "assistant",
            "content": words,
            "reasoning_content": "t",
            "thinking_blocks": [thinking("t")],
        } | more

    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    chat.append([USER, answer("I look.", tool_calls=[call]), {"role": "tool", "tool_call_id": "a", "content": "1"}])
    chat.append([answer("Done."), USER])
    found = converted(chat)["messages"]
    assert found[1] == said("assistant", thinking("t"), text("I look."), use("a"))
    assert found[3] == said("assistant", thinking("t"), text("Done."))
    assert chat.window().omitted_reasoning("anthropic") == []


def test_a_replay_keeps_all_signed_thinking(chat: fastpaca.Context) -> None:
    chat.append([USER, said("assistant", thinking("t0"), text("ok")), USER])
    chat.compact({"role": "user", "content": "A summary."}, from_seq=1, to_seq=1)
    assert chat.replay("anthropic")["messages"][1] == said("assistant", thinking("t0"), text("ok"))


MODELS = [None, "claude-sonnet-4-5", "claude-opus-4-8"]


def step(rng: random.Random, engine: Engine, n: int) -> None:
    """The next messages, or a change of those before."""
    last = json.loads(engine.read("c", lambda context, _: context.describe()))["last_seq"]
    chance = rng.random()
    if last and chance < 0.12:
        window = json.loads(fetched(engine))
        seqs = [message["seq"] for message in window["messages"] if "seq" in message]
        first = rng.choice(seqs or [1])
        summary = {"role": rng.choice(["user", "assistant", "system"]), "content": f"summary {n}"}
        with contextlib.suppress(FastpacaError):
            write(engine, "c", "compact", from_seq=first, to_seq=rng.randint(first, last), replacement=[summary])
    elif last and chance < 0.2:
        with contextlib.suppress(FastpacaError):
            write(engine, "c", "rewind", to_seq=rng.randint(1, last))
    elif chance < 0.35:
        append(
            engine,
            "c",
            [{"role": rng.choice(["user", "system", "developer"]), "content": rng.choice(["", f"say {n}"])}],
        )
    else:
        loop = []
        for k in range(rng.randint(1, 3)):
            ids = [f"c{n}_{k}_{j}" for j in range(rng.randint(1, 2))]
            blocks = [thinking(f"t{n}_{k}"), *[use(call_id) for call_id in ids]]
            loop.append(said("assistant", *blocks[rng.randint(0, 1) :]))
            loop += [said("user", result(call_id, "x")) for call_id in rng.sample(ids, rng.randint(0, len(ids)))]
        loop.append(said("assistant", thinking(f"t{n}"), *[text("done")][: rng.randint(0, 1)]))
        for message in loop[: rng.randint(1, len(loop))]:
            append(engine, "c", [message])


@pytest.mark.parametrize("seed", seeds(3, of=12))
def test_rewrites_keep_windows_valid_and_growing(seed: int) -> None:
    rng = random.Random(seed)
    disk = MemoryDisk()
    engine = memory_engine(disk)
    model = rng.choice(MODELS)
    policy = {"strategy": "last_n", "config": {"limit": 12}} if rng.random() < 0.5 else {"strategy": "budget"}
    write(engine, "c", "configure", token_budget=100_000, policy=policy, **({"model": model} if model else {}))
    before: dict[str, Json] = {}
    for n in range(60):
        step(rng, engine, n)
        for budget in (None, 300):
            asked: dict[str, Any] = {"format": "anthropic", "budget_tokens": budget}
            with contextlib.suppress(BudgetTooSmallError):
                reply = fetched(engine, **asked)
                parts = fetched(engine, budget_tokens=budget)
                assert reply.endswith(b"," + _core.convert([parts], "anthropic", model=model)[1:])
                now = json.loads(reply)
                if now["prefix"] in before:
                    assert grows(before[now["prefix"]], now["request"])
                before[now["prefix"]] = now["request"]
                closed = fetched(engine, close=True, **asked)
                assert violations("anthropic", json.loads(closed)["request"], model) == []
                if n % 10 == 9:
                    engine.close()
                    engine = memory_engine(disk)
                    assert fetched(engine, **asked) == reply
    engine.close()
