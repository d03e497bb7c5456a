"""`openai`: what each kind of message becomes in the arguments of OpenAI's chat completions."""

from __future__ import annotations

from typing import Any

import pytest

import fastpaca
from fastpaca import _core
from tests.formats.valid import violations

Json = dict[str, Any]


def request(chat: fastpaca.Context, *messages: Json) -> list[Json]:
    chat.append(messages)
    found = chat.window(close=True).to("openai")
    assert violations("openai", found, None) == []
    assert list(found) == ["messages"]
    listed: list[Json] = found["messages"]
    return listed


USER: Json = {"role": "user", "content": "What is the weather in Paris and Rome?"}


def function(call_id: str | None, name: str, arguments: str) -> Json:
    call: Json = {"type": "function", "function": {"name": name, "arguments": arguments}}
    return call if call_id is None else {"id": call_id} | call


def test_native_messages_come_back(chat: fastpaca.Context) -> None:
    native: list[Json] = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "name": "ann", "content": [{"type": "text", "text": "What is this?"}]},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "And this?"},
                {"type": "image_url", "image_url": {"url": "https://example.org/a.png", "detail": "low"}},
                {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
                {"type": "file", "file": {"file_id": "file-abc"}},
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                function("call_a", "weather", '{ "city" : "Paris", "n": 1.0 }'),
                {"id": "call_b", "type": "custom", "custom": {"name": "shell", "input": "ls -l"}},
            ],
        },
        {"role": "tool", "tool_call_id": "call_a", "content": "sunny \u2028 \U0001f600"},
        {"role": "tool", "tool_call_id": "call_b", "content": [{"type": "text", "text": ""}]},
        {"role": "assistant", "content": "Sunny."},
        {"role": "assistant", "content": None, "refusal": "I can't."},
        {"role": "user", "content": ""},
    ]
    assert request(chat, *native) == native


def test_bytes_of_texts_and_arguments_are_those_given(chat: fastpaca.Context) -> None:
    arguments = r'"{\"a\":\u00e9, \"n\": 1E400}"'
    call = f'{{"id":"c","type":"function","function":{{"name":"f","arguments":{arguments}}}}}'
    raw = r'{"role":"assistant","content":"\u00e9\/","tool_calls":[' + call + "]}"
    chat.append(USER)
    body = f'{{"message":{raw}}}'.encode()
    chat._transport.write("chat", "append", body, key=None)
    window, _ = chat._transport.window(
        "chat", budget_tokens=None, fit="steps", close=False, at_version=None, min_version=0
    )
    converted = _core.convert([window], "openai")
    assert arguments.encode() in converted
    assert rb'"content":"\u00e9\/"' in converted


def test_our_parts(chat: fastpaca.Context) -> None:
    found = request(
        chat,
        USER,
        {
            "role": "assistant",
            "parts": [
                {"type": "reasoning", "text": "Two calls."},
                {"type": "text", "text": "Let me look."},
                {"type": "tool_call", "name": "weather", "call_id": "a", "payload": {"city": "Paris"}},
                {
                    "type": "tool_call",
                    "name": "weather",
                    "call_id": "b",
                    "payload": {"city": "Rome"},
                    "arguments_raw": '{"city":  "Rome"}',
                },
            ],
        },
        {"role": "tool", "parts": [{"type": "tool_result", "call_id": "b", "content": {"degrees": 30.0}}]},
        {"role": "tool", "parts": [{"type": "tool_result", "call_id": "a", "content": "cold", "is_error": True}]},
    )
    assert found[1:] == [
        {
            "role": "assistant",
            "content": "Let me look.",
            "tool_calls": [function("a", "weather", '{"city":"Paris"}'), function("b", "weather", '{"city":  "Rome"}')],
        },
        {"role": "tool", "tool_call_id": "b", "content": '{"degrees":30.0}'},
        {"role": "tool", "tool_call_id": "a", "content": "cold"},
    ]
    window = chat.window()
    assert window.omitted_reasoning("openai") == [2]


def test_old_functions_and_calls_without_ids(chat: fastpaca.Context) -> None:
    found = request(
        chat,
        USER,
        {"role": "assistant", "content": None, "function_call": {"name": "weather", "arguments": "{}"}},
        {"role": "function", "name": "weather", "content": "mild"},
        {"role": "assistant", "content": None, "tool_calls": [function(None, "f", "1"), function(None, "g", "2")]},
        {"role": "tool", "content": "first"},
    )
    assert found[1:3] == [
        {"role": "assistant", "content": None, "tool_calls": [function("call_2_0", "weather", "{}")]},
        {"role": "tool", "tool_call_id": "call_2_0", "content": "mild"},
    ]
    assert [call["id"] for call in found[3]["tool_calls"]] == ["call_4_0", "call_4_1"]
    assert [message["tool_call_id"] for message in found[4:]] == ["call_4_0", "call_4_1"]
    assert found[4]["content"] == "first"


