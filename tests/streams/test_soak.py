"""Subscribers with random disconnects while writers append and the server is killed: every sequence is complete.

    FASTPACA_SOAK_S=60 pytest tests/streams/test_soak.py -s

runs it for the minute that a release asks for.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections import Counter
from itertools import count
from pathlib import Path

import pytest

import fastpaca
from fastpaca.streams.frames import Cursor
from tests.support.follower import Follower, gathered
from tests.support.server import Server

SECONDS = float(os.environ.get("FASTPACA_SOAK_S", "6"))
CONTEXTS = [f"soak-{n}" for n in range(5)]
WRITERS = 20
SUBSCRIBERS = 50


def followers(url: str) -> list[Follower]:
    """A fifth of them follow all contexts, the others one each; every second by WebSocket."""
    found = []
    for n in range(SUBSCRIBERS):
        of_all = n % 5 == 0
        context_id = None if of_all else CONTEXTS[(n + n // 5) % len(CONTEXTS)]
        begin = str(Cursor(0, 0)) if of_all else "0"
        found.append(Follower(url, context_id, websocket=n % 2 == 0, begin=begin, chance=random.Random(n)))
    return found


@pytest.mark.slow
@pytest.mark.timeout(SECONDS * 4 + 120)
def test_soak(tmp_path: Path) -> None:
    server = Server(tmp_path / "data")

    async def write(store: fastpaca.AsyncStore, writer: int, acknowledged: Counter[str]) -> None:
        chance = random.Random(writer)
        ends = time.monotonic() + SECONDS
        for n in count():
            chat = await store.context(chance.choice(CONTEXTS))
            texts = [f"{writer}: {n} {m}" for m in range(chance.choice([1, 1, 1, 3]))]
            await chat.append([{"role": "user", "content": text} for text in texts])
            acknowledged[chat.id] += len(texts)
            if time.monotonic() > ends:
                return

    async def run() -> tuple[list[Follower], Counter[str], list[list[str]]]:
        nonlocal server
        async with fastpaca.connect_async(server.url, retries=10**6, deadline=120) as store:
            chats = [await store.context(name, budget=10**6) for name in CONTEXTS]
            subscribers = followers(server.url)
            following = asyncio.ensure_future(gathered(subscribers, set(CONTEXTS), SECONDS * 3 + 90))
            acknowledged: Counter[str] = Counter()
            writing = asyncio.gather(*(write(store, n, acknowledged) for n in range(WRITERS)))
            await asyncio.sleep(SECONDS / 2)
            await asyncio.to_thread(server.kill)
            server = await asyncio.to_thread(Server, tmp_path / "data", port=server.port)
            await writing
            for chat in chats:
                await chat.delete()
            await following
            texts = [[m["parts"][0]["text"] async for m in chat.messages()] for chat in chats]
        return subscribers, acknowledged, texts

    try:
        subscribers, acknowledged, texts = asyncio.run(run())
    finally:
        server.stop()
    for name, said in zip(CONTEXTS, texts, strict=True):
        assert len(said) == len(set(said)) == acknowledged[name] > 0
    for each in subscribers:
        names = CONTEXTS if each.context_id is None else [each.context_id]
        first = 0 if each.context_id is None else 1
        assert {name: each.versions[name] for name in names} == {
            name: list(range(first, acknowledged[name] + 2)) for name in names
        }
    assert sum(each.broken for each in subscribers) >= SUBSCRIBERS / 2
    frames = sum(len(versions) for each in subscribers for versions in each.versions.values())
    connections = sum(each.connections for each in subscribers)
    print(f"{acknowledged.total()} messages, {frames} frames seen over {connections} connections")
