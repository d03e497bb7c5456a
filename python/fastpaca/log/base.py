"""The interface of a log: it orders commits, makes them durable, and keeps what they put.

Two kinds of write go in. A `Commit` is one record with all that must land beside it, atomically and durably; its `done`
is called once. Derived writes (snapshots, index chunks) can be computed again from records: nobody waits for them.

What readers may rely on: a key that a finished commit put is found; a commit that failed is never seen. A commit *in
flight* may be seen by `get` and `scan` before its `done`: whoever has one in flight knows it, and asks for keys up to
the version that was applied. Readers of the feed stop at `position`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from fastpaca.log.feed import encode_entry


class Family(IntEnum):
    """Where a key lives. Its lower-case name is the column family's."""

    RECORDS = 0
    FEED = 1
    STATE = 2
    INDEX = 3
    KEYS = 4


Put = tuple[int, bytes, bytes | None]
"""Number of the family, key, value. `None` deletes the key."""


class Pending(Protocol):
    """A record on its way into the log; `Commit` is one, and whoever knows more of his records may bring his own.

    `version` is the record's last; `puts` hold the record first and whatever must land with it, but not `feed_entry`:
    the log puts that under the `position` that it gives, which it sets before `done` reports success.
    """

    position: int

    @property
    def context_id(self) -> str:
        """Whose record it is."""
        ...

    @property
    def version(self) -> int:
        """The record's last version."""
        ...

    @property
    def puts(self) -> Sequence[Put]:
        """What lands, all or nothing."""
        ...

    @property
    def puts_bytes(self) -> int:
        """Bytes of their keys and values."""
        ...

    @property
    def feed_entry(self) -> bytes:
        """What the feed is to hold: `feed.encode_entry` of version and context."""
        ...

    def done(self, error: BaseException | None, /) -> None:
        """Called once: with None when it is durable, else with an `UnavailableError` that says what is known."""
        ...


Done = Callable[[BaseException | None], None]
"""Called with None once the commit is durable, else with an `UnavailableError` that says what is known."""

OnGroup = Callable[[Sequence["Pending"]], None]
"""Called once for each group of commits that ended together, after their `done`: the place to wake an event loop."""


@dataclass(slots=True, eq=False)
class Commit:
    """A `Pending` record of plain fields."""

    context_id: str
    version: int
    puts: Sequence[Put]
    done: Done
    position: int = 0

    @property
    def puts_bytes(self) -> int:
        """Bytes of keys and values."""
        return bytes_of(self.puts)

    @property
    def feed_entry(self) -> bytes:
        """What the feed is to hold."""
        return encode_entry(self.version, self.context_id)


class Log(Protocol):
    """An ordered, durable log with the key families that are derived from it. Any thread may call any method."""

    @property
    def position(self) -> int:
        """The feed position of the newest durable record; 0 when there is none."""
        ...

    @property
    def poisoned(self) -> bool:
        """Whether a write or sync failed. It stays so until the store is opened again."""
        ...

    def submit(self, commit: Pending, *, wake: bool = True) -> None:
        """Queues a commit and returns. Commits become durable, and are reported, in the order of submission.

        Without `wake` it may stay queued until `wake` is called, or something else is submitted: for who submits many.
        Raises `ClosedError` or `PoisonedError`; then `done` is not called.
        """
        ...

    def wake(self) -> None:
        """Sets the writer to work on what is queued."""
        ...

    def submit_derived(self, puts: Sequence[Put]) -> None:
        """Queues writes that nobody waits for, behind the commits submitted before. Raises as `submit` does.

        They are atomic among themselves, durable no later than the next commit, and lost without notice if that fails.
        """
        ...

    def observe(self, on_group: OnGroup) -> None:
        """Sets what is called after each group, on the writer's thread. Set it before the first commit."""
        ...

    def get(self, family: Family, key: bytes) -> bytes | None:
        """The value of one key. Holds the interpreter while it reads."""
        ...

    def get_many(self, family: Family, keys: Sequence[bytes]) -> list[bytes | None]:
        """The values of many keys, in their order. Releases the interpreter while it reads."""
        ...

    def scan(
        self,
        family: Family,
        start: bytes,
        stop: bytes | None,
        *,
        limit: int,
        limit_bytes: int | None = None,
        reverse: bool = False,
    ) -> list[tuple[bytes, bytes]]:
        """At most `limit` pairs with `start` <= key < `stop` (None: no end), ascending, or descending from `stop`.

        The one whose value makes it `limit_bytes` of values is the last.
        """
        ...

    def close(self) -> None:
        """Writes what is queued, then releases the store. Again: does nothing. Later use raises `ClosedError`."""
        ...


def bytes_of(puts: Iterable[Put]) -> int:
    """Bytes of keys and values."""
    return sum(len(key) + len(value or b"") for _, key, value in puts)


def bounded(pairs: Iterable[tuple[bytes, bytes]], limit_bytes: int | None) -> list[tuple[bytes, bytes]]:
    """Pairs up to the one whose value makes it so many bytes of values."""
    found: list[tuple[bytes, bytes]] = []
    size_bytes = 0
    for pair in pairs:
        found.append(pair)
        size_bytes += len(pair[1])
        if limit_bytes is not None and size_bytes >= limit_bytes:
            break
    return found
