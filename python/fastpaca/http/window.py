"""`/v1/contexts/{context_id}/window`: what a model gets. Also at `/context`."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from fastpaca.http import query

if TYPE_CHECKING:
    from falcon.asgi import Response

    from fastpaca import _core
    from fastpaca.http.request import Request
    from fastpaca.http.service import Service

QUERY: Final[query.Known] = {
    "budget_tokens": query.BUDGET,
    "fit": query.Choice({"steps": "steps", "largest": "largest"}),
    "close": query.FLAG,
    "if_version": query.VERSION,
    "min_version": query.VERSION,
    "at_version": query.VERSION,
    "explain": query.FLAG,
    "format": query.FORMAT,
    "cache": query.Choice({"auto": "auto"}),
}

# Headers hold ASCII, and names of models are few.
_quoted: Final = lru_cache(quote)


class Window:
    """`/v1/contexts/{context_id}/window`."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def on_get(self, req: Request, resp: Response, context_id: str) -> None:
        """The window, or 304."""
        wanted: dict[str, Any] = query.read(req.query_string, QUERY) if req.query_string else {}
        tags = req.get_header("if-none-match")
        if tags:
            wanted["known_tags"] = _tags(tags)

        def read(context: _core.Context, fetched: _core.Fetched) -> tuple[str, bytes | None, str | None]:
            return context.tagged_window(fetched, **wanted)

        tag, body, model = await self._service.engine.aread(context_id, read)
        resp.set_header("etag", tag)
        if model is not None:
            # Whoever converts the window goes by it.
            resp.set_header("fastpaca-model", _quoted(model))
        if body is None:
            resp.status = 304
        else:
            resp.data = body

    on_head = on_get


def _tags(header: str) -> list[str]:
    """The entity tags of `If-None-Match`, which are compared weakly. Ours hold no comma."""
    return [tag.strip().removeprefix("W/") for tag in header.split(",")]
