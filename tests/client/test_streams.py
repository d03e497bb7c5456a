"""Streams over connections that break: no frame is lost, none comes twice."""

from __future__ import annotations

import asyncio
import gc
import random
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

import fastpaca
from fastpaca import errors
from fastpaca.client import aio_connection, sync_connection
from fastpaca.streams.frames import Cursor, Frame
from tests.client.conftest import Connect
from tests.support.faces import opened
from tests.support.proxy import Proxy, answer, cut_stream, events, passed, stalled_stream
from tests.support.server import Server

OPEN = b": open\nid: 0\n\n"


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def written(store: Any, name: str) -> Any:
    """A context with some of everything, and then its end."""
    chat = store.context(name, budget=2000)
    for n in range(6):
        chat.append([user(f"message {n}.{m} \u2028 ü") for m in range(n % 3 + 1)])
    chat.compact({"role": "assistant", "content": "So far."}, from_seq=1, to_seq=3)
    chat.metadata(a=1)
    chat.rewind(5)
    chat.delete()
    return chat


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_a_stream_that_is_cut_anywhere_is_complete(connect: Connect, proxy: Proxy, name: str, seed: int) -> None:
    chance = random.Random(seed)
    with connect() as store:
        chat = written(store, name)
        with chat.subscribe(cursor=0) as frames:
            whole = list(frames)
        assert [f.version for f in whole if f.type != "window"] == list(range(1, whole[-1].version + 1))
        everything = of_all(store, name)
        assert [f.version for f in everything[2:]] == [f.version for f in whole]
        for read, expected in (
            (lambda: list(chat.subscribe(cursor=0)), whole),
            (lambda: of_all(store, name), everything),
        ):
            proxy.faults.extend(cut_stream(chance.randrange(1, 4000)) for _ in range(30))
            assert read() == expected
            proxy.faults.clear()


def of_all(store: Any, name: str) -> list[Frame]:
    """What the stream of all contexts shows of one, to its end."""
    found: list[Frame] = []
    with store.subscribe(cursor=str(Cursor(0, 0))) as frames:
        while len(found) < 2 or found[-2].type != "tombstoned":
            frame = next(frames)
            if frame.fields["context_id"] == name:
                found.append(frame)
    return found


def test_nothing_is_lost_before_the_first_frame(connect: Connect, proxy: Proxy, name: str) -> None:
    with connect() as store:
        chat = store.context(name, budget=2000)
        for subscribe in (chat.subscribe, store.subscribe):
            head = len(b"HTTP/1.1 200 OK") + 500
            proxy.faults.append(cut_stream(head))
            with subscribe() as frames:
                version = chat.append([user("one"), user("two")]).version
                proxy.faults.append(passed)
                found: list[Frame] = []
                while not found or found[-1].type != "window":
                    frame = next(frames)
                    if frame.fields.get("context_id", name) == name:
                        found.append(frame)
            assert [f.version for f in found] == [version - 1, version, version]


@pytest.mark.slow
def test_a_server_that_was_killed(tmp_path: Path, name: str) -> None:
    server = Server(tmp_path / "data")
    with Proxy(server.port) as proxy, opened("http-blocking", tmp_path, proxy.url, retries=10**6) as store:
        chat = store.context(name, budget=10**6)
        stop = threading.Event()
        appended: list[int] = []

        def write() -> None:
            while not stop.is_set():
                appended.append(chat.append(user(f"message {len(appended)}")).seq)

        writer = threading.Thread(target=write)
        try:
            with chat.subscribe(cursor=0) as frames:
                writer.start()
                seen = [next(frames) for _ in range(20)]
                server.kill()
                server = Server(tmp_path / "data")
                proxy.target = server.port
                count = len(appended)
                while len(appended) < count + 10 and writer.is_alive():
                    time.sleep(0.01)
                stop.set()
                writer.join(timeout=30)
                while sum(f.type == "message" for f in seen) < len(appended) or seen[-1].type != "window":
                    seen.append(next(frames))
            assert [f.version for f in seen if f.type == "message"] == appended
            assert [f.version for f in seen if f.type == "window"] == appended
            texts = [m["parts"][0]["text"] for m in chat.messages()]
            assert texts == [f"message {n}" for n in range(len(appended))]
        finally:
            stop.set()
            writer.join(timeout=30)
            server.stop()


def test_who_was_too_slow_goes_on(connect: Connect, proxy: Proxy, name: str) -> None:
    with connect() as store:
        chat = written(store, name)
        with chat.subscribe(cursor=0) as frames:
            whole = list(frames)
        first = b"id: 1\nevent: message\ndata: " + whole[0].data + b"\n\n"
        gap = b'event: gap\ndata: {"type":"gap","expected":2,"actual":9}\n\n'
        proxy.faults.append(events(OPEN + first + gap))
        with chat.subscribe(cursor=0) as frames:
            assert list(frames) == whole
        assert b"cursor=0" in proxy.requests[-1]


