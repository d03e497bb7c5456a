"""Rows 1 and 2: appends and windows over HTTP, against constant answers on the same stack.

`python benches/http_load.py` starts both servers on free ports of this machine, with one worker each and a store in a
temporary directory, and keeps 32 connections busy in interleaved rounds.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

import client
import corpus
from client import CONNECTIONS, Load
from report import Row, at_least, machine, number, ratios, sync_ms, table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

BODIES = 4096
WINDOW_MESSAGES = 200
START_S = 30.0
ATTEMPTS = 3
REQUESTS_MAX = 200_000


class Server:
    """A server of this machine, and its one worker."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process = process
        self.port = port

    def call(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """One request over a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=START_S)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            reply = connection.getresponse()
            return reply.status, reply.read()
        finally:
            connection.close()

    def must(self, method: str, path: str, body: dict[str, Any] | None = None) -> bytes:
        """The reply of a request that has to succeed."""
        status, reply = self.call(method, path, None if body is None else json.dumps(body).encode())
        if status not in {200, 201}:
            sys.exit(f"{method} {path} answered {status}: {reply[:300]!r}")
        return reply

    def worker_cpu_s(self) -> float:
        """Processor time that the worker has used."""
        times = [child.cpu_times() for child in psutil.Process(self.process.pid).children()]
        return float(sum(each.user + each.system for each in times))


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def started(command: Sequence[str], port: int, log: Path) -> Iterator[Server]:
    """A server from its first answer to its end."""
    # What other servers of this machine are set up by must not reach these.
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("FASTPACA_", "GUNICORN_"))}
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env=environ)
    server = Server(process, port)
    try:
        deadline = time.monotonic() + START_S
        while not _answers(server):
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"{' '.join(command)} does not start:\n{log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.05)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(START_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(server: Server) -> bool:
    try:
        return server.call("GET", "/health/ready")[0] == 200
    except OSError:
        return False


def post(context_id: str, body: bytes) -> bytes:
    """An append as it goes over the wire."""
    head = f"POST /v1/contexts/{context_id}/messages HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    return head.encode() + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def get(path: str) -> bytes:
    """A read as it goes over the wire."""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def appends(context_ids: Sequence[str], *, token_count: bool) -> list[bytes]:
    """Appends of different messages, to the contexts in turn."""
    bodies = (
        json.dumps({"message": message}, ensure_ascii=False, separators=(",", ":")).encode()
        for message in corpus.messages(BODIES, token_count=token_count)
    )
    return [post(context_ids[n % len(context_ids)], body) for n, body in enumerate(bodies)]


@dataclass(slots=True)
class Scenario:
    """One line of the table: what is sent in a round, and what came of it."""

    number: str
    what: str
    least: float
    requests: Callable[[Server, int], list[bytes]]
    ours: list[Load] = field(default_factory=list)
    theirs: list[Load] = field(default_factory=list)
    ours_cpu_us: list[float] = field(default_factory=list)
    theirs_cpu_us: list[float] = field(default_factory=list)

    def row(self) -> Row:
        """For the table."""
        mine, others = ([load.rate for load in loads] for loads in (self.ours, self.theirs))
        return at_least(self.number, self.what, _rate(mine), _rate(others), ratios(mine, others), self.least)

    def detail(self) -> str:
        """Latency, and the worker's processor time for a request, which is the steadier figure."""
        lines = []
        for name, loads, cpu_us in (
            ("fastpaca", self.ours, self.ours_cpu_us),
            ("constant", self.theirs, self.theirs_cpu_us),
        ):
            p50, p95, p99 = (
                statistics.median(getattr(load, which) for load in loads) for which in ("p50_ms", "p95_ms", "p99_ms")
            )
            cpu = statistics.median(cpu_us)
            lines.append(
                f"  {name}: p50 {p50:.2f} ms, p95 {p95:.2f} ms, p99 {p99:.2f} ms; worker {cpu:.0f} us a request"
            )
        share = statistics.median(ratios(self.theirs_cpu_us, self.ours_cpu_us))
        return "\n".join([f"{self.number} {self.what}", *lines, f"  ratio by the worker's processor time: {share:.2f}"])


def _rate(rates: Sequence[float]) -> str:
    return f"{number(statistics.median(rates))}/s"


def _append_scenario(what: str, least: float, contexts: int, *, token_count: bool) -> Scenario:
    def requests(server: Server, turn: int) -> list[bytes]:
        name = f"bench-{contexts}-{token_count}-{turn}".lower()
        ids = [f"{name}-{n}" for n in range(contexts)]
        for context_id in ids:
            server.must("PUT", f"/v1/contexts/{context_id}", {})
        return appends(ids, token_count=token_count)

    return Scenario("1", what, least, requests)


def _scenarios(server: Server) -> list[Scenario]:
    path = "/v1/contexts/window"
    server.must("PUT", path, {"token_budget": 1_000_000})
    server.must("POST", f"{path}/messages", {"messages": corpus.messages(WINDOW_MESSAGES, token_count=True)})
    windows = [get(f"{path}/window")] * CONNECTIONS
    return [
        _append_scenario("append, counting, a context each", 0.5, CONNECTIONS, token_count=False),
        _append_scenario("append, counting, one context", 0.5, 1, token_count=False),
        _append_scenario("append, token_count given, a context each", 0.6, CONNECTIONS, token_count=True),
        _append_scenario("append, token_count given, one context", 0.6, 1, token_count=True),
        Scenario("2", f"window of {WINDOW_MESSAGES} messages", 0.7, lambda _server, _turn: windows),
    ]


def _samples(server: Server) -> tuple[bytes, bytes]:
    """Replies of the sizes that the counterpart is to answer with."""
    server.must("PUT", "/v1/contexts/sample", {})
    messages = corpus.messages(100, token_count=False)
    server.must("POST", "/v1/contexts/sample/messages", {"messages": messages})
    appended = server.must("POST", "/v1/contexts/sample/messages", {"message": messages[0]})
    return appended, server.must("GET", "/v1/contexts/window/window")


class Bench:
    """Both servers, under one load after the other."""

    def __init__(self, run: client.Client, seconds: float) -> None:
        self._run = run
        self._seconds = seconds

    def round(self, scenario: Scenario, ours: Server, theirs: Server, turn: int) -> None:
        """One scenario on both; who is first changes each round."""
        requests = scenario.requests(ours, turn)
        pair = [(ours, scenario.ours, scenario.ours_cpu_us), (theirs, scenario.theirs, scenario.theirs_cpu_us)]
        for server, loads, cpu_us in pair if turn % 2 else reversed(pair):
            before = server.worker_cpu_s()
            load = self._load(server, requests)
            cpu_us.append((server.worker_cpu_s() - before) / load.requests * 1e6)
            loads.append(load)

    def _load(self, server: Server, requests: Sequence[bytes]) -> Load:
        for _ in range(ATTEMPTS - 1):
            try:
                return self._run(server.port, requests, self._seconds, REQUESTS_MAX)
            except client.StalledError as stalled:
                print(f"again: {stalled}", file=sys.stderr)
        return self._run(server.port, requests, self._seconds, REQUESTS_MAX)


def measure(*, rounds: int, seconds: float, run: client.Client, only: str = "") -> list[Scenario]:
    """Runs every scenario whose name holds `only`."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fastpaca-bench-")))
        port = free_port()
        command = [
            sys.executable,
            "-m",
            "fastpaca.cli",
            "serve",
            "--port",
            str(port),
            "--data-dir",
            str(folder / "data"),
        ]
        ours = stack.enter_context(started([*command, "--log-level", "warning"], port, folder / "fastpaca.log"))
        scenarios = [scenario for scenario in _scenarios(ours) if only in f"{scenario.number} {scenario.what}"]
        files = folder / "appended", folder / "window"
        for file, content in zip(files, _samples(ours), strict=True):
            file.write_bytes(content)
        port = free_port()
        constant = [sys.executable, str(Path(__file__).with_name("constant.py")), str(port), *map(str, files)]
        theirs = stack.enter_context(started(constant, port, folder / "constant.log"))
        warm = Bench(run, 1.0)
        for scenario in scenarios:
            warm.round(scenario, ours, theirs, 0)
            for kept in (scenario.ours, scenario.theirs, scenario.ours_cpu_us, scenario.theirs_cpu_us):
                kept.clear()
        bench = Bench(run, seconds)
        for turn in range(1, rounds + 1):
            for scenario in scenarios:
                bench.round(scenario, ours, theirs, turn)
    return scenarios


def options(parser: argparse.ArgumentParser) -> None:
    """Adds what a run can be told."""
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=2, help="of each measurement")
    parser.add_argument("--client", choices=client.CLIENTS, default=client.best())
    parser.add_argument("--only", default="", help="part of a line's name, such as 'one context' or '2 window'")


def main() -> None:
    """Prints rows 1 and 2."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options(parser)
    given = parser.parse_args()
    print(f"{machine()}\ntext: {corpus.describe()}; load by {given.client}; sync of 4 KB {sync_ms():.2f} ms")
    print(f"{given.rounds} rounds of {given.seconds:g} s each, medians\n")
    found = measure(rounds=given.rounds, seconds=given.seconds, run=client.CLIENTS[given.client], only=given.only)
    print(table([scenario.row() for scenario in found]), *(scenario.detail() for scenario in found), sep="\n\n")
    print(f"\nafterwards: {machine()}")


if __name__ == "__main__":
    main()
