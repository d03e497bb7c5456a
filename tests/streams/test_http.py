"""Streams and drafts over real sockets."""

from __future__ import annotations

import asyncio
import json
import threading
import time
import uuid
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from fastpaca.config import Config
from fastpaca.http import stream
from fastpaca.http.service import Service
from fastpaca.log import MemoryLog
from fastpaca.streams import drafts
from tests.support.memory import append, write
from tests.support.server import Server
from tests.support.websocket import TEXT, Client

if TYPE_CHECKING:
    from collections.abc import Iterator

SSE = {"Accept": "text/event-stream"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("streams") / "data", FASTPACA_STREAMS_MAX="4") as server:
        yield server


@pytest.fixture(scope="module")
def http(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=20) as client:
        yield client


@pytest.fixture
def chat(http: httpx.Client, request: pytest.FixtureRequest) -> str:
    path = f"/v1/contexts/{request.node.name.partition('[')[0]}-{uuid.uuid4().hex[:6]}"
    http.put(path, json={"token_budget": 1000}).raise_for_status()
    return path


def say(http: httpx.Client, chat: str, *texts: str) -> None:
    messages = [{"role": "user", "content": text} for text in texts]
    http.post(f"{chat}/messages", json={"messages": messages}).raise_for_status()


def events(response: httpx.Response) -> Iterator[dict[str, Any]]:
    """Server-sent events: type, id, and data decoded."""
    event: dict[str, Any] = {}
    for line in response.iter_lines():
        name, _, value = line.partition(": ")
        if not line:
            if "data" in event:
                yield event
            event = {}
        elif name == "data":
            event["data"] = json.loads(value)
        elif name in {"event", "id"}:
            event[name] = value


@contextmanager
def sse(http: httpx.Client, path: str, headers: dict[str, str] | None = None, **query: Any) -> Iterator[Iterator[Any]]:
    with http.stream("GET", f"{path}/stream", params=query, headers={**SSE, **(headers or {})}) as response:
        assert response.status_code == 200
        assert response.headers["content-type"] == "text/event-stream"
        # Neither a cache nor a proxy's buffer may hold frames back.
        assert (response.headers["cache-control"], response.headers["x-accel-buffering"]) == ("no-store", "no")
        yield events(response)


def versions(found: Iterator[dict[str, Any]], count: int) -> list[int]:
    """Versions of the next entries."""
    seen: list[int] = []
    while len(seen) < count:
        event = next(found)
        if event["data"]["type"] not in {"window", "ping"}:
            assert event["event"] == event["data"]["type"]
            assert event["id"] == str(event["data"]["version"])
            seen.append(event["data"]["version"])
    return seen


def test_sse_resumes_by_cursor_and_by_last_event_id(http: httpx.Client, chat: str) -> None:
    say(http, chat, "one", "two", "three")
    with sse(http, chat, cursor=1) as found:
        assert versions(found, 2) == [2, 3]
        say(http, chat, "four")
        assert versions(found, 1) == [4]
    with sse(http, chat, {"Last-Event-ID": "3"}, cursor=0) as found:
        assert versions(found, 1) == [4]


def test_a_websocket_gets_each_frame(server: Server, http: httpx.Client, chat: str) -> None:
    say(http, chat, "one")
    url = f"{server.url}{chat}/stream".replace("http", "ws", 1)
    with connect(f"{url}?cursor=0") as socket:
        socket.send("what a client says is ignored")
        assert [json.loads(socket.recv(timeout=10))["type"] for _ in range(2)] == ["message", "window"]
        say(http, chat, "two")
        frame = json.loads(socket.recv(timeout=10))
        assert (frame["version"], frame["message"]["seq"]) == (2, 2)
        socket.recv(timeout=10)
        http.delete(chat).raise_for_status()
        assert [json.loads(socket.recv(timeout=10))["type"] for _ in range(2)] == ["tombstoned", "window"]
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=10)
        assert socket.close_code == 1000


