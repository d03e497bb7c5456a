"""Context infrastructure for LLM applications: a durable message log, and the token-budgeted window for the model.

import fastpaca

with fastpaca.open("./data") as store:
    chat = store.context("chat-1", budget=100_000)
    chat.append({"role": "user", "content": "Hello!"})
    window = chat.window()      # window.messages goes to any model
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastpaca._core import __version__
from fastpaca.aio import AsyncContext, AsyncStore
from fastpaca.client import connect, connect_async
from fastpaca.compaction.worker import compaction_worker
from fastpaca.errors import FastpacaError
from fastpaca.local import AsyncLocalTransport, LocalTransport, open_engine
from fastpaca.sync import Context, Store
from fastpaca.types import Appended, Compacted, Compaction, ContextInfo, Message, Rewound, Window

if TYPE_CHECKING:
    import os

__all__ = [
    "Appended",
    "AsyncContext",
    "AsyncStore",
    "Compacted",
    "Compaction",
    "Context",
    "ContextInfo",
    "FastpacaError",
    "Message",
    "Rewound",
    "Store",
    "Window",
    "__version__",
    "compaction_worker",
    "connect",
    "connect_async",
    "open",
    "open_async",
]


def open(path: str | os.PathLike[str]) -> Store:  # noqa: A001 - fastpaca.open, as gzip.open
    """Opens a data directory in this process; it is made if it is not there.

    One process at a time owns it; to share it, run `fastpaca serve`. Threads may share the store. Raises
    `StoreLockedError`, which names the owner, `StoreCorruptError` or `StoreFormatError`.
    """
    return Store(LocalTransport(open_engine(path)))


def open_async(path: str | os.PathLike[str]) -> AsyncStore:
    """As `open`, for an event loop. Opening blocks for some milliseconds."""
    return AsyncStore(AsyncLocalTransport(open_engine(path)))
