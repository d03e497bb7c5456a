"""`/v1/contexts/{context_id}/window`: what a model gets. Also at `/context`."""

from __future__ import annotations

from collections import OrderedDict
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

ANSWERED_BYTES_MAX: Final = 8 * 1024 * 1024
"""Windows that were sent and may be asked for again, together."""

# Headers hold ASCII, and names of models are few.
_quoted: Final = lru_cache(quote)


class Window:
    """`/v1/contexts/{context_id}/window`."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._answered = Answered()

    async def on_get(self, req: Request, resp: Response, context_id: str) -> None:
        """The window, or 304."""
        wanted: dict[str, Any] = query.read(req.query_string, QUERY) if req.query_string else {}
        tags = req.get_header("if-none-match")
        kept = None
        if tags:
            wanted["known_tags"] = _tags(tags)
        elif "if_version" not in wanted:
            kept = self._answered.get(context_id)
            if kept is not None:
                wanted["known_tags"] = (kept[0],)

        def read(context: _core.Context, fetched: _core.Fetched) -> tuple[str, bytes | None, str | None]:
            return context.tagged_window(fetched, **wanted)

        tag, body, model = await self._service.engine.aread(context_id, read)
        resp.set_header("etag", tag)
        if model is not None:
            # Whoever converts the window goes by it.
            resp.set_header("fastpaca-model", _quoted(model))
        if body is not None:
            resp.data = body
            self._answered.keep(context_id, tag, body)
        elif kept is not None:
            resp.data = kept[1]
        else:
            resp.status = 304

    on_head = on_get


class Answered:
    """The last window of each context that was asked for lately: until the context changes, the same is sent again."""

    def __init__(self) -> None:
        self._windows: OrderedDict[str, tuple[str, bytes]] = OrderedDict()
        self._bytes = 0

    def get(self, context_id: str) -> tuple[str, bytes] | None:
        """Its entity tag and bytes."""
        return self._windows.get(context_id)

    def keep(self, context_id: str, tag: str, body: bytes) -> None:
        """Keeps a window instead of the context's last one, and forgets the oldest over the bound."""
        last = self._windows.pop(context_id, None)
        if last is not None:
            self._bytes -= len(last[1])
        self._windows[context_id] = tag, body
        self._bytes += len(body)
        while self._bytes > ANSWERED_BYTES_MAX:
            _, (_, forgotten) = self._windows.popitem(last=False)
            self._bytes -= len(forgotten)


def _tags(header: str) -> list[str]:
    """The entity tags of `If-None-Match`, which are compared weakly. Ours hold no comma."""
    return [tag.strip().removeprefix("W/") for tag in header.split(",")]
