"""Which tool results have no call, and which calls have no result: for reports, over the messages of any format.

Contexts pair by themselves, when messages are appended; this says beforehand, and where in a file, what they will find.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic, NamedTuple, TypeVar

Json = Mapping[str, Any]
Place = TypeVar("Place")

_CALLS: Final = frozenset({"tool_call", "tool-call", "tool_use"})
_RESULTS: Final = frozenset({"tool_result", "tool-result", "tool-error"})
_NO_TOOLS: Final = frozenset({*_CALLS, *_RESULTS, "tool-invocation"}) | {
    f"tool-approval-{side}" for side in ("request", "response")
}
_ITEMS: Final = frozenset(
    {"function_call", "custom_tool_call", "computer_call", "local_shell_call", "shell_call", "apply_patch_call"}
)
_CALL_IDS: Final = ("call_id", "toolCallId", "tool_call_id", "id", "tool_use_id")
_RESULT_IDS: Final = ("call_id", "tool_use_id", "toolCallId", "tool_call_id", "id")
_MESSAGE_IDS: Final = ("tool_call_id", "call_id", "tool_use_id", "toolCallId")


class Side(NamedTuple):
    """A call, or a result."""

    is_call: bool
    id: str | None
    name: str | None
    may_stand_alone: bool = False
    """A result in an assistant's message: its call may be one that the provider ran itself."""

    def __str__(self) -> str:
        return self.id or self.name or "without an id"


@dataclass(slots=True)
class Pairing(Generic[Place]):
    """The calls of one conversation that have no result yet, oldest first, each with the place of its message."""

    waiting: list[tuple[Side, Place]] = field(default_factory=list)

    def push(self, message: Json, place: Place) -> list[Side]:
        """Takes the next message. Gives those of its results that no earlier call asked for."""
        orphans = []
        for side in sides(message):
            if side.is_call:
                self.waiting.append((side, place))
            elif (at := self._call_of(side)) is not None:
                del self.waiting[at]
            elif not side.may_stand_alone:
                orphans.append(side)
        return orphans

    def _call_of(self, result: Side) -> int | None:
        """The nearest earlier call with the result's id; where either has none, the oldest that may be meant."""
        calls = self.waiting
        if result.id is not None:
            named = (at for at in range(len(calls) - 1, -1, -1) if calls[at][0].id == result.id)
            if (found := next(named, None)) is not None:
                return found
        meant = (at for at, (call, _) in enumerate(calls) if call.id is None and _same_name(call, result))
        if (found := next(meant, None)) is not None or result.id is not None:
            return found
        return next((at for at, (call, _) in enumerate(calls) if _same_name(call, result)), None)


def _same_name(call: Side, result: Side) -> bool:
    return call.name is None or result.name is None or call.name == result.name


def sides(message: Json) -> Iterator[Side]:
    """The calls and results of a message, in their order. What a provider runs by itself is none."""
    kind = message.get("type")
    if isinstance(kind, str) and not ("role" in message and ("content" in message or "parts" in message)):
        yield from _item(kind, message)
        return
    role = message.get("role")
    parts = [part for part in _list(message, "parts") + _list(message, "content") if isinstance(part, dict)]
    found = [side for part in parts for side in _part(str(part.get("type")), part, in_assistant=role == "assistant")]
    answers = any(not side.is_call for side in found)
    approves = any(part.get("type") == "tool-approval-response" for part in parts)
    if role in ("tool", "function") and not answers and not approves:
        yield Side(False, _label(message, _MESSAGE_IDS), _label(message, ("name",)))
        return
    yield from found
    for call in _list(message, "tool_calls"):
        if isinstance(call, dict):
            inner = call.get("function") or call.get("custom") or call
            yield Side(True, _label(call, ("id", "call_id", "tool_call_id")), _label(inner, ("name",)))
    if isinstance(message.get("function_call"), dict):
        yield Side(True, None, _label(message["function_call"], ("name",)))


def _item(kind: str, item: Json) -> Iterator[Side]:
    """An item of OpenAI's Responses."""
    named = _label(item, ("call_id", "id"))
    has_call_id = _label(item, ("call_id",)) is not None
    if kind in _ITEMS or (kind.endswith("_call") and has_call_id and kind != "mcp_call"):
        yield Side(True, named, _label(item, ("name",)) or kind.removesuffix("_call"))
    elif kind.endswith("_output") and (has_call_id or kind != "tool_search_output"):
        yield Side(False, named, _label(item, ("name",)))


def _part(kind: str, part: Json, *, in_assistant: bool) -> Iterator[Side]:
    if kind == "tool-invocation" and isinstance(part.get("toolInvocation"), dict):
        inner = part["toolInvocation"]
        if inner.get("state") != "result":
            yield Side(True, _label(inner, ("toolCallId",)), _label(inner, ("toolName",)))
    elif part.get("providerExecuted") is True:
        return
    elif kind == "dynamic-tool" or (kind.startswith("tool-") and ("state" in part or kind not in _NO_TOOLS)):
        state = part.get("state")
        answered = state.startswith("output-") if isinstance(state, str) else "output" in part
        if not answered:
            yield Side(True, _label(part, ("toolCallId",)), part.get("toolName") or kind.removeprefix("tool-"))
    elif kind in _CALLS:
        yield Side(True, _label(part, _CALL_IDS), _label(part, ("name", "toolName")))
    elif kind in _RESULTS:
        alone = in_assistant and kind != "tool_result"
        yield Side(False, _label(part, _RESULT_IDS), _label(part, ("name", "toolName")), alone)


def _list(message: Json, name: str) -> list[Any]:
    found = message.get(name)
    return found if isinstance(found, list) else []


def _label(source: object, names: tuple[str, ...]) -> str | None:
    if not isinstance(source, dict):
        return None
    return next((source[name] for name in names if isinstance(source.get(name), str) and source[name]), None)
