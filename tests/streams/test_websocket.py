"""The WebSocket protocol (RFC 6455) spoken badly: every breach is answered as it says, and the server stays well."""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.support import websocket
from tests.support.server import Server
from tests.support.websocket import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Client, close, frame

STREAMS_MAX = 16
SIZE_MAX = 64 * 1024
"""Of what a client may say, which is nothing that anybody reads."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Behind all of it the server is well: no connection is held, frames come, and nothing unforeseen was logged."""
    with Server(tmp_path_factory.mktemp("websocket") / "data", FASTPACA_STREAMS_MAX=str(STREAMS_MAX)) as server:
        httpx.put(f"{server.url}/v1/contexts/c", json={}).raise_for_status()
        yield server
        clients = [free_stream(server) for _ in range(STREAMS_MAX)]
        message = {"role": "user", "content": "x"}
        httpx.post(f"{server.url}/v1/contexts/c/messages", json={"message": message}).raise_for_status()
        for client in clients:
            found = client.next()
            assert found is not None
            assert json.loads(found.payload)["type"] == "message"
            client.socket.close()
        assert "Traceback" not in server.log()


@pytest.fixture
def stream() -> str:
    """The path of a stream."""
    return "/v1/contexts/c/stream"


def free_stream(server: Server) -> Client:
    """A connection; those that have ended may take a moment to be given back."""
    deadline = time.monotonic() + 10
    while True:
        client = Client(server.port)
        client.socket.sendall(client.handshake("/v1/contexts/c/stream"))
        status, _ = client.response()
        if status == 101:
            return client
        client.socket.close()
        assert (status, time.monotonic() < deadline) == (503, True)
        time.sleep(0.02)


def answered(server: Server, stream: str, sent: bytes) -> list[websocket.Frame]:
    """What comes back until the connection ends, after this and a close with 1000."""
    with Client(server.port).open(stream) as client:
        client.socket.sendall(sent)
        client.socket.sendall(close(1000, b"the end"))
        return client.rest()


BREACHES = {
    "reserved bit 1": (frame(TEXT, b"x", rsv=4), 1002),
    "reserved bit 2": (frame(TEXT, b"x", rsv=2), 1002),
    "reserved bit 3": (frame(BINARY, b"x", rsv=1), 1002),
    "reserved bit of a ping": (frame(PING, b"x", rsv=4), 1002),
    **{f"opcode {code:#x}": (frame(code, b"x"), 1002) for code in (3, 4, 5, 6, 7, 0xB, 0xC, 0xD, 0xE, 0xF)},
    "a frame without mask": (frame(TEXT, b"x", masked=False), 1002),
    "a ping without mask": (frame(PING, b"", masked=False), 1002),
    "half a ping": (frame(PING, b"x", fin=False), 1002),
    "half a pong": (frame(PONG, b"x", fin=False), 1002),
    "half a close": (frame(CLOSE, struct.pack("!H", 1000), fin=False), 1002),
    "a ping of 126 bytes": (frame(PING, b"x" * 126), 1002),
    "a ping of 64 KiB": (frame(PING, b"x" * 65536), 1002),
    "a close of 126 bytes": (close(1000, b"x" * 124), 1002),
    "a continuation of nothing": (frame(CONTINUATION, b"x"), 1002),
    "a message inside of a message": (frame(TEXT, b"x", fin=False) + frame(TEXT, b"x"), 1002),
    "a continuation behind the end": (
        frame(TEXT, b"x", fin=False) + frame(CONTINUATION, b"x") + frame(CONTINUATION, b"x"),
        1002,
    ),
    "no UTF-8": (frame(TEXT, b"\xff"), 1007),
    "half a character": (frame(TEXT, "é".encode()[:1]), 1007),
    "half a character at the end of a message": (
        frame(TEXT, b"x", fin=False) + frame(CONTINUATION, "🌍".encode()[:3]),
        1007,
    ),
    "a surrogate": (frame(TEXT, b"\xed\xa0\x80"), 1007),
    "an overlong slash": (frame(TEXT, b"\xc0\xaf"), 1007),
    "more than Unicode": (frame(TEXT, b"\xf4\x90\x80\x80"), 1007),
    "a message too large": (frame(BINARY, b"x" * (SIZE_MAX + 1)), 1009),
    "fragments too large together": (
        frame(BINARY, b"x" * SIZE_MAX, fin=False) + frame(CONTINUATION, b"x"),
        1009,
    ),
    "a length of 2^62": (b"\x82\xff" + struct.pack("!Q", 1 << 62) + b"mask", 1009),
    "a length with the highest bit": (b"\x82\xff" + struct.pack("!Q", 1 << 63) + b"mask", (1002, 1009)),
    "a close of one byte": (frame(CLOSE, b"\x03"), 1002),
    **{f"close code {code}": (close(code), 1002) for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535)},
    "a reason that is no UTF-8": (close(1000, b"\xff"), (1002, 1007)),
    "half a frame and the end": (frame(TEXT, b"x" * 50)[:20], None),
}


