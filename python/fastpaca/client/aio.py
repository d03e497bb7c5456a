"""The contexts of a server, for an event loop: the transport that `connect_async` gives to an `AsyncStore`.

`sync.py` is made of this file by `tools/make_sync.py`; change this one.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote

from fastpaca import types
from fastpaca.client.aio_connection import AsyncConnection
from fastpaca.client.aio_subscription import AsyncHttpSubscription
from fastpaca.client.options import Options
from fastpaca.client.requests import context_path, draft_path, query, write_of
from fastpaca.errors import MalformedReplyError
from fastpaca.ticket import Reply
from fastpaca.types import Fit

_CREATED: Final = 201


class AsyncHttpTransport:
    """Reaches a server."""

    def __init__(self, options: Options) -> None:
        self._connection = AsyncConnection(options)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._connection.options.url}>"

    async def write(self, context_id: str, route: str, body: bytes, *, key: str | None) -> Reply:
        """Runs a write; see `Engine.write`. Without a key it gets one, so that trying again never doubles it."""
        made = write_of(context_id, route, body, key)
        answer = await self._connection.call(made.method, made.path, body=made.body, key=made.key, headers=made.headers)
        # A caller without a key has asked once, however often that was sent.
        replayed = key is not None and answer.headers.get("idempotency-replayed") == "true"
        if not answer.body:
            return Reply(b"", 0, replayed=replayed)
        version = types.decode(answer.body).get("version")
        if not isinstance(version, int):
            raise MalformedReplyError("the reply to a write has no version")
        return Reply(answer.body, version, created=answer.status == _CREATED, replayed=replayed)

    async def describe(self, context_id: str, *, min_version: int) -> bytes:
        """The context's JSON."""
        return await self._read(context_path(context_id) + query(min_version=min_version or None))

    async def window(
        self,
        context_id: str,
        *,
        budget_tokens: int | None,
        fit: Fit,
        close: bool,
        at_version: int | None,
        min_version: int,
        explain: bool = False,
    ) -> tuple[bytes, str | None]:
        """The window's JSON, and the model that it goes to."""
        asked = query(
            budget_tokens=budget_tokens,
            fit=None if fit == "steps" else fit,
            close=close or None,
            at_version=at_version,
            min_version=min_version or None,
            explain=explain or None,
        )
        # A version that this object has seen will come; one that the caller names perhaps never does.
        path = f"{context_path(context_id)}/window{asked}"
        answer = await self._connection.call("GET", path, not_yet=at_version is None)
        model = answer.headers.get("fastpaca-model")
        return answer.body, None if model is None else unquote(model)

    async def replay(
        self,
        context_id: str,
        *,
        from_seq: int | None,
        to_seq: int | None,
        cursor: int | None,
        limit: int,
        all: bool,
        min_version: int,
    ) -> bytes:
        """A page of the log as JSON."""
        asked = query(
            from_seq=from_seq,
            to_seq=to_seq,
            cursor=cursor,
            limit=limit,
            view="all" if all else None,
            min_version=min_version or None,
        )
        return await self._read(f"{context_path(context_id)}/messages{asked}")

    async def tail(self, context_id: str, *, offset: int, limit: int, min_version: int) -> bytes:
        """A page from the newest message backwards as JSON."""
        asked = query(offset=offset or None, limit=limit, min_version=min_version or None)
        return await self._read(f"{context_path(context_id)}/tail{asked}")

    async def contexts(self, *, prefix: str, needs_compaction: bool | None, cursor: str | None, limit: int) -> bytes:
        """A page of contexts as JSON."""
        asked = query(prefix=prefix or None, needs_compaction=needs_compaction, cursor=cursor, limit=limit)
        return await self._read(f"/v1/contexts{asked}")

    async def compactions(self, context_id: str, *, cursor: int | None, limit: int, min_version: int) -> bytes:
        """A page of compactions as JSON, newest first."""
        asked = query(cursor=cursor, limit=limit, min_version=min_version or None)
        return await self._read(f"{context_path(context_id)}/compactions{asked}")

    async def lease(self, context_id: str, body: bytes) -> bytes:
        """Takes or renews a lease; see `Leases.take`."""
        return (await self._connection.call("POST", f"{context_path(context_id)}/compactions/lease", body=body)).body

    async def release(self, context_id: str, body: bytes) -> None:
        """Ends a lease; see `Leases.release`."""
        await self._connection.call("DELETE", f"{context_path(context_id)}/compactions/lease", body=body)

    async def draft(self, context_id: str, message_id: str, offset: int, delta: str) -> int:
        """Continues a draft. Trying again is safe: a server knows what it was sent before."""
        body = types.encode({"offset": offset, "delta": delta}, "delta")
        answer = await self._connection.call("POST", draft_path(context_id, message_id), body=body)
        length = types.decode(answer.body).get("length")
        if not isinstance(length, int):
            raise MalformedReplyError("the reply to a draft has no length")
        return length

    async def drop_draft(self, context_id: str, message_id: str) -> None:
        """Drops a draft."""
        await self._connection.call("DELETE", draft_path(context_id, message_id))

    def subscribe(
        self, context_id: str | None, *, cursor: int | str | None, include_messages: bool
    ) -> AsyncHttpSubscription:
        """Frames of one context, or of all."""
        of_all = context_id is None
        path = "/v1/stream" if context_id is None else f"{context_path(context_id)}/stream"
        return AsyncHttpSubscription(self._connection, path, cursor, of_all=of_all, include_messages=include_messages)

    async def close(self) -> None:
        """Closes the connections. Again: does nothing."""
        await self._connection.close()

    async def _read(self, path: str) -> bytes:
        return (await self._connection.call("GET", path)).body