def test_a_result_whose_id_its_call_lacks(chat: fastpaca.Context) -> None:
    call = {"role": "assistant", "content": None, "tool_calls": [function(None, "f", "{}")]}
    found = request(chat, USER, call, {"role": "tool", "tool_call_id": "a", "content": "1"})
    assert found[2] == {"role": "tool", "tool_call_id": "call_2_0", "content": "1"}


def test_ids_that_repeat_or_are_too_long_are_named_anew(chat: fastpaca.Context) -> None:
    def turn(call_id: str, answer: str) -> list[Json]:
        return [
            USER,
            {"role": "assistant", "content": None, "tool_calls": [function(call_id, "f", "{}")]},
            {"role": "tool", "tool_call_id": call_id, "content": answer},
        ]

    found = request(chat, *turn("same", "1"), *turn("same", "2"), *turn("x" * 41, "3"), *turn("same", "4"))
    ids = [message["tool_call_id"] for message in found if message["role"] == "tool"]
    assert ids == ["same", "call_5_0", "call_8_0", "call_11_0"]


def test_responses_items_become_one_message(chat: fastpaca.Context) -> None:
    found = request(
        chat,
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Both, please."}]},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Looking."}]},
        {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"},
        {"type": "reasoning", "id": "rs_2", "summary": []},
        {"type": "custom_tool_call", "call_id": "b", "name": "g", "input": "anything"},
        {"type": "function_call_output", "call_id": "a", "output": "1"},
        {"type": "custom_tool_call_output", "call_id": "b", "output": [{"type": "input_text", "text": "2"}]},
    )
    custom = {"id": "b", "type": "custom", "custom": {"name": "g", "input": "anything"}}
    assert found[1:] == [
        {
            "role": "assistant",
            "content": [{"type": "text", "text": "Looking."}],
            "tool_calls": [function("a", "f", "{}"), custom],
        },
        {"role": "tool", "tool_call_id": "a", "content": "1"},
        {"role": "tool", "tool_call_id": "b", "content": "2"},
    ]


def test_anthropic_blocks(chat: fastpaca.Context) -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBOR"}}
    found = request(
        chat,
        {"role": "user", "content": [{"type": "text", "text": "Look.", "cache_control": {"type": "ephemeral"}}, image]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": "sig"},
                {"type": "tool_use", "id": "toolu_1", "name": "screenshot", "input": {"x": [1, 2]}},
                {"type": "server_tool_use", "id": "srv", "name": "web_search", "input": {"query": "q"}},
                {"type": "web_search_tool_result", "tool_use_id": "srv", "content": []},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "done"}, image]},
                {"type": "text", "text": "And now?"},
            ],
        },
    )
    url = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBOR"}}
    assert found == [
        {"role": "user", "content": [{"type": "text", "text": "Look."}, url]},
        {"role": "assistant", "content": None, "tool_calls": [function("toolu_1", "screenshot", '{"x":[1,2]}')]},
        {"role": "tool", "tool_call_id": "toolu_1", "content": "done"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Content that tool call toolu_1 returned:"},
                url,
                {"type": "text", "text": "And now?"},
            ],
        },
    ]


def test_ui_messages_of_the_ai_sdk(chat: fastpaca.Context) -> None:
    def tool(call_id: str, **more: Any) -> Json:
        return {"type": "tool-weather", "toolCallId": call_id, "input": {"city": call_id}, **more}

    found = request(
        chat,
        {"role": "user", "parts": [{"type": "text", "text": "Go."}, {"type": "data-theme", "data": {"dark": True}}]},
        {
            "role": "assistant",
            "parts": [
                {"type": "step-start"},
                {"type": "reasoning", "text": "Hm."},
                {"type": "text", "text": "One."},
                tool("a", state="output-available", output={"degrees": 1}),
                tool("b", state="output-error", errorText="too hot"),
                {"type": "step-start"},
                {"type": "text", "text": "Two."},
                tool("c", state="input-available"),
            ],
        },
    )
    assert found[1:5] == [
        {
            "role": "assistant",
            "content": "One.",
            "tool_calls": [function("a", "weather", '{"city":"a"}'), function("b", "weather", '{"city":"b"}')],
        },
        {"role": "tool", "tool_call_id": "a", "content": '{"degrees":1}'},
        {"role": "tool", "tool_call_id": "b", "content": "too hot"},
        {"role": "assistant", "content": "Two.", "tool_calls": [function("c", "weather", '{"city":"c"}')]},
    ]
    assert (found[5]["tool_call_id"], len(found)) == ("c", 6)


