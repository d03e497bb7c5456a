"""Compaction of all contexts of a store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, overload

from fastpaca.aio import AsyncStore
from fastpaca.compaction.aio_worker import AsyncCompactionWorker
from fastpaca.compaction.options import LEASE_S, OnError, Options
from fastpaca.compaction.sync_worker import CompactionWorker
from fastpaca.errors import InvalidError
from fastpaca.sync import Store
from fastpaca.types import Format


@overload
def compaction_worker(
    client: Store,
    fn: Callable[..., Any],
    *,
    format: Format | None = None,
    concurrency: int = 4,
    lease_seconds: int = LEASE_S,
    on_error: OnError | None = None,
) -> CompactionWorker: ...


@overload
def compaction_worker(
    client: AsyncStore,
    fn: Callable[..., Any],
    *,
    format: Format | None = None,
    concurrency: int = 4,
    lease_seconds: int = LEASE_S,
    on_error: OnError | None = None,
) -> AsyncCompactionWorker: ...


def compaction_worker(
    client: Store | AsyncStore,
    fn: Callable[..., Any],
    *,
    format: Format | None = None,
    concurrency: int = 4,
    lease_seconds: int = LEASE_S,
    on_error: OnError | None = None,
) -> CompactionWorker | AsyncCompactionWorker:
    """Summarises every context of a store that needs it, with `fn`, as `auto_compact` does: `run()` it, or use it in a
    `with` statement. Any number of workers may run; this one summarises at most `concurrency` contexts at a time.

    Raises `InvalidError` that names the argument.
    """
    options = Options.checked(
        fn, format=format, concurrency=concurrency, lease_seconds=lease_seconds, on_error=on_error
    )
    store: object = client
    if isinstance(store, AsyncStore):
        return AsyncCompactionWorker(store, options)
    if isinstance(store, Store):
        return CompactionWorker(store, options)
    found = type(store).__name__
    raise InvalidError(f"client: expected what open or connect gives, got {found}", details={"field": "client"})
