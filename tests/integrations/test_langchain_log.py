"""The log follows the state: whatever becomes of the state's messages, the log shows them, and keeps all there were."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

import fastpaca
from fastpaca.integrations._awaited import Awaited, finished
from fastpaca.integrations._langchain_log import Synced, sync
from fastpaca.integrations._langchain_messages import window_messages

Saved = tuple[list[BaseMessage], Synced | None]


def ids(chat: Any, **which: Any) -> list[str]:
    return [message["id"] for message in chat.messages(**which)]


def say(*names: str) -> list[BaseMessage]:
    return [HumanMessage(name, id=name) if name[0] == "h" else AIMessage(name, id=name) for name in names]


@pytest.fixture
def chat(tmp_path: Path) -> Any:
    with fastpaca.open(tmp_path / "data") as store:
        yield store.context("c", budget=1_000_000)


def follow(chat: Any, messages: list[BaseMessage], synced: Synced | None = None) -> Synced | None:
    return finished(sync(Awaited(chat, inline=True), messages, synced))


def test_again_changes_nothing(chat: Any) -> None:
    first = follow(chat, say("h1", "a1"))
    version = chat.info().version
    assert follow(chat, say("h1", "a1"), first) == first
    assert follow(chat, say("h1", "a1")) == first  # a node that died before its state was saved
    assert chat.info().version == version
    second = follow(chat, say("h1", "a1", "h2"), first)
    assert follow(chat, say("h1", "a1", "h2"), first) == second
    assert ids(chat, all=True) == ["h1", "a1", "h2"]


def test_what_never_came_into_the_state_leaves(chat: Any) -> None:
    first = follow(chat, say("h1"))
    follow(chat, say("h1", "a1"), first)
    follow(chat, say("h1", "a2"), first)
    assert ids(chat) == ["h1", "a2"]
    follow(chat, say("h1"))
    assert ids(chat) == ["h1"]
    assert ids(chat, all=True) == ["h1", "a1", "a2"]


def test_back_and_forth_between_checkpoints(chat: Any) -> None:
    first = follow(chat, say("h1", "a1"))
    second = follow(chat, say("h1", "a1", "h2", "a2"), first)
    for _ in range(3):
        third = follow(chat, say("h1", "a1", "h3"), first)
        assert ids(chat) == ["h1", "a1", "h3"]
        assert follow(chat, say("h1", "a1", "h2", "a2"), second) is not None
        assert ids(chat) == ["h1", "a1", "h2", "a2"]
    follow(chat, say("h1", "a1", "h3", "a3"), third)
    assert ids(chat) == ["h1", "a1", "h3", "a3"]


def test_removed_and_changed_messages(chat: Any) -> None:
    synced = follow(chat, say("h1", "a1", "h2", "a2"))
    synced = follow(chat, say("h2", "a2"), synced)
    assert ids(chat) == ["h2", "a2"]
    changed = [*say("h2"), AIMessage("changed", id="a2")]
    synced = follow(chat, changed, synced)
    assert window_messages(chat.window()) == changed
    synced = follow(chat, [], synced)
    assert ids(chat) == []
    follow(chat, say("h3"), synced)
    assert ids(chat) == ["h3"]
    assert ids(chat, all=True) == ["h1", "a1", "h2", "a2", "h2", "a2", "a2", "h3"]


def test_messages_of_others_stay(chat: Any) -> None:
    synced = follow(chat, say("h1"))
    chat.append({"role": "user", "content": "a note", "id": "note"})
    follow(chat, say("g1", "b1"), None)
    synced = follow(chat, say("h1", "a1"), synced)
    assert ids(chat) == ["h1", "note", "g1", "b1", "a1"]
    assert follow(chat, say("h1", "a1"), synced) == synced


def test_a_history_that_the_client_holds(chat: Any) -> None:
    """Without a checkpointer, each run may bring all messages, known by their ids."""
    for count in range(1, 6):
        follow(chat, say(*[f"{'ha'[n % 2]}{n}" for n in range(count)]))
        assert len(ids(chat, all=True)) == count


def test_many_messages_at_once(chat: Any) -> None:
    names = [f"{'ha'[n % 2]}{n}" for n in range(250)]
    synced = follow(chat, say(*names))
    assert ids(chat) == names
    assert follow(chat, say(*names)) == synced


@pytest.mark.parametrize("seed", range(4))
def test_random_histories(chat: Any, seed: int) -> None:
    """A state that grows, loses, changes and goes back; a node that dies before or behind any of it."""
    rng = random.Random(seed)
    state: list[BaseMessage] = say("h0")
    synced: Synced | None = None
    saved: list[Saved] = []
    ever = set()
    for step in range(60):
        deed = rng.choice(["say", "say", "say", "again", "remove", "change", "back", "note"])
        if deed == "say":
            state = [*state, *say(*[f"h{step}.{n}" for n in range(rng.randint(1, 3))])]
        elif deed == "remove":
            state = [message for message in state if rng.random() < 0.8] or say(f"h{step}")
        elif deed == "change":
            at = rng.randrange(len(state))
            state = [*state[:at], HumanMessage(f"changed in {step}", id=state[at].id), *state[at + 1 :]]
        elif deed == "back" and saved:
            state, synced = rng.choice(saved)
        elif deed == "note":
            chat.append({"role": "user", "content": "note", "id": "note"})
        done = follow(chat, state, synced)
        ever |= {(message.id, message.text) for message in state}
        assert [message for message in window_messages(chat.window()) if message.text != "note"] == state, (step, deed)
        if rng.random() < 0.8:  # else it died before this was saved
            synced = done
            saved.append((state, synced))
    assert {(m["id"], m["parts"][0]["text"]) for m in chat.messages(all=True) if m["id"] != "note"} == ever
