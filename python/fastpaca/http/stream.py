"""`/v1/contexts/{context_id}/stream` and `/v1/stream`: frames by WebSocket or server-sent events.

Without `cursor` a stream begins with what comes from now on; with it, behind that place, from disk.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Final

import falcon

from fastpaca.errors import FastpacaError
from fastpaca.http import query
from fastpaca.http.errors import RequestError, body_of
from fastpaca.streams.aio import AsyncFrames
from fastpaca.streams.frames import made

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from falcon.asgi import Response, WebSocket

    from fastpaca.http.request import Request
    from fastpaca.http.service import Service
    from fastpaca.streams.frames import Frame
    from fastpaca.streams.hub import Hub

STREAM_ENDS: Final = "fastpaca.stream_ends"
"""Key of the state in an ASGI scope: what ends the streams of its connection, should that be lost or the server end."""
PING_S: Final = 30.0
"""After so long without a frame a `ping` is sent."""
_SSE: Final = "text/event-stream"
_PING: Final = made("ping")

CONTEXT_QUERY: Final[query.Known] = {"cursor": query.VERSION, "include_messages": query.FLAG}
GLOBAL_QUERY: Final[query.Known] = {"cursor": query.Text(), "include_messages": query.FLAG}


class Streams:
    """Connections that are open, at most so many. What both resources share."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._batch: list[Frame] = []
        self._events = b""
        self.open = 0

    @contextlib.asynccontextmanager
    async def subscribed(
        self, scope: Mapping[str, Any], context_id: str | None, wanted: Mapping[str, Any]
    ) -> AsyncIterator[AsyncFrames]:
        """A subscription that holds one of the connections. Raises `RequestError` when there is none left."""
        self.admit()
        hub = self._service.engine.hub
        cursor, include_messages = wanted.get("cursor"), wanted.get("include_messages", True)
        frames = AsyncFrames(hub, context_id, cursor, include_messages=include_messages, gaps=True)
        # From here on, since the client may be gone before it has begun. A WebSocket is told by what it reads.
        ends: list[Callable[[], None]] = scope.get("state", {}).get(STREAM_ENDS, [])
        ends.append(frames.end)
        self.open += 1
        try:
            async with frames:
                yield frames
        finally:
            self.open -= 1
            ends.remove(frames.end)

    def admit(self) -> None:
        """Raises `RequestError` when no connection is left. Whom a stream is for will be asked here as well."""
        most = self._service.config.streams_max
        if self.open >= most:
            raise RequestError(503, "too_many_streams", f"{most} streams are open, which is the limit", limit=most)

    async def batches(self, frames: AsyncFrames) -> AsyncIterator[list[Frame]]:
        """Frames as they come, and a ping where none come for a while. Then drafts that nobody ends are dropped."""
        pings = _Pings(frames, self._service.engine.hub)
        try:
            while batch := await frames.batch():
                pings.frames_came()
                yield batch
        finally:
            pings.stop()

    def events(self, batch: list[Frame]) -> bytes:
        """Frames as server-sent events. Who follows the same context gets the same ones: they are made once."""
        if batch != self._batch:
            self._batch, self._events = batch, b"".join(map(_event, batch))
        return self._events


class _Pings:
    """Puts a ping into a stream on which nothing comes. Its one timer looks when the last frame came: a new one behind
    each frame would be much of what a frame costs.
    """

    def __init__(self, frames: AsyncFrames, hub: Hub) -> None:
        self._frames = frames
        self._hub = hub
        self._loop = asyncio.get_running_loop()
        self._last = self._loop.time()
        self._timer = self._loop.call_later(PING_S, self._look)

    def frames_came(self) -> None:
        """Not yet, then."""
        self._last = self._loop.time()

    def _look(self) -> None:
        left = self._last + PING_S - self._loop.time()
        if left <= 0:
            left = PING_S
            self._frames.put(_PING)
            self._hub.sweep()
        self._timer = self._loop.call_later(left, self._look)

    def stop(self) -> None:
        """No more of them."""
        self._timer.cancel()


class Stream:
    """The stream of one context; without a context's id in its path, of all."""

    def __init__(self, streams: Streams, known: query.Known) -> None:
        self._streams = streams
        self._known = known

    async def on_get(self, req: Request, resp: Response, context_id: str | None = None) -> None:
        """Server-sent events. `Last-Event-ID`, which a browser sends when it connects again, wins over `cursor`."""
        wanted = query.read(req.query_string, self._known)
        last = req.get_header("last-event-id")
        if last:
            wanted["cursor"] = self._known["cursor"].read("Last-Event-ID", last)
        if not req.client_accepts(_SSE) or _SSE not in (req.accept or ""):
            message = f"Accept: this is a stream; ask for {_SSE}, or for an upgrade to a WebSocket"
            raise RequestError(400, "stream_expected", message, field="Accept")
        opened = contextlib.AsyncExitStack()
        frames = await opened.enter_async_context(self._streams.subscribed(req.scope, context_id, wanted))
        if frames.ended:
            # A context that was deleted, from its end on. What a browser reads as "do not connect again".
            await opened.aclose()
            resp.status = 204
            return
        resp.content_type = _SSE
        resp.set_header("cache-control", "no-store")
        resp.set_header("x-accel-buffering", "no")
        resp.stream = self._events(opened, frames)

    async def _events(self, opened: contextlib.AsyncExitStack, frames: AsyncFrames) -> AsyncIterator[bytes]:
        async with opened:
            # A client must not wait for the first frame to know that the stream is open. The cursor lets one whose
            # connection breaks before that go on from here.
            yield b": open\nid: %b\n\n" % frames.cursor.encode()
            try:
                async for batch in self._streams.batches(frames):
                    yield self._streams.events(batch)
            except FastpacaError as error:
                yield b"event: error\ndata: %b\n\n" % body_of(error.code, str(error), error.details)

    async def on_websocket(self, req: Request, ws: WebSocket, context_id: str | None = None) -> None:
        """A WebSocket: one text message a frame. What the client sends is read and ignored."""
        wanted = query.read(req.query_string, self._known)
        async with self._streams.subscribed(req.scope, context_id, wanted) as frames:
            await ws.accept()
            reader = asyncio.ensure_future(_read(ws, frames))
            try:
                async for batch in self._streams.batches(frames):
                    for frame in batch:
                        await ws.send_text(_message(frame))
            except falcon.WebSocketDisconnected:
                pass
            finally:
                reader.cancel()


async def _read(ws: WebSocket, frames: AsyncFrames) -> None:
    """Reads what a client says, until it has gone."""
    try:
        while True:
            with contextlib.suppress(falcon.PayloadTypeError):
                await ws.receive_text()
    except falcon.WebSocketDisconnected:
        frames.end()


def _event(frame: Frame) -> bytes:
    head = f"event: {frame.type}\n" if frame.cursor is None else f"event: {frame.type}\nid: {frame.cursor}\n"
    return b"%bdata: %b\n\n" % (head.encode(), frame.data)


def _message(frame: Frame) -> str:
    """A frame's object. On the stream of all contexts it holds its cursor, which an event has beside it."""
    text = frame.data.decode()
    return f'{{"cursor":"{frame.cursor}",{text[1:]}' if isinstance(frame.cursor, str) else text
