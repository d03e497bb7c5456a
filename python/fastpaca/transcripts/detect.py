"""Which format a value has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, get_args

Format = Literal["parts", "openai", "anthropic", "ai-sdk", "claude-code"]

FORMATS: Final[tuple[Format, ...]] = get_args(Format)

_LOG_FIELDS: Final = frozenset({"sessionId", "uuid", "leafUuid", "snapshot", "messageId"})
_PARTS_TYPES: Final = frozenset({"tool_call", "tool_result"})
_UI_TYPES: Final = frozenset({"step-start", "dynamic-tool", "source-url", "source-document", "file"})
_MODEL_TYPES: Final = frozenset({"tool-call", "tool-result"})
_ANTHROPIC_TYPES: Final = frozenset({"tool_use", "tool_result", "thinking", "redacted_thinking", "server_tool_use"})
_MEDIA_TYPES: Final = frozenset({"document", "image"})
"""Anthropic has these, and ai-sdk something like them."""


def is_log_line(value: object) -> bool:
    """Whether a value is a line of a Claude Code session log."""
    if not isinstance(value, dict) or not isinstance(value.get("type"), str):
        return False
    return "role" not in value and "messages" not in value and not _LOG_FIELDS.isdisjoint(value)


def format_of(messages: Iterable[Mapping[str, Any]], *, has_system: bool = False) -> Format:
    """The format of a conversation's messages; plain texts, which all formats share, count as `openai`."""
    found: Format | None = "anthropic" if has_system else None
    for message in messages:
        found = _of_message(message) or found
        if found is not None and found != "anthropic":
            break
    return found or "openai"


def evident(message: Mapping[str, Any]) -> Format | None:
    """The format that a message has beyond doubt, by its tool calls and results; None where several may have it."""
    parts = message.get("parts")
    if isinstance(parts, list):
        types = _types(parts)
        if not _PARTS_TYPES.isdisjoint(types):
            return "parts"
        is_ui = not _UI_TYPES.isdisjoint(types) or any(kind.startswith(("tool-", "data-")) for kind in types)
        return "ai-sdk" if is_ui else None
    if message.get("tool_calls") or message.get("function_call") or "tool_call_id" in message:
        return "openai"
    content = message.get("content")
    types = _types(content) if isinstance(content, list) else set()
    if not _MODEL_TYPES.isdisjoint(types):
        return "ai-sdk"
    return None if _ANTHROPIC_TYPES.isdisjoint(types) else "anthropic"


def _of_message(message: Mapping[str, Any]) -> Format | None:
    found = evident(message)
    if found is not None:
        return found
    if isinstance(message.get("parts"), list):
        return "ai-sdk" if "id" in message else "parts"
    content = message.get("content")
    is_block = isinstance(content, list) and not _MEDIA_TYPES.isdisjoint(_types(content))
    return "anthropic" if is_block else None


def _types(parts: list[Any]) -> set[str]:
    return {part["type"] for part in parts if isinstance(part, dict) and isinstance(part.get("type"), str)}
