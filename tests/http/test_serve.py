"""The server as a process: how it starts, refuses, ends and comes back; and requests that are no HTTP."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.support.server import Server, free_port

if TYPE_CHECKING:
    from pathlib import Path

# A process for each test.
pytestmark = pytest.mark.slow

CHAT = "/v1/contexts/chat"
BODY = {"message": {"role": "user", "content": "hi"}}
CHUNKED = b"POST /v1/contexts/a/messages HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


def log_lines(data_dir: Path) -> list[dict[str, Any]]:
    text = "".join(path.read_text() for path in sorted(data_dir.parent.glob("server-*.log")))
    return [json.loads(line) for line in text.splitlines()]


def serve(data_dir: Path, *flags: str, **env: str) -> subprocess.CompletedProcess[str]:
    """A server that is expected to refuse to start."""
    command = [sys.executable, "-m", "fastpaca.cli", "serve", "--data-dir", str(data_dir), *flags]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=env or None)


def test_killed_and_started_again_it_has_everything(data_dir: Path) -> None:
    with Server(data_dir) as server, httpx.Client(base_url=server.url) as http:
        http.put(CHAT)
        keyed = http.post(f"{CHAT}/messages", json=BODY, headers={"idempotency-key": "k"})
        for _ in range(20):
            assert http.post(f"{CHAT}/messages", json=BODY).status_code == 201
        window = http.get(f"{CHAT}/window").content
        server.kill()
    with Server(data_dir) as server, httpx.Client(base_url=server.url) as http:
        assert http.get(f"{CHAT}/window").content == window
        again = http.post(f"{CHAT}/messages", json=BODY, headers={"idempotency-key": "k"})
        assert (again.status_code, again.content) == (200, keyed.content)
        assert http.get(CHAT).json()["last_seq"] == 21


def test_sigterm_answers_what_is_under_way(data_dir: Path) -> None:
    server = Server(data_dir)
    with httpx.Client(base_url=server.url) as idle:
        idle.put(CHAT)
        body = json.dumps(BODY).encode()
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as half:
            half.sendall(
                b"POST %b/messages HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % (CHAT.encode(), len(body))
            )
            time.sleep(0.3)
            server.process.terminate()
            time.sleep(0.5)
            half.sendall(body)
            answer = half.recv(65536)
        began = time.monotonic()
        assert server.stop() == 0
    assert answer.startswith(b"HTTP/1.1 201"), answer
    assert b"connection: close" in answer
    assert time.monotonic() - began < 10
    lines = log_lines(data_dir)
    assert "the store is closed" in [line["message"] for line in lines]
    assert [line for line in lines if line["level"] in {"error", "critical"}] == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_other_signals_end_it_in_order_as_well(data_dir: Path, number: signal.Signals) -> None:
    server = Server(data_dir)
    with httpx.Client(base_url=server.url) as idle:
        idle.put(CHAT)
        server.process.send_signal(number)
        assert server.process.wait(timeout=15) == 0
    server.stop()
    assert "the store is closed" in [line["message"] for line in log_lines(data_dir)]


def test_a_worker_does_not_outlive_its_master(data_dir: Path) -> None:
    server = Server(data_dir)
    httpx.put(f"{server.url}{CHAT}")
    server.process.kill()
    server.stop()
    with Server(data_dir) as second:
        assert httpx.get(f"{second.url}{CHAT}").json()["version"] == 0


def test_a_killed_worker_is_replaced(data_dir: Path) -> None:
    with Server(data_dir) as server:
        httpx.put(f"{server.url}{CHAT}")
        found = subprocess.run(["pgrep", "-P", str(server.process.pid)], capture_output=True, text=True, check=True)
        os.kill(int(found.stdout), signal.SIGKILL)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{server.url}{CHAT}").status_code == 200:
                    return
            time.sleep(0.1)
        pytest.fail("no new worker answered")


def test_sigterm_under_load_loses_nothing_acknowledged(data_dir: Path) -> None:
    server = Server(data_dir)
    acknowledged: list[int] = []

    def work(number: int) -> None:
        with httpx.Client(base_url=server.url) as http:
            http.put(f"/v1/contexts/c{number}")
            while True:
                try:
                    answer = http.post(f"/v1/contexts/c{number}/messages", json=BODY)
                except httpx.TransportError:
                    return
                assert answer.status_code == 201
                acknowledged.append(number)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(1)
    assert server.stop() == 0
    for thread in threads:
        thread.join()
    with Server(data_dir) as again, httpx.Client(base_url=again.url) as http:
        for n in range(4):
            assert http.get(f"/v1/contexts/c{n}").json()["last_seq"] >= acknowledged.count(n) > 0


def test_one_server_owns_a_directory(data_dir: Path) -> None:
    with Server(data_dir) as server:
        second = serve(data_dir, "--port", str(free_port()), FASTPACA_LOCK_WAIT_S="0")
        assert second.returncode == 1
        assert str(data_dir) in second.stderr
        assert "fastpaca serve" in second.stderr
        assert "Traceback" not in second.stderr
        assert httpx.get(f"{server.url}/health/live").status_code == 200


def test_a_starting_server_waits_for_the_one_before(data_dir: Path) -> None:
    first = Server(data_dir)
    httpx.put(f"{first.url}{CHAT}")
    timer = threading.Timer(1.0, first.process.terminate)
    timer.start()
    with Server(data_dir) as second:
        assert httpx.get(f"{second.url}{CHAT}").json()["version"] == 0
    timer.join()
    first.stop()
    assert [line for line in log_lines(data_dir) if line["message"].startswith("waiting up to 10 s")]


def test_a_taken_port_is_named(data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = serve(data_dir, "--port", str(port))
    assert refused.returncode == 1
    assert f"127.0.0.1:{port}" in refused.stderr
    assert "in use" in refused.stderr


def test_an_unknown_host_is_named(data_dir: Path) -> None:
    refused = serve(data_dir, "--host", "no.such.host.invalid")
    assert refused.returncode == 1
    assert "no.such.host.invalid" in refused.stderr


@pytest.mark.parametrize(
    ("flags", "env", "named"),
    [
        (("--workers", "2"), {}, "--workers"),
        ((), {"WEB_CONCURRENCY": "4"}, "WEB_CONCURRENCY"),
        ((), {"GUNICORN_CMD_ARGS": "--threads 2 -w 3"}, "GUNICORN_CMD_ARGS"),
        ((), {"GUNICORN_CMD_ARGS": "--workers=3"}, "GUNICORN_CMD_ARGS"),
    ],
)
def test_more_workers_are_refused(data_dir: Path, flags: tuple[str, ...], env: dict[str, str], named: str) -> None:
    refused = serve(data_dir, *flags, **env)
    assert refused.returncode == 1
    assert named in refused.stderr
    assert "one process owns a data directory" in refused.stderr
    assert not data_dir.exists()


def test_a_data_directory_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused = serve(tmp_path / "file" / "data", "--port", str(free_port()))
    assert refused.returncode == 1
    assert str(tmp_path / "file") in refused.stderr
    assert "Traceback" not in refused.stderr


def test_signals_that_ask_for_more_workers_are_ignored(data_dir: Path) -> None:
    with Server(data_dir) as server:
        for number in (signal.SIGTTIN, signal.SIGUSR2, signal.SIGHUP):
            server.process.send_signal(number)
            time.sleep(0.2)
        assert httpx.put(f"{server.url}{CHAT}").status_code == 201
        children = subprocess.run(
            ["pgrep", "-P", str(server.process.pid)], capture_output=True, text=True, check=True
        ).stdout.split()
        assert len(children) == 1
    warned = [line for line in log_lines(data_dir) if line["level"] == "warning"]
    assert len(warned) == 3


def exchange(server: Server, *pieces: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        try:
            for piece in pieces:
                connection.sendall(piece)
        except OSError:
            pass
        answer = b""
        connection.settimeout(1)
        try:
            while data := connection.recv(65536):
                answer += data
        except OSError:
            pass
        return answer


@pytest.mark.parametrize(
    ("request_bytes", "status", "code"),
    [
        (b"FOO / HTTP/1.1\r\nhost: x\r\n\r\n", 400, "invalid_request"),
        (b"GET / HTTP/9.9\r\nhost: x\r\n\r\n", 400, "invalid_request"),
        (b"GET /v1/contexts/\xc3\xa9 HTTP/1.1\r\nhost: x\r\n\r\n", 400, "invalid_request"),
        (b"GET /v1/contexts?prefix=\xff HTTP/1.1\r\nhost: x\r\n\r\n", 400, "invalid_request"),
        (b"POST /v1/contexts/a/messages HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n", 400, "invalid_request"),
        (b"POST /v1/contexts/a/messages HTTP/1.1\r\nhost: x\r\ncontent-length: x\r\n\r\n", 400, "invalid_request"),
        (b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", 400, "invalid_request"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "invalid_request"),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n", 414, "path_too_long"),
        (b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"a" * 3_000_000, 431, "headers_too_large"),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 400_000, 431, "headers_too_large"),
        (CHUNKED + b"2\r\n{}\r\n0\r\n" + b"a: b\r\n" * 400_000, 431, "headers_too_large"),
        (CHUNKED + b"2\r\n{}\r\n0\r\n" + b"a" * 3_000_000, 431, "headers_too_large"),
        (CHUNKED + b"2;" + b"a" * 3_000_000, 431, "headers_too_large"),
        (
            b"POST /v1/contexts/a/messages HTTP/1.1\r\nhost: x\r\nidempotency-key: \xff\r\ncontent-length: 2\r\n\r\n{}",
            400,
            "invalid_utf8",
        ),
        (b"POST /v1/contexts/a/compact HTTP/1.1\r\nhost: x\r\ncontent-length: 9999999\r\n\r\n{", 413, "body_too_large"),
    ],
)  # fmt: skip
def test_what_is_hardly_http(server: Server, request_bytes: bytes, status: int, code: str) -> None:
    answer = exchange(server, request_bytes)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status), answer[:200]
    assert b"content-type: application/json" in head
    assert json.loads(body.partition(b"HTTP/1.1 ")[0])["error"] == code


def test_a_body_of_tiny_pieces_is_read(server: Server) -> None:
    """Its framing is many times what headers may have."""
    with httpx.Client(base_url=server.url) as http:
        http.put("/v1/contexts/pieces")
        body = json.dumps(BODY).encode().ljust(100_000)
        pieces = b"".join(b"1\r\n%c\r\n" % byte for byte in body)
        request = CHUNKED.replace(b"/a/", b"/pieces/") + pieces + b"0\r\nx-trailer: 1\r\n\r\n"
        assert exchange(server, request).startswith(b"HTTP/1.1 201 ")
        assert http.get("/v1/contexts/pieces").json()["version"] == 1


def test_a_body_that_ends_early_appends_nothing(server: Server) -> None:
    with httpx.Client(base_url=server.url) as http:
        http.put("/v1/contexts/early")
        body = json.dumps(BODY).encode()
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(
                b"POST /v1/contexts/early/messages HTTP/1.1\r\nhost: x\r\ncontent-length: 999\r\n\r\n" + body
            )
        time.sleep(0.3)
        assert http.get("/v1/contexts/early").json()["version"] == 0
        assert http.get("/health/live").status_code == 200


def test_an_upgrade_is_answered_without_it(server: Server) -> None:
    answer = exchange(server, b"GET /health/live HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")


def test_pipelined_requests_are_answered_in_order(server: Server) -> None:
    get = b"GET /%b HTTP/1.1\r\nhost: x\r\n\r\n"
    answer = exchange(server, get % b"health/live" + get % b"nothing" + get % b"health/ready")
    assert re.findall(rb"HTTP/1.1 (\d+) ", answer) == [b"200", b"404", b"200"]