def test_behind_the_end_of_a_deleted_context(server: Server, http: httpx.Client, chat: str) -> None:
    say(http, chat, "one")
    http.delete(chat).raise_for_status()
    for query in ("", "?cursor=2"):
        answer = http.get(f"{chat}/stream{query}", headers=SSE)
        assert (answer.status_code, answer.content) == (204, b"")
        url = f"{server.url}{chat}/stream{query}".replace("http", "ws", 1)
        with connect(url) as socket:
            with pytest.raises(ConnectionClosed):
                socket.recv(timeout=10)
            assert socket.close_code == 1000
    with sse(http, chat, cursor=1) as found:
        assert [event["event"] for event in found] == ["tombstoned", "window"]
    draft = http.post(f"{chat}/drafts/m", json={"offset": 0, "delta": "x"})
    assert (draft.status_code, draft.json()["error"]) == (409, "tombstoned")


def test_the_global_stream_names_the_context(server: Server, http: httpx.Client, chat: str) -> None:
    with sse(http, "/v1") as found:
        say(http, chat, "one", "two")
        first = next(found)
        assert first["data"]["context_id"] in chat
        assert first["data"]["version"] == 1
    with sse(http, "/v1", cursor=first["id"], include_messages="false") as found:
        second = next(found)
    assert second["data"]["version"] == 2
    assert "message" not in second["data"]
    url = f"{server.url}/v1/stream?cursor={first['id']}".replace("http", "ws", 1)
    with connect(url) as socket:
        frame = json.loads(socket.recv(timeout=10))
        assert (frame["version"], frame["cursor"]) == (2, second["id"])
        assert json.loads(socket.recv(timeout=10))["type"] == "window"
    with connect(url.replace(first["id"], frame["cursor"])) as socket:
        say(http, chat, "three")
        assert json.loads(socket.recv(timeout=10))["version"] == 3


def test_a_page_reload_in_the_middle_of_an_answer(http: httpx.Client, chat: str) -> None:
    draft = f"{chat}/drafts/answer-1"
    assert http.post(draft, json={"offset": 0, "delta": "Once upon"}).json() == {"length": 9}
    with sse(http, chat) as found:
        assert next(found)["data"] == {"type": "draft", "message_id": "answer-1", "offset": 0, "delta": "Once upon"}
        http.post(draft, json={"offset": 9, "delta": " a time"}).raise_for_status()
        assert next(found)["data"]["delta"] == " a time"
        answer = {"role": "assistant", "id": "answer-1", "content": "Once upon a time."}
        http.post(f"{chat}/messages", json={"message": answer}).raise_for_status()
        assert next(found)["data"]["message"]["id"] == "answer-1"
    refused = http.post(draft, json={"offset": 5, "delta": "x"})
    assert (refused.status_code, refused.json()["error"], refused.json()["length"]) == (409, "draft_conflict", 0)
    http.post(draft, json={"offset": 0, "delta": "x"}).raise_for_status()
    assert http.delete(draft).status_code == 204


@pytest.mark.parametrize(
    ("path", "status", "code", "field"),
    [
        ("{chat}/stream?cursor=999", 400, "cursor_ahead", "cursor"),
        ("{chat}/stream?cursor=-1", 400, "invalid_field", "cursor"),
        ("{chat}/stream?cursor=x", 400, "invalid_field", "cursor"),
        ("{chat}/stream?cursor=1&cursor=1", 400, "duplicate_key", "cursor"),
        ("{chat}/stream?since=1", 400, "unknown_field", "since"),
        ("{chat}/stream?include_messages=1", 400, "invalid_field", "include_messages"),
        ("/v1/contexts/nobody/stream", 404, "unknown_context", None),
        ("/v1/stream?cursor=abc", 400, "invalid_field", "cursor"),
        ("/v1/stream?cursor=AQAAAAAAD_8AAAAAAAAAAAA", 400, "cursor_ahead", "cursor"),
        ("/v1/nothing", 404, "unknown_path", None),
    ],
)
def test_bad_streams(
    server: Server, http: httpx.Client, chat: str, path: str, status: int, code: str, field: str | None
) -> None:
    path = path.format(chat=chat)
    answer = http.get(path, headers=SSE)
    assert (answer.status_code, answer.json()["error"], answer.json().get("field")) == (status, code, field)
    with pytest.raises(InvalidStatus) as refused, connect(f"{server.url}{path}".replace("http", "ws", 1)):
        pass
    response = refused.value.response
    assert (response.status_code, json.loads(response.body)["error"]) == (status, code)


