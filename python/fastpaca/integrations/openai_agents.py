"""A session of the OpenAI Agents SDK whose history is a context: `Runner.run(agent, input, session=...)`.

Every item stays in the log; a run gets the window, which fits the budget and is valid whatever the window left out.
Needs `pip install 'fastpaca[openai-agents]'`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from fastpaca import types
from fastpaca._core import PAGE_MESSAGES_MAX
from fastpaca.errors import VersionConflictError
from fastpaca.integrations._awaited import AnyContext, Awaited, checked, without
from fastpaca.types import Window

try:
    from agents.items import TResponseInputItem
    from agents.memory import Session, SessionSettings
    from agents.memory.session_settings import resolve_session_limit
    from agents.models.fake_id import FAKE_RESPONSES_ID
except ModuleNotFoundError as error:
    _MISSING = "fastpaca.integrations.openai_agents needs the OpenAI Agents SDK: pip install 'fastpaca[openai-agents]'"
    raise ImportError(_MISSING) from error

__all__ = ["FastpacaSession"]

# Ids that stand for none: of models behind other APIs, and of the SDK's own model for tests.
_NO_IDS = frozenset({FAKE_RESPONSES_ID, "scripted-message"})
# What a log knows of a message, which the API refuses.
_OURS = ("seq", "token_count", "inserted_at", "created_at", "metadata", "usage")


class FastpacaSession(Session):
    """A context as a session. It holds no items, so any number may stand for one context.

    `context` is `store.context(id, budget=...)` of any store, blocking or not, in process or of a server; a blocking
    one is called in threads. A run gets the context's window; with `log` it gets every item, exactly as it was added.
    `session_settings.limit` keeps the newest items of either. Methods raise a `FastpacaError`: `NotFoundError` for a
    context that was never made, `BudgetTooSmallError` where no window fits.
    """

    def __init__(
        self, context: AnyContext, *, log: bool = False, session_settings: SessionSettings | None = None
    ) -> None:
        self._calls = Awaited(checked(context))
        self._log = log
        self.session_id = context.id
        self.session_settings = session_settings or SessionSettings()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.session_id!r}>"

    async def get_items(self, limit: int | None = None) -> list[TResponseInputItem]:
        """What a run gets of the conversation, oldest first: at most the newest `limit` items of it."""
        limit = resolve_session_limit(limit, self.session_settings)
        types.integer("limit", limit, 0)
        if limit == 0:
            return []
        items = await self._of_log(limit) if self._log else _of_window(await self._calls.window(), limit)
        return cast("list[TResponseInputItem]", items)

    async def _of_log(self, limit: int | None) -> list[dict[str, Any]]:
        if limit is None or limit > PAGE_MESSAGES_MAX:
            messages = await self._calls.messages()
        else:
            messages = await self._calls.tail(limit)
        return [item for message in messages for item in _as_added(message)][-(limit or 0) :]

    async def add_items(self, items: list[TResponseInputItem]) -> None:
        """Appends items, all or none, and waits until they are durable.

        Items that have an id of their own, as the model's have, are there once however often they are added.
        """
        if not items:
            return
        messages = cast("list[dict[str, Any]]", list(items))
        if any(_has_id(item) for item in messages):
            await self._calls.append_once(messages)
        else:
            await self._calls.append(messages, key=None)

    async def pop_item(self) -> TResponseInputItem | None:
        """Takes back the newest item and gives it, or None where there is none. The log keeps it: see
        `messages(all=True)`.
        """
        while True:
            version = (await self._calls.info()).version
            newest = await self._calls.tail(2)
            if not newest:
                return None
            *before, last = newest
            try:
                await self._calls.rewind(before[0]["seq"] if before else 0, if_version=version)
            except VersionConflictError:  # something came in between: the newest is another one
                continue
            return cast("TResponseInputItem", _as_added(last)[-1])

    async def clear_session(self) -> None:
        """Takes back every item. The log keeps them: see `messages(all=True)`."""
        await self._calls.rewind(0)


def _has_id(item: object) -> bool:
    found = item.get("id") if isinstance(item, Mapping) else None
    return isinstance(found, str) and found != "" and found not in _NO_IDS


def _of_window(window: Window, limit: int | None) -> list[dict[str, Any]]:
    """The window as input. Its newest messages alone are converted on their own: ids whose reasoning is cut off go."""
    if limit is None or limit >= len(window.messages):
        return _input(window.to("openai-responses"))
    return _converted(window.messages[-limit:])


def _converted(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return _input(types.convert([types.encode({"messages": messages})], "openai-responses")["request"])


def _input(request: dict[str, Any]) -> list[dict[str, Any]]:
    """A request's items. Instructions are the agent's, so those of the conversation stand before the others."""
    instructions = request["instructions"]
    head = [] if instructions is None else [{"role": "system", "content": instructions}]
    return [*head, *request["input"]]


def _as_added(message: dict[str, Any]) -> list[dict[str, Any]]:
    """A message of the log as the item that it was; one that came otherwise is converted, and may be several."""
    item = without(message, *_OURS)
    parts = item.get("parts")
    if parts is not None and _is_text(parts) and "tool_calls" not in item and item["role"] != "tool":
        return [{**without(item, "parts"), "content": parts[0]["text"]}]
    if parts is None and (isinstance(item.get("type"), str) or _is_content(item.get("content"))):
        return [item]
    return _converted([message]) or [item]


def _is_text(parts: Any) -> bool:
    """A text, as a `content` that is a string is stored."""
    return isinstance(parts, list) and len(parts) == 1 and parts[0].keys() == {"type", "text"}


def _is_content(content: object) -> bool:
    """Content of a Responses message."""
    if not isinstance(content, list) or not content:
        return False
    kinds = [part.get("type", "") if isinstance(part, dict) else "" for part in content]
    return all(kind.startswith(("input_", "output_")) or kind == "refusal" for kind in kinds)
