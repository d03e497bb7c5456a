"""For each rule of OpenAI chat: a request that keeps it, one that breaks it, and where."""

from __future__ import annotations

from typing import Any

from tests.providers.case import Case

USER = {"role": "user", "content": "Hello"}


def call(call_id: Any = "call_1", *, name: Any = "f", arguments: Any = "{}", kind: Any = "function") -> dict[str, Any]:
    return {"id": call_id, "type": kind, "function": {"name": name, "arguments": arguments}}


def asks(*calls: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": None, "tool_calls": list(calls)}


def answers(call_id: Any = "call_1", content: Any = "done") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def chat(*messages: Any) -> dict[str, Any]:
    return {"messages": list(messages)}


CALLED = chat(USER, asks(call()), answers())
IMAGE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
OLD_CALL = {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}}

CASES = [
    Case("messages_shape", chat(USER), chat(), "messages"),
    Case("messages_shape", chat(USER), {}, "messages"),
    Case("messages_shape", chat(USER), chat("Hello"), "messages[0]"),
    Case(
        "role_unknown",
        chat({"role": "developer", "content": "Be brief"}, USER),
        chat({"role": "bot"}),
        "messages[0].role",
    ),
    Case("role_unknown", chat(USER), chat({"content": "Hello"}), "messages[0].role"),
    Case("content_missing", CALLED, chat(USER, {"role": "assistant", "content": None}), "messages[1].content"),
    Case(
        "content_missing",
        chat(USER, {"role": "assistant", "refusal": "No"}),
        chat({"role": "user"}),
        "messages[0].content",
    ),
    Case(
        "content_missing",
        chat({"role": "user", "content": ""}),
        chat({"role": "user", "content": 7}),
        "messages[0].content",
    ),
    Case(
        "content_part",
        chat({"role": "user", "content": [IMAGE]}),
        chat(USER, asks(call()), answers(content=[IMAGE])),
        "messages[2].content[0]",
    ),
    Case(
        "content_part",
        chat({"role": "assistant", "content": [{"type": "refusal", "refusal": "No"}]}),
        chat({"role": "user", "content": [{"type": "refusal", "refusal": "No"}]}),
        "messages[0].content[0]",
    ),
    Case(
        "content_part",
        chat({"role": "user", "content": [{"type": "text", "text": "Hi"}]}),
        chat({"role": "user", "content": [{"type": "text"}]}),
        "messages[0].content[0].text",
    ),
    Case("content_part", chat(USER), chat({"role": "user", "content": []}), "messages[0].content"),
    Case("tool_calls_place", CALLED, chat({**USER, "tool_calls": [call()]}), "messages[0].tool_calls"),
    Case("tool_calls_place", CALLED, chat(USER, {**asks(), "content": "Hi"}), "messages[1].tool_calls"),
    Case(
        "tool_call_shape",
        CALLED,
        chat(USER, asks(call(arguments={"a": 1})), answers()),
        "messages[1].tool_calls[0].function.arguments",
    ),
    Case("tool_call_shape", CALLED, chat(USER, asks(call(call_id=None)), answers()), "messages[1].tool_calls[0].id"),
    Case("tool_call_shape", CALLED, chat(USER, asks(call(kind="tool")), answers()), "messages[1].tool_calls[0].type"),
    Case(
        "tool_call_shape",
        chat(USER, asks({"id": "c", "type": "custom", "custom": {"name": "f", "input": "x"}}), answers("c")),
        chat(USER, asks({"id": "c", "type": "custom"}), answers("c")),
        "messages[1].tool_calls[0].custom",
    ),
    Case(
        "function_name",
        CALLED,
        chat(USER, asks(call(name="a.b")), answers()),
        "messages[1].tool_calls[0].function.name",
    ),
    Case(
        "function_name",
        CALLED,
        chat(USER, asks(call(name="x" * 65)), answers()),
        "messages[1].tool_calls[0].function.name",
    ),
    Case(
        "function_name",
        chat(OLD_CALL, {"role": "function", "name": "f", "content": "1"}),
        chat(OLD_CALL, {"role": "function", "content": "1"}),
        "messages[1].name",
    ),
    Case(
        "tool_call_id_repeated",
        chat(USER, asks(call(), call("call_2")), answers(), answers("call_2")),
        chat(USER, asks(call(), call()), answers()),
        "messages[1].tool_calls[1].id",
    ),
    Case("tool_calls_unanswered", CALLED, chat(USER, asks(call())), "messages[1].tool_calls[0].id"),
    Case(
        "tool_calls_unanswered",
        chat(USER, asks(call(), call("call_2")), answers("call_2"), answers()),
        chat(USER, asks(call(), call("call_2")), answers("call_2"), USER, answers()),
        "messages[1].tool_calls[0].id",
    ),
    Case("tool_message_orphan", CALLED, chat(USER, answers()), "messages[1].tool_call_id"),
    Case(
        "tool_message_orphan", CALLED, chat(USER, asks(call()), answers(), USER, answers()), "messages[4].tool_call_id"
    ),
    Case(
        "tool_message_orphan",
        CALLED,
        chat(USER, asks(call()), answers(), {"role": "tool", "content": "done"}),
        "messages[3].tool_call_id",
    ),
    Case(
        "tool_message_repeated",
        chat(USER, asks(call()), answers(), asks(call()), answers()),
        chat(USER, asks(call()), answers(), answers()),
        "messages[3].tool_call_id",
    ),
    Case(
        "function_call_shape",
        chat(OLD_CALL),
        chat({**OLD_CALL, "function_call": {"name": "f"}}),
        "messages[0].function_call",
    ),
    Case("function_call_shape", chat(OLD_CALL), chat({**OLD_CALL, "role": "user"}), "messages[0].function_call"),
    Case(
        "tool_call_id_too_long",
        chat(USER, asks(call("c" * 40)), answers("c" * 40)),
        chat(USER, asks(call("c" * 41)), answers("c" * 41)),
        "messages[1].tool_calls[0].id",
    ),
    Case(
        "tool_call_id_reused",
        CALLED,
        chat(USER, asks(call()), answers(), asks(call()), answers()),
        "messages[3].tool_calls[0].id",
    ),
]
