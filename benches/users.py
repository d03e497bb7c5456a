"""Many users at once, each waiting for an answer before it asks again: a closed loop over epoll, in one thread.

A user is a generator: it yields what it does and the request for it, and is sent the body of the answer. One that
returns is done. It costs about 30 us of processor time a request, on a core of its own where there are two.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections import defaultdict
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from client import LoadError, StalledError

if TYPE_CHECKING:
    from collections.abc import Iterable

User = Generator[tuple[str, bytes], bytes, None]

_RECEIVE_BYTES: Final = 1 << 18
_STALLED_S: Final = 20.0
_LENGTH: Final = b"content-length: "


@dataclass(slots=True)
class Load:
    """What a run came to: for each operation how long each answer took, in seconds."""

    seconds: float = 0.0
    took: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def rate(self, operation: str) -> float:
        """Answers a second."""
        return len(self.took[operation]) / self.seconds

    def percentile_ms(self, operation: str, share: float) -> float:
        """Of the latency. Raises `StalledError` where nothing was answered."""
        ordered = sorted(self.took[operation])
        if not ordered:
            raise StalledError(f"no answer to {operation} in {self.seconds:.1f} s")
        return ordered[int(len(ordered) * share)] * 1000


class _Connection:
    """One user's, which asks one thing at a time."""

    __slots__ = ("_lacks_bytes", "_operation", "_received", "_user", "sent", "socket")

    def __init__(self, port: int, user: User) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._user = user
        self._operation = ""
        self._received = bytearray()
        self._lacks_bytes = -1
        self.sent = 0.0

    def begin(self) -> bool:
        """Whether the user has anything to ask."""
        return self._ask(None)

    def _ask(self, answer: bytes | None) -> bool:
        try:
            self._operation, request = next(self._user) if answer is None else self._user.send(answer)
        except StopIteration:
            return False
        self.sent = time.perf_counter()
        self.socket.sendall(request)
        return True

    def receive(self, load: Load, stop: float) -> bool:
        """Takes what came. Whether there is more to come: False once the user is done, or the time is up."""
        data = self.socket.recv(_RECEIVE_BYTES)
        if not data:
            raise LoadError("the server closed a connection")
        self._received += data
        if self._lacks_bytes < 0 and not self._head():
            return True
        if len(self._received) < self._lacks_bytes:
            return True
        now = time.perf_counter()
        load.took[self._operation].append(now - self.sent)
        answer = bytes(self._received)
        self._received.clear()
        self._lacks_bytes = -1
        if now >= stop:
            self._ask_no_more(answer)
            return False
        return self._ask(answer)

    def _ask_no_more(self, answer: bytes) -> None:
        """The user learns of the last answer; what it would ask next is not sent."""
        try:
            self._user.send(answer)
        except StopIteration:
            return
        self._user.close()

    def _head(self) -> bool:
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = bytes(self._received[:end]).lower()
        if head[9:10] != b"2":
            raise LoadError(f"the server answered {bytes(self._received[:300])!r}")
        at = head.index(_LENGTH) + len(_LENGTH)
        self._lacks_bytes = int(head[at:].split(b"\r\n", 1)[0])
        del self._received[: end + 4]
        return True


def drive(port: int, users: Iterable[User], seconds: float = float("inf")) -> Load:
    """Runs until every user is done; after so many seconds nobody asks anything more."""
    load = Load()
    selector = selectors.DefaultSelector()
    connections = [_Connection(port, user) for user in users]
    began = time.perf_counter()
    stop = began + seconds
    try:
        for connection in connections:
            if connection.begin():
                selector.register(connection.socket, selectors.EVENT_READ, connection)
        while selector.get_map():
            ready = selector.select(_STALLED_S)
            if not ready:
                raise StalledError(f"no answer within {_STALLED_S:g} s")
            for key, _ in ready:
                if not key.data.receive(load, stop):
                    selector.unregister(key.fileobj)
    finally:
        load.seconds = time.perf_counter() - began
        selector.close()
        for connection in connections:
            connection.socket.close()
    return load
