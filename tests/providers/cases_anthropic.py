"""For each rule of Anthropic's messages: a request that keeps it, one that breaks it, and where."""

from __future__ import annotations

from typing import Any

from tests.providers.case import Case

SERVER_ID = "srvtoolu_01"
CACHED = {"cache_control": {"type": "ephemeral"}}
CACHED_1H = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
ON = {"thinking": {"type": "enabled", "budget_tokens": 1024}}


def user(*content: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(content) or "Hello"}


def assistant(*content: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": list(content) or "Hi"}


def system(*content: Any) -> dict[str, Any]:
    return {"role": "system", "content": list(content) or "Be brief"}


def text(value: Any, **fields: Any) -> dict[str, Any]:
    return {"type": "text", "text": value, **fields}


def use(call_id: Any = "toolu_1", **fields: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": call_id, "name": "f", "input": {}, **fields}


def result(call_id: Any = "toolu_1", **fields: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": call_id, "content": "done", **fields}


def thinking(**fields: Any) -> dict[str, Any]:
    return {"type": "thinking", "thinking": "Hm", "signature": "c2ln", **fields}


def search(call_id: Any = SERVER_ID) -> dict[str, Any]:
    return {"type": "server_tool_use", "id": call_id, "name": "web_search", "input": {"query": "q"}}


def found(call_id: Any = SERVER_ID) -> dict[str, Any]:
    return {"type": "web_search_tool_result", "tool_use_id": call_id, "content": []}


def image(**source: Any) -> dict[str, Any]:
    return {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk=", **source}}


def document(**source: Any) -> dict[str, Any]:
    return {"type": "document", "source": source}


def chat(*messages: Any, **fields: Any) -> dict[str, Any]:
    return {"messages": list(messages), **fields}


CALLED = chat(user(), assistant(use()), user(result()))
TWO = assistant(use(), use("toolu_2"))
CONTENT = "messages[0].content[0]"
RESULT = "messages[2].content[0]"

CASES = [
    Case("messages_shape", chat(user()), chat(), "messages"),
    Case("messages_shape", chat(user()), {"messages": None}, "messages"),
    Case("messages_shape", chat(user()), chat(user(), None), "messages[1]"),
    Case("role_unknown", chat(user(), system()), chat({"role": "tool", "content": "x"}), "messages[0].role"),
    Case("message_field", chat(user()), chat({**user(), "name": "Ann"}), "messages[0].name"),
    Case("content_shape", chat(user()), chat({"role": "user", "content": None}), "messages[0].content"),
    Case("content_shape", chat(user()), chat({"role": "user", "content": ["Hello"]}), CONTENT),
    Case(
        "content_empty",
        chat({"role": "user", "content": []}, user()),
        chat({"role": "user", "content": ""}),
        "messages[0].content",
    ),
    Case(
        "content_empty",
        chat(user(), {"role": "assistant", "content": []}, user()),
        chat(user(), assistant(), {"role": "user", "content": []}),
        "messages[2].content",
    ),
    Case("first_message_role", chat(user(), assistant(), user()), chat(assistant(), user()), "messages[0].role"),
    Case(
        "assistant_empty",
        chat(user(), {"role": "assistant", "content": ""}),
        chat(user(), {"role": "assistant", "content": []}, user()),
        "messages[1].content",
    ),
    Case("system_message_place", chat(user(), system(), assistant(), user()), chat(system(), user()), "messages[0]"),
    Case("system_message_place", chat(user(), system(), system()), chat(user(), assistant(), system()), "messages[2]"),
    Case(
        "system_message_place",
        chat(user(), assistant(search(), found()), system()),
        chat(user(), system(), user()),
        "messages[1]",
    ),
    Case(
        "prefill_trailing_space",
        chat(user(), assistant(text("The answer is"))),
        chat(user(), assistant(text("The answer "))),
        "messages[1].content[0]",
    ),
    Case(
        "tool_use_shape",
        CALLED,
        chat(user(), assistant(use(input="{}")), user(result())),
        "messages[1].content[0].input",
    ),
    Case(
        "tool_use_shape", CALLED, chat(user(), assistant(use(name="")), user(result())), "messages[1].content[0].name"
    ),
    Case(
        "tool_use_id",
        CALLED,
        chat(user(), assistant(use("functions.f:0")), user(result("functions.f:0"))),
        "messages[1].content[0].id",
    ),
    Case(
        "tool_use_id",
        chat(user(), assistant(search(), found())),
        chat(user(), assistant(search("call_1"), found("call_1"))),
        "messages[1].content[0].id",
    ),
    Case(
        "tool_use_id_repeated",
        chat(*CALLED["messages"], assistant(use()), user(result())),
        chat(user(), assistant(use(), use()), user(result())),
        "messages[1].content[1].id",
    ),
    Case(
        "tool_use_id_reused",
        chat(user(), TWO, user(result(), result("toolu_2"))),
        chat(*CALLED["messages"], assistant(use()), user(result())),
        "messages[3].content[0].id",
    ),
    Case("tool_use_unanswered", CALLED, chat(user(), assistant(use()), user()), "messages[1].content[0].id"),
    Case(
        "tool_use_unanswered",
        chat(user(), assistant(use()), assistant(use("toolu_2")), user(result("toolu_2")), user(result())),
        chat(user(), TWO, user(result())),
        "messages[1].content[1].id",
    ),
    Case("tool_use_unanswered", CALLED, chat(user(), assistant(use())), "messages[1].content[0].id"),
    Case("tool_result_orphan", CALLED, chat(user(result())), f"{CONTENT}.tool_use_id"),
    Case(
        "tool_result_orphan",
        CALLED,
        chat(*CALLED["messages"], assistant(), user(result())),
        "messages[4].content[0].tool_use_id",
    ),
    Case(
        "tool_result_not_first",
        chat(user(), assistant(use()), user(result(), text("Go on"))),
        chat(user(), assistant(use()), user(text("Go on"), result())),
        "messages[2].content[1]",
    ),
    Case(
        "tool_result_not_first",
        chat(user(), TWO, user(result("toolu_2")), user(result(), text("Go on"))),
        chat(user(), TWO, user(result(), text("Go on")), user(result("toolu_2"))),
        "messages[3].content[0]",
    ),
    Case(
        "tool_result_repeated",
        CALLED,
        chat(user(), assistant(use()), user(result(), result())),
        "messages[2].content[1].tool_use_id",
    ),
    Case(
        "tool_result_shape",
        chat(user(), assistant(use()), user({"type": "tool_result", "tool_use_id": "toolu_1"})),
        chat(user(), assistant(use()), user(result(content={"a": 1}))),
        f"{RESULT}.content",
    ),
    Case(
        "tool_result_shape", CALLED, chat(user(), assistant(use()), user(result(is_error=None))), f"{RESULT}.is_error"
    ),
    Case(
        "tool_result_error_text",
        chat(user(), assistant(use()), user(result(is_error=True, content=[text("no")]))),
        chat(user(), assistant(use()), user(result(is_error=True, content=[image()]))),
        f"{RESULT}.content[0]",
    ),
    Case(
        "server_tool_unanswered",
        chat(user(), assistant(search(), found()), user()),
        chat(user(), assistant(search()), user(), assistant(), user()),
        "messages[1].content[0].id",
    ),
    Case(
        "server_result_orphan",
        chat(user(), assistant(search())),
        chat(user(), assistant(found())),
        "messages[1].content[0].tool_use_id",
    ),
    Case(
        "thinking_unsigned",
        chat(user(), assistant(thinking(), text("Hi")), user()),
        chat(user(), assistant(thinking(signature=""), text("Hi")), user()),
        "messages[1].content[0].signature",
    ),
    Case(
        "thinking_unsigned",
        chat(user(), assistant(thinking(thinking=""), text("Hi")), user()),
        chat(user(), assistant({"type": "redacted_thinking"}, text("Hi")), user()),
        "messages[1].content[0].data",
    ),
    Case(
        "thinking_last",
        chat(user(), assistant(thinking()), user()),
        chat(user(), assistant(thinking())),
        "messages[1].content[0]",
    ),
    Case(
        "thinking_missing",
        chat(user(), assistant(thinking(), use()), user(result()), **ON),
        chat(user(), assistant(use()), user(result()), **ON),
        "messages[1].content[0]",
    ),
    Case(
        "thinking_missing",
        chat(user(), assistant(use()), user(result()), assistant(), user(), **ON),
        chat(user(), assistant(text("Hi")), **ON),
        "messages[1].content[0]",
    ),
    Case(
        "thinking_missing",
        chat(user(), assistant(thinking(), use()), user(result()), assistant(use("b")), user(result("b")), **ON),
        chat(user(), assistant(use()), user(result()), assistant(thinking(), use("b")), user(result("b")), **ON),
        "messages[1].content[0]",
    ),
    Case("block_kind", chat(user(image())), chat(user(), assistant(image()), user()), "messages[1].content[0].type"),
    Case("block_kind", CALLED, chat(user(use())), f"{CONTENT}.type"),
    Case("block_kind", chat(user(), system()), chat(user(), system(image())), "messages[1].content[0].type"),
    Case("block_kind", chat(user()), chat(user({"type": "image_url"})), f"{CONTENT}.type"),
    Case(
        "block_kind",
        chat(user(), assistant(use()), user(result(content=[image()]))),
        chat(user(), assistant(use()), user(result(content=[use()]))),
        f"{RESULT}.content[0].type",
    ),
    Case("block_field", chat(user(text("Hi"))), chat(user(text("Hi", id="1"))), f"{CONTENT}.id"),
    Case(
        "block_field", chat(user(), system="Be brief"), chat(user(), system=[text("Be brief", id="1")]), "system[0].id"
    ),
    Case("text_empty", chat(user(text("Hi"))), chat(user(text(""))), f"{CONTENT}.text"),
    Case(
        "text_empty",
        chat(user(), assistant(use()), user(result(content=""))),
        chat(user(), assistant(use()), user(result(content=[text("")]))),
        f"{RESULT}.content[0].text",
    ),
    Case("text_empty", chat(user(), system=""), chat(user(), system=[text("")]), "system[0].text"),
    Case("text_blank", chat(user(text(" "), text("Hi"))), chat(user(text("\n"))), CONTENT),
    Case(
        "text_blank",
        chat(user(), assistant(text(" "), use()), user(result())),
        chat({"role": "user", "content": " "}),
        "messages[0].content",
    ),
    Case("system_shape", chat(user(), system=[text("Be brief")]), chat(user(), system=[image()]), "system[0]"),
    Case("system_shape", chat(user()), chat(user(), system=None), "system"),
    Case(
        "media_source",
        chat(user(image())),
        chat(user(image(media_type="image/svg+xml"))),
        f"{CONTENT}.source.media_type",
    ),
    Case(
        "media_source",
        chat(user({"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}})),
        chat(user(image(data=""))),
        f"{CONTENT}.source.data",
    ),
    Case(
        "media_source",
        chat(user(document(type="text", media_type="text/plain", data="Hi"))),
        chat(user(document(type="html"))),
        f"{CONTENT}.source.type",
    ),
    Case(
        "media_source",
        chat(user(document(type="content", content="Hi"))),
        chat(user({"type": "image", "source": "a.png"})),
        f"{CONTENT}.source",
    ),
    Case(
        "media_source",
        chat(user(image())),
        chat(user(image(type="url", url="https://example.com/a.png"))),
        f"{CONTENT}.source.data",
    ),
    Case(
        "cache_breakpoints",
        chat(user(*[text("Hi", **CACHED)] * 3), **CACHED),
        chat(user(*[text("Hi", **CACHED)] * 4), **CACHED),
        "messages[0].content[3].cache_control",
    ),
    Case(
        "cache_breakpoints",
        chat(user(), system=[text("a", **CACHED)] * 4),
        chat(user(text("Hi", **CACHED)), tools=[{"name": "f", **CACHED}], system=[text("a", **CACHED)] * 3),
        f"{CONTENT}.cache_control",
    ),
    Case(
        "cache_place",
        chat(user(text("Hi", **CACHED))),
        chat(user(), assistant(thinking(**CACHED), text("Hi")), user()),
        "messages[1].content[0].cache_control",
    ),
    Case("cache_place", chat(user(text("Hi", **CACHED))), chat(user(text("", **CACHED))), f"{CONTENT}.cache_control"),
    Case(
        "cache_value",
        chat(user(text("a", **CACHED_1H), text("b", **CACHED))),
        chat(user(text("a", **CACHED), text("b", **CACHED_1H))),
        "messages[0].content[1].cache_control",
    ),
    Case(
        "cache_value",
        chat(user(text("a", **CACHED))),
        chat(user(text("a", cache_control={"type": "persistent"}))),
        f"{CONTENT}.cache_control",
    ),
    *(
        Case("prefill_model", chat(user(), assistant(), user()), chat(user(), assistant()), "messages[1]", model)
        for model in (
            "claude-opus-4-6",
            "anthropic/claude-sonnet-4.6",
            "us.anthropic.claude-opus-4-8-v1:0",
            "claude-fable-5",
        )
    ),
    *(
        Case(
            "system_message_model", chat(user(), assistant(), user()), chat(user(), system()), "messages[1].role", model
        )
        for model in ("claude-sonnet-4-5-20250929", "claude-opus-4-7", "claude-sonnet-5", "claude-opus-4-20250514")
    ),
]
