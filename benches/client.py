"""Two load generators that keep 32 connections busy with requests made beforehand: wrk, and a loop over epoll."""

from __future__ import annotations

import json
import selectors
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CONNECTIONS: Final = 32
_RECEIVE_BYTES: Final = 1 << 18
_IDLE_S: Final = 10.0
_LENGTH: Final = b"content-length: "

_SCRIPT: Final = """
local requests, at = {}, 0
for length_bytes in io.lines("@lengths@") do requests[#requests + 1] = tonumber(length_bytes) end
local file = io.open("@bytes@", "rb")
for n, length_bytes in ipairs(requests) do requests[n] = file:read(length_bytes) end
file:close()
function request()
  at = at % #requests + 1
  return requests[at]
end
function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    '\\nJSON {"requests": %d, "took_us": %d, "refused": %d, "broken": %d, "p50": %f, "p95": %f, "p99": %f}\\n',
    summary.requests, summary.duration, e.status, e.connect + e.read + e.write + e.timeout,
    latency:percentile(50), latency:percentile(95), latency:percentile(99)))
end
"""


@dataclass(frozen=True, slots=True)
class Load:
    """What a run came to. Percentiles are those of the latency."""

    requests: int
    seconds: float
    p50_ms: float
    p95_ms: float
    p99_ms: float

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds


class LoadError(Exception):
    """The server refused a request, or the connection broke: the run means nothing."""


class StalledError(LoadError):
    """Nothing was answered in the whole time: the disk or the machine stood still."""


def best() -> str:
    """The generator to use: wrk costs least."""
    return "wrk" if shutil.which("wrk") else "python"


def by_wrk(port: int, requests: Sequence[bytes], seconds: float, requests_max: int) -> Load:  # noqa: ARG001
    """One thread of wrk. The connections take the requests in turn; it is bounded by time alone."""
    with tempfile.TemporaryDirectory(prefix="fastpaca-wrk-") as folder:
        lengths, content, script = (Path(folder, name) for name in ("lengths", "bytes", "script.lua"))
        lengths.write_text("\n".join(str(len(request)) for request in requests), encoding="ascii")
        content.write_bytes(b"".join(requests))
        text = _SCRIPT.replace("@lengths@", str(lengths)).replace("@bytes@", str(content))
        script.write_text(text, encoding="ascii")
        # wrk takes whole seconds; an answer that takes more than two is none to it, unless it is told.
        duration = [f"-d{max(1, round(seconds))}s", "--timeout", "30s"]
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", *duration, "-s", str(script), f"http://127.0.0.1:{port}/"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 60)
    line = next(line for line in done.stdout.splitlines() if line.startswith("JSON "))
    found = json.loads(line.removeprefix("JSON "))
    if found["refused"] or found["broken"]:
        raise LoadError(f"wrk saw refused or broken requests: {line}")
    if not found["requests"]:
        raise StalledError(f"no answer within {seconds:g} s")
    milli = [found[name] / 1000 for name in ("p50", "p95", "p99")]
    return Load(found["requests"], found["took_us"] / 1e6, *milli)


def by_python(port: int, requests: Sequence[bytes], seconds: float, requests_max: int) -> Load:
    """A loop over epoll in this process. Request n, n + 32, ... go over connection n; bounded by time and by count."""
    selector = selectors.DefaultSelector()
    connections = [_Connection(port, requests[n::CONNECTIONS], selector) for n in range(CONNECTIONS)]
    latencies: list[float] = []
    began = time.perf_counter()
    stop = began + seconds
    for connection in connections:
        connection.send()
    try:
        while (now := time.perf_counter()) < stop and len(latencies) < requests_max:
            ready = selector.select(_IDLE_S)
            if not ready:
                raise StalledError(f"no answer within {_IDLE_S:g} s")
            for key, _ in ready:
                connection = key.data
                if connection.receive():
                    latencies.append(time.perf_counter() - connection.sent)
                    connection.send()
    finally:
        selector.close()
        for connection in connections:
            connection.socket.close()
    if not latencies:
        raise StalledError(f"no answer within {seconds:g} s")
    latencies.sort()
    milli = [latencies[int(len(latencies) * share)] * 1000 for share in (0.5, 0.95, 0.99)]
    return Load(len(latencies), now - began, *milli)


class _Connection:
    def __init__(self, port: int, requests: Sequence[bytes], selector: selectors.BaseSelector) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(self.socket, selectors.EVENT_READ, self)
        self.sent = 0.0
        self._requests = requests
        self._next = 0
        self._received = b""
        self._lacks_bytes = 0

    def send(self) -> None:
        self.sent = time.perf_counter()
        self.socket.sendall(self._requests[self._next])
        self._next = (self._next + 1) % len(self._requests)

    def receive(self) -> bool:
        """Whether an answer is complete."""
        data = self.socket.recv(_RECEIVE_BYTES)
        if not data:
            raise LoadError("the server closed a connection")
        if self._lacks_bytes:
            self._lacks_bytes -= len(data)
            return self._lacks_bytes == 0
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return False
        head, self._received, have = self._received[:end].lower(), b"", len(self._received) - end - 4
        if head[9:10] != b"2":
            raise LoadError(f"the server answered {head[:60]!r}")
        at = head.index(_LENGTH) + len(_LENGTH)
        self._lacks_bytes = int(head[at:].split(b"\r\n", 1)[0]) - have
        return self._lacks_bytes == 0


Client = Callable[[int, Sequence[bytes], float, int], Load]
"""Puts a load on a port: the requests, seconds, and the number of requests at most."""

CLIENTS: Final[dict[str, Client]] = {"wrk": by_wrk, "python": by_python}
