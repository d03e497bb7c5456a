"""`anthropic`: what each kind of message becomes in the arguments of Anthropic's messages."""

from __future__ import annotations

import json
from typing import Any

import pytest

import fastpaca
from fastpaca.errors import InvalidError
from tests.formats.blocks import IMAGE, THINKING, USER, Json, converted, request, result, said, text, use
from tests.formats.valid import fetched, violations


def test_native_messages_come_back(chat: fastpaca.Context) -> None:
    native = [
        said(
            "user",
            text("Look."),
            IMAGE,
            {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}},
            {
                "type": "document",
                "source": {"type": "text", "media_type": "text/plain", "data": "A page."},
                "title": "Page",
                "citations": {"enabled": True},
            },
            {"type": "search_result", "source": "s", "title": "t", "content": [text("found")]},
        ),
        said(
            "assistant",
            THINKING,
            {"type": "redacted_thinking", "data": "abc"},
            text("I search."),
            {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "q"}},
            {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
            use("toolu_1", "screenshot", x=[1, 2.50]),
            use("toolu_2", "a.name"),
        ),
        said(
            "user",
            result("toolu_2", "failed", is_error=True),
            result("toolu_1", [text("done"), IMAGE], is_error=False),
            text("And now?"),
        ),
        said("assistant", {"type": "text", "text": "Done.", "citations": None}),
    ]
    assert request(chat, *native) == native
    assert chat.window().omitted_reasoning("anthropic") == []


def test_system_and_breakpoints(chat: fastpaca.Context) -> None:
    stored = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    chat.append(
        [
            {"role": "system", "content": "Be brief."},
            {"role": "developer", "content": [text("Be kind.") | stored, text("  ")]},
            said("user", text("Hello") | stored, IMAGE | stored),
            said("assistant", THINKING, text("Hi.")),
            said("user", result("none", "orphan"), text("?")),
        ]
    )
    window = chat.window()
    plain = window.to("anthropic")
    assert plain["system"] == [text("Be brief."), text("Be kind.")]
    assert plain["messages"][0] == said("user", text("Hello"), IMAGE)
    assert "cache_control" not in json.dumps(plain)
    cached = window.to("anthropic", cache="auto")
    assert violations("anthropic", cached, None) == []
    mark = {"cache_control": {"type": "ephemeral"}}
    assert cached["system"][-1] == text("Be kind.") | mark
    assert cached["messages"][-1]["content"][-1] == text("?") | mark
    assert json.loads(json.dumps(cached).replace(', "cache_control": {"type": "ephemeral"}', "")) == plain
    asked: list[tuple[Any, Any]] = [("openai", "auto"), ("anthropic", "always")]
    for name, cache in asked:
        with pytest.raises(InvalidError, match="cache"):
            window.to(name, cache=cache)


def test_an_empty_window(chat: fastpaca.Context) -> None:
    assert chat.window().to("anthropic") == {"messages": []}
    assert chat.window().to("anthropic", cache="auto") == {"messages": []}


def test_neighbours_of_a_role_are_one_message(chat: fastpaca.Context) -> None:
    found = request(
        chat,
        {"role": "user", "content": "One."},
        {"role": "user", "name": "ann", "content": [text(""), text("Two.")]},
        {"role": "assistant", "content": ""},
        {"role": "user", "content": "Three."},
        {"role": "assistant", "content": "Four."},
        {"role": "assistant", "content": "Five."},
    )
    assert found == [
        said("user", text("One."), text("Two."), text("Three.")),
        said("assistant", text("Four."), text("Five.")),
    ]


def test_a_conversation_that_the_assistant_begins(chat: fastpaca.Context) -> None:
    found = request(chat, {"role": "assistant", "content": "Welcome."}, USER)
    assert [message["role"] for message in found] == ["user", "assistant", "user"]
    assert found[0] == said("user", text("[The conversation begins here.]"))


def function(call_id: str | None, name: str, arguments: str) -> Json:
    call: Json = {"type": "function", "function": {"name": name, "arguments": arguments}}
    return call if call_id is None else {"id": call_id} | call


