"""Summaries of all contexts of a store, on an event loop.

`sync_worker.py` is made of this file by `tools/make_sync.py`; change this one.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final, Self

from fastpaca.background import AsyncJob, AsyncSignal
from fastpaca.compaction.aio import AsyncSummaries
from fastpaca.compaction.due import Due
from fastpaca.compaction.options import Options
from fastpaca.errors import ClosedError

if TYPE_CHECKING:
    from fastpaca.aio import AsyncStore
    from fastpaca.transport.aio import AsyncSubscription

_PAUSE_S: Final = 5.0
"""Before the stream of all contexts is tried again, when it fails."""


class AsyncCompactionWorker:
    """Follows the stream of all contexts, and summarises those that need it. What was flagged while none ran is found
    in the list of contexts, at every start and whenever the stream had to begin anew: a worker has nothing to remember.
    """

    def __init__(self, store: AsyncStore, options: Options) -> None:
        self._store = store
        self._options = options
        self._summaries = AsyncSummaries(options)
        self._due = Due()
        self._wake = AsyncSignal()
        self._stopping = AsyncSignal()
        self._frames: AsyncSubscription | None = None
        self._jobs: list[AsyncJob] = []
        self._running: AsyncJob | None = None

    async def run(self) -> None:
        """Works until `stop` is called, or the caller is interrupted. Returns when the last summary under way is done;
        where an event loop cancels it, they are given up, and have changed nothing.
        """
        listener = AsyncJob(self._listen, "fastpaca-compaction-listener")
        try:
            while not self._stopping.is_set:
                self._wake.clear()
                self._begin()
                await self._wake.wait(self._due.wait_s() if self._due.busy < self._options.concurrency else None)
        except BaseException:
            for job in (*self._jobs, listener):
                job.cancel()
            raise
        finally:
            self.stop()
            if self._frames is not None:
                await self._frames.aclose()
            for job in (*self._jobs, listener):
                await job.join()

    def stop(self) -> None:
        """Begins no more: `run` returns soon. Again: does nothing."""
        self._stopping.set()
        self._wake.set()

    async def __aenter__(self) -> Self:
        """Runs it beside the caller."""
        self._running = AsyncJob(self.run, "fastpaca-compaction-worker")
        return self

    async def __aexit__(self, *_exc: object) -> None:
        """Stops it, and waits for what is under way."""
        self.stop()
        if self._running is not None:
            await self._running.join()

    def _begin(self) -> None:
        self._jobs = [job for job in self._jobs if not job.is_done]
        while self._due.busy < self._options.concurrency:
            context_id = self._due.take()
            if context_id is None:
                return
            work = functools.partial(self._work, context_id)
            self._jobs.append(AsyncJob(work, f"fastpaca-compaction-{context_id}"))

    async def _work(self, context_id: str) -> None:
        outcome = await self._summaries.attempt(await self._store.context(context_id))
        self._due.done(context_id, outcome)
        self._wake.set()

    async def _listen(self) -> None:
        while not self._stopping.is_set:
            try:
                await self._follow()
            except ClosedError as error:
                self._summaries.report("", error)
                self.stop()
            except Exception as error:  # noqa: BLE001 - whatever it is, contexts go on needing compaction
                self._summaries.report("", error)
                await self._stopping.wait(_PAUSE_S)

    async def _follow(self) -> None:
        """Begins the stream, then looks at what was flagged before it, so that nothing falls between the two."""
        frames = self._store.subscribe(include_messages=False)
        self._frames = frames
        async with frames:
            # Looked at behind the opening: `run` may have closed what was not open yet.
            if self._stopping.is_set:
                return
            async for info in self._store.contexts(needs_compaction=True):
                self._flag(info.id)
            async for frame in frames:
                if frame.type == "window":
                    fields = frame.fields
                    if fields["needs_compaction"]:
                        self._flag(fields["context_id"])

    def _flag(self, context_id: str) -> None:
        self._due.flag(context_id)
        self._wake.set()
