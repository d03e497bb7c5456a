"""Message chunks of LangChain, whichever provider is behind it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from fastpaca.turn.readers.base import Json, Text, get, tokens, unknown

_CALLS: Final = frozenset({"tool_use", "function_call", "tool_call", "tool_call_chunk", "input_json_delta"})
"""Blocks that are calls, which LangChain lists in `tool_calls` as well."""


class LangChainReader:
    """Chunks are added up by LangChain's own rules, with `+`."""

    def __init__(self, message_id: str) -> None:
        self.output_tokens: int | None = None
        self.input_tokens: int | None = None
        self.is_complete = False
        self.has_end = False
        self.failure: str | None = None
        self._message_id = message_id
        self._chunks: list[Any] = []

    def feed(self, chunk: Any) -> Iterable[Text]:
        """Takes a chunk."""
        if get(chunk, "type") != "AIMessageChunk":
            raise unknown(chunk, "an AIMessageChunk, as before")
        self._chunks.append(chunk)
        usage = get(chunk, "usage_metadata")
        if usage:
            self.input_tokens = tokens(get(usage, "input_tokens")) or self.input_tokens
            self.output_tokens = tokens(get(usage, "output_tokens")) or self.output_tokens
        return [Text(self._message_id, text) for text in _texts(chunk.content)]

    def messages(self) -> list[Json]:
        """One message."""
        if not self._chunks:
            return []
        first, *rest = self._chunks
        # LangChain adds a list up in one go; one by one the time would grow with the square of their number.
        whole = first.__add__(rest) if rest else first
        parts = [*_thoughts(whole), *_parts(whole.content, list(_calls(whole)))]
        if not self.is_complete:
            parts = [part for part in parts if _stays(part)]
            if not any(part["type"] == "text" for part in parts):
                return []
        return [{"role": "assistant", "id": self._message_id, "parts": parts}]


def _stays(part: Json) -> bool:
    """Whether it is kept of an answer that is not complete: texts, and thinking that was signed by then."""
    return part["type"] in {"text", "redacted_thinking"} or bool(part.get("signature"))


def _texts(content: Any) -> Iterator[str]:
    if isinstance(content, str):
        yield from (content,) if content else ()
        return
    for block in content:
        text = block if isinstance(block, str) else get(block, "text") if get(block, "type") == "text" else None
        if text:
            yield text


def _thoughts(whole: Any) -> Iterator[Json]:
    """Reasoning that is no block: DeepSeek's and others'."""
    text = get(whole.additional_kwargs, "reasoning_content")
    if isinstance(text, str) and text:
        yield {"type": "reasoning", "text": text}


def _calls(whole: Any) -> Iterator[Json]:
    """With the arguments as the model wrote them, where they came in chunks: LangChain reads half of one as a whole."""
    for call in whole.tool_call_chunks:
        yield {"type": "tool_call", "call_id": call["id"], "name": call["name"], "arguments": call["args"] or ""}
    if not whole.tool_call_chunks:
        for call in whole.tool_calls:
            yield {"type": "tool_call", "call_id": call["id"], "name": call["name"], "payload": call["args"]}


def _parts(content: Any, calls: list[Json]) -> Iterator[Json]:
    """Blocks in their order, calls where their blocks stand; those without a block behind everything."""
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    waiting = list(calls)
    for block in blocks:
        if isinstance(block, str):
            block = {"type": "text", "text": block}  # noqa: PLW2901 - the same in its long form
        kind = block.get("type")
        if kind in _CALLS:
            names = {block.get("id"), block.get("call_id")} - {None}
            found = next((call for call in waiting if call["call_id"] in names), None)
            if found is not None:
                waiting.remove(found)
                yield found
        elif kind != "text" or block.get("text"):
            yield _block(block)
    yield from waiting


def _block(block: Json) -> Json:
    """A block of the provider's, less what LangChain adds to put chunks together."""
    if block.get("type") == "non_standard":
        return _block(dict(block["value"]))
    part = {name: value for name, value in block.items() if name not in {"index", "partial_json"}}
    if block.get("partial_json"):
        try:
            part["input"] = json.loads(block["partial_json"])
        except ValueError:
            part["input"] = {"_unparsed": block["partial_json"]}
    extras = part.pop("extras", None)
    if part.get("type") == "reasoning" and extras:
        part.update({name: extras[name] for name in ("signature", "encrypted_content") if extras.get(name)})
    return part