def test_openai_chat(chat: fastpaca.Context) -> None:
    found = request(
        chat,
        {
            "role": "user",
            "content": [
                {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
                {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,/9j/AA"}},
                {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
                {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE"}},
                {"type": "file", "file": {"file_id": "file-abc"}},
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "reasoning_content": "Hm.",
            "tool_calls": [
                function("call.a", "weather", '{ "city" : "Paris", "n": 1.0 }'),
                function(None, "weather", ""),
                function("c", "weather", "[1]"),
                function("d", "weather", '{"city"'),
                {"id": "e", "type": "custom", "custom": {"name": "shell", "input": "ls -l"}},
            ],
        },
        {"role": "tool", "tool_call_id": "c", "content": "sunny"},
        {"role": "tool", "tool_call_id": "call.a", "content": [text("mild"), text("dry")]},
        {"role": "tool", "tool_call_id": "d", "content": ""},
        {"role": "user", "content": "So?"},
    )
    assert found[0]["content"] == [
        {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "/9j/AA"}},
        text("[audio]"),
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"},
            "title": "a.pdf",
        },
        text("[file]"),
    ]
    assert found[1]["content"] == [
        use("call_2_0", "weather", city="Paris", n=1.0),
        use("call_2_1", "weather"),
        use("c", "weather", _value=[1]),
        use("d", "weather", _unparsed='{"city"'),
        use("e", "shell", input="ls -l"),
    ]
    answers = found[2]["content"]
    assert [block.get("tool_use_id") for block in answers] == ["c", "call_2_0", "d", "call_2_1", "e", None]
    assert answers[0] == result("c", "sunny")
    assert answers[1] == result("call_2_0", [text("mild"), text("dry")])
    assert answers[3]["is_error"] is True
    assert answers[-1] == text("So?")
    assert chat.window().omitted_reasoning("anthropic") == [2]


def test_text_beside_results_waits_for_all_results(chat: fastpaca.Context) -> None:
    chat.append([USER, said("assistant", use("a"), use("b")), said("user", result("b", "2"), text("Well?"))])
    first = chat.window().to("anthropic")["messages"]
    assert first[2] == said("user", result("b", "2"))
    found = request(chat, said("user", result("a", "1")))
    assert found[2] == said("user", result("b", "2"), result("a", "1"), text("Well?"))


def test_results_of_every_shape(chat: fastpaca.Context) -> None:
    found = request(
        chat,
        USER,
        {
            "role": "assistant",
            "parts": [{"type": "tool_call", "name": "f", "call_id": i, "payload": {}} for i in "abc"],
        },
        {"role": "tool", "parts": [{"type": "tool_result", "call_id": "a", "content": {"degrees": 30.0}}]},
        {"role": "tool", "parts": [{"type": "tool_result", "call_id": "b", "content": [text("x"), IMAGE]}]},
        {
            "role": "tool",
            "parts": [{"type": "tool_result", "call_id": "c", "content": [text(" "), IMAGE], "is_error": True}],
        },
        {"type": "function_call", "call_id": "d", "name": "g", "arguments": '{"x":1}'},
        {"type": "function_call_output", "call_id": "d", "output": "4"},
    )
    assert found[2]["content"] == [
        result("a", '{"degrees":30.0}'),
        result("b", [text("x"), IMAGE]),
        result("c", [text("[image]")], is_error=True),
    ]
    assert found[3:] == [said("assistant", use("d", "g", x=1)), said("user", result("d", "4"))]


def test_ui_messages_of_the_ai_sdk(chat: fastpaca.Context) -> None:
    signed = {"anthropic": {"signature": "c2ln"}}
    found = request(
        chat,
        {"role": "user", "parts": [text("Go."), {"type": "data-theme", "data": {"dark": True}}]},
        {
            "role": "assistant",
            "parts": [
                {"type": "step-start"},
                {"type": "reasoning", "text": "Hm.", "providerMetadata": signed},
                {"type": "tool-f", "toolCallId": "a", "state": "output-available", "input": {"x": 1}, "output": "one"},
                {"type": "tool-f", "toolCallId": "b", "state": "output-error", "input": {}, "errorText": "no"},
                {"type": "step-start"},
                {"type": "reasoning", "text": "Not signed."},
                text("Two."),
            ],
        },
    )
    assert found == [
        said("user", text("Go.")),
        said("assistant", THINKING, use("a", x=1), use("b")),
        said("user", result("a", "one"), result("b", "no", is_error=True)),
        said("assistant", text("Two.")),
    ]
    assert chat.window().omitted_reasoning("anthropic") == [2]


def test_text_behind_a_call_that_waits_stands_before_the_results(chat: fastpaca.Context) -> None:
    part: Json = {"type": "tool-f", "toolCallId": "a", "input": {}}
    parts = [
        part | {"state": "output-available", "output": 1},
        part | {"toolCallId": "b", "state": "input-available"},
        text("One moment."),
    ]
    found = request(chat, USER, {"role": "assistant", "parts": parts}, {"role": "user", "content": "Go on."})
    assert found[1] == said("assistant", use("a"), use("b"), text("One moment."))
    assert [block.get("tool_use_id") for block in found[2]["content"]] == ["a", "b", None]


def test_later_system_messages(chat: fastpaca.Context) -> None:
    later = {"role": "system", "content": 'Say "ok".'}
    chat.append([{"role": "system", "content": "Head."}, USER, later])
    as_user = text('<system>\nSay "ok".\n</system>')
    assert converted(chat, "claude-sonnet-4-5")["messages"] == [said("user", text(USER["content"]), as_user)]
    as_system = converted(chat, "claude-opus-4-8")["messages"]
    assert as_system == [said("user", text(USER["content"])), said("system", text('Say "ok".'))]
    assert request(chat, said("assistant", text("ok")), model="claude-opus-4-8")[:2] == as_system
    assert request(chat, later, model="claude-opus-4-8")[-1] == said("user", as_user)
    after = request(chat, USER, model="claude-opus-4-8")
    assert after[-1] == said("user", as_user, text(USER["content"]))


def reply(chat: fastpaca.Context) -> Json:
    """What a server answers."""
    engine = chat._transport.engine  # type: ignore[attr-defined]
    found: Json = json.loads(fetched(engine, chat.id, format="anthropic"))
    return found


def test_a_system_message_between_users_is_the_users_and_changes_the_prefix(chat: fastpaca.Context) -> None:
    chat.configure(model="claude-opus-4-8")
    chat.append([USER, {"role": "system", "content": "Note."}])
    before = reply(chat)
    assert before["request"]["messages"][-1]["role"] == "system"
    chat.append(USER)
    after = reply(chat)
    assert [message["role"] for message in after["request"]["messages"]] == ["user"]
    assert after["prefix"] != before["prefix"]


def test_another_model_is_another_prefix(chat: fastpaca.Context) -> None:
    chat.configure(model="claude-opus-4-8")
    chat.append([USER, {"role": "system", "content": "Note."}])
    before = reply(chat)
    chat.configure(model="claude-sonnet-4-5")
    assert reply(chat)["prefix"] != before["prefix"]


def test_calls_of_the_provider_and_their_callers(chat: fastpaca.Context) -> None:
    search = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}
    found = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}
    direct = use("toolu_1") | {"caller": {"type": "direct"}}
    by_code = use("toolu_2") | {"caller": {"type": "code_execution_20250825", "tool_id": "srvtoolu_0"}}
    listed = request(chat, USER, said("assistant", search, found, direct, by_code, use("srvtoolu_1")))
    # The code that called is not in the request, and no two calls have one id.
    assert listed[1] == said("assistant", search, found, direct, use("toolu_2"), use("call_2_2"))


def test_a_paused_call_that_is_given_up_changes_the_prefix(chat: fastpaca.Context) -> None:
    search = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}
    chat.append([USER, said("assistant", text("I look."), search)])
    before = reply(chat)
    assert before["request"]["messages"][-1] == said("assistant", text("I look."), search)
    chat.append(USER)
    after = reply(chat)
    assert after["request"]["messages"][1] == said("assistant", text("I look."))
    assert after["prefix"] != before["prefix"]


