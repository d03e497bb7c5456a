"""Subscribers that lose their connection again and again, by either protocol, and resume behind what they saw."""

from __future__ import annotations

import asyncio
import json
import random
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Any, Final

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

Said = tuple[str | None, dict[str, Any]]
"""The cursor of a frame, and the frame."""

BROKEN: Final = (OSError, httpx.HTTPError, WebSocketException, EOFError)


class Follower:
    """Follows some contexts to their end, by the stream of one or by that of all."""

    def __init__(self, url: str, context_id: str | None, *, websocket: bool, begin: str, chance: random.Random) -> None:
        path = "/v1/stream" if context_id is None else f"/v1/contexts/{context_id}/stream"
        self.url = (url.replace("http", "ws", 1) if websocket else url) + path
        self.context_id = context_id
        self.cursor = begin
        self.versions: dict[str, list[int]] = defaultdict(list)
        self.ended: set[str] = set()
        self.connections = 0
        self.broken = 0
        self._websocket = websocket
        self._chance = chance

    async def follow(self, contexts: set[str]) -> None:
        """Until all of them are deleted."""
        while not contexts <= self.ended:
            lasts = int(self._chance.expovariate(1 / 80))
            try:
                async with aclosing(self._frames()) as frames:
                    self.connections += 1
                    async for cursor, frame in frames:
                        self._see(cursor, frame)
                        lasts -= 1
                        if lasts < 0 or contexts <= self.ended:
                            break
            except BROKEN:
                self.broken += 1
                await asyncio.sleep(0.05)

    def _see(self, cursor: str | None, frame: dict[str, Any]) -> None:
        if cursor is None:
            return
        self.cursor = cursor
        context_id = str(frame.get("context_id", self.context_id))
        if frame["type"] != "window":
            self.versions[context_id].append(frame["version"])
        if frame["type"] == "tombstoned":
            self.ended.add(context_id)

    def _frames(self) -> AsyncGenerator[Said, None]:
        return self._by_websocket() if self._websocket else self._by_events()

    async def _by_websocket(self) -> AsyncGenerator[Said, None]:
        # With a bounded queue the client stops reading while frames wait in it, and then sees neither the server's
        # answer to its close nor the end of the connection: each parting would take its ten seconds of patience.
        async with connect(f"{self.url}?cursor={self.cursor}", max_queue=None) as socket:
            async for text in socket:
                frame = json.loads(text)
                version = frame.get("version")
                yield frame.get("cursor") or (None if version is None else str(version)), frame
                if self._chance.random() < 0.005:
                    socket.transport.abort()

    async def _by_events(self) -> AsyncGenerator[Said, None]:
        # Either way to say where to go on.
        by_header = self._chance.random() < 0.5
        headers = {"accept": "text/event-stream"} | ({"last-event-id": self.cursor} if by_header else {})
        query = {} if by_header else {"cursor": self.cursor}
        async with (
            httpx.AsyncClient(timeout=60) as client,
            client.stream("GET", self.url, params=query, headers=headers) as response,
        ):
            response.raise_for_status()
            cursor: str | None = None
            async for line in response.aiter_lines():
                name, _, value = line.partition(": ")
                if name == "id":
                    cursor = value
                elif name == "data":
                    yield cursor, json.loads(value)
                elif not line:
                    cursor = None


async def gathered(followers: list[Follower], contexts: set[str], seconds: float) -> None:
    """All of them to their ends. Raises `TimeoutError`."""
    tasks = [
        asyncio.ensure_future(each.follow(contexts if each.context_id is None else {each.context_id}))
        for each in followers
    ]
    try:
        async with asyncio.timeout(seconds):
            await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks, return_exceptions=True)
