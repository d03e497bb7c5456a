"""What all writes share: body and key in, the core's bytes out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastpaca.http import query

if TYPE_CHECKING:
    from falcon.asgi import Response

    from fastpaca.engine import Reply
    from fastpaca.http.request import Request
    from fastpaca.http.service import Service


class Writer:
    """A resource that takes writes."""

    def __init__(self, service: Service) -> None:
        self.service = service

    async def write(self, req: Request, resp: Response, context_id: str, route: str) -> Reply:
        """Runs a write that takes no query parameters, and answers with its reply."""
        if req.query_string:
            query.read(req.query_string, query.NONE)
        body = await req.json_body(self.service.config.body_bytes_max)
        return await self.submit(req, resp, context_id, route, body)

    async def submit(self, req: Request, resp: Response, context_id: str, route: str, body: bytes) -> Reply:
        """Runs a write whose body has been read."""
        reply = await self.service.engine.awrite(context_id, route, body, key=req.key)
        resp.data = reply.body
        if reply.replayed:
            resp.set_header("idempotency-replayed", "true")
        return reply