def test_thinking_of_others_and_at_the_end(chat: fastpaca.Context) -> None:
    chat.append([USER, said("assistant", text("Yes."), THINKING), USER])
    assert converted(chat)["messages"][1] == said("assistant", text("Yes."))
    chat.append(said("assistant", {"type": "thinking", "thinking": "no signature"}, text("No.")))
    item = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}
    chat.append([USER, item, {"type": "message", "role": "assistant", "content": "So."}])
    assert converted(chat)["messages"][-1] == said("assistant", text("So."))
    assert chat.window().omitted_reasoning("anthropic") == [2, 4, 6]
    # Thinking comes before what belongs to it has come.
    chat.append([USER, said("assistant", THINKING)])
    assert chat.window().omitted_reasoning("anthropic")[-1] == 9
    chat.append(said("assistant", text("Now.")))
    assert converted(chat)["messages"][-1] == said("assistant", THINKING, text("Now."))


def test_a_paused_turn_goes_back_as_it_came(chat: fastpaca.Context) -> None:
    search = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}
    found = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}
    chat.append([USER, said("assistant", THINKING, text("I look."), search)])
    assert converted(chat)["messages"][1] == said("assistant", THINKING, text("I look."), search)
    assert request(chat, said("assistant", found, text("It rains.")))[1]["content"][2:] == [
        search,
        found,
        text("It rains."),
    ]
    assert request(chat, USER, said("assistant", search), USER)[-1] == said(
        "user", text(USER["content"]), text(USER["content"])
    )
