"""The models of the example: one that says what it was shown, and OpenAI's where a key is set."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from typing import Any

PAUSE_S = float(os.environ.get("CHAT_PAUSE_S", "0.05"))
OPENAI_MODEL = os.environ.get("CHAT_MODEL", "gpt-4o-mini")


async def echo(messages: list[dict[str, Any]]) -> AsyncIterator[str]:
    """Says what it was shown, a word at a time."""
    asked = next(message["content"] for message in reversed(messages) if message["role"] == "user")
    text = f"You said: {asked}\n\nThe window that I was given holds {len(messages)} messages."
    for word in re.findall(r"\S+\s*", text):
        await asyncio.sleep(PAUSE_S)
        yield word


async def first_words(messages: list[dict[str, Any]]) -> str:
    """A summary for the model that needs none."""
    lines = [f"{message['role']}: {message['content'][:40]}" for message in messages]
    return "What was said before:\n" + "\n".join(lines)


async def openai(messages: list[dict[str, Any]]) -> Any:
    """Streams from OpenAI. Its last chunk carries the `usage`, by which Fastpaca corrects its counts."""
    from openai import AsyncOpenAI  # noqa: PLC0415 - only where a key is set

    options = {"include_usage": True}
    create = AsyncOpenAI().chat.completions.create
    return await create(model=OPENAI_MODEL, messages=messages, stream=True, stream_options=options)


async def openai_summary(messages: list[dict[str, Any]]) -> str:
    """A summary by OpenAI."""
    from openai import AsyncOpenAI  # noqa: PLC0415

    task = {"role": "user", "content": "Summarise this conversation so far, so that it can go on without its text."}
    reply = await AsyncOpenAI().chat.completions.create(model=OPENAI_MODEL, messages=[*messages, task])
    return reply.choices[0].message.content or ""


answer, summary = (openai, openai_summary) if os.environ.get("OPENAI_API_KEY") else (echo, first_words)
