"""Streams: memory a connection, appends beside subscribers, and the time from an append to its frame.

`python benches/streams.py` starts a server for each part, with one worker and a store in a temporary directory. What is
sent to subscribers that nobody looks at a process of its own reads.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parent.parent))
import client
from tests.support.server import Server
from tests.support.websocket import Client

TEXT = "word " * 80
SUBSCRIBERS = (0, 100, 1000)
OPEN_S = 60.0
KINDS = ("server-sent events", "WebSocket")


@contextmanager
def served() -> Iterator[Server]:
    """A server with two contexts: `busy`, which is appended to, and `quiet`."""
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder) / "data", FASTPACA_STREAMS_MAX="2000") as server:
        for name in ("busy", "quiet"):
            with socket.create_connection(("127.0.0.1", server.port)) as connection:
                connection.sendall(request("PUT", f"/v1/contexts/{name}", {"token_budget": 10_000_000}))
                assert connection.recv(4096).startswith(b"HTTP/1.1 201")
        yield server


def request(method: str, path: str, body: object) -> bytes:
    """A request with a JSON body."""
    content = json.dumps(body).encode()
    head = f"{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(content)}\r\n\r\n".encode() + content


def append() -> bytes:
    """The request of an append of 400 characters."""
    return request("POST", "/v1/contexts/busy/messages", {"message": {"role": "user", "content": TEXT}})


def subscribed(port: int, context_id: str, kind: str) -> socket.socket:
    """A subscriber whose stream has begun."""
    path = f"/v1/contexts/{context_id}/stream"
    subscriber = Client(port, OPEN_S)
    if kind == KINDS[0]:
        head = f"GET {path} HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n\r\n"
        subscriber.socket.sendall(head.encode())
        expected = 200
    else:
        subscriber.socket.sendall(subscriber.handshake(path, sec_websocket_extensions="permessage-deflate"))
        expected = 101
    status, head_bytes = subscriber.response()
    if status != expected:
        sys.exit(f"a subscriber was refused: {head_bytes!r}")
    return subscriber.socket


# Memory


def worker(server: Server) -> psutil.Process:
    """The process that serves."""
    (found,) = psutil.Process(server.process.pid).children()
    return found


def memory(kind: str, connections: int) -> None:
    """Resident bytes of the server that each idle subscriber adds, behind some that warmed it up."""
    with served() as server:
        for each in [subscribed(server.port, "quiet", kind) for _ in range(50)]:
            each.close()
        appending = socket.create_connection(("127.0.0.1", server.port))
        to_quiet = append().replace(b"/busy/", b"/quiet/")
        appending.sendall(to_quiet)
        time.sleep(1)
        process = worker(server)
        before = process.memory_info().rss
        held = [subscribed(server.port, "quiet", kind) for _ in range(connections)]
        time.sleep(1)
        idle = process.memory_info().rss - before
        appending.sendall(to_quiet)
        for each in held:
            assert each.recv(65536)
        used = process.memory_info().rss - before
        for each in (*held, appending):
            each.close()
    print(f"{kind}: {idle / connections / 1024:.1f} KiB a connection, {used / connections / 1024:.1f} behind a frame")


# Appends beside subscribers


@contextmanager
def drained(port: int, context_id: str, subscribers: int) -> Iterator[None]:
    """So many subscribers, read by another process."""
    if not subscribers:
        yield
        return
    command = [sys.executable, __file__, "--drain", str(port), context_id, str(subscribers)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE) as process:
        assert process.stdout is not None
        if process.stdout.readline() != b"ready\n":
            sys.exit("the subscribers did not start")
        try:
            yield
        finally:
            process.kill()


def drain(port: int, context_id: str, subscribers: int) -> None:
    """Reads until it is killed."""
    selector = selectors.DefaultSelector()
    for n in range(subscribers):
        found = subscribed(port, context_id, KINDS[n % 2])
        found.setblocking(False)
        selector.register(found, selectors.EVENT_READ, found)
    print("ready", flush=True)
    while True:
        for key, _ in selector.select():
            if not key.data.recv(1 << 18):
                selector.unregister(key.data)


def throughput(rounds: int, seconds: float, numbers: Sequence[int]) -> None:
    """Appends a second with 32 connections, in rounds that take turns."""
    rates: dict[tuple[str, int], list[tuple[float, float]]] = {}
    with served() as server:
        process = worker(server)
        for _ in range(rounds):
            for context_id in ("quiet", "busy"):
                for subscribers in numbers:
                    with drained(server.port, context_id, subscribers):
                        cpu = sum(process.cpu_times()[:2])
                        load = client.CLIENTS[client.best()](server.port, [append()], seconds, 10**6)
                        cpu = sum(process.cpu_times()[:2]) - cpu
                    rates.setdefault((context_id, subscribers), []).append((load.rate, cpu / load.requests * 1e6))
                    time.sleep(0.5)
    for (context_id, subscribers), found in rates.items():
        ratio = statistics.median(rate / none for (rate, _), (none, _) in zip(found, rates[context_id, 0], strict=True))
        rate, cpu = (statistics.median(each[what] for each in found) for what in (0, 1))
        who = "idle subscribers" if context_id == "quiet" else "subscribers of the same context"
        print(f"{subscribers} {who}: {rate:.0f} appends/s, {cpu:.0f} us of processor time each, ratio {ratio:.2f}")


# From an append to its frame


def latency(kind: str, beside: int, appends: int) -> None:
    """Times from sending an append to its reply and to its frame, one append at a time."""
    replies, frames = [], []
    with served() as server, drained(server.port, "busy", beside):
        writer = socket.create_connection(("127.0.0.1", server.port))
        writer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        reader = subscribed(server.port, "busy", kind)
        with selectors.DefaultSelector() as selector:
            for each in (writer, reader):
                selector.register(each, selectors.EVENT_READ, each)
            for _ in range(appends):
                replied, framed = one_append(selector, writer, reader)
                replies.append(replied)
                frames.append(framed)
    print(f"{kind}, {beside} others: reply {percentiles(replies)}, frame {percentiles(frames)}")


def one_append(selector: selectors.BaseSelector, writer: socket.socket, reader: socket.socket) -> tuple[float, float]:
    """Seconds to the reply, and to the whole frame."""
    began = time.perf_counter()
    writer.sendall(append())
    replied = framed = 0.0
    answer = received = b""
    while not replied or not framed:
        for key, _ in selector.select():
            if key.data is writer:
                answer += writer.recv(65536)
                if answer.endswith(b"}"):
                    assert answer.startswith(b"HTTP/1.1 201")
                    replied = time.perf_counter() - began
            else:
                received += reader.recv(65536)
                # The frame behind the message's says what is kept.
                if not framed and b'"message":{' in received:
                    framed = time.perf_counter() - began
    while b'"window"' not in received:
        received += reader.recv(65536)
    return replied, framed


def percentiles(seconds: list[float]) -> str:
    """For people."""
    ordered = sorted(each * 1000 for each in seconds)
    return f"p50 {ordered[len(ordered) // 2]:.2f} ms, p99 {ordered[int(len(ordered) * 0.99)]:.2f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--connections", type=int, default=1000)
    parser.add_argument("--appends", type=int, default=1000)
    parser.add_argument("--quick", action="store_true", help="see that it works")
    parser.add_argument("--drain", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if given.drain:
        port, context_id, subscribers = given.drain
        drain(int(port), context_id, int(subscribers))
    numbers: Sequence[int] = SUBSCRIBERS
    if given.quick:
        given.rounds, given.seconds, given.connections, given.appends, numbers = 1, 1, 50, 20, (0, 10)
    print(f"load average {os.getloadavg()[0]:.1f}, append load by {client.best()}")
    for kind in KINDS:
        memory(kind, given.connections)
    throughput(given.rounds, given.seconds, numbers)
    for kind in KINDS:
        for beside in numbers[:2]:
            latency(kind, beside, given.appends)
    print(f"load average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
