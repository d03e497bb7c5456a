"""What reads of a page share: the query in, the core's bytes out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from fastpaca.engine import not_before
from fastpaca.http import query

if TYPE_CHECKING:
    from fastpaca import _core
    from fastpaca.engine import Engine
    from fastpaca.http.request import Request

Read = Callable[..., bytes]
"""A read of the core, which takes a context, what was fetched for it, and the parameters by their names."""


async def page(engine: Engine, req: Request, context_id: str, known: query.Known, read: Read) -> bytes:
    """The page that a query asks for, of at most `limit`."""
    wanted = {"limit": query.LIMIT.default, **query.read(req.query_string, known)}
    min_version = wanted.pop("min_version", None)

    def operation(context: _core.Context, fetched: _core.Fetched) -> bytes:
        return read(context, fetched, **wanted)

    return await engine.aread(context_id, not_before(min_version, operation))
