"""LangChain's messages as they are stored, and a window as LangChain's messages.

A message is stored in the shape of OpenAI's chat messages, with its content blocks as they are, so that every format of
a window can read it. What has no place there stands in `metadata.langchain`, so that it comes back whole.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from itertools import groupby
from typing import Any, cast

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
    convert_to_messages,
)

from fastpaca import types
from fastpaca.errors import InvalidError
from fastpaca.integrations._awaited import digest, without
from fastpaca.types import Window

_CALL_BLOCKS = {"tool_use": "id", "tool_call": "id", "function_call": "call_id"}
_KINDS: dict[str, Any] = {"human": HumanMessage, "ai": AIMessage, "system": SystemMessage, "tool": ToolMessage}
# Blocks whose `id` names an item at OpenAI, which takes it behind its reasoning alone.
_ITEM_BLOCKS = ("text", "output_text", "function_call")


def stored(message: BaseMessage, *, thread: str | None = None, window_version: int | None = None) -> dict[str, Any]:
    """A message as it is appended, for graphs of one's own: `chat.append(stored(answer), idempotency_key=answer.id)`.

    `window_version` is that of the window that it answers: what the provider counted then calibrates the context.
    `thread` names the conversation of messages that the middleware found it in. Raises `InvalidError` for what is no
    message of a conversation.
    """
    body = {"id": message.id, "role": _role(message), "content": _content(message)}
    if message.name is not None:
        body["name"] = message.name
    if isinstance(message, ToolMessage):
        body["tool_call_id"] = message.tool_call_id
    if isinstance(message, AIMessage):
        body.update(_calls(message, body))
    named = {name: value for name, value in body.items() if value is not None}
    mark = {"digest": digest(named), "thread": thread, **_rest(message)}
    return {**named, **_usage(message, window_version), "metadata": {"langchain": mark}}


def _usage(message: BaseMessage, window_version: int | None) -> dict[str, Any]:
    """What the provider counted, where it says so."""
    counted = message.usage_metadata if isinstance(message, AIMessage) else None
    if window_version is None or not counted or not counted["input_tokens"]:
        return {}
    tokens = {"input_tokens": counted["input_tokens"], "output_tokens": counted["output_tokens"]}
    return {"usage": {**tokens, "window_version": window_version}}


def _role(message: BaseMessage) -> str:
    if isinstance(message, SystemMessage):
        return str(message.additional_kwargs.get("__openai_role__", "system"))
    roles = {HumanMessage: "user", AIMessage: "assistant", ToolMessage: "tool", FunctionMessage: "function"}
    found = message.role if isinstance(message, ChatMessage) else None
    role = found or next((role for kind, role in roles.items() if isinstance(message, kind)), None)
    if role is None:
        raise InvalidError(f"messages: a {type(message).__name__} has no role", details={"field": "messages"})
    return role


def _content(message: BaseMessage) -> str | list[Any]:
    """Content as it is, with texts as blocks, and with calls as they were parsed: streamed ones keep only pieces."""
    if isinstance(message.content, str):
        return message.content
    args = {call["id"]: call["args"] for call in message.tool_calls} if isinstance(message, AIMessage) else {}
    return [
        {"type": "text", "text": block} if isinstance(block, str) else _block(cast("dict[str, Any]", block), args)
        for block in message.content
    ]


def _block(block: dict[str, Any], args: dict[str | None, Any]) -> dict[str, Any]:
    kind = block.get("type")
    if kind == "tool_use" and block.get("id") in args:
        return {**{k: v for k, v in block.items() if k != "partial_json"}, "input": args[block["id"]]}
    return block


def _call_id(block: Any) -> str | None:
    """The id of the call that a content block is."""
    field = _CALL_BLOCKS.get(block.get("type", ""), "") if isinstance(block, dict) else ""
    found = block.get(field) if field else None
    return found if isinstance(found, str) else None


def _calls(message: AIMessage, body: dict[str, Any]) -> dict[str, Any]:
    """Calls that are no content block, as OpenAI's; of those that could not be parsed, what the model wrote."""
    inside = {_call_id(block) for block in body["content"]} if isinstance(body["content"], list) else set()
    calls = [
        {"id": call["id"], "name": call["name"], "text": json.dumps(call["args"], ensure_ascii=False)}
        for call in message.tool_calls
    ]
    calls += [{"id": c["id"], "name": c["name"], "text": c["args"] or ""} for c in message.invalid_tool_calls]
    written = [
        {"id": call["id"], "type": "function", "function": {"name": call["name"], "arguments": call["text"]}}
        for call in calls
        if call["id"] is not None and call["id"] not in inside
    ]
    return {"tool_calls": written} if written else {}


