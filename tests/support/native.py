"""Messages in the shapes of their providers, made of what pairing looks at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.support.model_list import Message

if TYPE_CHECKING:
    from tests.support.shapes import Ref

CALL_FORMS = ("openai", "anthropic", "parts", "ai-sdk", "responses", "functions")
RESULT_FORMS = ("openai", "anthropic", "parts", "ai-sdk", "responses", "functions")
SINGLE = {"responses", "functions"}
"""Shapes that hold one call a message."""


@dataclass(frozen=True)
class Spec:
    """A message to be."""

    role: str
    form: str = "parts"
    calls: tuple[Ref, ...] = ()
    results: tuple[Ref, ...] = ()
    text: str | None = None
    thinks: bool = False
    tokens: int = 1
    pinned: bool = False
    id: str | None = None

    def json(self) -> dict[str, Any]:
        """What is sent."""
        body = self._body()
        if self.pinned:
            body["metadata"] = {"pinned": True}
        if self.id is not None:
            body["id"] = self.id
        return {**body, "token_count": self.tokens}

    def message(self) -> Message:
        """What the model is told of it."""
        role = {"function": "tool", "narrator": "user"}.get(self.role, self.role)
        more = bool(self.calls) or self.text is not None or self.thinks
        return Message(
            0, role, self.tokens, 0, self.calls, self.results, more, self._only_thinks(), self.pinned, self.id
        )

    def _only_thinks(self) -> bool:
        return self.thinks and not self.calls and self.text is None and not self.results

    def _body(self) -> dict[str, Any]:
        if self.calls:
            return _with_calls(self)
        if self.results:
            return _with_results(self)
        if self.thinks:
            parts: list[dict[str, Any]] = [{"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}]
            return {"role": self.role, "content": [*parts, *_texts(self)]}
        return {"role": self.role, "content": self.text or ""}


def _texts(spec: Spec) -> list[dict[str, Any]]:
    return [] if spec.text is None else [{"type": "text", "text": spec.text}]


def _named(**fields: object) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _with_calls(spec: Spec) -> dict[str, Any]:
    first = spec.calls[0]
    match spec.form:
        case "openai":
            calls = [
                _named(id=c.id, type="function", function=_named(name=c.name, arguments='{"q": 1}')) for c in spec.calls
            ]
            return {"role": "assistant", "content": spec.text, "tool_calls": calls}
        case "responses":
            return _named(type="function_call", call_id=first.id, name=first.name, arguments="{}")
        case "functions":
            return {"role": "assistant", "content": None, "function_call": _named(name=first.name, arguments="{}")}
        case "anthropic":
            blocks = [_named(type="tool_use", id=c.id, name=c.name, input={"q": 1}) for c in spec.calls]
            return {"role": "assistant", "content": [*_texts(spec), *blocks]}
        case "ai-sdk":
            parts = [_named(type="tool-call", toolCallId=c.id, toolName=c.name, input={}) for c in spec.calls]
            return {"role": "assistant", "content": [*_texts(spec), *parts]}
        case _:
            parts = [_named(type="tool_call", call_id=c.id, name=c.name, payload={}) for c in spec.calls]
            return {"role": "assistant", "parts": [*_texts(spec), *parts]}


def _with_results(spec: Spec) -> dict[str, Any]:
    first = spec.results[0]
    match spec.form:
        case "openai":
            return _named(role="tool", tool_call_id=first.id, name=first.name, content="done")
        case "responses":
            return _named(type="function_call_output", call_id=first.id, name=first.name, output="done")
        case "functions":
            return _named(role="function", name=first.name, content="done")
        case "anthropic":
            blocks = [_named(type="tool_result", tool_use_id=r.id, name=r.name, content="done") for r in spec.results]
            return {"role": "user", "content": [*blocks, *_texts(spec)]}
        case "ai-sdk":
            output = {"type": "text", "value": "done"}
            parts = [_named(type="tool-result", toolCallId=r.id, toolName=r.name, output=output) for r in spec.results]
            return {"role": "tool", "content": [*parts, *_texts(spec)]}
        case _:
            parts = [_named(type="tool_result", call_id=r.id, name=r.name, content="done") for r in spec.results]
            return {"role": "tool", "parts": [*parts, *_texts(spec)]}
