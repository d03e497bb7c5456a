"""Summaries of all contexts of a store, blocking.

Made of `aio_worker.py` by `tools/make_sync.py`; change that one.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final, Self

from fastpaca.background import Job, Signal
from fastpaca.compaction.due import Due
from fastpaca.compaction.options import Options
from fastpaca.compaction.sync import Summaries
from fastpaca.errors import ClosedError

if TYPE_CHECKING:
    from fastpaca.sync import Store
    from fastpaca.transport.sync import Subscription

_PAUSE_S: Final = 5.0
"""Before the stream of all contexts is tried again, when it fails."""


class CompactionWorker:
    """Follows the stream of all contexts, and summarises those that need it. What was flagged while none ran is found
    in the list of contexts, at every start and whenever the stream had to begin anew: a worker has nothing to remember.
    """

    def __init__(self, store: Store, options: Options) -> None:
        self._store = store
        self._options = options
        self._summaries = Summaries(options)
        self._due = Due()
        self._wake = Signal()
        self._stopping = Signal()
        self._frames: Subscription | None = None
        self._jobs: list[Job] = []
        self._running: Job | None = None

    def run(self) -> None:
        """Works until `stop` is called, or the caller is interrupted. Returns when the last summary under way is done;
        where an event loop cancels it, they are given up, and have changed nothing.
        """
        listener = Job(self._listen, "fastpaca-compaction-listener")
        try:
            while not self._stopping.is_set:
                self._wake.clear()
                self._begin()
                self._wake.wait(self._due.wait_s() if self._due.busy < self._options.concurrency else None)
        except BaseException:
            for job in (*self._jobs, listener):
                job.cancel()
            raise
        finally:
            self.stop()
            if self._frames is not None:
                self._frames.close()
            for job in (*self._jobs, listener):
                job.join()

    def stop(self) -> None:
        """Begins no more: `run` returns soon. Again: does nothing."""
        self._stopping.set()
        self._wake.set()

    def __enter__(self) -> Self:
        """Runs it beside the caller."""
        self._running = Job(self.run, "fastpaca-compaction-worker")
        return self

    def __exit__(self, *_exc: object) -> None:
        """Stops it, and waits for what is under way."""
        self.stop()
        if self._running is not None:
            self._running.join()

    def _begin(self) -> None:
        self._jobs = [job for job in self._jobs if not job.is_done]
        while self._due.busy < self._options.concurrency:
            context_id = self._due.take()
            if context_id is None:
                return
            work = functools.partial(self._work, context_id)
            self._jobs.append(Job(work, f"fastpaca-compaction-{context_id}"))

    def _work(self, context_id: str) -> None:
        outcome = self._summaries.attempt(self._store.context(context_id))
        self._due.done(context_id, outcome)
        self._wake.set()

    def _listen(self) -> None:
        while not self._stopping.is_set:
            try:
                self._follow()
            except ClosedError as error:
                self._summaries.report("", error)
                self.stop()
            except Exception as error:  # noqa: BLE001 - whatever it is, contexts go on needing compaction
                self._summaries.report("", error)
                self._stopping.wait(_PAUSE_S)

    def _follow(self) -> None:
        """Begins the stream, then looks at what was flagged before it, so that nothing falls between the two."""
        frames = self._store.subscribe(include_messages=False)
        self._frames = frames
        with frames:
            # Looked at behind the opening: `run` may have closed what was not open yet.
            if self._stopping.is_set:
                return
            for info in self._store.contexts(needs_compaction=True):
                self._flag(info.id)
            for frame in frames:
                if frame.type == "window":
                    fields = frame.fields
                    if fields["needs_compaction"]:
                        self._flag(fields["context_id"])

    def _flag(self, context_id: str) -> None:
        self._due.flag(context_id)
        self._wake.set()
