"""What a message says about tool calls and results, read from its JSON in each provider's own shape.

Written from the providers' documents and the contract, for the validator; it shares nothing with the core's parser.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Json = Mapping[str, Any]

CALL_TYPES = {"tool_call", "tool-call", "tool_use"}
RESULT_TYPES = {"tool_result", "tool-result", "tool-error"}
PROVIDER_CALLS = {"server_tool_use", "mcp_tool_use"}
CALL_ITEMS = {
    "function_call",
    "custom_tool_call",
    "computer_call",
    "local_shell_call",
    "shell_call",
    "apply_patch_call",
}
RESERVED_UI = {"tool-call", "tool-result", "tool-error", "tool-invocation"} | {
    f"tool-approval-{side}" for side in ("request", "response")
}


@dataclass(frozen=True)
class Ref:
    """One side of a pair: a call or a result."""

    id: str | None
    name: str | None


@dataclass
class Shape:
    """What pairing looks at."""

    role: str
    calls: list[Ref] = field(default_factory=list)
    results: list[Ref] = field(default_factory=list)
    says: set[str] = field(default_factory=set)

    @property
    def is_user(self) -> bool:
        """A message of the user that carries no results."""
        return self.role == "user" and not self.results

    @property
    def is_reasoning(self) -> bool:
        """Thinking of the model, and nothing beside it."""
        return self.role == "assistant" and self.says == {"reasoning"}


def shape_of(message: Json) -> Shape:
    """The shape of a message as it came in, or as a window shows it."""
    kind = message.get("type")
    has_content = message.get("content") is not None or message.get("parts") is not None
    if isinstance(kind, str) and not (message.get("role") is not None and has_content):
        found = _item(kind, message)
        if found is not None:
            return found
    shape = Shape(_role(message["role"]))
    for part in _parts(message):
        _read(shape, part)
    whole = {"tool_result", "approval"}
    if shape.role == "tool" and not shape.says & whole:
        name = _label(message, "name")
        shape.results.append(Ref(_label(message, "tool_call_id", "call_id", "tool_use_id", "toolCallId"), name))
        shape.calls.clear()
        shape.says = {"tool_result"}
    return shape


def _role(given: str) -> str:
    known = {"function": "tool"}.get(given, given)
    return known if known in {"system", "developer", "user", "assistant", "tool"} else "user"


def _label(source: Json, *names: str) -> str | None:
    return next((source[name] for name in names if source.get(name)), None)


def _item(kind: str, item: Json) -> Shape | None:
    if kind in CALL_ITEMS or (kind.endswith("_call") and item.get("call_id") and kind != "mcp_call"):
        name = item.get("name") or kind.removesuffix("_call")
        return Shape("assistant", calls=[Ref(_label(item, "call_id", "id"), name)], says={"tool_call"})
    if kind.endswith("_output") and (kind != "tool_search_output" or item.get("call_id")):
        result = Ref(_label(item, "call_id", "id"), _label(item, "name"))
        return Shape("tool", results=[result], says={"tool_result"})
    if kind == "reasoning":
        return Shape("assistant", says={"reasoning"})
    if kind == "mcp_approval_response":
        return Shape("tool", says={"approval"})
    others = {"mcp_approval_request", "mcp_list_tools", "item_reference", "compaction", "tool_search_output"}
    if kind.endswith("_call") or kind in others:
        return Shape("assistant", says={"other"})
    return None


def _parts(message: Json) -> Iterator[Json]:
    for holder in ("parts", "content"):
        value = message.get(holder)
        if isinstance(value, str):
            yield {"type": "text", "text": value}
        elif isinstance(value, list):
            yield from value
    for call in message.get("tool_calls") or []:
        inner = call.get("function") or call.get("custom") or call
        yield {"type": "tool_call", "call_id": call.get("id"), "name": inner.get("name")}
    if message.get("function_call"):
        yield {"type": "tool_call", "name": message["function_call"].get("name")}
    for name in ("reasoning_content", "reasoning", "reasoning_details", "thinking_blocks"):
        if message.get(name) is not None:
            yield {"type": "reasoning"}


def _read(shape: Shape, part: Json) -> None:
    kind = part["type"]
    if kind == "dynamic-tool" or (kind.startswith("tool-") and ("state" in part or kind not in RESERVED_UI)):
        _read_ui(shape, part)
    elif kind in CALL_TYPES | PROVIDER_CALLS:
        shape.says.add("tool_call")
        if kind not in PROVIDER_CALLS and not part.get("providerExecuted"):
            call_id = _label(part, "call_id", "toolCallId", "tool_call_id", "id", "tool_use_id")
            shape.calls.append(Ref(call_id, _label(part, "name", "toolName")))
    elif kind in RESULT_TYPES:
        shape.says.add("tool_result")
        _read_result(shape, part)
    elif kind == "tool-approval-response":
        shape.says.add("approval")
    elif kind.startswith("reasoning") or kind in {"thinking", "redacted_thinking"}:
        shape.says.add("reasoning")
    else:
        shape.says.add("text" if "text" in kind else "other")


def _read_result(shape: Shape, part: Json) -> None:
    result = Ref(
        _label(part, "call_id", "tool_use_id", "toolCallId", "tool_call_id", "id"), _label(part, "name", "toolName")
    )
    own = [n for n, call in enumerate(shape.calls) if call.id == result.id]
    if own:
        # It answers a call of the same message: the nearest, or without ids the oldest.
        del shape.calls[own[-1] if result.id else own[0]]
    elif not part.get("providerExecuted") and not (part["type"] != "tool_result" and shape.role == "assistant"):
        shape.results.append(result)


def _read_ui(shape: Shape, part: Json) -> None:
    shape.says.add("tool_call")
    name = part.get("toolName") or part["type"].removeprefix("tool-")
    answered = part["state"].startswith("output-") if "state" in part else "output" in part
    if answered:
        shape.says.add("tool_result")
    elif not part.get("providerExecuted"):
        shape.calls.append(Ref(_label(part, "toolCallId"), name))
