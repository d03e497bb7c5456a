"""`/v1/contexts/{context_id}/compactions`: what was compacted, taking it back, and who is at it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from fastpaca import _core
from fastpaca.http import query
from fastpaca.http.read import page
from fastpaca.http.write import Writer

if TYPE_CHECKING:
    from falcon.asgi import Response

    from fastpaca.http.request import Request
    from fastpaca.http.service import Service

LIST_QUERY: Final[query.Known] = {
    "cursor": query.VERSION,
    "limit": query.LIMIT,
    "min_version": query.VERSION,
}


class Compactions:
    """`/v1/contexts/{context_id}/compactions`."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def on_get(self, req: Request, resp: Response, context_id: str) -> None:
        """A page of them, newest first."""
        resp.data = await page(self._service.engine, req, context_id, LIST_QUERY, _core.Context.compactions)

    on_head = on_get


class Revert(Writer):
    """`/v1/contexts/{context_id}/compactions/{version}/revert`."""

    async def on_post(self, req: Request, resp: Response, context_id: str, version: str) -> None:
        """Undoes a caller's compaction."""
        if req.query_string:
            query.read(req.query_string, query.NONE)
        body = await req.json_body(self.service.config.body_bytes_max)
        number = query.VERSION.read("version", version)
        await self.write(req, resp, context_id, "revert", _with_version(body, number))


class Lease:
    """`/v1/contexts/{context_id}/compactions/lease`."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def on_post(self, req: Request, resp: Response, context_id: str) -> None:
        """Takes or renews it."""
        body = await self._body(req)
        resp.data = await asyncio.to_thread(self._service.engine.lease, context_id, body)

    async def on_delete(self, req: Request, resp: Response, context_id: str) -> None:
        """Gives it back."""
        body = await self._body(req)
        await asyncio.to_thread(self._service.engine.release, context_id, body)
        resp.status = 204

    async def _body(self, req: Request) -> bytes:
        if req.query_string:
            query.read(req.query_string, query.NONE)
        return await req.json_body(self._service.config.body_bytes_max)


def _with_version(body: bytes, version: int) -> bytes:
    """The body with the version that stands in the path as its first field. What is no object the core refuses."""
    rest = body.strip(b" \t\r\n")
    if not rest:
        return b'{"version":%d}' % version
    if not rest.startswith(b"{"):
        return body
    rest = rest[1:].lstrip(b" \t\r\n")
    return b'{"version":%d%b%b' % (version, b"" if rest.startswith(b"}") else b",", rest)