@pytest.mark.parametrize(("sent", "code"), BREACHES.values(), ids=BREACHES)
def test_breaches(server: Server, stream: str, sent: bytes, code: int | tuple[int, ...] | None) -> None:
    with Client(server.port).open(stream) as client:
        client.socket.sendall(sent)
        if code is None:
            client.socket.shutdown(socket.SHUT_WR)
        frames = client.rest()
    if code is None:
        return
    assert [found.opcode for found in frames] == [CLOSE]
    assert frames[0].code in (code if isinstance(code, tuple) else (code,))


FINE = {
    "nothing": (b"", []),
    "text": (frame(TEXT, "what a client says is ignored 🌍".encode()), []),
    "bytes": (frame(BINARY, bytes(range(256))), []),
    "an empty message": (frame(TEXT), []),
    "many messages": (frame(TEXT, b"x") * 500, []),
    "as large as it may be": (frame(BINARY, b"x" * SIZE_MAX), []),
    "a character over two fragments": (
        frame(TEXT, "é".encode()[:1], fin=False) + frame(CONTINUATION, "é".encode()[1:]),
        [],
    ),
    "a ping": (frame(PING, b"are you there?"), [b"are you there?"]),
    "an empty ping": (frame(PING), [b""]),
    "a ping of 125 bytes": (frame(PING, bytes(range(125))), [bytes(range(125))]),
    "pings in order": (frame(PING, b"1") + frame(PING, b"2") + frame(PING, b"3"), [b"1", b"2", b"3"]),
    "a ping between fragments": (
        frame(TEXT, b"x", fin=False) + frame(PING, b"now") + frame(CONTINUATION, b"x"),
        [b"now"],
    ),
    "a pong that nobody asked for": (frame(PONG, b"here I am"), []),
    "empty fragments": (frame(TEXT, fin=False) + frame(CONTINUATION, fin=False) * 100 + frame(CONTINUATION), []),
}


@pytest.mark.parametrize(("sent", "pongs"), FINE.values(), ids=FINE)
def test_what_is_fine(server: Server, stream: str, sent: bytes, pongs: list[bytes]) -> None:
    *before, last = answered(server, stream, sent)
    assert [(found.opcode, found.payload) for found in before] == [(PONG, each) for each in pongs]
    assert (last.opcode, last.code) == (CLOSE, 1000)


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1011, 1014, 3000, 3999, 4000, 4999])
def test_a_close_is_echoed(server: Server, stream: str, code: int) -> None:
    with Client(server.port).open(stream) as client:
        client.socket.sendall(close(code, "grüße".encode()) + frame(TEXT, b"too late") + b"\xff" * 100)
        (found,) = client.rest()
    assert (found.opcode, found.code) == (CLOSE, code)


def test_a_close_without_a_code(server: Server, stream: str) -> None:
    with Client(server.port).open(stream) as client:
        client.socket.sendall(frame(CLOSE))
        (found,) = client.rest()
    assert (found.opcode, found.code) in {(CLOSE, None), (CLOSE, 1000)}


