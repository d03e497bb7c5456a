"""An engine in memory, spoken to in JSON, as the proofs use it."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

from fastpaca import _core
from fastpaca.engine import Engine
from fastpaca.log import Family, Log, MemoryDisk, MemoryLog
from fastpaca.ticket import Reply

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ALL_TOKENS = _core.TOKEN_BUDGET_MAX


def memory_engine(disk: MemoryDisk | None = None) -> Engine:
    """An engine on memory that outlives it."""
    return Engine(MemoryLog(disk or MemoryDisk()))


def write(engine: Engine, context_id: str, route: str, *, key: str | None = None, **fields: Any) -> Reply:
    """Runs a write whose body holds these fields."""
    return engine.write(context_id, route, json.dumps(fields).encode(), key=key)


def append(engine: Engine, context_id: str, messages: Sequence[Mapping[str, Any]], **fields: Any) -> dict[str, Any]:
    """Appends a batch; gives the reply."""
    reply: dict[str, Any] = json.loads(write(engine, context_id, "append", messages=messages, **fields).body)
    return reply


def window(
    engine: Engine, context_id: str, budget: int | None = ALL_TOKENS, *, fit: str = "steps", close: bool = False
) -> bytes:
    """The bytes of a window."""
    return engine.read(context_id, lambda c, fetched: c.window(fetched, budget_tokens=budget, fit=fit, close=close))


def describe(engine: Engine, context_id: str) -> dict[str, Any]:
    """The context as it stands."""
    described: dict[str, Any] = json.loads(engine.read(context_id, lambda context, _: context.describe()))
    return described


def replay(engine: Engine, context_id: str, **options: Any) -> list[dict[str, Any]]:
    """Every message of the log, page after page."""
    found: list[dict[str, Any]] = []
    cursor: int | None = None
    while True:
        operation = partial(_page, cursor=cursor, **options)
        page = json.loads(engine.read(context_id, operation))
        found += page["messages"]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def _page(context: _core.Context, fetched: _core.Fetched, **options: Any) -> bytes:
    return context.replay(fetched, limit=_core.PAGE_MESSAGES_MAX, **options)


def verify(log: Log, context_id: str) -> tuple[int, int]:
    """What `fastpaca verify` checks of one context; gives version and number of messages."""
    family, key = _core.snapshot_key(context_id)
    verifier = _core.Verifier(context_id, log.get(Family(family), key))
    for _, record in values(log, Family.RECORDS, context_id):
        verifier.push(record)
    chunks = [(int.from_bytes(key[-8:], "big"), chunk) for key, chunk in values(log, Family.INDEX, context_id)]
    return verifier.finish(chunks)


def values(log: Log, family: Family, context_id: str) -> list[tuple[bytes, bytes]]:
    """All keys and values of a context in a family whose keys begin with its id."""
    start = context_id.encode() + b"\x00"
    return log.scan(family, start, start[:-1] + b"\x01", limit=10**9)
