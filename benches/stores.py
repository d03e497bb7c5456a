"""Stores to measure on, in temporary directories, and what reading them fetches."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import corpus
from fastpaca import types
from fastpaca.local import open_engine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fastpaca import _core
    from fastpaca.engine import Engine

CONTEXT = "chat"
BATCH = 1000
WINDOW_TOKENS = 20_000
"""About 200 messages of 100 tokens."""


@contextmanager
def folder() -> Iterator[str]:
    """A temporary directory, where TMPDIR says."""
    with tempfile.TemporaryDirectory(prefix="fastpaca-bench-") as path:
        yield path


@contextmanager
def opened(path: str | Path, *, sync: bool = True) -> Iterator[Engine]:
    """The engine of a data directory."""
    engine = open_engine(path, sync=sync)
    try:
        yield engine
    finally:
        engine.close()


def batch(messages: list[dict[str, Any]]) -> bytes:
    """The body of an append of many."""
    return types.encode({"messages": messages})


def fill(engine: Engine, count: int) -> None:
    """Puts so many messages into the context, with their token counts given."""
    engine.write(CONTEXT, "configure", b'{"token_budget":%d}' % WINDOW_TOKENS)
    bodies = [batch(corpus.messages(BATCH, token_count=True, start=start)) for start in range(0, 5 * BATCH, BATCH)]
    for n in range(count // BATCH):
        engine.write(CONTEXT, "append", bodies[n % len(bodies)])


def window(context: _core.Context, fetched: _core.Fetched) -> bytes:
    """The window, as `Engine.read` wants it."""
    return context.window(fetched)


def loaded(engine: Engine) -> _core.Context:
    """The core's context."""
    found: list[_core.Context] = []
    engine.read(CONTEXT, lambda context, _: found.append(context))
    return found[0]


class Counted:
    """Counts the entries that an engine reads from its log, while it is in use."""

    def __init__(self, engine: Engine) -> None:
        self.entries = 0
        log: Any = engine.log
        get_many, scan, get = log.get_many, log.scan, log.get

        def counted_get_many(family: int, keys: list[bytes]) -> Any:
            self.entries += len(keys)
            return get_many(family, keys)

        def counted_scan(*arguments: Any, **options: Any) -> Any:
            found = scan(*arguments, **options)
            self.entries += len(found)
            return found

        def counted_get(family: int, key: bytes) -> Any:
            self.entries += 1
            return get(family, key)

        log.get_many, log.scan, log.get = counted_get_many, counted_scan, counted_get
