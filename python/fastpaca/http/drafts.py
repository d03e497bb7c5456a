"""`/v1/contexts/{context_id}/drafts/{message_id}`: an unfinished message, as it is being written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from fastpaca.engine import writable
from fastpaca.fields import read_object
from fastpaca.http import query
from fastpaca.streams.drafts import check_delta

if TYPE_CHECKING:
    from falcon.asgi import Response

    from fastpaca.http.request import Request
    from fastpaca.http.service import Service

_KEYS: Final = frozenset({"offset", "delta"})


class Drafts:
    """`/v1/contexts/{context_id}/drafts/{message_id}`."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def on_post(self, req: Request, resp: Response, context_id: str, message_id: str) -> None:
        """Adds a delta at an offset; answers with the draft's length, in Unicode code points."""
        query.read(req.query_string, query.NONE)
        fields = read_object(await req.json_body(self._service.config.body_bytes_max), _KEYS)
        offset, delta = check_delta(message_id, fields.get("offset"), fields.get("delta"))
        engine = self._service.engine
        await engine.aread(context_id, writable)
        resp.data = json.dumps({"length": engine.hub.draft(context_id, message_id, offset, delta)}).encode()

    async def on_delete(self, req: Request, resp: Response, context_id: str, message_id: str) -> None:
        """Drops a draft that will not be appended. Again: does nothing."""
        query.read(req.query_string, query.NONE)
        self._service.engine.hub.drop_draft(context_id, message_id)
        resp.status = 204
