"""Streams whose client, server or data fails at the worst moment: on the server's own stack, in this process."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from fastpaca import _core
from fastpaca.config import Config
from fastpaca.http import worker
from fastpaca.http.app import create_app
from fastpaca.http.service import Service
from fastpaca.log import MemoryLog
from fastpaca.streams import subscription
from tests.support.memory import append, write
from tests.support.served import served
from tests.support.websocket import CLOSE, PING, Client, frame

STREAM = "/v1/contexts/chat/stream"
SSE = f"GET {STREAM} HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\n\r\n".encode()


class Stack:
    """A server of one stream at a time."""

    def __init__(self) -> None:
        self.service = Service(Config(streams_max=1), lambda _: MemoryLog())
        self.app = create_app(self.service.config, self.service)
        self.port = 0

    def begin(self, kind: str, behind: bytes = b"") -> Client:
        """Asks for a stream."""
        client = Client(self.port)
        client.socket.sendall(SSE + behind if kind == "sse" else client.handshake(STREAM) + behind)
        return client

    def opened(self, kind: str, behind: bytes = b"") -> Client:
        """A stream that has begun, once the one before has been given back."""
        deadline = time.monotonic() + 10
        while True:
            client = self.begin(kind, behind)
            status, _ = client.response()
            if status == (200 if kind == "sse" else 101):
                return client
            client.socket.close()
            assert (status, time.monotonic() < deadline) == (503, True)
            time.sleep(0.02)

    def say(self, text: str = "x", count: int = 1) -> None:
        """Appends, so often."""
        for _ in range(count):
            append(self.service.engine, "chat", [{"role": "user", "content": text, "token_count": 1}])


@pytest.fixture
def stack() -> Iterator[Stack]:
    stack = Stack()
    with served(stack.app, **worker.Worker.CONFIG_KWARGS, timeout_graceful_shutdown=1) as url:
        stack.port = int(url.rpartition(":")[2])
        write(stack.service.engine, "chat", "configure")
        yield stack


@pytest.mark.parametrize("kind", ["sse", "websocket"])
def test_a_client_that_leaves_before_its_stream_has_begun(
    stack: Stack, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    beginning, go_on = threading.Event(), threading.Event()
    visible = stack.service.engine.hub.visible

    def slow(context_id: str | None) -> Any:
        beginning.set()
        assert go_on.wait(10)
        return visible(context_id)

    monkeypatch.setattr(stack.service.engine.hub, "visible", slow)
    with stack.begin(kind):
        assert beginning.wait(10)
    # The server has seen the end of that connection once it answers a later one.
    assert httpx.get(f"http://127.0.0.1:{stack.port}/health/live").status_code == 200
    go_on.set()
    stack.opened("sse").socket.close()


def test_a_request_behind_a_stream_does_not_hide_its_end(stack: Stack) -> None:
    with stack.opened("sse", behind=b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n"):
        pass
    stack.opened("sse").socket.close()


@pytest.fixture
def boundless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is told of a gap: what is not taken waits."""
    monkeypatch.setattr(subscription, "QUEUE_BYTES_MAX", 1 << 30)


@pytest.mark.usefixtures("boundless")
@pytest.mark.parametrize("kind", ["sse", "websocket"])
def test_who_takes_nothing_is_cut_off(stack: Stack, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "STUCK_S", 0.2)
    with stack.opened(kind) as stuck:
        stuck.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stack.say("x" * 1_000_000, count=12)
        stack.opened("sse").socket.close()


@pytest.mark.slow
@pytest.mark.usefixtures("boundless")
@pytest.mark.parametrize("kind", ["sse", "websocket"])
def test_who_reads_again_is_not_cut_off(stack: Stack, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "STUCK_S", 1.0)
    with stack.opened(kind) as slow:
        stack.say("x" * 1_000_000, count=12)
        stack.say("the last of many")
        read_up_to(slow.socket, b"the last of many")
        time.sleep(1.2)
        stack.say("one more")
        read_up_to(slow.socket, b"one more")
        if kind == "websocket":
            slow.socket.sendall(frame(PING, b"still there?"))
            read_up_to(slow.socket, b"still there?")


def read_up_to(connection: socket.socket, text: bytes) -> None:
    tail = b""
    while text not in tail:
        chunk = connection.recv(1 << 18)
        assert chunk
        tail = tail[-len(text) :] + chunk


def test_data_that_can_not_be_read_ends_a_stream_with_its_error(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged(*_args: Any, **_options: Any) -> Any:
        raise _core.CoreError("corrupt", "the record is damaged", {})

    with stack.opened("sse") as client:
        monkeypatch.setattr(_core, "frames", damaged)
        stack.say()
        text = b""
        while chunk := client.socket.recv(65536):
            text += chunk
            if text.endswith(b"\r\n0\r\n\r\n"):
                break
    _, _, event = text.partition(b"event: error\ndata: ")
    assert json.loads(event.partition(b"\n")[0])["error"] == "corrupt"
    with stack.opened("websocket") as client:
        stack.say()
        found = client.next()
        assert found is not None
        assert (found.opcode, found.code) == (CLOSE, 1011)


def test_a_reset_gives_the_stream_back(stack: Stack) -> None:
    for kind in ("sse", "websocket"):
        with stack.opened(kind) as client:
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        stack.opened("sse").socket.close()
