"""Answers whose server misbehaves or goes away in the middle: nothing is doubled, and drafts never touch the answer."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

import fastpaca
from fastpaca import errors
from fastpaca.turn import aio_drafting, sync_drafting
from tests.client.conftest import Connect
from tests.support import proxy as faults
from tests.support.proxy import Exchange, Fault, Proxy, answer
from tests.support.server import Server

TEXTS = [f"{n} " for n in range(40)]
QUESTION = {"role": "user", "content": "Count."}


def count(messages: Any) -> Iterator[str]:
    yield from TEXTS


def only(path: bytes, fault: Fault) -> Fault:
    """A fault of the requests whose path has this in it; others pass."""

    def fall(exchange: Exchange) -> None:
        if path in exchange.request.partition(b"\r\n")[0]:
            fault(exchange)
        else:
            exchange.relay()

    return fall


@pytest.fixture(autouse=True)
def short_end(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (aio_drafting, sync_drafting):
        monkeypatch.setattr(module, "END_S", 0.1)


def texts(chat: Any) -> list[str]:
    return ["".join(part["text"] for part in message["parts"]) for message in chat.messages()]


def started(store: Any, name: str) -> Any:
    chat = store.context(name, budget=1000)
    chat.append(QUESTION)
    return chat


@pytest.mark.parametrize("fault", [faults.lost_reply, faults.cut_reply, faults.reset, faults.lost_request])
def test_a_server_that_is_gone_in_the_middle_of_the_append(
    connect: Connect, proxy: Proxy, name: str, fault: Fault
) -> None:
    with connect() as store:
        chat = started(store, name)
        proxy.requests.clear()
        left = [fault, fault]

        def twice(exchange: Exchange) -> None:
            next_one = left.pop() if left else faults.passed
            next_one(exchange)

        proxy.otherwise = only(b"/messages", twice)
        turn = chat.stream(count)
        assert list(turn) == TEXTS
        assert (turn.appended.seq, turn.appended.version) == (2, 2)
        assert len([each for each in proxy.requests if b"/messages" in each[:200]]) == 3
        assert texts(chat) == ["Count.", "".join(TEXTS)]


def test_an_append_that_has_to_be_given_up_can_be_made_again(connect: Connect, proxy: Proxy, name: str) -> None:
    with connect(retries=1) as store:
        chat = started(store, name)
        proxy.otherwise = only(b"/messages", faults.lost_reply)
        turn = chat.stream(count)
        found = []
        with pytest.raises(errors.TransportError) as raised:
            found.extend(turn)
        assert raised.value.idempotency_key == turn.message_id
        assert (turn.appended, turn.text) == (None, "".join(TEXTS))
        proxy.otherwise = faults.passed
        assert turn.append().seq == 2
        assert texts(chat) == ["Count.", "".join(TEXTS)]


def test_drafts_that_fail_are_reported_and_nothing_else(
    connect: Connect, proxy: Proxy, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    with connect(retries=0) as store:
        chat = started(store, name)
        proxy.otherwise = only(b"/drafts/", answer(500, b'{"error":"internal","message":"oh no"}'))

        def fn(messages: Any) -> Iterator[str]:
            yield TEXTS[0]
            deadline = time.monotonic() + 20
            while turn.draft_error is None and time.monotonic() < deadline:
                time.sleep(0.01)
            yield from TEXTS[1:]

        turn = chat.stream(fn)
        assert list(turn) == TEXTS
        assert isinstance(turn.draft_error, errors.FastpacaError)
        assert "oh no" in caplog.text
        assert texts(chat) == ["Count.", "".join(TEXTS)]


def test_slow_drafts_hold_nothing_up(connect: Connect, proxy: Proxy, name: str) -> None:
    """The server says nothing to drafts until the answer is there."""
    go, came = threading.Event(), threading.Event()

    def late(exchange: Exchange) -> None:
        came.set()
        assert go.wait(20)
        exchange.relay()

    with connect(retries=0) as store:
        chat = started(store, name)
        proxy.otherwise = only(b"/drafts/", late)
        turn = chat.stream(count)
        first = next(turn)
        while not came.is_set():
            store.context(name).info()
        assert [first, *turn] == TEXTS
        assert turn.appended.seq == 2
        go.set()
        # What came behind the message is dropped again.
        for _ in range(500):
            if not drafts(chat):
                break
        assert drafts(chat) == []


def drafts(chat: Any) -> list[str]:
    found = []
    with chat.subscribe() as frames:
        chat.metadata(looked=time.monotonic_ns())
        while (frame := next(frames)).type == "draft":
            found.append(frame.fields.get("delta", ""))
    return [delta for delta in found if delta]


def test_a_server_that_forgot_a_draft_gets_all_of_it(
    connect: Connect, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one does that was started anew."""
    for module in (aio_drafting, sync_drafting):
        monkeypatch.setattr(module, "PAUSE_S", 0.0)
    with connect() as store:
        chat, go = started(store, name), threading.Event()

        def fn(messages: Any) -> Iterator[str]:
            yield "Once"
            assert go.wait(10)
            yield " upon"
            yield " a time"

        with chat.subscribe() as frames, chat.stream(fn, message_id="a-1") as turn:
            next(turn)
            assert next(frames).fields["delta"] == "Once"
            chat.drop_draft("a-1")
            assert next(frames).fields["dropped"]
            go.set()
            next(turn)
            frame = next(frames).fields
            assert (frame["offset"], frame["delta"]) == (0, "Once upon")
            assert list(turn) == [" a time"]
        assert turn.draft_error is None


