"""`ai-sdk`: what each kind of message becomes in the arguments of `streamText`."""

from __future__ import annotations

import json
from typing import Any

import fastpaca
from fastpaca import _core
from tests.formats.shapes_ai_sdk import model_faults

Json = dict[str, Any]
USER: Json = {"role": "user", "content": "What is the weather in Paris and Rome?"}


def request(chat: fastpaca.Context, *messages: Json, model: str | None = None) -> Json:
    chat.append(messages)
    found = chat.window(close=True).to("ai-sdk", model=model)
    assert model_faults(found) == []
    return found


def call(call_id: str, name: str = "weather", **more: Any) -> Json:
    return {"type": "tool-call", "toolCallId": call_id, "toolName": name, "input": {"city": call_id}, **more}


def result(call_id: str, output: Json, name: str = "weather") -> Json:
    return {"type": "tool-result", "toolCallId": call_id, "toolName": name, "output": output}


def text(value: str) -> Json:
    return {"type": "text", "value": value}


NATIVE: list[Json] = [
    {"role": "user", "content": "Hello"},
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "See", "providerOptions": {"anthropic": {"cacheControl": {"type": "ephemeral"}}}},
            {"type": "image", "image": "https://example.org/a.png"},
            {"type": "image", "image": "iVBORw0KGgo=", "mediaType": "image/png"},
            {"type": "file", "data": "JVBERi0=", "mediaType": "application/pdf", "filename": "a.pdf"},
        ],
        "providerOptions": {"openai": {"x": 1}},
    },
    {"role": "assistant", "content": "Let me look."},
    {
        "role": "assistant",
        "content": [
            {"type": "reasoning", "text": "Hm.", "providerOptions": {"anthropic": {"signature": "c2ln"}}},
            {"type": "reasoning", "text": "", "providerOptions": {"openai": {"itemId": "rs_1"}}},
            {"type": "text", "text": "Three calls."},
            call("a", providerOptions={"google": {"thoughtSignature": "dGg="}}),
            call("b"),
            call("c"),
            {"type": "tool-approval-request", "approvalId": "ap", "toolCallId": "c"},
        ],
    },
    {"role": "tool", "content": [result("b", text("cold")), result("a", {"type": "json", "value": {"x": [1.50]}})]},
    {"role": "tool", "content": [{"type": "tool-approval-response", "approvalId": "ap", "approved": False}]},
    {"role": "tool", "content": [result("c", {"type": "execution-denied", "reason": "no"})]},
    {
        "role": "assistant",
        "content": [
            call("srv", "web_search", providerExecuted=True),
            result("srv", {"type": "json", "value": [{"url": "https://example.org"}]}, "web_search"),
            {"type": "file", "data": "iVBORw0KGgo=", "mediaType": "image/png"},
            {"type": "text", "text": "Done."},
        ],
    },
    {"role": "system", "content": "Be brief now.", "providerOptions": {"anthropic": {"cacheControl": {"type": "x"}}}},
    {"role": "user", "content": "Thanks"},
]


def test_native_messages_come_back(chat: fastpaca.Context) -> None:
    found = request(chat, {"role": "system", "content": "Be kind."}, *NATIVE)
    assert found == {"system": "Be kind.", "messages": NATIVE}
    # Neither is anything spelled otherwise.
    assert json.dumps(found["messages"]) == json.dumps(NATIVE)


def test_the_library_takes_native_messages(chat: fastpaca.Context, ai_sdk: Any) -> None:
    ours = ai_sdk.prompt(request(chat, *NATIVE))
    assert ours == ai_sdk.prompt({"messages": NATIVE})


def test_arguments_are_the_json_that_the_model_wrote(chat: fastpaca.Context) -> None:
    def function(call_id: str, arguments: str) -> Json:
        return {"id": call_id, "type": "function", "function": {"name": "f", "arguments": arguments}}

    calls = [function("a", '{ "n": 1.0, "big": 1E30 }'), function("b", ""), function("c", "{oh"), function("d", "[1]")]
    calls.append({"id": "e", "type": "custom", "custom": {"name": "sh", "input": "ls -l"}})
    chat.append([USER, {"role": "assistant", "content": None, "tool_calls": calls}])
    window = chat.window(close=True)
    assert b'"toolName":"f","input":{ "n": 1.0, "big": 1E30 }' in _core.convert([window.raw], "ai-sdk")
    content = window.to("ai-sdk")["messages"][1]["content"]
    assert [part["input"] for part in content[1:]] == [{}, {"_unparsed": "{oh"}, [1], "ls -l"]


