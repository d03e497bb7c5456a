"""Readers of the chunks that model libraries stream, each by the shape of what comes."""

from __future__ import annotations

from typing import Any

from fastpaca.turn.readers.anthropic import EVENTS, AnthropicReader
from fastpaca.turn.readers.base import Json, Reader, Text, get, unknown
from fastpaca.turn.readers.langchain import LangChainReader
from fastpaca.turn.readers.openai_chat import ChatReader, is_chat
from fastpaca.turn.readers.openai_responses import ResponsesReader, is_responses
from fastpaca.turn.readers.pydantic_ai import PydanticAiReader
from fastpaca.turn.readers.text import TextReader

__all__ = ["Json", "Reader", "Text", "reader_of"]

_KNOWN = (
    "text (str), or a chunk of OpenAI's chat completions or responses, of Anthropic's messages, of LangChain "
    "(AIMessageChunk) or of pydantic-ai"
)


def reader_of(chunk: Any, message_id: str) -> Reader:
    """The reader of an answer that begins with this chunk. Raises `UnknownChunkError`."""
    if isinstance(chunk, str):
        return TextReader(message_id)
    kind = get(chunk, "type")
    if is_chat(chunk):
        return ChatReader(message_id)
    if is_responses(kind):
        return ResponsesReader(message_id)
    if kind in EVENTS:
        return AnthropicReader(message_id)
    if kind == "AIMessageChunk":
        return LangChainReader(message_id)
    if isinstance(get(chunk, "event_kind"), str):
        return PydanticAiReader(message_id)
    raise unknown(chunk, _KNOWN)