@pytest.mark.slow
def test_a_server_that_is_killed_in_the_middle(tmp_path: Any, name: str) -> None:
    """The answer is whole, and appended to the server that comes next."""
    server = Server(tmp_path / "data")
    with fastpaca.connect(server.url, retries=0) as store:
        chat = started(store, name)
        turn = chat.stream(count)
        next(turn)
        server.kill()
        with pytest.raises(errors.TransportError):
            list(turn)
        assert turn.text == "".join(TEXTS)
        assert turn.draft_error is not None
    with Server(tmp_path / "data") as server, fastpaca.connect(server.url) as store:
        again = store.context(name)
        again.append(turn.messages, idempotency_key=turn.message_id)
        again.append(turn.messages, idempotency_key=turn.message_id)
        assert texts(again) == ["Count.", "".join(TEXTS)]


@pytest.mark.parametrize("keep_partial", [False, True])
def test_a_task_that_is_cancelled(server: Server, name: str, keep_partial: bool) -> None:
    closed: list[bool] = []

    async def endless(messages: Any) -> AsyncIterator[str]:
        try:
            yield "Once"
            await asyncio.sleep(60)
        finally:
            closed.append(True)

    async def run() -> None:
        async with fastpaca.connect_async(server.url) as store:
            chat = await store.context(name, budget=1000)
            await chat.append(QUESTION)
            begun = asyncio.Event()

            async def consume() -> None:
                async for _ in chat.stream(endless, keep_partial=keep_partial, message_id="a-1"):
                    begun.set()

            task = asyncio.create_task(consume())
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert closed == [True]
            found = [message async for message in chat.messages()]
            kept = [(message["id"], message["metadata"]["status"]) for message in found[1:]]
            assert kept == ([("a-1", "interrupted")] if keep_partial else [])
            async with chat.subscribe() as frames:
                await chat.metadata(looked=time.monotonic_ns())
                assert (await anext(frames)).type == "metadata"

    asyncio.run(run())


def test_what_a_cancelled_call_gives_is_closed(server: Server, name: str) -> None:
    """A client without `async` answers when nobody waits for it any more."""
    called, go, closed = threading.Event(), threading.Event(), threading.Event()

    class Stream:
        def __iter__(self) -> Iterator[str]:
            yield "Once"

        def close(self) -> None:
            closed.set()

    def blocking(messages: Any) -> Stream:
        called.set()
        assert go.wait(10)
        return Stream()

    async def run() -> None:
        async with fastpaca.connect_async(server.url) as store:
            chat = await store.context(name, budget=1000)
            await chat.append(QUESTION)
            task = asyncio.create_task(anext(chat.stream(blocking)))
            await asyncio.to_thread(called.wait, 10)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            go.set()
            assert await asyncio.to_thread(closed.wait, 10)
            assert (await chat.info()).last_seq == 1

    asyncio.run(run())


def test_a_blocking_call_on_an_event_loop_is_read_beside_it(server: Server, name: str) -> None:
    """The loop goes on while a client without `async` waits for the model."""
    go, threads = threading.Event(), set()

    def blocking(messages: Any) -> Iterator[str]:
        threads.add(threading.get_ident())
        yield "Once"
        assert go.wait(10)
        yield " upon"

    @contextlib.contextmanager
    def managed(messages: Any) -> Iterator[Iterator[str]]:
        assert go.wait(10)  # as clients do that send the request on entering
        yield blocking(messages)
        threads.add(threading.get_ident())
        closed.set()

    closed = threading.Event()

    async def run() -> list[str]:
        async with fastpaca.connect_async(server.url) as store:
            chat = await store.context(name, budget=1000)
            await chat.append(QUESTION)
            loop = asyncio.get_running_loop()
            found = []
            for fn in (blocking, managed):
                go.clear()
                loop.call_later(0.02, go.set)
                threads.clear()
                found += [chunk async for chunk in chat.stream(fn)]
                assert threading.get_ident() not in threads
            return found

    assert asyncio.run(run()) == ["Once", " upon"] * 2
    assert closed.wait(10)
    assert len(threads) == 1