def test_a_stream_has_to_be_asked_for(http: httpx.Client, chat: str) -> None:
    answer = http.get(f"{chat}/stream")
    assert (answer.status_code, answer.json()["error"], answer.json()["field"]) == (400, "stream_expected", "Accept")
    last = http.get(f"{chat}/stream", headers={**SSE, "Last-Event-ID": "?"})
    assert (last.status_code, last.json()["field"]) == (400, "Last-Event-ID")


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"offset": -1, "delta": "x"}, "invalid_field", "offset"),
        ({"offset": True, "delta": "x"}, "invalid_field", "offset"),
        ({"offset": "0", "delta": "x"}, "invalid_field", "offset"),
        ({"delta": "x"}, "invalid_field", "offset"),
        ({"offset": 0, "delta": 1}, "invalid_field", "delta"),
        ({"offset": 0}, "invalid_field", "delta"),
        ({"offset": 0, "delta": "x", "more": 1}, "unknown_field", "more"),
        ({"offset": 0.0, "delta": "x"}, "invalid_field", "offset"),
        ({"offset": 0, "delta": None}, "invalid_field", "delta"),
        ([], "invalid_field", ""),
    ],
)
def test_bad_drafts(http: httpx.Client, chat: str, body: Any, code: str, field: str) -> None:
    answer = http.post(f"{chat}/drafts/m", json=body)
    assert (answer.status_code, answer.json()["error"], answer.json()["field"]) == (400, code, field)


def test_more_bad_drafts(http: httpx.Client, chat: str) -> None:
    for content, code in (
        (b'{"offset":0,"delta":"\\ud800"}', "invalid_utf8"),
        (b"{", "invalid_json"),
        (b"\xff", "invalid_utf8"),
        (b"", "invalid_field"),
        (b'{"offset":NaN,"delta":"x"}', "invalid_json"),
        (b'{"offset":0,"offset":0,"delta":"x"}', "duplicate_key"),
        (b"[" * 100_000, "nesting_too_deep"),
    ):
        answer = http.post(f"{chat}/drafts/m", content=content, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["error"]) == (400, code)
    assert http.post("/v1/contexts/nobody/drafts/m", json={"offset": 0, "delta": "x"}).status_code == 404
    for message_id in ("m" * 256, "%FF", "%zz"):
        answer = http.post(f"{chat}/drafts/{message_id}", json={"offset": 0, "delta": "x"})
        assert (answer.status_code, answer.json()["field"]) == (400, "message_id")


def test_at_most_so_many_streams(server: Server, http: httpx.Client, chat: str) -> None:
    url = f"{server.url}{chat}/stream"
    with ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(sse(http, chat))
        refused = http.get(url, headers=SSE)
        assert (refused.status_code, refused.json()["error"]) == (503, "too_many_streams")
        assert refused.headers["retry-after"]
        with pytest.raises(InvalidStatus) as answer, connect(url.replace("http", "ws", 1)):
            pass
        assert answer.value.response.status_code == 503
        assert answer.value.response.headers["retry-after"]
    deadline = time.monotonic() + 10
    while (status := http_status(http, url)) == 503 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert status == 200


def http_status(http: httpx.Client, url: str) -> int:
    with http.stream("GET", url, headers=SSE) as response:
        return response.status_code


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = Service(Config(data_dir=tmp_path), lambda _: MemoryLog())
    service.open()
    write(service.engine, "chat", "configure")
    yield service
    service.close()


