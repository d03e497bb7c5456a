"""Recorded streams of the providers, and the calls of their own clients that read them from a loopback server."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import anthropic
import openai

from tests.support.data import DATA, lines

Json = dict[str, Any]
FORMATS = {"openai.chat": "openai", "openai.responses": "openai-responses", "anthropic.messages": "anthropic"}


def recorded(api: str) -> list[Json]:
    if not DATA.is_dir():
        return []
    calls = lines(DATA / "provider_calls.jsonl.gz")
    return [call for call in calls if call["api"] == api and call["stream"] and call["response"]]


def pieces(text: str) -> list[bytes]:
    """Cut where no event ends, as networks do."""
    raw = text.encode()
    return [raw[at : at + 997] for at in range(0, len(raw), 997)]


def creates(url: str) -> dict[str, Callable[..., Any]]:
    """By API: the call that streams, of a client of the server at `url`."""
    gpt = openai.OpenAI(base_url=f"{url}/v1", api_key="-", max_retries=0)
    claude = anthropic.Anthropic(base_url=url, api_key="-", max_retries=0)
    return {
        "openai.chat": functools.partial(gpt.chat.completions.create, model="gpt-5", stream=True),
        "openai.responses": functools.partial(gpt.responses.create, model="gpt-5", stream=True),
        "anthropic.messages": functools.partial(
            claude.messages.create, model="claude-opus-4-8", max_tokens=9, stream=True
        ),
    }