def test_openai_chat(chat: fastpaca.Context) -> None:
    found = request(
        chat,
        {"role": "developer", "content": "Be brief."},
        {"role": "system", "content": "Be kind."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "And this?"},
                {"type": "image_url", "image_url": {"url": "https://example.org/a.png", "detail": "low"}},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBOR"}},
                {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
                {"type": "file", "file": {"file_id": "file-abc"}},
            ],
        },
        {
            "role": "assistant",
            "content": "Well.",
            "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}},
                {"type": "function", "id": "b", "function": {"name": "g", "arguments": "{}"}},
            ],
        },
        {"role": "tool", "tool_call_id": "b", "content": "2"},
        {"role": "tool", "tool_call_id": "a", "content": "1"},
        {"role": "assistant", "content": None, "refusal": "I can't."},
    )
    assert found["system"] == "Be brief.\n\nBe kind."
    assert found["messages"] == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "And this?"},
                {
                    "type": "image",
                    "image": "https://example.org/a.png",
                    "providerOptions": {"openai": {"imageDetail": "low"}},
                },
                {"type": "image", "image": "iVBOR", "mediaType": "image/png"},
                {"type": "file", "data": "UklGRg==", "mediaType": "audio/wav"},
                {"type": "text", "text": "[file]"},
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "Well."},
                call("a", "f") | {"input": {}},
                call("b", "g") | {"input": {}},
            ],
        },
        {"role": "tool", "content": [result("b", text("2"), "g")]},
        {"role": "tool", "content": [result("a", text("1"), "f")]},
        {"role": "assistant", "content": "I can't."},
    ]


def test_anthropic_blocks(chat: fastpaca.Context) -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBOR"}}
    linked = {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}}
    found = request(
        chat,
        {"role": "user", "content": [{"type": "text", "text": "Look.", "cache_control": {"type": "ephemeral"}}, image]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": "sig"},
                {"type": "redacted_thinking", "data": "xyz"},
                {"type": "tool_use", "id": "toolu_1", "name": "shot", "input": {"x": [1, 2]}},
                {"type": "tool_use", "id": "toolu_2", "name": "read", "input": {}},
                {"type": "server_tool_use", "id": "srv", "name": "web_search", "input": {"query": "q"}},
                {"type": "web_search_tool_result", "tool_use_id": "srv", "content": []},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "toolu_2", "content": "no such file", "is_error": True},
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_1",
                    "content": [{"type": "text", "text": "done"}, image, linked],
                },
                {"type": "text", "text": "And now?"},
            ],
        },
        {"role": "assistant", "content": [{"type": "text", "text": "Nice."}, {"type": "thinking", "thinking": "Hm."}]},
    )
    shown = [
        {"type": "text", "text": "done"},
        {"type": "media", "data": "iVBOR", "mediaType": "image/png"},
        {"type": "image-url", "url": "https://example.org/a.png"},
    ]
    assert found["messages"] == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Look."},
                {"type": "image", "image": "iVBOR", "mediaType": "image/png"},
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "reasoning", "text": "Hm.", "providerOptions": {"anthropic": {"signature": "sig"}}},
                {"type": "reasoning", "text": "", "providerOptions": {"anthropic": {"redactedData": "xyz"}}},
                call("toolu_1", "shot") | {"input": {"x": [1, 2]}},
                call("toolu_2", "read") | {"input": {}},
            ],
        },
        {
            "role": "tool",
            "content": [
                result("toolu_2", {"type": "error-text", "value": "no such file"}, "read"),
                result("toolu_1", {"type": "content", "value": shown}, "shot"),
            ],
        },
        {"role": "user", "content": [{"type": "text", "text": "And now?"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "Nice."}]},
    ]
    assert chat.window().omitted_reasoning("ai-sdk") == [4]


