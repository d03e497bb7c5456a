"""For each rule of OpenAI's Responses: a request that keeps it, one that breaks it, and where."""

from __future__ import annotations

from typing import Any

from tests.providers.case import Case

USER = {"role": "user", "content": "Hello"}


def said(item_id: str | None = None, **fields: Any) -> dict[str, Any]:
    if item_id is None:
        return {"role": "assistant", "content": "Hi", **fields}
    part = {"type": "output_text", "text": "Hi", "annotations": []}
    return {
        "type": "message",
        "id": item_id,
        "role": "assistant",
        "status": "completed",
        "content": [part],
        **fields,
    }


def calls(call_id: Any = "call_1", **fields: Any) -> dict[str, Any]:
    return {"type": "function_call", "call_id": call_id, "name": "f", "arguments": "{}", **fields}


def output(call_id: Any = "call_1", **fields: Any) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call_id, "output": "done", **fields}


def custom(call_id: Any = "call_1", **fields: Any) -> dict[str, Any]:
    return {"type": "custom_tool_call", "call_id": call_id, "name": "f", "input": "x", **fields}


def custom_output(call_id: Any = "call_1", **fields: Any) -> dict[str, Any]:
    return {"type": "custom_tool_call_output", "call_id": call_id, "output": "done", **fields}


def search(call_id: str) -> dict[str, Any]:
    return {"type": "tool_search_call", "call_id": call_id, "arguments": {}}


def reasoning(item_id: Any = "rs_1", **fields: Any) -> dict[str, Any]:
    return {"type": "reasoning", "id": item_id, "summary": [], **fields}


def asks(*items: Any, **fields: Any) -> dict[str, Any]:
    return {"input": list(items), **fields}


CALLED = asks(USER, calls(), output())
PICTURE = {"type": "input_image", "detail": "auto", "image_url": "https://example.com/a.png"}

CASES = [
    Case("input_shape", {"input": "Hello"}, asks(), "input"),
    Case("input_shape", asks(USER, instructions=None), {"instructions": "Be brief"}, "input"),
    Case("input_shape", asks(USER, instructions="Be brief"), asks(USER, instructions=[]), "instructions"),
    Case("input_shape", asks(USER), asks("Hello"), "input[0]"),
    Case(
        "item_kind",
        asks(
            {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}}
        ),
        asks({"type": "tool_call"}),
        "input[0].type",
    ),
    Case("item_kind", asks(USER), asks({"content": "Hello"}), "input[0].type"),
    Case("item_field", asks(reasoning(), said()), asks(reasoning(status=None), said()), "input[0].status"),
    Case("item_field", asks(USER), asks({**USER, "name": "Ann"}), "input[0].name"),
    Case(
        "role_unknown",
        asks({"role": "developer", "content": "x"}),
        asks({"role": "tool", "content": "x"}),
        "input[0].role",
    ),
    Case(
        "content_part",
        asks(said()),
        asks({"role": "assistant", "content": [{"type": "input_text", "text": "Hi"}]}),
        "input[0].content[0]",
    ),
    Case(
        "content_part",
        asks({"role": "user", "content": [PICTURE]}),
        asks({"role": "user", "content": [{"type": "text", "text": "Hi"}]}),
        "input[0].content[0]",
    ),
    Case(
        "content_part",
        asks(USER, calls(), output(output=[PICTURE])),
        asks(USER, calls(), output(output={"a": 1})),
        "input[2].output",
    ),
    Case(
        "content_part",
        asks({"role": "user", "content": [{"type": "input_text", "text": ""}]}),
        asks({"role": "user", "content": [{"type": "input_text"}]}),
        "input[0].content[0].text",
    ),
    Case("content_part", asks(USER), asks({"role": "user", "content": None}), "input[0].content"),
    Case("call_shape", CALLED, asks(USER, calls(arguments={}), output()), "input[1].arguments"),
    Case("call_shape", CALLED, asks(USER, calls(name="a.b"), output()), "input[1].name"),
    Case(
        "call_shape",
        asks(USER, custom(), custom_output()),
        asks(USER, custom(input=None), custom_output()),
        "input[1].input",
    ),
    Case(
        "call_id",
        asks(USER, calls("c" * 64), output("c" * 64)),
        asks(USER, calls("c" * 65), output("c" * 65)),
        "input[1].call_id",
    ),
    Case("call_id", CALLED, asks(USER, calls(""), output("")), "input[1].call_id"),
    Case("call_unanswered", CALLED, asks(USER, calls(), USER), "input[1].call_id"),
    Case(
        "call_unanswered",
        asks(USER, calls(), output(), calls(), output()),
        asks(USER, calls(), output(), calls()),
        "input[3].call_id",
    ),
    Case("call_unanswered", asks(USER, custom(), custom_output()), asks(USER, custom(), output()), "input[1].call_id"),
    Case("output_orphan", CALLED, asks(USER, output()), "input[1].call_id"),
    Case(
        "output_orphan",
        asks(output(), previous_response_id="resp_1"),
        asks(USER, output(), calls()),
        "input[1].call_id",
    ),
    Case("item_id", asks(USER, calls(id="fc_1"), output()), asks(USER, calls(id="call_1"), output()), "input[1].id"),
    Case("item_id", asks(USER, said("msg_1")), asks(USER, said("")), "input[1].id"),
    Case("item_id", asks(USER, said("msg_1")), asks(USER, said("msg_" + "x" * 61)), "input[1].id"),
    Case(
        "item_id_repeated",
        asks(said("msg_1"), said("msg_2")),
        asks(said("msg_1"), said("msg_1")),
        "input[1].id",
    ),
    Case(
        "reasoning_shape",
        asks(reasoning(summary=[{"type": "summary_text", "text": "Hm"}]), said()),
        asks(reasoning(summary=["Hm"]), said()),
        "input[0].summary[0]",
    ),
    Case("reasoning_shape", asks(reasoning(), said()), asks(reasoning(summary=None), said()), "input[0].summary"),
    Case("reasoning_unfollowed", asks(USER, reasoning(), calls(), output()), asks(USER, reasoning()), "input[1]"),
    Case(
        "reasoning_unfollowed", asks(reasoning(), reasoning("rs_2"), said(), USER), asks(reasoning(), USER), "input[0]"
    ),
    Case(
        "reasoning_unfollowed", asks(reasoning(), USER, store=False), asks(calls(), reasoning(), output()), "input[1]"
    ),
]
