"""`/v1/contexts`: configure, read, delete and list contexts, and merge into their metadata."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final

from fastpaca.engine import not_before
from fastpaca.fields import refuse
from fastpaca.http import query
from fastpaca.http.write import Writer

if TYPE_CHECKING:
    from falcon.asgi import Response

    from fastpaca.http.request import Request
    from fastpaca.http.service import Service

LIST_QUERY: Final[query.Known] = {
    "prefix": query.Text(),
    "needs_compaction": query.FLAG,
    "cursor": query.Text(),
    "limit": query.LIMIT,
}
READ_QUERY: Final[query.Known] = {"min_version": query.VERSION}
DELETE_QUERY: Final[query.Known] = {"if_version": query.VERSION}


class Contexts:
    """`/v1/contexts`."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def on_get(self, req: Request, resp: Response) -> None:
        """Lists contexts in the order of their ids."""
        wanted = query.read(req.query_string, LIST_QUERY)
        wanted.setdefault("limit", query.LIMIT.default)
        listing = partial(self._service.engine.contexts, **wanted)
        resp.data = await asyncio.get_running_loop().run_in_executor(None, listing)

    on_head = on_get


class Context(Writer):
    """`/v1/contexts/{context_id}`."""

    async def on_put(self, req: Request, resp: Response, context_id: str) -> None:
        """Creates or configures."""
        reply = await self.write(req, resp, context_id, "configure")
        if reply.created:
            resp.status = 201

    async def on_get(self, req: Request, resp: Response, context_id: str) -> None:
        """Configuration and state."""
        min_version = query.read(req.query_string, READ_QUERY).get("min_version")
        describe = not_before(min_version, lambda context, _: context.describe())
        resp.data = await self.service.engine.aread(context_id, describe)

    on_head = on_get

    async def on_delete(self, req: Request, resp: Response, context_id: str) -> None:
        """Tombstones."""
        if_version = query.read(req.query_string, DELETE_QUERY).get("if_version")
        body = await req.json_body(self.service.config.body_bytes_max)
        if if_version is not None:
            if body:
                refuse("invalid_field", "if_version", "stands in the query: then there must be no body")
            body = b'{"if_version":%d}' % if_version
        await self.write(req, resp, context_id, "tombstone", body)
        resp.status = 204
        resp.data = None


class Metadata(Writer):
    """`/v1/contexts/{context_id}/metadata`."""

    async def on_patch(self, req: Request, resp: Response, context_id: str) -> None:
        """Merges into the metadata; null removes."""
        await self.write(req, resp, context_id, "metadata")
