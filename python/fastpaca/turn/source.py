"""The chunks that a caller's function gives, however it gives them: one iterator for either face.

The function may be a coroutine function or not, and give an iterator, an async one, or a context manager around either.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Final, Self

from fastpaca.background import OneThread, on_loop
from fastpaca.turn.readers.base import unknown

_END: Final = object()
_READ_AHEAD: Final = 16
_EXPECTED: Final = "an iterator of chunks, or an async one (of a call with stream=True, perhaps)"
_logger = logging.getLogger("fastpaca.turn")


class AsyncSource:
    """Chunks for an event loop. What is not asynchronous is read on a thread of its own."""

    def __init__(self, fn: Callable[..., Any]) -> None:
        self._fn = fn
        self._opened = contextlib.AsyncExitStack()
        self._thread: OneThread | None = None
        self._chunks: AsyncIterator[Any] | None = None

    async def open(self, arguments: dict[str, Any]) -> None:
        """Calls the function. Raises what it raises, and `UnknownChunkError` for what gives no chunks."""
        if inspect.iscoroutinefunction(self._fn):
            await self.read(self._fn(**arguments))
        else:
            await self.read(await self._call(arguments))

    async def read(self, given: Any) -> None:
        """Takes what the function gave. Raises `UnknownChunkError`."""
        given = await given if isinstance(given, Awaitable) else given
        if not _is_iterable(given):
            if hasattr(given, "__aenter__"):
                given = await self._opened.enter_async_context(given)
            elif hasattr(given, "__enter__"):
                given = await self._entered(given)
        if hasattr(given, "__aiter__"):
            self._chunks = aiter(given)
            self._opened.push_async_callback(_close, self._chunks, given)
        else:
            self._chunks = self._on(self._on_thread(), given, _iterator(given))

    async def _entered(self, manager: AbstractContextManager[Any]) -> Any:
        """What a context manager gives. Entering it may be what asks the model."""
        thread, stack = self._on_thread(), contextlib.ExitStack()
        entered = thread.call(stack.enter_context, manager)
        # Behind all that runs on the thread. Nobody waits for it.
        self._opened.callback(thread.call, _close_now, stack)
        return await asyncio.shield(entered)

    def _on_thread(self) -> OneThread:
        if self._thread is None:
            self._thread = self._opened.enter_context(OneThread())
        return self._thread

    async def _call(self, arguments: dict[str, Any]) -> Any:
        call = self._on_thread().call(self._fn, **arguments)
        try:
            return await asyncio.shield(call)
        except asyncio.CancelledError:
            call.add_done_callback(_discard)
            raise

    async def _on(self, thread: OneThread, given: Any, chunks: Iterator[Any]) -> AsyncIterator[Any]:
        try:
            while (chunk := await asyncio.shield(thread.call(next, chunks, _END))) is not _END:
                yield chunk
        finally:
            # Behind a read that is still under way, where this was cancelled. Nobody waits for it.
            thread.call(_close_now, chunks, given)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        assert self._chunks is not None
        return await anext(self._chunks)

    async def aclose(self) -> None:
        """Lets go of it. What fails then is logged: the answer is whole, or an error is on its way already."""
        try:
            if self._chunks is not None:
                await _close(self._chunks)
            await self._opened.aclose()
        except Exception:
            _logger.warning("a stream of chunks could not be closed", exc_info=True)


class Source:
    """Chunks without an event loop. What is asynchronous runs on the loop that all blocking callers share."""

    def __init__(self, fn: Callable[..., Any]) -> None:
        self._fn = fn
        self._opened = contextlib.ExitStack()
        self._chunks: Iterator[Any] | None = None

    def open(self, arguments: dict[str, Any]) -> None:
        """Calls the function. Raises what it raises, and `UnknownChunkError` for what gives no chunks."""
        given = self._fn(**arguments)
        if not _is_iterable(given) and hasattr(given, "__enter__"):
            given = self._opened.enter_context(given)
        if isinstance(given, Awaitable) or hasattr(given, "__aiter__") or hasattr(given, "__aenter__"):
            driven = _driven(given)
            self._chunks = driven
            self._opened.callback(driven.close)
        else:
            self._chunks = _iterator(given)
            self._opened.callback(_close_now, self._chunks, given)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        assert self._chunks is not None
        return next(self._chunks)

    def close(self) -> None:
        """Lets go of it. What fails then is logged: the answer is whole, or an error is on its way already."""
        try:
            self._opened.close()
        except Exception:
            _logger.warning("a stream of chunks could not be closed", exc_info=True)


def _driven(given: Any) -> Generator[Any, None]:
    """What is asynchronous, from a thread. One task opens, reads and closes it, as some libraries ask for."""
    queue: asyncio.Queue[Any] = asyncio.Queue(_READ_AHEAD)
    reading = on_loop(_pump(given, queue))
    try:
        while (chunk := on_loop(queue.get()).result()) is not _END:
            yield chunk
        reading.result()
    finally:
        reading.cancel()


async def _pump(given: Any, queue: asyncio.Queue[Any]) -> None:
    source = AsyncSource(_iterator)
    try:
        await source.read(given)
        async for chunk in source:
            await queue.put(chunk)
    except Exception:
        await queue.put(_END)
        raise
    finally:
        await source.aclose()
    await queue.put(_END)


def _is_iterable(given: Any) -> bool:
    return hasattr(given, "__aiter__") or hasattr(given, "__iter__")


def _iterator(given: Any) -> Iterator[Any]:
    """Answers that came whole are iterable too, over their characters or fields: they are no chunks."""
    if isinstance(given, str | bytes | Mapping) or hasattr(given, "model_dump") or not isinstance(given, Iterable):
        raise unknown(given, _EXPECTED)
    return iter(given)


async def _close(*closed: Any) -> None:
    """Closes iterators, each in the way that it knows. Those of libraries let go of their connection."""
    for each in closed:
        close = getattr(each, "aclose", None) or getattr(each, "close", None)
        if close is not None:
            result = close()
            if isinstance(result, Awaitable):
                await result


def _close_now(*closed: Any) -> None:
    """As `_close`, for what blocks. Libraries may raise anything here; what fails is logged, and hides no answer."""
    for each in closed:
        try:
            getattr(each, "close", bool)()
        except Exception:
            _logger.warning("a stream of chunks could not be closed", exc_info=True)


def _discard(call: asyncio.Future[Any]) -> None:
    """Closes what a call gave after its caller had been cancelled."""
    if call.exception() is None:
        _close_now(call.result())
