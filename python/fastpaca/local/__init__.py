"""The contexts of a data directory of this process. `aio.py` is the source of `sync.py` (`tools/make_sync.py`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastpaca.engine import CACHE_BYTES, Engine
from fastpaca.local.aio import AsyncLocalTransport
from fastpaca.local.sync import LocalTransport
from fastpaca.log.rocks import RocksLog

if TYPE_CHECKING:
    import os

__all__ = ["AsyncLocalTransport", "LocalTransport", "open_engine"]


def open_engine(path: str | os.PathLike[str], *, sync: bool = True, cache_bytes: int = CACHE_BYTES) -> Engine:
    """Opens a data directory, which is made if it is not there. One process at a time owns it.

    `sync=False` gives up durability against power loss: for tests. Raises `StoreLockedError`, which names the owner,
    `StoreCorruptError` or `StoreFormatError`.
    """
    return Engine(RocksLog(path, purpose="fastpaca.open", sync=sync), cache_bytes=cache_bytes)
