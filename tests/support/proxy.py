"""A proxy that misbehaves on demand, in front of a real server."""

from __future__ import annotations

import contextlib
import re
import socket
import socketserver
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Self

from tests.support.patience import PATIENCE_S

Fault = Callable[["Exchange"], None]


class Exchange:
    """One request, and the socket that waits for its answer."""

    def __init__(self, proxy: Proxy, client: socket.socket, request: bytes) -> None:
        self.proxy = proxy
        self.client = client
        self.request = request

    def forwarded(self) -> socket.socket:
        """A connection to the server, with the request sent."""
        upstream = socket.create_connection(("127.0.0.1", self.proxy.target), timeout=PATIENCE_S)
        try:
            upstream.sendall(self.request)
        except OSError:
            upstream.close()
            raise
        return upstream

    def reply(self) -> bytes:
        """The server's whole reply."""
        with self.forwarded() as upstream:
            return read_message(upstream)

    def relay(self, bytes_max: int | None = None) -> None:
        """Hands on what the server sends, at most so many bytes."""
        with self.forwarded() as upstream, contextlib.suppress(OSError):
            upstream.settimeout(0.1)
            while not self.proxy.closing and not _gone(self.client):
                try:
                    chunk = upstream.recv(65536)
                except TimeoutError:
                    continue
                if not chunk:
                    return
                self.client.sendall(chunk if bytes_max is None else chunk[:bytes_max])
                if bytes_max is not None:
                    bytes_max -= len(chunk)
                    if bytes_max <= 0:
                        return


def _gone(client: socket.socket) -> bool:
    client.setblocking(False)
    try:
        return client.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    finally:
        client.setblocking(True)


def read_message(sock: socket.socket) -> bytes:
    """A request or reply with its body; less where the peer hangs up."""
    found = b""
    while b"\r\n\r\n" not in found:
        chunk = sock.recv(65536)
        if not chunk:
            return found
        found += chunk
    head, _, body = found.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: *(\d+)", head)
    while length is not None and len(body) < int(length[1]):
        chunk = sock.recv(65536)
        if not chunk:
            break
        body += chunk
    return head + b"\r\n\r\n" + body


# Faults


def lost_request(_: Exchange) -> None:
    """The connection ends before the server has heard of it."""


def lost_reply(exchange: Exchange) -> None:
    """The connection ends when the server has done it."""
    exchange.reply()


def cut_reply(exchange: Exchange) -> None:
    """Half of the reply's body is all that comes."""
    exchange.client.sendall(exchange.reply()[:-10])


def reset(exchange: Exchange) -> None:
    """The connection is reset when the server has done it."""
    exchange.reply()
    exchange.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")


def silent(exchange: Exchange) -> None:
    """The server does it; nothing comes for as long as the client waits."""
    exchange.reply()
    while not exchange.proxy.closing and not _gone(exchange.client):
        time.sleep(0.02)


def dripping(exchange: Exchange) -> None:
    """The reply comes a byte at a time."""
    with contextlib.suppress(OSError):
        for byte in exchange.reply():
            exchange.client.sendall(bytes([byte]))
            time.sleep(0.01)


def answer(status: int, body: bytes, *headers: str, kind: str = "application/json") -> Fault:
    """An answer that the server never gave."""
    head = [f"HTTP/1.1 {status} Whatever", f"content-type: {kind}", f"content-length: {len(body)}"]
    lines = [*head, "connection: close", *headers]  # else a client may send its next request into one that closes

    def answered(exchange: Exchange) -> None:
        exchange.client.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    return answered


def events(text: bytes) -> Fault:
    """A stream of these events, which then ends."""

    def streamed(exchange: Exchange) -> None:
        exchange.client.sendall(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n" + text
        )

    return streamed


def stalled_stream(text: bytes) -> Fault:
    """A stream of these events, behind which nothing comes, nor an end."""

    def stalled(exchange: Exchange) -> None:
        events(text)(exchange)
        while not exchange.proxy.closing and not _gone(exchange.client):
            time.sleep(0.02)

    return stalled


def cut_stream(bytes_max: int) -> Fault:
    """What the server sends, cut off behind so many bytes."""
    return lambda exchange: exchange.relay(bytes_max)


def passed(exchange: Exchange) -> None:
    """What the server says."""
    exchange.relay()


class Proxy(socketserver.ThreadingTCPServer):
    """Listens on a free port, and hands requests on to `target`; the next of `faults` decides how."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, target: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target = target
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.faults: deque[Fault] = deque()
        self.otherwise: Fault = passed
        self.requests: list[bytes] = []
        self.closing = False
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.closing = True
        self.shutdown()
        self._thread.join()
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client or server that has gone is what this is for."""


class _Handler(socketserver.BaseRequestHandler):
    server: Proxy

    def handle(self) -> None:
        request = read_message(self.request)
        if not request:
            return
        # One exchange a connection, so that each fault meets one request.
        request = request.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n", 1)
        self.server.requests.append(request)
        fault = self.server.faults.popleft() if self.server.faults else self.server.otherwise
        fault(Exchange(self.server, self.request, request))
