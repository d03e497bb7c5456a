"""What all writes share: body and key in, the core's bytes out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastpaca.http import query

if TYPE_CHECKING:
    from falcon.asgi import Response

    from fastpaca.http.request import Request
    from fastpaca.http.service import Service
    from fastpaca.ticket import Reply


class Writer:
    """A resource that takes writes."""

    def __init__(self, service: Service) -> None:
        self.service = service

    async def write(
        self, req: Request, resp: Response, context_id: str, route: str, body: bytes | None = None
    ) -> Reply:
        """Runs a write and answers with its reply. Without `body` it is that of a request without query parameters."""
        if body is None:
            if req.query_string:
                query.read(req.query_string, query.NONE)
            bytes_max = self.service.config.body_bytes_max
            body = req.json_body_at_once(bytes_max)
            if body is None:
                body = await req.json_body(bytes_max)
        reply = await self.service.engine.awrite(context_id, route, body, key=req.key)
        resp.data = reply.body
        if reply.replayed:
            resp.set_header("idempotency-replayed", "true")
        return reply