def test_model_messages_of_the_ai_sdk(chat: fastpaca.Context) -> None:
    call = {"type": "tool-call", "toolCallId": "a", "toolName": "f", "input": {"x": 1}}
    typed = [
        ({"type": "text", "value": "yes"}, "yes"),
        ({"type": "json", "value": {"y": 2}}, '{"y":2}'),
        ({"type": "error-text", "value": "no"}, "no"),
        ({"type": "execution-denied", "reason": "not now"}, "not now"),
        ({"type": "content", "value": [{"type": "text", "text": "z"}]}, "z"),
    ]
    for output, _ in typed:
        result = {"type": "tool-result", "toolCallId": "a", "toolName": "f", "output": output}
        chat.append([USER, {"role": "assistant", "content": [call]}, {"role": "tool", "content": [result]}])
    found = chat.window().to("openai")
    assert violations("openai", found, None) == []
    assert [m["content"] for m in found["messages"] if m["role"] == "tool"] == [text for _, text in typed]


def test_what_says_nothing_is_left_out(chat: fastpaca.Context) -> None:
    thinking = {"type": "thinking", "thinking": "Hm.", "signature": "sig"}
    found = request(
        chat,
        USER,
        {"role": "assistant", "content": [thinking]},
        {"role": "assistant", "content": ""},
        {"role": "assistant", "content": "Yes."},
    )
    assert found == [USER, {"role": "assistant", "content": "Yes."}]


def test_media_that_the_api_has_no_place_for_is_named(chat: fastpaca.Context) -> None:
    found = request(
        chat,
        {
            "role": "user",
            "content": [
                {"type": "file", "mediaType": "video/mp4", "url": "https://example.org/a.mp4"},
                {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "plain"}},
                {"type": "file", "filename": "a.pdf", "url": "data:application/pdf;base64,AAAA"},
            ],
        },
    )
    assert found[0]["content"] == [
        {"type": "text", "text": "[video https://example.org/a.mp4]"},
        {"type": "text", "text": "plain"},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"}},
    ]


def test_thought_signatures_go_back_to_gemini_alone(chat: fastpaca.Context) -> None:
    extra = {"google": {"thought_signature": "sig"}}
    call = function("a", "f", "{}") | {"extra_content": extra}
    found = request(chat, USER, {"role": "assistant", "content": None, "tool_calls": [call]})
    assert found[1]["tool_calls"] == [function("a", "f", "{}")]
    assert chat.window().to("openai", model="google/gemini-3-pro")["messages"][1]["tool_calls"] == [call]
    chat.configure(model="gemini-3-pro")
    assert chat.window().to("openai")["messages"][1]["tool_calls"] == [call]
    assert "extra_content" not in chat.window().to("openai", model="gpt-5")["messages"][1]["tool_calls"][0]


def test_replay_as_one_request(chat: fastpaca.Context) -> None:
    call = {"role": "assistant", "content": None, "tool_calls": [function("a", "f", "{}")]}
    chat.append([USER, call, USER])
    assert chat.replay("openai") == {"messages": [USER, call, USER]}
    assert chat.replay("openai", from_seq=-1) == {"messages": [USER]}


@pytest.mark.parametrize("name", ["parts", "yaml", ""])
def test_other_names_are_refused(chat: fastpaca.Context, name: Any) -> None:
    chat.append(USER)
    with pytest.raises(fastpaca.errors.InvalidError) as caught:
        chat.window().to(name)
    assert caught.value.details["field"] == "format"


def test_text_beside_results_waits_for_all_results(chat: fastpaca.Context) -> None:
    calls = {"role": "assistant", "content": None, "tool_calls": [function("a", "f", "{}"), function("b", "f", "{}")]}
    result = {"type": "tool_result", "tool_use_id": "b", "content": "2"}
    chat.append([USER, calls, {"role": "user", "content": [result, {"type": "text", "text": "Well?"}]}])
    first = chat.window().to("openai")["messages"]
    assert first == [USER, calls, {"role": "tool", "tool_call_id": "b", "content": "2"}]
    found = request(chat, {"role": "tool", "tool_call_id": "a", "content": "1"})
    assert found[:3] == first
    assert [message["role"] for message in found[3:]] == ["tool", "user"]


def test_text_behind_a_call_that_waits_stands_before_the_results(chat: fastpaca.Context) -> None:
    part: Json = {"type": "tool-f", "toolCallId": "a", "input": {}}
    parts = [
        part | {"state": "output-available", "output": 1},
        part | {"toolCallId": "b", "state": "input-available"},
        {"type": "text", "text": "One moment."},
    ]
    listed = request(chat, USER, {"role": "assistant", "parts": parts}, {"role": "user", "content": "Go on."})
    assert [message["role"] for message in listed] == ["user", "assistant", "tool", "tool", "user"]
    assert [call["id"] for call in listed[1]["tool_calls"]] == ["a", "b"]
    assert [message["tool_call_id"] for message in listed[2:4]] == ["a", "b"]
