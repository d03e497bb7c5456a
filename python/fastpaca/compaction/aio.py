"""Summaries of one context, beside what else is done with it, on an event loop.

`sync.py` is made of this file by `tools/make_sync.py`; change this one.
"""

from __future__ import annotations

import functools
import logging
import threading
import time
from typing import TYPE_CHECKING, Any, Final, Self

from fastpaca._core import TOKEN_BUDGET_MAX
from fastpaca.background import AsyncJob, AsyncSignal, acalled
from fastpaca.compaction.options import Options
from fastpaca.compaction.summary import Outcome, Pauses, Stretch, held_s, replacement_of
from fastpaca.errors import (
    CompactionConflictError,
    FastpacaError,
    LeaseHeldError,
    NotFoundError,
    TombstonedError,
    UnavailableError,
)

if TYPE_CHECKING:
    from fastpaca.aio import AsyncContext, AsyncLease

_KEPT: Final = 1 / 3
"""A lease is renewed behind this share of its time."""
_logger = logging.getLogger("fastpaca.compaction")


class AsyncSummaries:
    """Summarises contexts, one attempt at a time, each under a lease."""

    def __init__(self, options: Options) -> None:
        self._options = options

    async def attempt(self, context: AsyncContext) -> Outcome:
        """Summarises what a context suggests. Raises nothing: what failed is reported, and has changed nothing."""
        try:
            return await self._attempt(context)
        except LeaseHeldError as error:
            _logger.debug("context %r: %s", context.id, error)
            return Outcome(held_s=held_s(error))
        except (CompactionConflictError, NotFoundError, TombstonedError) as error:
            _logger.info("context %r: the summary is not needed any more: %s", context.id, error)
            return Outcome()
        except Exception as error:  # noqa: BLE001 - the caller's function may raise anything
            self.report(context.id, error)
            return Outcome(error=error)

    def report(self, context_id: str, error: Exception) -> None:
        """Logs what failed, and tells the caller."""
        trace = None if isinstance(error, FastpacaError) else error
        _logger.warning("context %r was not compacted: %s", context_id, error, exc_info=trace)
        if self._options.on_error is not None:
            try:
                self._options.on_error(context_id, error)
            except Exception:
                # The caller's function may raise anything, and the next context is to be tried all the same.
                _logger.exception("on_error failed")

    async def _attempt(self, context: AsyncContext) -> Outcome:
        lease = context.lease(seconds=self._options.lease_seconds, holder=self._options.holder)
        async with lease:
            # All that is kept: a window that was cut to its budget may lack messages of the range.
            window = await context._view(budget=TOKEN_BUDGET_MAX)  # noqa: SLF001
            if window.suggested_range is None:
                return Outcome()
            info = await context.info()
            stretch = Stretch(window, window.suggested_range)
            summary = await self._summary(lease, stretch.arguments(self._options.format, info.model))
            compacted = await context.compact(
                replacement_of(summary, stretch, info),
                from_seq=stretch.from_seq,
                to_seq=stretch.to_seq,
                up_to_version=stretch.version,
            )
        _logger.info("context %r: %d tokens became %d", context.id, compacted.tokens_before, compacted.tokens_after)
        return Outcome(compacted)

    async def _summary(self, lease: AsyncLease, arguments: dict[str, Any]) -> Any:
        """Calls the function, and keeps the lease meanwhile."""
        done = AsyncSignal()
        keeper = AsyncJob(functools.partial(_keep, lease, done), "fastpaca-lease")
        try:
            return await acalled(self._options.fn, **arguments)
        finally:
            done.set()
            await keeper.join(1)


async def _keep(lease: AsyncLease, done: AsyncSignal) -> None:
    while not await done.wait(lease.seconds * _KEPT):
        try:
            await lease.renew()
        except UnavailableError as error:
            _logger.info("the lease could not be renewed, it is tried again: %s", error)
        except Exception as error:  # noqa: BLE001 - without it another worker may begin: `up_to_version` keeps order
            _logger.warning("the lease is lost: %s", error)
            return


class AsyncAutoCompaction:
    """The compactions that `auto_compact` sets off. Ends with `aclose`, or with the object that it belongs to."""

    def __init__(self, context: AsyncContext, options: Options) -> None:
        self.last_error: Exception | None = None
        """Why the last attempt failed; None where it did not."""
        self._context = context
        self._summaries = AsyncSummaries(options)
        self._pauses = Pauses()
        self._lock = threading.Lock()
        self._job: AsyncJob | None = None
        self._again = False
        self._not_before = 0.0
        self._closed = False

    def begin(self) -> None:
        """Summarises, unless that is under way, or failed a short while ago."""
        with self._lock:
            self._again = True
            if self._job is None and not self._closed and time.monotonic() >= self._not_before:
                self._job = AsyncJob(self._run, f"fastpaca-compaction-{self._context.id}")

    async def wait(self, timeout_s: float | None = None) -> bool:
        """Waits for what is under way, or for so long; tells whether nothing is left."""
        job = self._job
        return job is None or await job.join(timeout_s)

    async def aclose(self) -> None:
        """Begins no more, and waits for what is under way."""
        with self._lock:
            self._closed = True
        await self.wait()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.aclose()

    async def _run(self) -> None:
        goes_on = True
        while goes_on:
            with self._lock:
                self._again = False
            outcome = await self._summaries.attempt(self._context._twin())  # noqa: SLF001
            goes_on = self._noted(outcome)

    def _noted(self, outcome: Outcome) -> bool:
        """Notes what came of an attempt; tells whether there is another one."""
        compacted = outcome.compacted
        with self._lock:
            self.last_error = outcome.error
            self._not_before = time.monotonic() + self._pauses.after(outcome)
            more = self._again or (compacted is not None and compacted.needs_compaction)
            goes_on = more and outcome.error is None and outcome.held_s is None and not self._closed
            if not goes_on:
                self._job = None
        return goes_on