def _rest(message: BaseMessage) -> dict[str, Any]:
    """What a stored message has no other place for."""
    rest: dict[str, Any] = {
        "type": next((name for name, kind in _KINDS.items() if isinstance(message, kind)), message.type),
        "additional_kwargs": _writable(message.additional_kwargs),
        "response_metadata": _writable(message.response_metadata),
    }
    if isinstance(message, AIMessage):
        rest["calls"] = [call["id"] for call in message.tool_calls if call["id"] is not None]
        rest["invalid_tool_calls"] = message.invalid_tool_calls
        rest["usage_metadata"] = message.usage_metadata
    if isinstance(message, ToolMessage) and message.status != "success":
        rest["status"] = message.status
    return {name: value for name, value in rest.items() if value}


def _writable(fields: dict[str, Any]) -> dict[str, Any]:
    """Fields that JSON can hold: libraries put objects of their own beside them."""
    found = {}
    for name, value in fields.items():
        with suppress(InvalidError):
            types.encode(value)
            found[name] = value
    return found


def mark_of(message: dict[str, Any]) -> dict[str, Any]:
    """`metadata.langchain` of a message of the log; empty where something else wrote it."""
    metadata = message.get("metadata")
    found = metadata.get("langchain") if isinstance(metadata, dict) else None
    return found if isinstance(found, dict) else {}


def window_messages(window: Window) -> list[BaseMessage]:
    """A window as LangChain's messages, for graphs of one's own: `model.invoke(window_messages(chat.window()))`.

    What the middleware stored comes back as it was, less signed thinking that is stale. All else comes as
    `window.to("openai")` has it.
    """
    messages = window.messages
    signed = any(_is_signed(block) for message in messages for block in _blocks(message))
    stale = set(window.omitted_reasoning("anthropic")) if signed else set()
    found: list[BaseMessage] = []
    for ours, run in groupby(messages, lambda message: mark_of(message).get("type") in _KINDS):
        if ours:
            read = [_read(message, is_stale=message.get("seq") in stale) for message in run]
            found.extend(message for message in read if message is not None)
        else:
            found.extend(_foreign(list(run)))
    return found


def _blocks(message: dict[str, Any]) -> list[Any]:
    content = message.get("content", message.get("parts"))
    return content if isinstance(content, list) else []


def _is_signed(block: Any) -> bool:
    """Thinking that Anthropic signed or redacted; others have blocks of the same type."""
    if not isinstance(block, dict):
        return False
    return block.get("type") == "redacted_thinking" or (
        block.get("type") == "thinking" and bool(block.get("signature"))
    )


def _foreign(messages: Sequence[dict[str, Any]]) -> list[BaseMessage]:
    """Messages that came another way, summaries and repairs."""
    request = types.convert([types.encode({"messages": messages})], "openai")["request"]
    return convert_to_messages(request["messages"])


def _read(message: dict[str, Any], *, is_stale: bool) -> BaseMessage | None:
    """A message that was stored here, as the window shows it; None where nothing of it is left."""
    mark = mark_of(message)
    fields: dict[str, Any] = {
        "content": _text(message) if "parts" in message else message.get("content") or [],
        "id": message.get("id"),
        "name": message.get("name"),
        "additional_kwargs": mark.get("additional_kwargs", {}),
        "response_metadata": mark.get("response_metadata", {}),
    }
    if isinstance(fields["content"], list):
        blocks = [block for block in fields["content"] if not (is_stale and _is_signed(block))]
        fields["content"] = [_nameless(block) for block in blocks] if "edited" in message else blocks
    if mark["type"] == "tool":
        fields |= {"tool_call_id": message["tool_call_id"], "status": mark.get("status", "success")}
    if mark["type"] == "ai":
        fields |= _read_calls(message, mark)
        if fields["content"] == [] and not fields["tool_calls"] and not fields["invalid_tool_calls"]:
            return None
    read: BaseMessage = _KINDS[mark["type"]](**fields)
    return read


def _nameless(block: dict[str, Any]) -> dict[str, Any]:
    """A block of a message of which the window leaves something out, reasoning perhaps."""
    return without(block, "id") if block.get("type") in _ITEM_BLOCKS else block


def _text(message: dict[str, Any]) -> str:
    return "".join(part["text"] for part in message["parts"] if part.get("type") == "text")


def _read_calls(message: dict[str, Any], mark: dict[str, Any]) -> dict[str, Any]:
    """Calls that the window shows, in the order in which the model made them."""
    args: dict[str, tuple[str, Any]] = {}
    for block in _blocks(message):
        call_id = _call_id(block)
        if call_id is not None:
            args[call_id] = (block["name"], block.get("input", block.get("args", block.get("arguments"))))
    for call in message.get("tool_calls") or []:
        args[call["id"]] = (call["function"]["name"], call["function"]["arguments"])
    calls = [
        {"type": "tool_call", "id": call_id, "name": args[call_id][0], "args": _object(args[call_id][1])}
        for call_id in mark.get("calls", [])
        if call_id in args
    ]
    invalid = [call for call in mark.get("invalid_tool_calls", []) if call["id"] in args]
    return {"tool_calls": calls, "invalid_tool_calls": invalid, "usage_metadata": mark.get("usage_metadata")}


def _object(args: Any) -> Any:
    return json.loads(args) if isinstance(args, str) else args
