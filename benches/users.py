"""Many users at once over epoll, in one thread: each asks again once it is answered, or all together at a pace.

A user is a generator: it yields what it does and the request for it, and is sent the body of the answer. One that
returns is done. It costs about 30 us of processor time a request, on a core of its own where there are two.
"""

from __future__ import annotations

import heapq
import selectors
import socket
import time
from collections import defaultdict
from collections.abc import Generator, Iterator
from contextlib import contextmanager
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

    __slots__ = ("_lacks_bytes", "_operation", "_received", "_user", "answered", "sent", "socket")

    def __init__(self, port: int, user: User) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._user = user
        self._operation = ""
        self._received = bytearray()
        self._lacks_bytes = -1
        self.sent = 0.0
        self.answered = 0.0

    def ask(self, answer: bytes | None) -> bool:
        """The user learns of the last answer and asks what comes next. False once it is done."""
        try:
            self._operation, request = next(self._user) if answer is None else self._user.send(answer)
        except StopIteration:
            return False
        self.sent = time.perf_counter()
        self.socket.sendall(request)
        return True

    def receive(self, load: Load) -> bytes | None:
        """Takes what came. The answer, once it is whole."""
        data = self.socket.recv(_RECEIVE_BYTES)
        if not data:
            raise LoadError("the server closed a connection")
        self._received += data
        if self._lacks_bytes < 0 and not self._head():
            return None
        if len(self._received) < self._lacks_bytes:
            return None
        self.answered = time.perf_counter()
        load.took[self._operation].append(self.answered - self.sent)
        answer = bytes(self._received)
        self._received.clear()
        self._lacks_bytes = -1
        return answer

    def ask_no_more(self, answer: bytes) -> None:
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


@contextmanager
def _connected(port: int, users: Iterable[User]) -> Iterator[tuple[list[_Connection], Load]]:
    load = Load()
    connections = [_Connection(port, user) for user in users]
    began = time.perf_counter()
    try:
        yield connections, load
    finally:
        load.seconds = time.perf_counter() - began
        for connection in connections:
            connection.socket.close()


def drive(port: int, users: Iterable[User], seconds: float = float("inf")) -> Load:
    """Runs until every user is done; after so many seconds nobody asks anything more."""
    with _connected(port, users) as (connections, load), selectors.DefaultSelector() as selector:
        stop = time.perf_counter() + seconds
        for n, connection in enumerate(connections):
            if connection.ask(None):
                selector.register(connection.socket, selectors.EVENT_READ, (n, connection))
        while selector.get_map():
            for _, connection in _ready(selector, _STALLED_S):
                answer = connection.receive(load)
                if answer is None:
                    continue
                if connection.answered >= stop:
                    connection.ask_no_more(answer)
                elif connection.ask(answer):
                    continue
                selector.unregister(connection.socket)
    return load


def drive_at(port: int, users: Iterable[User], seconds: float, rate: float) -> Load:
    """Users who never end ask so many times a second, all together, however long an answer takes. One that is due while
    its connection still waits for the answer before counts from when it was due.
    """
    with _connected(port, users) as (connections, load), selectors.DefaultSelector() as selector:
        began = time.perf_counter()
        due: list[tuple[float, int, bytes | None]] = [(began + n / rate, n, None) for n in range(len(connections))]
        next_due = [at for at, _, _ in due]
        for n, connection in enumerate(connections):
            selector.register(connection.socket, selectors.EVENT_READ, (n, connection))
        waiting = 0
        while due or waiting:
            while due and due[0][0] <= time.perf_counter():
                at, n, answer = heapq.heappop(due)
                connection = connections[n]
                late = connection.answered > at
                connection.ask(answer)
                connection.sent = at if late else connection.sent
                waiting += 1
            wait_s = max(0.0, due[0][0] - time.perf_counter()) if due else _STALLED_S
            for n, connection in _ready(selector, wait_s, stalled=not due):
                answer = connection.receive(load)
                if answer is not None:
                    waiting -= 1
                    next_due[n] += len(connections) / rate
                    if next_due[n] < began + seconds:
                        heapq.heappush(due, (next_due[n], n, answer))
    return load


def _ready(selector: selectors.BaseSelector, wait_s: float, *, stalled: bool = True) -> list[tuple[int, _Connection]]:
    """Connections with an answer. Raises `StalledError` for none, if that means that nobody answers any more."""
    ready = selector.select(wait_s)
    if stalled and not ready:
        raise StalledError(f"no answer within {wait_s:g} s")
    return [key.data for key, _ in ready]
