"""The contexts of a server, blocking: the transport that `connect` gives to an `Store`.

Made of `aio.py` by `tools/make_sync.py`; change that one.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote

from fastpaca import types
from fastpaca.client.options import Options
from fastpaca.client.requests import context_path, draft_path, query, write_of
from fastpaca.client.sync_connection import Connection
from fastpaca.client.sync_subscription import HttpSubscription
from fastpaca.errors import MalformedReplyError
from fastpaca.ticket import Reply
from fastpaca.types import Fit

_CREATED: Final = 201


class HttpTransport:
    """Reaches a server."""

    def __init__(self, options: Options) -> None:
        self._connection = Connection(options)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._connection.options.url}>"

    def write(self, context_id: str, route: str, body: bytes, *, key: str | None) -> Reply:
        """Runs a write; see `Engine.write`. Without a key it gets one, so that trying again never doubles it."""
        made = write_of(context_id, route, body, key)
        answer = self._connection.call(made.method, made.path, body=made.body, key=made.key, headers=made.headers)
        # A caller without a key has asked once, however often that was sent.
        replayed = key is not None and answer.headers.get("idempotency-replayed") == "true"
        if not answer.body:
            return Reply(b"", 0, replayed=replayed)
        version = types.decode(answer.body).get("version")
        if not isinstance(version, int):
            raise MalformedReplyError("the reply to a write has no version")
        return Reply(answer.body, version, created=answer.status == _CREATED, replayed=replayed)

    def describe(self, context_id: str, *, min_version: int) -> bytes:
        """The context's JSON."""
        return self._read(context_path(context_id) + query(min_version=min_version or None))

    def window(
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
        answer = self._connection.call("GET", path, not_yet=at_version is None)
        model = answer.headers.get("fastpaca-model")
        return answer.body, None if model is None else unquote(model)

    def replay(
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
        return self._read(f"{context_path(context_id)}/messages{asked}")

    def tail(self, context_id: str, *, offset: int, limit: int, min_version: int) -> bytes:
        """A page from the newest message backwards as JSON."""
        asked = query(offset=offset or None, limit=limit, min_version=min_version or None)
        return self._read(f"{context_path(context_id)}/tail{asked}")

    def contexts(self, *, prefix: str, needs_compaction: bool | None, cursor: str | None, limit: int) -> bytes:
        """A page of contexts as JSON."""
        asked = query(prefix=prefix or None, needs_compaction=needs_compaction, cursor=cursor, limit=limit)
        return self._read(f"/v1/contexts{asked}")

    def compactions(self, context_id: str, *, cursor: int | None, limit: int, min_version: int) -> bytes:
        """A page of compactions as JSON, newest first."""
        asked = query(cursor=cursor, limit=limit, min_version=min_version or None)
        return self._read(f"{context_path(context_id)}/compactions{asked}")

    def lease(self, context_id: str, body: bytes) -> bytes:
        """Takes or renews a lease; see `Leases.take`."""
        return (self._connection.call("POST", f"{context_path(context_id)}/compactions/lease", body=body)).body

    def release(self, context_id: str, body: bytes) -> None:
        """Ends a lease; see `Leases.release`."""
        self._connection.call("DELETE", f"{context_path(context_id)}/compactions/lease", body=body)

    def draft(self, context_id: str, message_id: str, offset: int, delta: str) -> int:
        """Continues a draft. Trying again is safe: a server knows what it was sent before."""
        body = types.encode({"offset": offset, "delta": delta}, "delta")
        answer = self._connection.call("POST", draft_path(context_id, message_id), body=body)
        length = types.decode(answer.body).get("length")
        if not isinstance(length, int):
            raise MalformedReplyError("the reply to a draft has no length")
        return length

    def drop_draft(self, context_id: str, message_id: str) -> None:
        """Drops a draft."""
        self._connection.call("DELETE", draft_path(context_id, message_id))

    def subscribe(
        self, context_id: str | None, *, cursor: int | str | None, include_messages: bool
    ) -> HttpSubscription:
        """Frames of one context, or of all."""
        of_all = context_id is None
        path = "/v1/stream" if context_id is None else f"{context_path(context_id)}/stream"
        return HttpSubscription(self._connection, path, cursor, of_all=of_all, include_messages=include_messages)

    def close(self) -> None:
        """Closes the connections. Again: does nothing."""
        self._connection.close()

    def _read(self, path: str) -> bytes:
        return (self._connection.call("GET", path)).body