def test_responses_items(chat: fastpaca.Context) -> None:
    summary = [{"type": "summary_text", "text": "One."}, {"type": "summary_text", "text": "Two."}]
    found = request(
        chat,
        USER,
        {"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": "gAAA"},
        {"type": "function_call", "id": "fc_1", "call_id": "a", "name": "f", "arguments": "{}"},
        {"type": "reasoning", "id": "rs_2", "summary": []},
        {"type": "function_call", "id": "fc_2", "call_id": "b", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "a", "output": "1"},
        {"type": "function_call_output", "call_id": "b", "output": "2"},
        {"type": "reasoning", "id": "rs_3", "summary": [], "encrypted_content": "gBBB"},
    )
    encrypted = {"openai": {"reasoningEncryptedContent": "gAAA"}}
    assert found["messages"][1] == {
        "role": "assistant",
        "content": [
            {"type": "reasoning", "text": "One.\n\nTwo.", "providerOptions": encrypted},
            call("a", "f") | {"input": {}},
            call("b", "f") | {"input": {}},
        ],
    }
    assert [message["role"] for message in found["messages"][2:]] == ["tool", "tool"]
    assert chat.window().omitted_reasoning("ai-sdk") == [4, 8]


def test_ui_messages(chat: fastpaca.Context) -> None:
    def tool(call_id: str, **more: Any) -> Json:
        return {"type": "tool-weather", "toolCallId": call_id, "input": {"city": call_id}, **more}

    approval = {"id": "ap", "approved": True}
    chat.append(
        [
            {
                "id": "u",
                "role": "user",
                "parts": [
                    {"type": "text", "text": "Go."},
                    {"type": "data-theme", "data": {"dark": True}},
                    {"type": "file", "mediaType": "image/png", "url": "data:image/png;base64,iVBOR"},
                ],
            },
            {
                "id": "m",
                "role": "assistant",
                "parts": [
                    {"type": "step-start"},
                    {"type": "reasoning", "text": "Hm.", "providerMetadata": {"anthropic": {"signature": "s"}}},
                    {"type": "text", "text": "One.", "state": "done"},
                    {"type": "source-url", "sourceId": "s", "url": "https://example.org"},
                    tool("a", state="output-available", output={"degrees": 1.0}),
                    tool("b", state="output-error", errorText="too hot"),
                    {"type": "step-start"},
                    tool("p", state="output-available", output=1, providerExecuted=True),
                    tool("c", state="approval-responded", approval=approval),
                ],
            },
        ]
    )
    found = chat.window().to("ai-sdk")["messages"]
    image = {"type": "file", "mediaType": "image/png", "data": "data:image/png;base64,iVBOR"}
    assert found == [
        {"role": "user", "content": [{"type": "text", "text": "Go."}, image]},
        {
            "role": "assistant",
            "content": [
                {"type": "reasoning", "text": "Hm.", "providerOptions": {"anthropic": {"signature": "s"}}},
                {"type": "text", "text": "One."},
                call("a"),
                call("b"),
            ],
        },
        {
            "role": "tool",
            "content": [
                result("a", {"type": "json", "value": {"degrees": 1.0}}),
                result("b", {"type": "error-text", "value": "too hot"}),
            ],
        },
        {
            "role": "assistant",
            "content": [
                call("p", providerExecuted=True),
                result("p", {"type": "json", "value": 1}),
                call("c"),
                {"type": "tool-approval-request", "approvalId": "ap", "toolCallId": "c"},
            ],
        },
        {"role": "tool", "content": [{"type": "tool-approval-response", "approvalId": "ap", "approved": True}]},
    ]


def test_what_says_nothing_is_left_out(chat: fastpaca.Context) -> None:
    found = request(
        chat,
        USER,
        {"role": "assistant", "content": ""},
        {"role": "user", "content": ""},
        {"role": "user", "parts": [{"type": "data-x", "data": 1}]},
        {"role": "assistant", "content": [{"type": "text", "text": " "}]},
        {"role": "assistant", "content": "Yes."},
    )
    assert found == {"messages": [USER, {"role": "assistant", "content": "Yes."}]}


