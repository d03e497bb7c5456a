"""Group commit: one thread takes the group that has gathered, writes it at once, syncs once, and reports in order.

While one group syncs, the next gathers, so the group's size follows the load by itself. A failure poisons: what was in
the group has an unknown outcome, what has gathered behind was never written, and nothing more is taken.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import weakref
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Final

from fastpaca.errors import ClosedError, FastpacaError, ForkedError, OutcomeUnknownError, PoisonedError
from fastpaca.log.base import Family, OnGroup, Pending, Put, bytes_of
from fastpaca.log.feed import encode_position

GROUP_BYTES_MAX = 4 * 1024 * 1024
GROUP_PUTS_MAX = 16384

_FEED: Final = int(Family.FEED)

_logger = logging.getLogger("fastpaca.log")


@dataclass(slots=True)
class Group:
    """What is written as one batch: every put in the order of submission, feed entries included."""

    commits: list[Pending] = field(default_factory=list)
    puts: list[Put] = field(default_factory=list)
    size_bytes: int = 0

    def is_full(self) -> bool:
        """Whether what follows belongs to the next group. One item may be larger than the bound."""
        return self.size_bytes >= GROUP_BYTES_MAX or len(self.puts) >= GROUP_PUTS_MAX


class GroupWriter(ABC):
    """The half of a log that writes. A log fills in `_mark`, `_write` and `_sync`, which one thread calls.

    A subclass calls `_start` at the end of its `__init__` with the last position of its feed.
    """

    def _start(self, position: int, *, name: str) -> None:
        self._position = position
        self._failure: BaseException | None = None
        self._refusal: FastpacaError | None = None
        self._on_group: OnGroup | None = None
        # Guards what gathers. After a refusal is set nothing more enters, so nothing is left behind.
        self._gate = threading.Lock()
        self._groups = [Group()]
        self._newest = position
        self._woken = False
        self._wakes: SimpleQueue[None] = SimpleQueue()
        self._closing = threading.Lock()
        self._thread = threading.Thread(target=self._run, name=f"fastpaca-log {name}", daemon=True)
        _open_writers.add(self)
        self._thread.start()

    @property
    def position(self) -> int:
        """The feed position of the newest durable record; 0 when there is none."""
        return self._position

    @property
    def poisoned(self) -> bool:
        """Whether a write or sync failed."""
        return self._failure is not None

    def observe(self, on_group: OnGroup) -> None:
        """Sets what is called after each group, on the writer's thread."""
        self._on_group = on_group

    def submit(self, commit: Pending, *, wake: bool = True) -> None:
        """Queues a commit and returns. Raises `ClosedError` or `PoisonedError`."""
        # Looked at here: a commit that is not well formed must fail its caller and not the writer's thread.
        puts, puts_bytes, entry = commit.puts, commit.puts_bytes, commit.feed_entry
        with self._gate:
            if self._refusal is not None:
                raise self._refused()
            group = self._groups[-1]
            self._newest = position = self._newest + 1
            commit.position = position
            group.commits.append(commit)
            group.puts += puts
            group.puts.append((_FEED, encode_position(position), entry))
            group.size_bytes += puts_bytes
            if group.is_full():
                self._groups.append(Group())
            if wake:
                self._wake()

    def submit_derived(self, puts: Sequence[Put]) -> None:
        """Queues writes that nobody waits for. Raises `ClosedError` or `PoisonedError`."""
        size_bytes = bytes_of(puts)
        with self._gate:
            if self._refusal is not None:
                raise self._refused()
            group = self._groups[-1]
            group.puts += puts
            group.size_bytes += size_bytes
            if group.is_full():
                self._groups.append(Group())
            self._wake()

    def wake(self) -> None:
        """Sets the writer to work on what is queued."""
        with self._gate:
            self._wake()

    def _refused(self) -> FastpacaError:
        """A new one each time: a raised exception keeps its traceback, and with it the frames of its raiser."""
        assert self._refusal is not None
        refused = type(self._refusal)(*self._refusal.args)
        refused.__cause__ = self._failure
        return refused

    def _wake(self) -> None:
        if not self._woken:
            self._woken = True
            self._wakes.put(None)

    def close(self) -> None:
        """Writes what is queued, then releases the store."""
        with self._closing:
            if isinstance(self._refusal, ClosedError):
                return
            with self._gate:
                self._refusal = ClosedError("this log is closed")
                self._wake()
            self._thread.join()
            _open_writers.discard(self)
            self._release()

    @abstractmethod
    def _mark(self) -> None:
        """Remembers the present state, for `_hide_failed` to go back to."""

    @abstractmethod
    def _write(self, puts: Sequence[Put]) -> None:
        """Writes a batch atomically, not necessarily durably. Raises whatever goes wrong."""

    @abstractmethod
    def _sync(self) -> None:
        """Makes every write so far durable. Raises whatever goes wrong."""

    @abstractmethod
    def _release(self) -> None:
        """Closes what the log reads from. Called once, without a writer."""

    @abstractmethod
    def _hide_failed(self, puts: Sequence[Put]) -> None:
        """From now on reads must show nothing of this batch, the first since `_mark`."""

    @abstractmethod
    def _abandon(self) -> None:
        """In a forked child: let go of everything without touching what the parent uses."""

    def _run(self) -> None:
        """The writer's thread: what has gathered, whenever it is woken, until `close` has refused what would follow."""
        ending = False
        while not ending:
            self._wakes.get()
            with self._gate:
                groups, self._groups = self._groups, [Group()]
                self._woken = False
                ending = isinstance(self._refusal, ClosedError)
            for group in groups:
                self._finish(group)

    def _finish(self, group: Group) -> None:
        if self._failure is None:
            self._commit(group)
        else:
            refused = PoisonedError("an earlier write failed; the store takes no more until it is opened again")
            refused.__cause__ = self._failure
            self._report(group.commits, refused)

    def _commit(self, group: Group) -> None:
        try:
            if group.puts:
                self._mark()
                self._write(group.puts)
            if group.commits:
                self._sync()
        except BaseException as error:
            self._poison(error, group)
            unknown = OutcomeUnknownError(
                "the write or its sync failed; a restart settles whether it is there, as a whole"
            )
            unknown.__cause__ = error
            self._report(group.commits, unknown)
        else:
            if group.commits:
                self._position = group.commits[-1].position
                self._report(group.commits, None)

    def _poison(self, error: BaseException, group: Group) -> None:
        _logger.critical("a write or sync failed; no more writes until the store is opened again: %s", error)
        # Whoever keeps the error would keep the frames behind it, and through their locals an open database.
        error.__traceback__ = None
        try:
            self._hide_failed(group.puts)
        except BaseException:
            # Even a panic of the driver, which is no Exception: whoever waits must be told.
            _logger.exception("the failed batch may be visible to readers")
        with self._gate:
            self._failure = error
            if self._refusal is None:
                self._refusal = PoisonedError(f"no more writes until the store is opened again: {error}")

    def _report(self, commits: Sequence[Pending], error: BaseException | None) -> None:
        """Tells each commit, then the observer. A callback that raises must not stop the ones behind it."""
        for commit in commits:
            try:
                commit.done(error)
            except BaseException:
                _logger.exception("a commit's done callback raised: context %s", commit.context_id)
        if commits and self._on_group is not None:
            try:
                self._on_group(commits)
            except BaseException:
                _logger.exception("the log's group callback raised")

    def _after_fork(self) -> None:
        self._gate = threading.Lock()
        self._closing = threading.Lock()
        self._refusal = ForkedError("this log was opened before the fork; open the store in the child")
        self._abandon()


_open_writers: weakref.WeakSet[GroupWriter] = weakref.WeakSet()


def _abandon_all() -> None:
    for writer in list(_open_writers):
        writer._after_fork()
    _open_writers.clear()


def _close_all() -> None:
    for writer in list(_open_writers):
        try:
            writer.close()
        except Exception:
            # Nobody is left to be told, and the others are to be closed as well.
            _logger.exception("closing a log at exit failed")


os.register_at_fork(after_in_child=_abandon_all)
# A program that ends without `close` loses nothing that was acknowledged, but its next start would replay the WAL.
atexit.register(_close_all)
