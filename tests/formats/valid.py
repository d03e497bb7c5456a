"""Windows, and what speaks against a request: the providers' rules, and the types of their client libraries."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from pydantic import ValidationError

from fastpaca import providers
from fastpaca.engine import Engine
from tests.providers import clients

Json = dict[str, Any]


def fetched(engine: Engine, context_id: str = "c", **options: Any) -> bytes:
    """The reply to a window request."""
    return engine.read(context_id, lambda context, fetched: context.window(fetched, **options))


def langchain(request: Json) -> None:
    """LangChain reads arguments as JSON objects and knows functions alone; the API takes what the model wrote."""
    calls = [call for message in request["messages"] for call in message.get("tool_calls", [])]
    if all(call["type"] == "function" and _is_object(call["function"]["arguments"]) for call in calls):
        back = clients.langchain_roundtrip(request)
        if len(back) != len(request["messages"]):
            raise ValueError(f"{len(back)} messages of {len(request['messages'])} come back")


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def anthropic(request: Json) -> None:
    """The library refuses recorded requests with blocks of the provider's own tools, and knows no betas."""
    contents = (message["content"] for message in request["messages"])
    kinds = {block["type"] for content in contents if isinstance(content, list) for block in content}
    if not any(kind in {"server_tool_use", "mcp_tool_use", "compaction"} for kind in kinds):
        clients.parse_anthropic(request)


CLIENTS: dict[str, tuple[Callable[[Json], object], ...]] = {
    "openai": (clients.parse_openai, langchain),
    "openai-responses": (clients.parse_responses,),
    "anthropic": (anthropic,),
}


def is_known(items: list[Json]) -> bool:
    """The client's types know these items. They refuse some that recorded calls have, and that the API took."""
    try:
        clients.parse_responses({"instructions": None, "input": items})
    except (ValidationError, ValueError, TypeError):
        return False
    return True


def violations(format: str, request: Json, model: str | None, *, parsed: bool = True) -> list[str]:
    """Empty for a request that the provider takes, and for a format whose rules stand elsewhere.

    `parsed`: that its client's types take as well. Nothing can be sent where a conversation says nothing, as a log of
    results without their calls.
    """
    if format not in CLIENTS or not request.get("messages", request.get("input")):
        return []
    rules = providers.check(format, request, model=model, strict=True)
    # That the assistant has the last word is the conversation's, which a format doesn't change.
    found = [f"{each.path}: {each.message}" for each in rules if not each.rule.startswith("prefill_")]
    for parse in CLIENTS[format] if parsed else ():
        try:
            parse(request)
        except (ValidationError, ValueError, TypeError) as error:
            found.append(f"{parse.__name__}: {str(error)[:500]}")
    return found
