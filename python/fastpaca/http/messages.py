"""`/v1/contexts/{context_id}/messages` and `/tail`: append, and read the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fastpaca import _core
from fastpaca.http import query
from fastpaca.http.read import page
from fastpaca.http.write import Writer

if TYPE_CHECKING:
    from falcon.asgi import Response

    from fastpaca.http.request import Request
    from fastpaca.http.service import Service

REPLAY_QUERY: Final[query.Known] = {
    "from_seq": query.SEQ,
    "to_seq": query.SEQ,
    "cursor": query.POSITION,
    "limit": query.LIMIT,
    "view": query.Choice({"default": False, "all": True}),
    "format": query.FORMAT,
    "min_version": query.VERSION,
}
TAIL_QUERY: Final[query.Known] = {
    "offset": query.POSITION,
    "limit": query.LIMIT,
    "format": query.FORMAT,
    "min_version": query.VERSION,
}


class Messages(Writer):
    """`/v1/contexts/{context_id}/messages`."""

    async def on_post(self, req: Request, resp: Response, context_id: str) -> None:
        """Appends."""
        reply = await self.write(req, resp, context_id, "append")
        if not reply.replayed:
            resp.status = 201

    async def on_get(self, req: Request, resp: Response, context_id: str) -> None:
        """Replays a page of the log."""
        resp.data = await page(self.service.engine, req, context_id, REPLAY_QUERY, _replay)

    on_head = on_get


class Tail:
    """`/v1/contexts/{context_id}/tail`."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def on_get(self, req: Request, resp: Response, context_id: str) -> None:
        """The newest messages, a page at a time backwards."""
        resp.data = await page(self._service.engine, req, context_id, TAIL_QUERY, _core.Context.tail)

    on_head = on_get


def _replay(context: _core.Context, fetched: _core.Fetched, *, view: bool = False, **wanted: Any) -> bytes:
    return context.replay(fetched, all=view, **wanted)
