"""Recorded conversations through the integrations: what goes in comes out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
    convert_to_messages,
)

import fastpaca
from fastpaca import providers
from fastpaca.integrations._langchain_messages import stored, window_messages
from fastpaca.integrations.openai_agents import FastpacaSession
from tests.support.data import native_conversations, needs_data

pytestmark = [pytest.mark.slow, needs_data]
BATCH = 500


def test_responses_items(tmp_path: Path) -> None:
    seen = 0
    with fastpaca.open(tmp_path / "data") as store:
        for conversation in native_conversations():
            if conversation.source == "openai.responses":
                seen += 1
                items: Any = conversation.messages
                chat = store.context(str(seen), budget=10_000_000)
                asyncio.run(exchange(chat, items))
    assert seen > 200


async def exchange(chat: fastpaca.Context, items: Any) -> None:
    whole = FastpacaSession(chat, log=True)
    await whole.add_items(items)
    assert await whole.get_items() == items
    request = {"input": await FastpacaSession(chat).get_items()}
    assert providers.check("openai-responses", request) == [] or request["input"] == []


def test_langchain_messages(tmp_path: Path) -> None:
    seen = 0
    with fastpaca.open(tmp_path / "data") as store:
        for number, conversation in enumerate(native_conversations()):
            if conversation.source not in {"openai", "anthropic", "anthropic.messages"}:
                continue
            messages = list(langchain(conversation.messages))
            for place, message in enumerate(messages):
                message.id = f"m{place}"
            chat = store.context(str(number), budget=10_000_000)
            for start in range(0, len(messages), BATCH):
                chat.append([stored(message) for message in messages[start : start + BATCH]])
            seen += compare(chat.window(), {message.id: message for message in messages})
    assert seen > 8000


def compare(window: fastpaca.Window, messages: dict[str | None, BaseMessage]) -> int:
    """What is shown unchanged is what went in, but for thinking whose signature is stale. Gives how much it is."""
    changed = {message.get("id") for message in window.messages if "edited" in message}
    stale = {
        message["id"] for message in window.messages if message.get("seq") in window.omitted_reasoning("anthropic")
    }
    shown = [message for message in window_messages(window) if message.id not in changed and message.id in messages]
    for message in shown:
        if message.id in stale:
            assert message.text == messages[message.id].text
        else:
            assert message == messages[message.id]
    return len(shown)


def langchain(messages: list[dict[str, Any]]) -> Iterator[BaseMessage]:
    """A recorded conversation as LangChain's integrations would have it."""
    for message in messages:
        content = message["content"]
        blocks = content if isinstance(content, list) else []
        if message["role"] == "user" and blocks:
            results = [block for block in blocks if block["type"] == "tool_result"]
            for block in results:
                status = "error" if block.get("is_error") else "success"
                yield ToolMessage(block.get("content") or "", tool_call_id=block["tool_use_id"], status=status)
            if len(results) < len(blocks):
                yield HumanMessage([block for block in blocks if block["type"] != "tool_result"])
        elif message["role"] == "assistant" and "tool_calls" not in message:
            uses = [block for block in blocks if block["type"] == "tool_use"]
            calls = [
                {"type": "tool_call", **{name: use[name] for name in ("id", "name")}, "args": use["input"]}
                for use in uses
            ]
            yield AIMessage(content, tool_calls=calls)
        elif message["role"] == "system":
            yield SystemMessage(content)
        else:
            yield from convert_to_messages([message])