def test_a_ping_where_nothing_comes(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "PING_S", 0.05)
    streams = stream.Streams(service)
    ends: list[Any] = []

    async def run() -> None:
        async with streams.subscribed({"state": {stream.STREAM_ENDS: ends}}, "chat", {}) as frames:
            assert ends == [frames.end]
            batches = streams.batches(frames)
            assert [frame.type for frame in await anext(batches)] == ["ping"]
            service.engine.hub.draft("chat", "m", 0, "x")
            assert [frame.type for frame in await anext(batches)] == ["draft"]
            monkeypatch.setattr(drafts, "IDLE_S", -1.0)
            ping, dropped = await anext(batches)
            assert (ping.type, dropped.fields["dropped"]) == ("ping", True)
            await asyncio.to_thread(append, service.engine, "chat", [{"role": "user", "content": "one"}])
            assert [frame.type for frame in await anext(batches)] == ["message", "window"]
            await batches.aclose()  # type: ignore[attr-defined]
            looks = count()
            monkeypatch.setattr(service.engine.hub, "sweep", lambda: next(looks))
            await asyncio.sleep(0.2)
            assert next(looks) == 0

    asyncio.run(run())
    assert streams.open == 0
    assert ends == []


@pytest.mark.slow
def test_no_ping_among_frames(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "PING_S", 1.0)
    streams = stream.Streams(service)

    async def run() -> None:
        async with streams.subscribed({}, "chat", {}) as frames:
            batches = streams.batches(frames)
            for n in range(15):
                loop = asyncio.get_running_loop()
                loop.call_later(0.1, service.engine.hub.draft, "chat", "m", n, "x")
                assert [frame.type for frame in await anext(batches)] == ["draft"]
            assert [frame.type for frame in await anext(batches)] == ["ping"]

    asyncio.run(run())


@pytest.mark.slow
def test_a_server_that_ends_ends_its_streams(tmp_path: Path) -> None:
    with Server(tmp_path / "data") as server, httpx.Client(base_url=server.url, timeout=20) as http:
        http.put("/v1/contexts/c", json={}).raise_for_status()
        with (
            sse(http, "/v1/contexts/c") as found,
            connect(f"{server.url}/v1/contexts/c/stream".replace("http", "ws", 1)) as socket,
        ):
            stopper = threading.Thread(target=server.stop)
            began = time.monotonic()
            stopper.start()
            assert list(found) == []
            with pytest.raises(ConnectionClosed):
                socket.recv(timeout=10)
            stopper.join(timeout=20)
            assert not stopper.is_alive()
            assert time.monotonic() - began < 15


@pytest.mark.slow
def test_who_reads_too_slowly_gets_a_gap(server: Server, http: httpx.Client, chat: str) -> None:
    text = "x" * 200_000
    with Client(server.port, timeout_s=30).open(f"{chat}/stream") as slow:
        for n in range(100):
            say(http, chat, f"{n} {text}")
        frames = [json.loads(found.payload) for found in slow.rest() if found.opcode == TEXT]
    seen = [frame["version"] for frame in frames if frame["type"] == "message"]
    assert seen == list(range(1, len(seen) + 1))
    assert len(seen) < 100
    assert (frames[-1]["type"], frames[-1]["expected"]) == ("gap", len(seen) + 1)
    with sse(http, chat, cursor=len(seen)) as found:
        assert versions(found, 100 - len(seen)) == list(range(len(seen) + 1, 101))


@pytest.mark.slow
def test_a_killed_server_loses_no_frame(tmp_path: Path) -> None:
    data = tmp_path / "data"
    server = Server(data)
    with httpx.Client(base_url=server.url, timeout=20) as http:
        http.put("/v1/contexts/c", json={}).raise_for_status()
        with sse(http, "/v1/contexts/c", cursor=0) as found:
            say(http, "/v1/contexts/c", "one", "two", "three")
            assert versions(found, 2) == [1, 2]
            server.kill()
    with Server(data) as server, httpx.Client(base_url=server.url, timeout=20) as http:
        say(http, "/v1/contexts/c", "four")
        with sse(http, "/v1/contexts/c", {"Last-Event-ID": "2"}) as found:
            assert versions(found, 2) == [3, 4]
