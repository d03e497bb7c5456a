"""A stream of frames that outlives its connections, on an event loop.

`sync_subscription.py` is made of this file by `tools/make_sync.py`; change this one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Self
from urllib.parse import urlencode

from fastpaca.client.aio_connection import AsyncConnection, AsyncEventStream
from fastpaca.client.answers import STREAM_STATUS, Failure, error_of
from fastpaca.client.attempts import Attempts
from fastpaca.client.events import Event, Place, cursor_of, frame_of
from fastpaca.errors import FastpacaError, MalformedReplyError, TransportError, UnavailableError
from fastpaca.streams.frames import Frame


class AsyncHttpSubscription:
    """Frames as they become visible, oldest first: over any number of connections, none lost and none twice.

    Ends behind the frame `tombstoned` of its context, with an error, or when it is closed, also from elsewhere while
    somebody waits for a frame. A draft comes from its start again behind a new connection.
    """

    def __init__(
        self, connection: AsyncConnection, path: str, cursor: int | str | None, *, of_all: bool, include_messages: bool
    ) -> None:
        self._connection = connection
        self._path = path
        self._query = {} if include_messages else {"include_messages": "false"}
        self._of_all = of_all
        self._place = Place(cursor)
        self._stream: AsyncEventStream | None = None
        self._attempts: Attempts | None = None
        self._frames: deque[Frame] = deque()
        self._reading = False
        self._begun = False
        self._tombstoned = False
        self._ended = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Frame:
        self._reading = True
        try:
            while not self._frames and not self._ended:
                await self._advance()
        except BaseException as error:
            # Whoever cancels this may call it again: it goes on where it stands.
            self._ended = isinstance(error, Exception)
            await self._drop()
            raise
        finally:
            self._reading = False
        if self._frames:
            return self._frames.popleft()
        await self._drop()
        raise StopAsyncIteration

    async def __aenter__(self) -> Self:
        while self._stream is None and not self._ended:
            await self._connect()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Ends it: what has come is still given. Again: does nothing."""
        self._ended = True
        if self._reading and self._stream is not None:
            await self._stream.interrupt()
        else:
            await self._drop()

    async def _advance(self) -> None:
        """Connects, or takes the next event."""
        if self._stream is None:
            await self._connect()
            return
        try:
            event = await self._stream.next()
        except MalformedReplyError:
            raise
        except TransportError as error:
            await self._lost(error)
            return
        if event is not None:
            await self._take(event)
        elif self._tombstoned:
            self._ended = True
        else:
            await self._lost(TransportError("the server ended the stream"))

    async def _connect(self) -> None:
        """One attempt, and the pause behind it where it fails. Raises a `FastpacaError` when that was the last."""
        attempts = self._patience()
        try:
            failure = await self._begin(attempts.timeout_s())
        except BaseException:
            await self._drop()
            raise
        if failure is None:
            attempts.begin()
            self._begun = True
        else:
            await self._drop()
            await asyncio.sleep(attempts.pause_s(failure))

    async def _begin(self, timeout_s: float) -> Failure | None:
        query = self._query
        if self._place.resume is not None:
            query = {**query, "cursor": str(self._place.resume)}
        stream = await self._connection.stream(f"{self._path}?{urlencode(query)}" if query else self._path, timeout_s)
        if isinstance(stream, Failure):
            return stream
        if stream is None:
            self._ended = True
            return None
        self._stream = stream
        try:
            # The first event has no data. It says where the stream begins.
            event = await stream.next()
        except MalformedReplyError:
            raise
        except TransportError as error:
            return Failure(error, again=True)
        if event is None:
            return Failure(TransportError("the stream ended before it began"), again=True)
        self._place.opened(cursor_of(event.id, of_all=self._of_all))
        await self._take(event)
        return None

    def _patience(self) -> Attempts:
        """A stream that has begun is to go on: then the deadline alone counts, from when the last connection ended."""
        if self._attempts is None:
            options = self._connection.options
            self._attempts = Attempts(options, endless=self._begun and options.retries > 0)
        return self._attempts

    async def _lost(self, error: FastpacaError) -> None:
        await self._drop()
        if not self._ended:
            attempts = self._patience()
            attempts.begin()
            await asyncio.sleep(attempts.pause_s(Failure(error, again=True)))

    async def _take(self, event: Event) -> None:
        if event.data is None:
            return
        if event.type == "error":
            error = error_of(event.data, STREAM_STATUS)
            if not isinstance(error, UnavailableError):
                raise error
            await self._lost(error)
            return
        frame = frame_of(event, of_all=self._of_all)
        self._attempts = None
        if frame.type == "gap":
            # Too slow for what waits in the server's memory. It is all on its disk.
            await self._drop()
        elif frame.type != "ping" and self._place.is_new(frame):
            self._tombstoned |= frame.type == "tombstoned" and not self._of_all
            self._frames.append(frame)

    async def _drop(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            await stream.close()
