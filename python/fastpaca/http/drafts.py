"""`/v1/contexts/{context_id}/drafts/{message_id}`: an unfinished message, as it is being written."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final

from fastpaca import _core
from fastpaca.errors import InvalidError
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
        _check_message_id(message_id)
        fields = _fields(await req.json_body(self._service.config.body_bytes_max))
        offset, delta = check_delta(fields.get("offset"), fields.get("delta"))
        hub = self._service.engine.hub
        if self._service.engine.is_cold(context_id):
            length = await asyncio.to_thread(hub.draft, context_id, message_id, offset, delta)
        else:
            length = hub.draft(context_id, message_id, offset, delta)
        resp.data = json.dumps({"length": length}).encode()

    async def on_delete(self, req: Request, resp: Response, context_id: str, message_id: str) -> None:
        """Drops a draft that will not be appended. Again: does nothing."""
        query.read(req.query_string, query.NONE)
        self._service.engine.hub.drop_draft(context_id, message_id)
        resp.status = 204


def _check_message_id(message_id: str) -> None:
    if not 1 <= len(message_id.encode()) <= _core.CONTEXT_ID_BYTES_MAX:
        message = f"message_id: 1 to {_core.CONTEXT_ID_BYTES_MAX} bytes are allowed"
        raise InvalidError(message, details={"field": "message_id"})


def _fields(body: bytes) -> dict[str, Any]:
    """The object of a body. Raises `InvalidError`."""
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidError(f"the body is not valid JSON: {error}", code="invalid_json", details={"field": ""}) from None
    if not isinstance(fields, dict):
        raise InvalidError("the body must be an object", details={"field": ""})
    for name in fields.keys() - _KEYS:
        message = f"{name}: is no field of this body; known are offset, delta"
        raise InvalidError(message, code="unknown_field", details={"field": name})
    return fields
