"""What the resources work on. It is opened after the fork, by the lifespan; until then it holds the settings alone."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from fastpaca import _core
from fastpaca.config import Config
from fastpaca.engine import Engine
from fastpaca.errors import StoreLockedError
from fastpaca.log.base import Log, Pending
from fastpaca.log.rocks import RocksLog

OpenLog = Callable[[Config], Log]

_logger = logging.getLogger("fastpaca.http")


class Groups:
    """Counts groups of commits, each of which is one sync. Called on the log's writer thread."""

    def __init__(self) -> None:
        self.groups = 0
        self.commits = 0

    def __call__(self, commits: Sequence[Pending]) -> None:
        """Counts one."""
        self.groups += 1
        self.commits += len(commits)


class Service:
    """The store of one server. `engine` is there from `open` to the end of the process."""

    engine: Engine

    def __init__(self, config: Config, open_log: OpenLog | None = None) -> None:
        self.config = config
        self._open_log = open_log or open_rocks
        self.is_open = False
        self.groups = Groups()

    def open(self) -> None:
        """Opens the log. Raises a `StoreError` that says what is wrong."""
        began = time.monotonic()
        # Tables of the default encoder take some 40 ms to build: now, not while the first append holds the event loop.
        _core.Counting().count("warm")
        log = self._open_log(self.config)
        self.engine = Engine(log, cache_bytes=self.config.cache_bytes)
        self.engine.observe(self.groups)
        self.is_open = True
        ms = round((time.monotonic() - began) * 1000)
        facts = {"data_dir": str(self.config.data_dir), "position": log.position, "duration_ms": ms}
        _logger.info("the store is open", extra=facts)

    def close(self) -> None:
        """Writes what is under way and closes the log."""
        if self.is_open:
            self.is_open = False
            self.engine.close()
            _logger.info("the store is closed", extra={"position": self.engine.log.position})


def open_rocks(config: Config) -> Log:
    """The log in the configured directory; waits for its present owner, and says so."""

    def attempt(wait_s: float) -> Log:
        return RocksLog(config.data_dir, purpose="fastpaca serve", wait_s=wait_s, sync=config.fsync)

    try:
        return attempt(0.0)
    except StoreLockedError as error:
        if not config.lock_wait_s:
            raise
        _logger.warning("waiting up to %g s for the data directory: %s", config.lock_wait_s, error)
    return attempt(config.lock_wait_s)
