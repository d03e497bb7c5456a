"""The four faces of the Python interface, each driven by the same blocking code."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self

import fastpaca
from fastpaca.aio import AsyncContext, AsyncLease
from fastpaca.compaction.aio import AsyncAutoCompaction

FACES: Final = ("blocking", "async", "http-blocking", "http-async")


class Blocking:
    """An async object, driven from blocking code: methods wait, generators are lists, subscriptions are iterators."""

    def __init__(self, inner: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._inner = inner
        self._loop = loop

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._inner, "aclose" if name == "close" and not hasattr(self._inner, name) else name)
        return self._wrapped(attribute) if callable(attribute) else attribute

    def _wrapped(self, method: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            result = method(*args, **kwargs)
            if inspect.isasyncgen(result):
                return iter(self._loop.run_until_complete(_collected(result)))
            if inspect.isawaitable(result):
                result = self._loop.run_until_complete(_awaited(result))
            kinds = (AsyncContext, AsyncLease, AsyncAutoCompaction)
            wrapped = isinstance(result, kinds) or hasattr(result, "__anext__")
            return Blocking(result, self._loop) if wrapped else result

        return call

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_"):
            super().__setattr__(name, value)
        else:
            setattr(self._inner, name, value)

    def __enter__(self) -> Self:
        self._loop.run_until_complete(self._inner.__aenter__())
        return self

    def __exit__(self, *exc: object) -> None:
        self._loop.run_until_complete(self._inner.__aexit__(*exc))

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        try:
            return self._loop.run_until_complete(self._inner.__anext__())
        except StopAsyncIteration:
            raise StopIteration from None


async def _collected(items: Any) -> list[Any]:
    return [item async for item in items]


async def _awaited(value: Any) -> Any:
    return await value


@contextmanager
def opened(face: str, data: Path, url: str, **options: Any) -> Iterator[Any]:
    """A store of one face: of a directory, or of the server at `url`; it is closed at the end."""
    if face in {"blocking", "http-blocking"}:
        with fastpaca.open(data) if face == "blocking" else fastpaca.connect(url, **options) as store:
            yield store
        return
    loop = asyncio.new_event_loop()
    inner = fastpaca.open_async(data) if face == "async" else fastpaca.connect_async(url, **options)
    driven = Blocking(inner, loop)
    try:
        yield driven
    finally:
        driven.close()
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