def test_later_system_messages_where_the_provider_has_no_place_for_them(chat: fastpaca.Context) -> None:
    chat.append([USER, {"role": "system", "content": "Be brief."}])
    assert chat.window().to("ai-sdk")["messages"][1] == {"role": "system", "content": "Be brief."}
    for model in ("anthropic/claude-sonnet-4-5", "gemini-3-pro"):
        found = chat.window().to("ai-sdk", model=model)
        assert found == {"messages": [USER, {"role": "user", "content": "Be brief."}]}


def test_calls_that_were_never_answered(chat: fastpaca.Context) -> None:
    found = request(chat, USER, {"role": "assistant", "content": [call("a")]}, USER)
    assert found["messages"][2] == {
        "role": "tool",
        "content": [result("a", {"type": "error-text", "value": "No result was recorded for this call."})],
    }


def test_replay_keeps_open_calls(chat: fastpaca.Context) -> None:
    messages = [USER, {"role": "assistant", "content": [call("a")]}, USER]
    chat.append(messages)
    assert chat.replay("ai-sdk") == {"messages": messages}


def test_text_behind_a_call_that_waits_stands_before_the_results(chat: fastpaca.Context) -> None:
    part: Json = {"type": "tool-f", "toolCallId": "a", "input": {}}
    parts = [
        part | {"state": "output-available", "output": 1},
        part | {"toolCallId": "b", "state": "input-available"},
        {"type": "text", "text": "One moment."},
    ]
    asked = {"role": "user", "content": "Two things."}
    found = request(chat, asked, {"role": "assistant", "parts": parts}, {"role": "user", "content": "Go on."})
    roles = [message["role"] for message in found["messages"]]
    assert roles in (["user", "assistant", "tool", "user"], ["user", "assistant", "tool", "tool", "user"])
    said = found["messages"][1]["content"]
    assert [each["type"] for each in said] == ["tool-call", "tool-call", "text"]
    results = [each["toolCallId"] for message in found["messages"][2:-1] for each in message["content"]]
    assert results == ["a", "b"]


def test_thinking_that_is_given_as_text_and_as_blocks_is_given_once(chat: fastpaca.Context) -> None:
    blocks = [{"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}]
    chat.append([USER, {"role": "assistant", "content": "Yes.", "reasoning_content": "Hm.", "thinking_blocks": blocks}])
    found = chat.window().to("ai-sdk")["messages"][1]["content"]
    assert [(part["type"], part["text"]) for part in found] == [("reasoning", "Hm."), ("text", "Yes.")]


def test_reasoning_that_nothing_follows_is_listed(chat: fastpaca.Context) -> None:
    thought = {"role": "assistant", "parts": [{"type": "reasoning", "text": "Hm."}]}
    chat.append([USER, thought])
    assert chat.window().omitted_reasoning("ai-sdk") == [2]
    chat.append(USER)
    assert chat.window().omitted_reasoning("ai-sdk") == [2]


def test_signed_thinking_from_before_a_rewrite_is_left_out(chat: fastpaca.Context) -> None:
    def answer(number: int) -> Json:
        thinking = {"type": "thinking", "thinking": f"Hm {number}.", "signature": f"s{number}"}
        return {"role": "assistant", "content": [thinking, {"type": "text", "text": f"Answer {number}."}]}

    for number in range(3):
        chat.append([{"role": "user", "content": f"Question {number}?"}, answer(number)])
    chat.compact({"role": "user", "content": "They spoke."}, from_seq=1, to_seq=2)
    chat.append([{"role": "user", "content": "Question 3?"}, answer(3)])
    window = chat.window()
    listed = window.to("ai-sdk")["messages"]
    said = [part for message in listed if message["role"] == "assistant" for part in message["content"]]
    shown = [part["text"] for part in said if part["type"] == "reasoning"]
    assert shown == ["Hm 2.", "Hm 3."]  # the newest at the rewrite, and what came since
    assert window.omitted_reasoning("ai-sdk") == window.omitted_reasoning("anthropic") == [4]
    assert "Hm 1." in str(window.to("ai-sdk-ui"))
