"""Contexts of every face of the Python interface. Those over HTTP share one server, so each test has its own name."""

from __future__ import annotations

import asyncio
import inspect
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import fastpaca
from fastpaca.integrations._awaited import AnyContext
from tests.support.faces import FACES
from tests.support.server import Server

Json = dict[str, Any]
RUN = ("blocking", "http-async")
Run = Callable[[Callable[[Any], Coroutine[Any, Any, None]]], None]


@pytest.fixture
def name() -> str:
    return uuid.uuid4().hex


async def settled(value: Any) -> Any:
    """The value, awaited where it has to be."""
    return await value if inspect.isawaitable(value) else value


async def log(context: AnyContext, **which: Any) -> list[dict[str, Any]]:
    """Messages of the log, less what storing adds to them."""
    found = context.messages(**which)
    messages = list(found) if not hasattr(found, "__aiter__") else [message async for message in found]
    added = ("seq", "token_count", "inserted_at")
    return [{name: value for name, value in message.items() if name not in added} for message in messages]


@asynccontextmanager
async def opened(face: str, data: Path, url: str) -> AsyncIterator[Any]:
    """A store of one face."""
    makers: dict[str, Callable[[], Any]] = {
        "blocking": lambda: fastpaca.open(data),
        "async": lambda: fastpaca.open_async(data),
        "http-blocking": lambda: fastpaca.connect(url),
        "http-async": lambda: fastpaca.connect_async(url),
    }
    store = makers[face]()
    try:
        yield store
    finally:
        await settled(store.close())


def runner(face: str, data: Path, url: str) -> Run:
    def call(test: Callable[[Any], Coroutine[Any, Any, None]]) -> None:
        async def main() -> None:
            async with opened(face, data, url) as store:
                await test(store)

        asyncio.run(main())

    return call


@pytest.fixture
def store(tmp_path: Path) -> Any:
    with fastpaca.open(tmp_path / "data") as store:
        yield store


@pytest.fixture(params=RUN)
def run(request: pytest.FixtureRequest, tmp_path: Path, server: Server) -> Run:
    """Runs a test, a coroutine function of a store: in process through threads, and over HTTP on the event loop."""
    return runner(request.param, tmp_path / "data", server.url)


@pytest.fixture(params=[face if face in RUN else pytest.param(face, marks=pytest.mark.slow) for face in FACES])
def run_all(request: pytest.FixtureRequest, tmp_path: Path, server: Server) -> Run:
    """The same on every face."""
    return runner(request.param, tmp_path / "data", server.url)
