"""A context's calls, awaited, whichever kind of context it is; and appends that happen once."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeVar

from fastpaca import types
from fastpaca.aio import AsyncContext
from fastpaca.errors import InvalidError
from fastpaca.sync import Context
from fastpaca.types import Appended, ContextInfo, Message, Rewound, Window

_T = TypeVar("_T")
AnyContext = Context | AsyncContext


class Awaited:
    """The calls of a context. One that blocks does so in a thread, or with `inline` where it stands."""

    def __init__(self, context: AnyContext, *, inline: bool = False) -> None:
        self._context = context
        self._inline = inline

    async def _blocking(self, call: Callable[[], _T]) -> _T:
        return call() if self._inline else await asyncio.to_thread(call)

    async def append(self, messages: Sequence[Message], *, key: str | None) -> Appended:
        """Appends a batch."""
        context = self._context
        if isinstance(context, AsyncContext):
            return await context.append(messages, idempotency_key=key)
        return await self._blocking(lambda: context.append(messages, idempotency_key=key))

    async def window(self) -> Window:
        """The window."""
        context = self._context
        return await context.window() if isinstance(context, AsyncContext) else await self._blocking(context.window)

    async def info(self) -> ContextInfo:
        """The context as it stands."""
        context = self._context
        return await context.info() if isinstance(context, AsyncContext) else await self._blocking(context.info)

    async def messages(self, from_seq: int | None = None, to_seq: int | None = None) -> list[dict[str, Any]]:
        """Messages of the log, less those that left by a rewind."""
        context = self._context
        if isinstance(context, AsyncContext):
            return [message async for message in context.messages(from_seq=from_seq, to_seq=to_seq)]
        return await self._blocking(lambda: list(context.messages(from_seq=from_seq, to_seq=to_seq)))

    async def tail(self, limit: int) -> list[dict[str, Any]]:
        """The newest messages of the log, oldest first."""
        context = self._context
        if isinstance(context, AsyncContext):
            return await context.tail(limit)
        return await self._blocking(lambda: context.tail(limit))

    async def rewind(self, to_seq: int, *, if_version: int | None = None) -> Rewound:
        """Goes back."""
        context = self._context
        if isinstance(context, AsyncContext):
            return await context.rewind(to_seq, if_version=if_version)
        return await self._blocking(lambda: context.rewind(to_seq, if_version=if_version))

    async def append_once(self, messages: Sequence[Message]) -> Appended:
        """Appends a batch, unless this very batch is there already.

        Its key is made of what it says, so it is for messages that have ids of their own. What was taken back by a
        rewind since is no longer there: then it is appended again, under a key that follows from the first.
        """
        key = digest(messages)
        while True:
            appended = await self.append(messages, key=key)
            if not appended.replayed:
                return appended
            there = await self.messages(appended.first_seq, appended.seq)
            if len(there) == len(messages):
                return appended
            key = digest([key, appended.seq])


def digest(value: object) -> str:
    """Names a JSON value by what it says."""
    return hashlib.blake2b(types.encode(value, "message"), digest_size=16).hexdigest()


def finished(coroutine: Coroutine[Any, Any, _T]) -> _T:
    """The result of a coroutine over inline calls: it never waits, so it needs no event loop."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: _T = done.value
        return result
    coroutine.close()
    raise RuntimeError("a call of a blocking context waited for an event loop")


def checked(context: object, field: str = "context") -> AnyContext:
    """Raises `InvalidError` for what is no context."""
    if isinstance(context, (Context, AsyncContext)):
        return context
    found = f"{field}: expected a context, as store.context(...) gives it, not {type(context).__name__}"
    raise InvalidError(found, details={"field": field})


def without(message: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """A message without some of its fields."""
    return {name: value for name, value in message.items() if name not in names}
