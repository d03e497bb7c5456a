"""`anthropic`: windows go to a provider that signs what it thinks, and takes nothing back whose past has changed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import random
from collections import Counter
from collections.abc import Iterator

import pytest

from fastpaca import _core
from fastpaca.engine import Engine
from fastpaca.errors import BudgetTooSmallError, FastpacaError
from fastpaca.log import MemoryDisk
from tests.formats.blocks import Json, said, text, use
from tests.formats.blocks import result as answer_to
from tests.formats.shapes import grows
from tests.formats.valid import fetched, violations
from tests.support.memory import append, describe, memory_engine, write


class Provider:
    """Signs each block with all that stood before it: the very request that it answered, and its own answer so far.

    What it wants back unchanged it takes whatever stands before it now, and from then on behind that: the thinking of
    the newest assistant message, and, of a model that demands it, that of the tool loop that is open. Of any other
    block it has to know the past.
    """

    def __init__(self, *, demands_loop: bool) -> None:
        self.demands_loop = demands_loop
        self.signed: dict[str, set[str]] = {}
        self.seen: Counter[str] = Counter()

    def sign(self, request: Json, blocks: list[Json]) -> list[Json]:
        """The answer to a request, its thinking signed."""
        for block in blocks:
            if block["type"] == "thinking":
                block["signature"] = f"s{len(self.signed)}"
                self.signed[block["signature"]] = set()
        answered = {**request, "messages": [*request["messages"], said("assistant", *blocks)]}
        for place, block, now in thoughts(answered):
            if place == len(request["messages"]):
                self.signed[block["signature"]].add(now)
        return blocks

    def refused(self, request: Json) -> list[str]:
        """What it refuses of a request."""
        first, found = self.unchecked(request["messages"]), []
        for place, block, now in thoughts(request):
            if place >= first:
                self.signed[block["signature"]].add(now)
            elif now in self.signed[block["signature"]]:
                self.seen["known"] += 1
            else:
                found.append(f"messages.{place}: {block['thinking']} has another past")
        return found

    def unchecked(self, messages: list[Json]) -> int:
        """The first message whose thinking it wants back as it was."""
        spoken = [place for place, message in enumerate(messages) if message["role"] == "assistant"]
        first = spoken[-1] if spoken else len(messages)
        while self.demands_loop and first >= 2 and is_results(messages[first - 1]):
            first -= 2
        return first


def is_results(message: Json) -> bool:
    return all(block["type"] == "tool_result" for block in message["content"])


def thoughts(request: Json) -> Iterator[tuple[int, Json, str]]:
    """Each thinking block with the place of its message, and a digest of all that stands before it."""
    before = hashlib.sha256(json.dumps(request.get("system")).encode())
    for place, message in enumerate(request["messages"]):
        before.update(message["role"].encode())
        for block in message["content"]:
            if block["type"] == "thinking":
                yield place, block, before.hexdigest()
            before.update(json.dumps(block).encode())


POLICIES: list[Json] = [
    {"strategy": "budget", "config": {}},
    {"strategy": "budget", "config": {"target_ratio": 0.1}},
    {"strategy": "last_n", "config": {"limit": 20}},
    {"strategy": "strip_tool_results", "config": {"keep_last": 1, "keep_tokens": 20}},
]
MODELS = [None, "claude-sonnet-4-5", "claude-opus-4-8"]


class Conversation:
    """A user, a model with tools, and an application that keeps to one budget."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.disk = MemoryDisk()
        self.engine: Engine = memory_engine(self.disk)
        self.model = self.rng.choice(MODELS)
        self.provider = Provider(demands_loop=self.model == "claude-sonnet-4-5")
        self.asked: Json = {
            "budget_tokens": self.rng.choice([None, 250, 600]),
            "fit": self.rng.choice(["steps"] * 3 + ["largest"]),
        }
        self.by_token: dict[str, Json] = {}
        self.calls = 0
        named = {"model": self.model} if self.model else {}
        write(self.engine, "c", "configure", token_budget=900, policy=self.rng.choice(POLICIES), **named)
        if self.rng.random() < 0.5:
            self.say({"role": "system", "content": "Be brief."})

    def say(self, *messages: Json) -> None:
        counted = [{"token_count": self.rng.choice([3, 10, 30, 60]), **message} for message in messages]
        for message in counted:
            if self.rng.random() < 0.03:
                message["metadata"] = {"pinned": True}
        together = self.rng.random() < 0.5
        for batch in [counted] if together and counted else [[message] for message in counted]:
            append(self.engine, "c", batch)

    def request(self, *, close: bool) -> Json | None:
        """The window as a request, which the provider takes; None where none fits."""
        try:
            reply = fetched(self.engine, format="anthropic", close=close, **self.asked)
        except BudgetTooSmallError:
            return None
        parts = fetched(self.engine, close=close, **self.asked)
        assert reply.endswith(b"," + _core.convert([parts], "anthropic", model=self.model)[1:])
        now = json.loads(reply)
        if now["prefix"] in self.by_token:
            assert grows(self.by_token[now["prefix"]], now["request"])
        self.by_token[now["prefix"]] = now["request"]
        request: Json = now["request"]
        assert violations("anthropic", request, self.model, parsed=False) == []
        assert self.provider.refused(request) == []
        self.provider.seen["omitted"] += len(now.get("omitted_reasoning", []))
        return request

    def turn(self) -> None:
        """A question, and what the model does until it has an answer."""
        self.say(*[{"role": "user", "content": f"say {n}"} for n in range(self.rng.choice([1, 1, 1, 2]))])
        closes = False
        for _ in range(self.rng.choice([1, 2, 4, 12])):
            request = self.request(close=closes)
            if request is None:
                return
            # What calls tools behind calls that wait would be one more parallel call.
            ids = [f"c{self.calls + n}" for n in range(0 if closes else self.rng.choice([0, 1, 1, 2]))]
            self.calls += len(ids)
            self.answer(request, ids, split=not closes and self.rng.random() < 0.2)
            # Somebody may not wait for all results.
            came = ids if self.rng.random() < 0.9 else ids[:-1]
            results = [answer_to(call_id, "x") for call_id in came]
            together = self.rng.random() < 0.5
            self.say(*([said("user", *results)] if together and results else [said("user", each) for each in results]))
            closes = len(came) < len(ids)
            if not ids:
                return

    def answer(self, request: Json, ids: list[str], *, split: bool) -> None:
        thoughts = [
            {"type": "thinking", "thinking": f"t{self.calls}.{n}"} for n in range(self.rng.choice([0, 1, 1, 2]))
        ]
        blocks: list[Json] = [*thoughts[:1], text("I look." if ids else "So."), *thoughts[1:], *map(use, ids)]
        if not ids and len(thoughts) > 1:
            # No message ends in thinking.
            blocks.append(text("Done."))
        signed = self.provider.sign(request, blocks)
        if split:
            # A message for each block, as coding agents log them.
            self.say(*[said("assistant", block) for block in signed])
        else:
            self.say(said("assistant", *signed))

    def change(self) -> None:
        """Something that rewrites the list, or a restart."""
        last = describe(self.engine, "c")["last_seq"]
        chance = self.rng.random()
        with contextlib.suppress(FastpacaError):
            if chance < 0.4:
                first = self.rng.randint(1, last)
                summary = {"role": "user", "content": "They spoke.", "token_count": 5}
                write(
                    self.engine,
                    "c",
                    "compact",
                    from_seq=first,
                    to_seq=self.rng.randint(first, last),
                    replacement=[summary],
                )
            elif chance < 0.6:
                write(self.engine, "c", "rewind", to_seq=self.rng.randint(max(1, last - 10), last))
            elif chance < 0.7 and self.calls:
                self.say(said("user", answer_to(f"c{self.rng.randrange(self.calls)}", "late")))
            else:
                self.engine.close()
                self.engine = memory_engine(self.disk)


def converse(seed: int, turns: int) -> Counter[str]:
    """A conversation without a refusal; gives what the provider saw."""
    conversation = Conversation(seed)
    for _ in range(turns):
        conversation.turn()
        if conversation.rng.random() < 0.15:
            conversation.change()
    conversation.engine.close()
    return conversation.provider.seen


@pytest.mark.slow
def test_no_thinking_comes_back_with_another_past() -> None:
    seen: Counter[str] = Counter()
    for seed in range(12):
        seen += converse(seed, 40)
    # It was asked for what it can check, and something had to be left out.
    assert seen["known"] > 500
    assert seen["omitted"] > 500


@pytest.mark.slow
def test_many_conversations() -> None:
    seen: Counter[str] = Counter()
    for seed in range(100, 400):
        seen += converse(seed, 60)
    print(dict(seen))
    assert seen["known"] > 10_000
