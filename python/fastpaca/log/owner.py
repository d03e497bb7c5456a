"""One process owns a data directory. The file `OWNER` says who, and its lock keeps others out before RocksDB is asked.

RocksDB's own `LOCK` is the truth; but a failed try to take it rotates the owner's `LOG` file, and it can't name anyone.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

from fastpaca.errors import StoreLockedError

_POLL_S = 0.05
_ADVICE = (
    "One process owns a data directory: run `fastpaca serve` on it and reach it over HTTP from the others, "
    "or stop that process."
)

# POSIX locks belong to the process: closing any descriptor of a file drops the process's lock on it. So a second open
# in this process must be turned away before it opens the file.
_held: dict[str, Owner] = {}
_held_lock = threading.Lock()


class Owner:
    """The right to use one data directory, from `acquire` to `release`."""

    def __init__(self, path: Path, descriptor: int, key: str) -> None:
        self.path = path
        self._descriptor = descriptor
        self._key = key

    @classmethod
    def acquire(cls, path: Path, *, purpose: str, deadline: float) -> Owner:
        """Takes an existing directory; waits for its owner until `deadline` (seconds, monotonic).

        Raises `StoreLockedError` that names the owner.
        """
        key = os.path.realpath(path)
        while True:
            with _held_lock:
                owner = cls._try(path, key, purpose)
                if owner is not None:
                    _held[key] = owner
                    return owner
                message = cls._message(path, here=key in _held)
            if time.monotonic() >= deadline:
                raise StoreLockedError(message)
            time.sleep(_POLL_S)

    @classmethod
    def _try(cls, path: Path, key: str, purpose: str) -> Owner | None:
        if key in _held:
            return None
        descriptor = os.open(path / "OWNER", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return None
        started = datetime.now(UTC).isoformat(timespec="seconds")
        facts = {"pid": os.getpid(), "host": socket.gethostname(), "started": started, "purpose": purpose}
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(facts).encode(), 0)
        return cls(path, descriptor, key)

    @staticmethod
    def _message(path: Path, *, here: bool) -> str:
        if here:
            return f"{path} is already open in this process ({os.getpid()}); use that store, don't open another"
        return f"{path} is in use by {describe(path)}. {_ADVICE}"

    def release(self) -> None:
        """Lets the next process in. The file stays: removing it could remove the next owner's."""
        with _held_lock:
            _held.pop(self._key, None)
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)


def describe(path: Path) -> str:
    """Who owns a directory, in words. Must not be called for a directory that this process owns."""
    try:
        facts = json.loads((path / "OWNER").read_bytes())
        return f"process {facts['pid']} on {facts['host']} ({facts['purpose']}, since {facts['started']})"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


def locked(path: Path) -> StoreLockedError:
    """For a directory that RocksDB calls locked although `OWNER` was free."""
    return StoreLockedError(f"{path} is in use by another program that opened it as a RocksDB database. {_ADVICE}")


def _forget_all() -> None:
    """In a forked child: the locks stay with the parent."""
    global _held_lock
    _held_lock = threading.Lock()
    _held.clear()


os.register_at_fork(after_in_child=_forget_all)
