"""Messages as Anthropic's API has them, and their requests."""

from __future__ import annotations

from typing import Any

import fastpaca
from tests.formats.valid import violations

Json = dict[str, Any]

THINKING: Json = {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}
IMAGE: Json = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBOR"}}
USER: Json = {"role": "user", "content": "What is the weather in Paris and Rome?"}


def converted(chat: fastpaca.Context, model: str | None = None) -> Json:
    found = chat.window(close=True).to("anthropic", model=model)
    assert violations("anthropic", found, model) == []
    return found


def request(chat: fastpaca.Context, *messages: Json, model: str | None = None) -> list[Json]:
    chat.append(messages)
    found: list[Json] = converted(chat, model)["messages"]
    return found


def text(words: str) -> Json:
    return {"type": "text", "text": words}


def use(call_id: str, name: str = "f", **arguments: Any) -> Json:
    return {"type": "tool_use", "id": call_id, "name": name, "input": arguments}


def result(call_id: str, content: Any, **more: Any) -> Json:
    return {"type": "tool_result", "tool_use_id": call_id, "content": content, **more}


def said(role: str, *blocks: Json) -> Json:
    return {"role": role, "content": list(blocks)}


def thinking(words: str) -> Json:
    return {"type": "thinking", "thinking": words, "signature": "c2ln"}
