"""Answers as responses of web frameworks, each with a real server and a real client."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import falcon
import falcon.asgi
import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

import fastpaca
from fastpaca.background import on_loop
from fastpaca.turn import aio_events, sync_events
from fastpaca.turn.sse import falcon_sse, sse_response
from tests.support.served import served

Event = tuple[str, dict[str, Any]]


class Model:
    """Says a few words, and waits in the middle until it may go on."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.closed = threading.Event()
        self.fails = False

    async def __call__(self, messages: Any) -> AsyncIterator[str]:
        return self._answer()

    async def _answer(self) -> AsyncIterator[str]:
        try:
            yield "Once"
            yield " 🦙"
            await asyncio.to_thread(self.go.wait, 10)
            if self.fails:
                raise OSError("a secret of the model's")
            yield " upon"
        finally:
            self.closed.set()


def starlette_app(store: fastpaca.AsyncStore, model: Model, **options: Any) -> Any:
    async def chat(request: Any) -> Any:
        context = await store.context("chat", budget=1000)
        await context.append({"role": "user", "content": "Tell me a story."})
        return sse_response(context.stream(model, message_id="a-1"), **options)

    return Starlette(routes=[Route("/chat", chat, methods=["POST"])])


def falcon_app(store: fastpaca.AsyncStore, model: Model, **options: Any) -> Any:
    class Chat:
        async def on_post(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
            context = await store.context("chat", budget=1000)
            await context.append({"role": "user", "content": "Tell me a story."})
            falcon_sse(resp, context.stream(model, message_id="a-1"), **options)

    app = falcon.asgi.App()
    app.add_route("/chat", Chat())
    return app


APPS = {"starlette": starlette_app, "falcon": falcon_app}


def events(lines: Iterator[str]) -> Iterator[Event]:
    kind = ""
    for line in lines:
        if line.startswith("event: "):
            kind = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield kind, json.loads(line.removeprefix("data: "))


def answer_of(path: Path) -> list[dict[str, Any]]:
    with fastpaca.open(path) as store:
        return list(store.context("chat").messages())[1:]


def took(what: threading.Event) -> bool:
    return what.wait(10)


@pytest.mark.parametrize("name", APPS)
def test_a_page_gets_the_answer_as_it_comes(name: str, tmp_path: Path) -> None:
    store, model = fastpaca.open_async(tmp_path), Model()
    with served(APPS[name](store, model)) as url, httpx.stream("POST", f"{url}/chat", timeout=20) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-store"
        found = events(response.iter_lines())
        assert next(found) == ("draft", {"type": "draft", "message_id": "a-1", "offset": 0, "delta": "Once"})
        assert next(found)[1]["delta"] == " 🦙"
        model.go.set()
        assert next(found)[1] == {"type": "draft", "message_id": "a-1", "offset": 6, "delta": " upon"}
        kind, end = next(found)
        assert (kind, end["message_id"], end["seq"], end["needs_compaction"]) == ("end", "a-1", 2, False)
        assert list(found) == []
    asyncio.run(store.close())
    assert [message["parts"][0]["text"] for message in answer_of(tmp_path)] == ["Once 🦙 upon"]


@pytest.mark.slow
@pytest.mark.parametrize("name", APPS)
@pytest.mark.parametrize("finish", [False, True])
def test_a_page_that_leaves(name: str, finish: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is noticed with the next event at the latest, which a ping is as well."""
    monkeypatch.setattr(aio_events, "PING_S", 0.05)
    store, model = fastpaca.open_async(tmp_path), Model()
    with served(APPS[name](store, model, finish=finish)) as url:
        with httpx.stream("POST", f"{url}/chat", timeout=20) as response:
            assert next(events(response.iter_lines()))[0] == "draft"
        assert model.closed.wait(0.5 if finish else 10) is not finish
        model.go.set()
        assert took(model.closed)
        while finish and not on_loop(is_appended(store)).result():
            threading.Event().wait(0.01)
    asyncio.run(store.close())
    texts = [message["parts"][0]["text"] for message in answer_of(tmp_path)]
    assert texts == (["Once 🦙 upon"] if finish else [])


async def is_appended(store: fastpaca.AsyncStore) -> bool:
    return (await (await store.context("chat")).info()).last_seq == 2


@pytest.mark.parametrize("name", APPS)
def test_an_answer_that_fails(name: str, tmp_path: Path) -> None:
    store, model = fastpaca.open_async(tmp_path), Model()
    model.fails = True
    model.go.set()
    with served(APPS[name](store, model)) as url:
        response = httpx.post(f"{url}/chat", timeout=20)
    assert response.status_code == 200
    *_, (kind, last) = events(iter(response.text.splitlines()))
    assert (kind, last["error"]) == ("error", "answer_failed")
    assert "secret" not in response.text
    asyncio.run(store.close())
    assert answer_of(tmp_path) == []


class Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


def test_wsgi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an event loop: pings while the model thinks, then the answer."""
    monkeypatch.setattr(sync_events, "PING_S", 0.02)
    go = threading.Event()

    def model(messages: Any) -> Iterator[str]:
        assert go.wait(10)
        yield "Once"

    with fastpaca.open(tmp_path) as store:

        class Chat:
            def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
                context = store.context("chat", budget=1000)
                context.append({"role": "user", "content": "Tell me a story."})
                falcon_sse(resp, context.stream(model))

        app = falcon.App()
        app.add_route("/chat", Chat())
        with make_server("127.0.0.1", 0, app, handler_class=Quiet) as server:
            thread = threading.Thread(target=server.handle_request)
            thread.start()
            with httpx.stream("POST", f"http://127.0.0.1:{server.server_port}/chat", timeout=20) as response:
                lines = response.iter_lines()
                assert next(lines) == ": ping"
                go.set()
                assert [kind for kind, _ in events(lines)] == ["draft", "end"]
            thread.join()
        assert store.context("chat").info().last_seq == 2
