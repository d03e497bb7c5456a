"""A WebSocket client of raw bytes, which may break every rule."""

from __future__ import annotations

import base64
import hashlib
import os
import socket
import struct
from typing import Final, NamedTuple, Self

from tests.support.patience import PATIENCE_S

GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA


class Frame(NamedTuple):
    """A frame as it came."""

    head: int
    payload: bytes

    @property
    def opcode(self) -> int:
        return self.head & 0xF

    @property
    def code(self) -> int | None:
        """The code of a close frame."""
        return struct.unpack_from("!H", self.payload)[0] if self.payload else None


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, masked: bool = True) -> bytes:
    """A frame of a client."""
    head = bytes([fin << 7 | rsv << 4 | opcode]) + length(len(payload), masked=masked)
    if not masked:
        return head + payload
    key = os.urandom(4)
    return head + key + bytes(byte ^ key[at % 4] for at, byte in enumerate(payload))


def length(size: int, *, masked: bool = True) -> bytes:
    """The length of a payload, in as few bytes as can be."""
    if size < 126:
        return bytes([masked << 7 | size])
    if size < 1 << 16:
        return bytes([masked << 7 | 126]) + struct.pack("!H", size)
    return bytes([masked << 7 | 127]) + struct.pack("!Q", size)


def close(code: int, reason: bytes = b"") -> bytes:
    """A close frame."""
    return frame(CLOSE, struct.pack("!H", code) + reason)


class Client:
    """A connection to a server of this machine."""

    def __init__(self, port: int, timeout_s: float = PATIENCE_S) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout_s)
        self._received = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.socket.close()

    def handshake(self, path: str, *, method: str = "GET", http: str = "1.1", **headers: str | None) -> bytes:
        """A request for an upgrade; headers given replace those that belong into it, None leaves one out."""
        key = base64.b64encode(os.urandom(16)).decode()
        sent: dict[str, str | None] = {
            "host": "localhost",
            "upgrade": "websocket",
            "connection": "Upgrade",
            "sec-websocket-key": key,
            "sec-websocket-version": "13",
        }
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        self.accept = base64.b64encode(hashlib.sha1((sent["sec-websocket-key"] or "").encode() + GUID).digest())
        lines = [
            f"{method} {path} HTTP/{http}",
            *(f"{name}: {value}" for name, value in sent.items() if value is not None),
        ]
        return "\r\n".join([*lines, "", ""]).encode()

    def open(self, path: str) -> Self:
        """A handshake that has to succeed."""
        self.socket.sendall(self.handshake(path))
        status, head = self.response()
        assert status == 101, head
        assert b"sec-websocket-accept: " + self.accept.lower() in head
        return self

    def response(self) -> tuple[int, bytes]:
        """Status and head of a response, in lower case."""
        while b"\r\n\r\n" not in self._received and self._more():
            pass
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        return int(head.split()[1]) if head else 0, head.lower()

    def _more(self) -> bool:
        try:
            chunk = self.socket.recv(65536)
        except ConnectionResetError:
            return False
        self._received += chunk
        return bool(chunk)

    def _take(self, size: int) -> bytes | None:
        while len(self._received) < size:
            if not self._more():
                return None
        taken, self._received = self._received[:size], self._received[size:]
        return taken

    def next(self) -> Frame | None:
        """The next frame; None at the end of the connection."""
        head = self._take(2)
        if head is None:
            return None
        size = head[1]
        assert size < 128, "a server must not mask"
        if size >= 126:
            more = self._take(2 if size == 126 else 8)
            assert more is not None
            size = int.from_bytes(more, "big")
        payload = self._take(size)
        return None if payload is None else Frame(head[0], payload)

    def rest(self) -> list[Frame]:
        """All frames to the end of the connection."""
        return list(iter(self.next, None))
