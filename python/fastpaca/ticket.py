"""A write on its way through the pipeline, and the reply to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from fastpaca import _core
from fastpaca.handles import raised

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

    from fastpaca.engine import Engine
    from fastpaca.handles import Handle
    from fastpaca.log.base import Put

Waiter = Callable[["Ticket"], object]


class Reply:
    """The reply to a write: a JSON body (empty for a deletion), and the version that it made or found."""

    __slots__ = ("body", "created", "replayed", "version")

    def __init__(self, body: bytes, version: int, *, created: bool = False, replayed: bool = False) -> None:
        self.body = body
        self.version = version
        self.created = created
        self.replayed = replayed


class Ticket(Reply):
    """A write on its way: what the log commits, and who waits for it. Settled without `error`, it is the reply.

    One plain object a write, since each object and each call more costs as much as a step of the core.
    """

    __slots__ = (
        "context_id",
        "engine",
        "error",
        "feed_entry",
        "first_version",
        "future",
        "handle",
        "position",
        "puts",
        "puts_bytes",
        "settled",
        "waiter",
    )

    engine: Engine
    handle: Handle
    context_id: str
    first_version: int
    puts: Sequence[Put]
    puts_bytes: int
    feed_entry: bytes
    position: int

    def __init__(self, waiter: Waiter, future: asyncio.Future[None] | None = None) -> None:
        """`waiter` is called with this once it is settled, unless it is already; `future` is for its use."""
        self.waiter = waiter
        self.future = future
        self.created = False
        self.replayed = False
        self.settled = False
        self.error: BaseException | None = None

    def found(self, done: _core.Done) -> None:
        """The write commits nothing."""
        self.body = done.reply
        self.version = done.version
        self.replayed = done.replayed

    def commits(self, engine: Engine, handle: Handle, commit: _core.Commit) -> None:
        """The log is to commit this."""
        self.engine = engine
        self.handle = handle
        self.context_id = handle.id
        self.first_version = commit.first_version
        self.version = commit.version
        self.puts = commit.puts
        self.puts_bytes = commit.puts_bytes
        self.feed_entry = commit.feed_entry
        self.body = commit.reply
        self.created = commit.created

    def result(self) -> Reply:
        """The reply of a settled write. Raises its error."""
        if self.error is not None:
            raise self.error
        return self

    def done(self, error: BaseException | None) -> None:
        """Applies the durable record, or discards what was planned, and tells who waits. On the writer's thread."""
        handle = self.handle
        snapshot_due = False
        with handle.lock:
            if error is not None:
                handle.context.fail()
            else:
                try:
                    snapshot_due = handle.context.apply(self.first_version)
                except _core.CoreError as refused:
                    error = raised(refused)
                except BaseException as failed:  # noqa: BLE001 - whoever waits must be told, whatever it is
                    error = failed
            others = handle.waiting.pop(self.version, ()) if handle.waiting else ()
        for ticket in (self, *others):
            ticket.error = error
            ticket.settled = True
            ticket.waiter(ticket)
        if snapshot_due:
            self.engine.store_derived(handle.context)