def test_byte_by_byte(server: Server, stream: str) -> None:
    with Client(server.port) as client:
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        request = client.handshake(stream)
        for byte in request:
            client.socket.send(bytes([byte]))
        assert client.response()[0] == 101
        for byte in frame(TEXT, "é".encode() * 10) + frame(PING, b"slow"):
            client.socket.send(bytes([byte]))
        found = client.next()
        assert found == (0x80 | PONG, b"slow")


def test_a_client_that_is_gone(server: Server, stream: str) -> None:
    reset = struct.pack("ii", 1, 0)
    for ending in ("close", "reset", "half"):
        with Client(server.port).open(stream) as client:
            if ending == "reset":
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
            if ending == "half":
                client.socket.shutdown(socket.SHUT_WR)
                assert [found.opcode for found in client.rest()] in ([], [CLOSE])


@pytest.mark.slow
def test_pings_of_one_that_does_not_read(server: Server, stream: str) -> None:
    """Pongs that nobody takes must not fill the server's memory: at some point it reads no more."""
    flood = frame(PING, b"x" * 125) * 10_000
    with Client(server.port, timeout_s=1).open(stream) as client, pytest.raises(TimeoutError):  # noqa: PT012
        for _ in range(100):
            client.socket.sendall(flood)


HANDSHAKES = {
    "no key": ({"sec_websocket_key": None}, 400),
    "an empty key": ({"sec_websocket_key": ""}, 400),
    "a short key": ({"sec_websocket_key": "c2hvcnQ="}, 400),
    "a long key": ({"sec_websocket_key": "A" * 60 + "=="}, 400),
    "a key that is no base64": ({"sec_websocket_key": "?" * 24}, 400),
    "no version": ({"sec_websocket_version": None}, 426),
    "an old version": ({"sec_websocket_version": "8"}, 426),
    "a version to come": ({"sec_websocket_version": "14"}, 426),
    "no number as version": ({"sec_websocket_version": "x"}, 426),
    "another upgrade": ({"upgrade": "h2c"}, 400),
    "no upgrade": ({"upgrade": None}, 400),
    "no connection": ({"connection": "close"}, 400),
    "a post": ({"method": "POST"}, 405),
    "HTTP/1.0": ({"http": "1.0"}, 400),
    "capitals": ({"upgrade": "WebSocket", "connection": "keep-alive, UPGRADE"}, 101),
    "protocols": ({"sec_websocket_protocol": "mqtt, wamp"}, 101),
    "an extension that nobody knows": ({"sec_websocket_extensions": "x-nothing; level=9"}, 101),
    "extensions that are none": ({"sec_websocket_extensions": ";;=,"}, 101),
    "compression, which this server declines": ({"sec_websocket_extensions": "permessage-deflate"}, 101),
    "an origin": ({"origin": "https://example.com"}, 101),
}


@pytest.mark.parametrize(("options", "status"), HANDSHAKES.values(), ids=HANDSHAKES)
def test_handshakes(server: Server, stream: str, options: dict[str, str | None], status: int) -> None:
    with Client(server.port) as client:
        client.socket.sendall(client.handshake(stream, **options))  # type: ignore[arg-type]
        found, head = client.response()
        assert found == status, head
        if status == 400:
            assert b"application/json" in head
        if status == 426:
            assert b"sec-websocket-version: 13" in head
        if status == 101:
            assert b"sec-websocket-accept: " + client.accept.lower() in head
            assert b"sec-websocket-protocol" not in head
            assert b"sec-websocket-extensions" not in head


def test_a_slow_handshake_holds_no_stream(server: Server, stream: str) -> None:
    half = [Client(server.port) for _ in range(3 * STREAMS_MAX)]
    for client in half:
        client.socket.sendall(client.handshake(stream)[:-2])
    with Client(server.port).open(stream):
        pass
    for client in half:
        client.socket.close()
