"""What runs beside its caller: a task on an event loop, a thread without one. The two halves of one interface."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import functools
import inspect
import os
import queue
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self, TypeVar

_T = TypeVar("_T")
_making = threading.Lock()
_tasks: set[asyncio.Task[Any]] = set()
"""An event loop keeps no reference to its tasks."""


class AsyncJob:
    """Work that runs in a task. It handles its own errors."""

    def __init__(self, work: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
        self._task = asyncio.get_running_loop().create_task(work(), name=name)
        _tasks.add(self._task)
        self._task.add_done_callback(_tasks.discard)

    async def join(self, timeout_s: float | None = None) -> bool:
        """Waits until it ends, or for so long; tells whether it has."""
        done, _ = await asyncio.wait({self._task}, timeout=timeout_s)
        return bool(done)

    @property
    def is_done(self) -> bool:
        """Whether it has ended."""
        return self._task.done()

    def cancel(self) -> None:
        """Ends it where it waits."""
        self._task.cancel()


class Job:
    """Work that runs in a thread. The interpreter does not wait for it when it exits."""

    def __init__(self, work: Callable[[], None], name: str) -> None:
        self._thread = threading.Thread(target=work, name=name, daemon=True)
        self._thread.start()

    def join(self, timeout_s: float | None = None) -> bool:
        """Waits until it ends, or for so long; tells whether it has."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def is_done(self) -> bool:
        """Whether it has ended."""
        return not self._thread.is_alive()

    def cancel(self) -> None:
        """A thread can't be made to end: it goes on to its end."""


class AsyncSignal:
    """Set until it is cleared. One waits for it."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def set(self) -> None:
        """Ends the wait."""
        self._event.set()

    def clear(self) -> None:
        """Makes the next one wait."""
        self._event.clear()

    @property
    def is_set(self) -> bool:
        """Whether it is set."""
        return self._event.is_set()

    async def wait(self, timeout_s: float | None = None) -> bool:
        """Waits until it is set, or for so long; tells whether it is."""
        try:
            await asyncio.wait_for(self._event.wait(), timeout_s)
        except TimeoutError:
            return False
        return True


class Signal:
    """Set until it is cleared. One waits for it, others may set it."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Ends the wait."""
        self._event.set()

    def clear(self) -> None:
        """Makes the next one wait."""
        self._event.clear()

    @property
    def is_set(self) -> bool:
        """Whether it is set."""
        return self._event.is_set()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Waits until it is set, or for so long; tells whether it is."""
        return self._event.wait(timeout_s)


class AsyncMailbox:
    """Things for one reader, in order."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Any] = asyncio.Queue()

    def put(self, item: Any) -> None:
        """Adds one; does not wait."""
        self._queue.put_nowait(item)

    async def get(self, timeout_s: float) -> Any:
        """The next one. Raises `TimeoutError`."""
        return await asyncio.wait_for(self._queue.get(), timeout_s)


class Mailbox:
    """Things for one reader, in order."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def put(self, item: Any) -> None:
        """Adds one; does not wait."""
        self._queue.put(item)

    def get(self, timeout_s: float) -> Any:
        """The next one. Raises `TimeoutError`."""
        try:
            return self._queue.get(timeout=timeout_s)
        except queue.Empty:
            raise TimeoutError from None


async def asettled(work: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
    """Runs work to its end, also where the caller is cancelled meanwhile."""
    task = asyncio.get_running_loop().create_task(work())
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)
    return await asyncio.shield(task)


def settled(work: Callable[[], _T]) -> _T:
    """Runs work to its end."""
    return work()


async def acalled(fn: Callable[..., Any], **arguments: Any) -> Any:
    """What a function gives, which may be a coroutine function. One that is not runs on a thread: it may block."""
    if inspect.iscoroutinefunction(fn):
        return await fn(**arguments)
    with OneThread() as thread:
        given = await thread.call(fn, **arguments)
    return await given if isinstance(given, Awaitable) else given


def called(fn: Callable[..., Any], **arguments: Any) -> Any:
    """What a function gives. What is a coroutine runs on the loop that all blocking callers share."""
    given = fn(**arguments)
    return on_loop(_result(given)).result() if isinstance(given, Awaitable) else given


async def _result(given: Awaitable[_T]) -> _T:
    return await given


def on_loop(work: Coroutine[Any, Any, _T]) -> concurrent.futures.Future[_T]:
    """Runs work for a blocking caller, on one loop of the process: a client of a library that was used on a loop can
    be used on no other.
    """
    return asyncio.run_coroutine_threadsafe(work, _loop())


@functools.cache
def _loop_of(process: int) -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name=f"fastpaca-loop-{process}", daemon=True).start()
    return loop


def _loop() -> asyncio.AbstractEventLoop:
    """The loop of this process. A forked child has none of its parent's threads."""
    with _making:
        return _loop_of(os.getpid())


class OneThread:
    """Calls that may block, off the event loop: each on the same thread, one after the other. The loop's own pool has
    few threads, which the store needs.
    """

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="fastpaca-call")

    def call(self, fn: Callable[..., _T], *args: Any, **arguments: Any) -> asyncio.Future[_T]:
        """What a function gives. Its context variables are the caller's."""
        context = contextvars.copy_context()
        return asyncio.get_running_loop().run_in_executor(
            self._executor, functools.partial(context.run, fn, *args, **arguments)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        """Takes no more calls. Waits for none."""
        self._executor.shutdown(wait=False)
