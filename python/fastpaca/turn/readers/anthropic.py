"""Events of Anthropic's messages: blocks that grow."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from fastpaca.turn.readers.base import Json, Text, get, plain, reason, tokens, unknown

EVENTS: Final = frozenset(
    {
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
        "ping",
        "error",
    }
)
_INPUT: Final = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
_HELPERS: Final = frozenset({"text", "citation", "thinking", "signature", "input_json", "compaction"})
"""What `client.messages.stream()` adds to the API's events."""


class AnthropicReader:
    """Blocks, each as the API gives it at once: thinking with its signature, redacted thinking as it came."""

    def __init__(self, message_id: str) -> None:
        self.input_tokens: int | None = None
        self.output_tokens: int | None = None
        self.is_complete = False
        self.has_end = True
        self.failure: str | None = None
        self._message_id = message_id
        self._blocks: dict[int, Json] = {}
        self._inputs: dict[int, list[str]] = {}
        self._done: set[int] = set()

    def feed(self, chunk: Any) -> Iterable[Text]:
        """Takes an event."""
        kind = get(chunk, "type")
        if kind not in EVENTS and kind not in _HELPERS:
            raise unknown(chunk, "an event of Anthropic's messages, as before")
        if kind == "content_block_start":
            return self._start(get(chunk, "index"), plain(get(chunk, "content_block")))
        if kind == "content_block_delta":
            return self._delta(get(chunk, "index"), get(chunk, "delta"))
        if kind == "content_block_stop":
            self._stop(get(chunk, "index"))
        elif kind == "message_start":
            self._count(get(get(chunk, "message"), "usage"))
        elif kind == "message_delta":
            self._count(get(chunk, "usage"))
        elif kind == "message_stop":
            self.is_complete = True
        elif kind == "error":
            self.failure = reason(chunk)
        return ()

    def _start(self, index: int, block: Json) -> Iterable[Text]:
        self._blocks[index] = block
        text = block.get("text") if block.get("type") == "text" else None
        return (Text(self._message_id, text),) if text else ()

    def _delta(self, index: int, delta: Any) -> Iterable[Text]:
        block, kind = self._blocks[index], get(delta, "type")
        if kind == "text_delta":
            block["text"] = block.get("text", "") + get(delta, "text")
            return (Text(self._message_id, get(delta, "text")),)
        if kind == "thinking_delta":
            block["thinking"] = block.get("thinking", "") + get(delta, "thinking")
        elif kind == "signature_delta":
            block["signature"] = get(delta, "signature")
        elif kind == "input_json_delta":
            self._inputs.setdefault(index, []).append(get(delta, "partial_json"))
        elif kind == "citations_delta":
            block["citations"] = [*(block.get("citations") or ()), plain(get(delta, "citation"))]
        elif kind == "compaction_delta":
            block.update({name: value for name, value in plain(delta).items() if name != "type"})
        else:
            raise unknown(delta, "a delta of Anthropic's content blocks")
        return ()

    def _stop(self, index: int) -> None:
        self._done.add(index)
        text = "".join(self._inputs.get(index, ()))
        if text:
            try:
                self._blocks[index]["input"] = json.loads(text)
            except ValueError:
                # The model ran out of tokens in the middle of the arguments.
                self._blocks[index]["input"] = {"_unparsed": text}

    def _count(self, usage: Any) -> None:
        """Cached tokens are counted apart. The first figures are those of the request; where tools of the provider ran,
        later ones count what they found as well.
        """
        if self.input_tokens is None:
            self.input_tokens = tokens(sum(get(usage, name) or 0 for name in _INPUT))
        self.output_tokens = tokens(get(usage, "output_tokens")) or self.output_tokens

    def messages(self) -> list[Json]:
        """One message."""
        blocks = sorted(self._blocks.items())
        content = [block for index, block in blocks if self.is_complete or index in self._done or _is_text(block)]
        if not self.is_complete:
            while content and not _speaks(content[-1]):
                content.pop()
            if not content:
                return []
        return [{"role": "assistant", "id": self._message_id, "content": content}]


def _is_text(block: Json) -> bool:
    return block.get("type") == "text" and bool(block.get("text"))


def _speaks(block: Json) -> bool:
    """Whether a message may end with it: thinking alone says nothing."""
    return block.get("type") not in {"thinking", "redacted_thinking"} and (
        block.get("type") != "text" or _is_text(block)
    )
