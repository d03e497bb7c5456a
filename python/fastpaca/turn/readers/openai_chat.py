"""Chunks of OpenAI's chat completions, and of the many services that speak the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from fastpaca.turn.readers.base import Json, Text, get, plain, reason, tokens, unknown

_TEXTS: Final = ("content", "refusal", "reasoning_content", "reasoning")
"""Fields of a delta that grow. The last two are of other services."""
_SEEN: Final = ("content", "refusal")
_BODIES: Final = {"function": "arguments", "custom": "input"}
"""Kinds of calls, and what of them grows."""
_HELPERS: Final = ("content.", "refusal.", "tool_calls.", "logprobs.")
"""Events that `client.chat.completions.stream()` adds to the chunks."""


def is_chat(chunk: Any) -> bool:
    """Whether this is a chunk of a chat completion, or an event of the client's own stream helper."""
    if isinstance(get(chunk, "choices"), list) and get(chunk, "object") in {"chat.completion.chunk", None}:
        return True
    return _is_helper(get(chunk, "type"))


def _is_helper(kind: Any) -> bool:
    return isinstance(kind, str) and (kind == "chunk" or kind.startswith(_HELPERS))


class ChatReader:
    """The deltas of choice 0. Its calls are finished when the provider names the reason why it stopped."""

    def __init__(self, message_id: str) -> None:
        self.input_tokens: int | None = None
        self.output_tokens: int | None = None
        self.is_complete = False
        self.has_end = True
        self.failure: str | None = None
        self._message_id = message_id
        self._texts: dict[str, list[str]] = {}
        self._calls: list[Json] = []
        self._function: dict[str, str] = {}
        """The call of the old `functions`, of which an answer has one."""

    def feed(self, chunk: Any) -> Iterable[Text]:
        """Takes a chunk, whose last ones may have usage alone."""
        if not is_chat(chunk):
            raise unknown(chunk, "a chunk of a chat completion, as before")
        if _is_helper(get(chunk, "type")):
            chunk = get(chunk, "chunk")
            if chunk is None:
                return ()
        if get(chunk, "error"):
            self.failure = reason(chunk)
        usage, choices = get(chunk, "usage"), get(chunk, "choices")
        # With nothing beside it, it is what comes last. Some services give it, and no reason why they stopped.
        self.has_end = usage is None or any(_speaks(get(choice, "delta")) for choice in choices)
        if usage is not None:
            self.input_tokens = tokens(get(usage, "prompt_tokens"))
            self.output_tokens = tokens(get(usage, "completion_tokens"))
        return [text for choice in choices for text in self._choice(choice, chunk)]

    def _choice(self, choice: Any, chunk: Any) -> Iterator[Text]:
        if get(choice, "index") not in {0, None}:
            raise unknown(chunk, "one answer (n=1), where this has several choices")
        delta = get(choice, "delta")
        for name, text in _said(delta, chunk):
            self._texts.setdefault(name, []).append(text)
            if name in _SEEN:
                yield Text(self._message_id, text)
        for call in get(delta, "tool_calls") or ():
            self._call(plain(call))
        for name, text in (plain(get(delta, "function_call")) or {}).items():
            self._function[name] = self._function.get(name, "") + (text or "")
        self.is_complete |= get(choice, "finish_reason") is not None

    def _call(self, delta: Json) -> None:
        index = delta.pop("index", None)
        call = next((call for call in reversed(self._calls) if call["index"] == index), None)
        # Some services give every call index 0; another id is another call.
        if call is None or (delta.get("id") and call.get("id") and delta["id"] != call["id"]):
            call = {"index": index}
            self._calls.append(call)
        for name, value in delta.items():
            grows = _BODIES.get(name)
            if grows is None or not isinstance(value, dict):
                call.update({name: value} if value is not None else {})
                continue
            body = call.setdefault(name, {grows: ""})
            body[grows] = (body.get(grows) or "") + (value.pop(grows, None) or "")
            body.update({field: given for field, given in value.items() if given})

    def messages(self) -> list[Json]:
        """One message."""
        texts = {name: "".join(texts) for name, texts in self._texts.items()}
        if not self.is_complete and not any(name in texts for name in _SEEN):
            return []
        message: Json = {"role": "assistant", "id": self._message_id, "content": texts.pop("content", None), **texts}
        if self.is_complete and self._calls:
            message["tool_calls"] = [_ordered(call) for call in self._calls]
        elif self.is_complete and self._function:
            message["function_call"] = self._function
        elif not any(name in message for name in _TEXTS[1:]) and message["content"] is None:
            message["content"] = ""
        return [message]


def _speaks(delta: Any) -> bool:
    return any(get(delta, name) for name in (*_TEXTS, "tool_calls", "function_call"))


def _said(delta: Any, chunk: Any) -> Iterator[tuple[str, str]]:
    """The texts of a delta, by field. Mistral's content may be a list, with thinking in it."""
    for name in _TEXTS:
        found = get(delta, name)
        if isinstance(found, list) and name == "content":
            for part in found:
                yield _part(part, chunk)
        elif not isinstance(found, str | None):
            raise unknown(chunk, f"text in delta.{name}")
        elif found:
            yield name, found


def _part(part: Any, chunk: Any) -> tuple[str, str]:
    kind, text = get(part, "type"), get(part, "text")
    if kind == "text" and isinstance(text, str):
        return "content", text
    if kind == "thinking":
        return "reasoning_content", "".join(get(thought, "text") for thought in get(part, "thinking"))
    raise unknown(chunk, "text or thinking in delta.content")


def _ordered(call: Json) -> Json:
    """A call as the API writes it; `type` was not always sent."""
    kind = "custom" if "custom" in call else "function"
    body = call.get(kind, {})
    rest = {name: value for name, value in call.items() if name not in {"index", "id", "type", kind}}
    head = {"id": call["id"]} if "id" in call else {}
    return {**head, "type": kind, kind: {"name": body.get("name", ""), **body}, **rest}
