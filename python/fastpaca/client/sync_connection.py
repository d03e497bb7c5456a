"""Requests to one server, blocking: each is tried until it is answered, or has to be given up.

Made of `aio_connection.py` by `tools/make_sync.py`; change that one.
"""

from __future__ import annotations

import os
import time
from collections import deque
from typing import Final
from weakref import WeakSet

import httpx

from fastpaca._core import __version__
from fastpaca.client.answers import Answer, Failure, judged, unreachable
from fastpaca.client.attempts import Attempts
from fastpaca.client.events import Event, Events
from fastpaca.client.interrupt import interrupt
from fastpaca.client.options import Options
from fastpaca.client.tls import trusted
from fastpaca.errors import ClosedError, ForkedError, MalformedReplyError, NotYetError

STREAM_IDLE_S: Final = 75.0
"""A stream without a sign of life for so long is taken for dead. The server pings every 30 seconds."""
_KEPT_CONNECTIONS: Final = 100
_JSON: Final = {b"content-type": b"application/json"}
_SSE: Final = "text/event-stream"
_NO_CONTENT: Final = 204

Headers = dict[bytes, bytes]


class Connection:
    """The connections to one server. They are pooled, and as many as there are calls under way."""

    def __init__(self, options: Options) -> None:
        headers = {"user-agent": f"fastpaca-python/{__version__}", "accept": "application/json"}
        if options.api_key is not None:
            headers["authorization"] = f"Bearer {options.api_key}"
        # Streams hold a connection each, so a bound would make a call wait for a stream to end.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=_KEPT_CONNECTIONS)
        self.options = options
        self._client = httpx.Client(headers=headers, limits=limits, verify=trusted())
        self._streams: WeakSet[EventStream] = WeakSet()
        self._process = os.getpid()
        self._closed = False

    def check(self) -> None:
        """Raises `ClosedError` behind `close`, and `ForkedError` in a forked child, which would share the sockets."""
        if self._closed:
            raise ClosedError("the client is closed")
        if os.getpid() != self._process:
            raise ForkedError("the client was made before this process was forked: connect after the fork")

    def call(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        key: str | None = None,
        headers: Headers | None = None,
        not_yet: bool = True,
    ) -> Answer:
        """The answer to a request. `key` is the idempotency key of a write; `not_yet` waits for a version that the
        server has not reached. Raises a `FastpacaError`.
        """
        attempts = Attempts(self.options, key=key)
        while True:
            self.check()
            found = self._attempt(method, path, body, headers or {}, attempts.timeout_s())
            if isinstance(found, Answer):
                return found
            if isinstance(found.error, NotYetError) and not not_yet:
                raise found.error
            time.sleep(attempts.pause_s(found))

    def _attempt(
        self, method: str, path: str, body: bytes | None, headers: Headers, timeout_s: float
    ) -> Answer | Failure:
        ends = time.monotonic() + timeout_s
        try:
            request = self._client.build_request(
                method,
                self.options.url + path,
                content=body,
                headers=headers if body is None else {**_JSON, **headers},
                timeout=timeout_s,
            )
            response = self._client.send(request, stream=True)
            try:
                content = _read(response, ends)
            finally:
                response.close()
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            return unreachable(error, self.options.url, timeout_s)
        except RuntimeError:
            # What httpx says when it was closed meanwhile.
            self.check()
            raise
        return judged(response.status_code, response.headers, content)

    def stream(self, path: str, timeout_s: float) -> EventStream | Failure | None:
        """A stream of events that has begun; None where nothing will ever come."""
        self.check()
        headers = {"accept": _SSE, "cache-control": "no-store"}
        ends = time.monotonic() + timeout_s
        try:
            request = self._client.build_request("GET", self.options.url + path, headers=headers, timeout=timeout_s)
            response = self._client.send(request, stream=True)
            if response.headers.get("content-type", "").partition(";")[0].strip() == _SSE:
                # From here on the server is silent while nothing happens. Should a release of httpx not look here
                # again, a silent stream is taken for dead too early, and goes on by another connection.
                request.extensions["timeout"]["read"] = STREAM_IDLE_S
                stream = EventStream(response, self.options.url)
                self._streams.add(stream)
                return stream
            try:
                content = _read(response, ends)
            finally:
                response.close()
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            return unreachable(error, self.options.url, timeout_s)
        except RuntimeError:
            # What httpx says when it was closed meanwhile.
            self.check()
            raise
        if response.status_code == _NO_CONTENT:
            return None
        failed = judged(response.status_code, response.headers, content)
        return (
            failed
            if isinstance(failed, Failure)
            else Failure(MalformedReplyError("the answer is no stream"), again=False)
        )

    def close(self) -> None:
        """Closes them; who waits for a stream is told. Again: does nothing."""
        if not self._closed:
            self._closed = True
            if os.getpid() == self._process:
                for stream in list(self._streams):
                    stream.interrupt()
                self._client.close()


class EventStream:
    """The events of one response, until it ends or breaks."""

    def __init__(self, response: httpx.Response, url: str) -> None:
        self._response = response
        self._url = url
        self._chunks = response.iter_bytes()
        self._events = Events()
        self._parsed: deque[Event] = deque()

    def next(self) -> Event | None:
        """The next event; None at the end. Raises `TransportError` where it breaks off, and for what is no event."""
        try:
            while not self._parsed:
                chunk = next(self._chunks, None)
                if chunk is None:
                    return None
                self._parsed += self._events.feed(chunk)
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise unreachable(error, self._url, STREAM_IDLE_S).error from error
        return self._parsed.popleft()

    def interrupt(self) -> None:
        """Makes `next` return in whatever thread or task waits for it."""
        interrupt(self._response)

    def close(self) -> None:
        """Gives the connection up."""
        self._response.close()


def _read(response: httpx.Response, ends: float) -> bytes:
    """The whole of a body. httpx bounds the wait for each piece; many small pieces must not take for ever."""
    chunks: list[bytes] = []
    for chunk in response.iter_bytes():
        chunks.append(chunk)
        if time.monotonic() > ends:
            raise httpx.ReadTimeout("the body takes too long")
    return b"".join(chunks)
