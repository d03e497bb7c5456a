"""The contexts of this process, blocking: the transport behind the `Store` of `open`.

Made of `aio.py` by `tools/make_sync.py`; change that one.
"""

from __future__ import annotations

from typing import Any

from fastpaca import _core
from fastpaca.engine import Engine, not_before, writable
from fastpaca.streams.drafts import check_delta
from fastpaca.streams.sync import Frames
from fastpaca.ticket import Reply


class LocalTransport:
    """Reaches an engine of this process. `options` are those of the core's method of the same name."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def write(self, context_id: str, route: str, body: bytes, *, key: str | None) -> Reply:
        """Runs a write; see `Engine.write`."""
        return self.engine.write(context_id, route, body, key=key)

    def describe(self, context_id: str, *, min_version: int) -> bytes:
        """The context's JSON."""
        return self.engine.read(context_id, not_before(min_version, lambda context, _: context.describe()))

    def window(self, context_id: str, *, min_version: int, **options: Any) -> tuple[bytes, str | None]:
        """The window's JSON, and the model that it goes to."""
        version = options["at_version"]

        def read(context: _core.Context, fetched: _core.Fetched) -> tuple[bytes, str | None]:
            return context.window(fetched, **options), context.model(fetched, at_version=version)

        return self.engine.read(context_id, not_before(min_version, read))

    def compactions(self, context_id: str, *, min_version: int, **options: Any) -> bytes:
        """A page of compactions as JSON, newest first."""
        return self.engine.read(
            context_id, not_before(min_version, lambda context, fetched: context.compactions(fetched, **options))
        )

    def lease(self, context_id: str, body: bytes) -> bytes:
        """Takes or renews a lease."""
        return self.engine.lease(context_id, body)

    def release(self, context_id: str, body: bytes) -> None:
        """Ends a lease."""
        self.engine.release(context_id, body)

    def replay(self, context_id: str, *, min_version: int, **options: Any) -> bytes:
        """A page of the log as JSON."""
        return self.engine.read(
            context_id, not_before(min_version, lambda context, fetched: context.replay(fetched, **options))
        )

    def tail(self, context_id: str, *, min_version: int, **options: Any) -> bytes:
        """A page from the newest message backwards as JSON."""
        return self.engine.read(
            context_id, not_before(min_version, lambda context, fetched: context.tail(fetched, **options))
        )

    def contexts(self, **options: Any) -> bytes:
        """A page of contexts as JSON; `options` are those of `Engine.contexts`."""
        return self.engine.contexts(**options)

    def draft(self, context_id: str, message_id: str, offset: int, delta: str) -> int:
        """Continues a draft."""
        offset, delta = check_delta(message_id, offset, delta)
        self.engine.read(context_id, writable)
        return self.engine.hub.draft(context_id, message_id, offset, delta)

    def drop_draft(self, context_id: str, message_id: str) -> None:
        """Drops a draft."""
        self.engine.hub.drop_draft(context_id, message_id)

    def subscribe(self, context_id: str | None, *, cursor: int | str | None, include_messages: bool) -> Frames:
        """Frames of one context, or of all."""
        return Frames(self.engine.hub, context_id, cursor, include_messages=include_messages)

    def close(self) -> None:
        """Writes what is under way and releases the store. Again: does nothing."""
        self.engine.close()