@pytest.mark.slow
def test_a_stream_that_goes_silent_is_taken_for_dead(
    connect: Connect, proxy: Proxy, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for connection in (aio_connection, sync_connection):
        monkeypatch.setattr(connection, "STREAM_IDLE_S", 0.3)
    with connect() as store:
        chat = written(store, name)
        with chat.subscribe(cursor=0) as frames:
            whole = list(frames)
        first = b"id: 1\nevent: message\ndata: " + whole[0].data + b"\n\n"
        proxy.faults.append(stalled_stream(OPEN + first))
        with chat.subscribe(cursor=0) as frames:
            assert list(frames) == whole
        assert not proxy.faults


def test_what_nobody_holds_any_more_is_given_back(proxy: Proxy, server: Server, name: str) -> None:
    with fastpaca.connect(proxy.url) as store:
        chat = store.context(name, budget=2000)
        chat.append(user("one"))
        for frame in chat.subscribe(cursor=0):
            assert frame.version == 1
            break
        gc.collect()
        deadline = time.monotonic() + 10
        while "fastpaca_streams 0.0" not in httpx.get(f"{server.url}/metrics").text:
            assert time.monotonic() < deadline
            time.sleep(0.05)


MALFORMED = {
    "no JSON": b"data: {\n\n",
    "no UTF-8": b'data: {"type":"\xff"}\n\n',
    "no object": b"data: []\n\n",
    "no type": b'data: {"version":1}\n\n',
    "version": b'id: 1\ndata: {"type":"message","version":"1"}\n\n',
    "id": b'id: x\ndata: {"type":"message","version":1}\n\n',
}


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED)
def test_malformed_frames_are_typed(connect: Connect, proxy: Proxy, name: str, text: bytes) -> None:
    with connect() as store:
        chat = store.context(name, budget=2000)
        proxy.faults.append(events(OPEN + text))
        with chat.subscribe() as frames:
            with pytest.raises(errors.MalformedReplyError):
                next(frames)
            assert list(frames) == []


def test_errors_inside_of_a_stream(connect: Connect, proxy: Proxy, name: str) -> None:
    with connect() as store:
        chat = store.context(name, budget=2000)
        version = chat.append(user("one")).version
        proxy.faults.append(events(OPEN + b'event: error\ndata: {"error":"corrupt","message":"damaged"}\n\n'))
        with chat.subscribe(cursor=0) as frames, pytest.raises(errors.DataError):
            next(frames)
        proxy.faults.append(events(OPEN + b'event: error\ndata: {"error":"closed","message":"shutting down"}\n\n'))
        with chat.subscribe(cursor=0) as frames:
            assert next(frames).version == version


def test_streams_that_are_refused(connect: Connect, proxy: Proxy, name: str) -> None:
    full = answer(503, b'{"error":"too_many_streams","message":"full","limit":1}')
    with connect(retries=2) as store:
        chat = store.context(name, budget=2000)
        chat.append(user("one"))
        proxy.faults.extend([full, full])
        with chat.subscribe(cursor=0) as frames:
            assert next(frames).version == 1
        proxy.faults.extend([full] * 3)
        with pytest.raises(errors.UnavailableError) as raised, chat.subscribe() as frames:
            next(frames)
        assert (raised.value.code, raised.value.limit) == ("too_many_streams", 1)
        proxy.faults.append(answer(200, b"{}"))
        with pytest.raises(errors.MalformedReplyError), chat.subscribe() as frames:
            next(frames)
        proxy.faults.append(answer(401, b'{"error":"unauthenticated","message":"who?"}'))
        with pytest.raises(errors.AuthenticationError), chat.subscribe() as frames:
            next(frames)


def test_pings_are_hidden_and_new_frames_are_not(connect: Connect, proxy: Proxy, name: str) -> None:
    with connect() as store:
        chat = store.context(name, budget=2000)
        text = (
            b'event: ping\r\ndata: {"type":"ping"}\r\n\r\nid: 1\rdata: {"type":"brand_new",\rdata: "version":1}\r\r\n'
        )
        proxy.faults.append(events(b"retry: 5\n" + OPEN + text))
        with chat.subscribe() as frames:
            frame = next(frames)
        assert (frame.type, frame.version, frame.cursor) == ("brand_new", 1, 1)


def test_without_retries_a_break_is_an_error(connect: Connect, proxy: Proxy, name: str) -> None:
    with connect(retries=0) as store:
        chat = store.context(name, budget=2000)
        proxy.faults.append(events(OPEN))
        with chat.subscribe() as frames, pytest.raises(errors.TransportError):
            next(frames)


def test_a_thread_closes_what_another_reads(proxy: Proxy, name: str) -> None:
    with fastpaca.connect(proxy.url) as store:
        frames = store.context(name, budget=2000).subscribe()
        with frames:
            threading.Timer(0.2, frames.close).start()
            began = time.monotonic()
            assert list(frames) == []
        assert time.monotonic() - began < 10


def test_closing_the_client_ends_who_waits(proxy: Proxy, name: str) -> None:
    store = fastpaca.connect(proxy.url)
    with store.context(name, budget=2000).subscribe() as frames:
        threading.Timer(0.2, store.close).start()
        began = time.monotonic()
        with pytest.raises(errors.ClosedError):
            next(frames)
        assert time.monotonic() - began < 10

    async def run() -> None:
        async with fastpaca.connect_async(proxy.url) as store, store.subscribe() as frames:
            waiting = asyncio.ensure_future(anext(frames))
            await asyncio.sleep(0.1)
            await store.close()
            with pytest.raises(errors.ClosedError):
                await waiting

    asyncio.run(run())


def test_a_task_closes_and_cancels(proxy: Proxy, name: str) -> None:
    async def run() -> None:
        async with fastpaca.connect_async(proxy.url) as store:
            chat = await store.context(name, budget=2000)
            async with chat.subscribe() as frames:
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(anext(frames), 0.2)
                await chat.append(user("one"))
                assert (await anext(frames)).version == 1
                assert (await anext(frames)).type == "window"
                waiting = asyncio.ensure_future(anext(frames, None))
                await asyncio.sleep(0.1)
                await frames.aclose()
                assert await asyncio.wait_for(waiting, 10) is None

    asyncio.run(run())
