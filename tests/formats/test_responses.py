"""`openai-responses`: what each kind of message becomes in the arguments of OpenAI's responses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fastpaca
from tests.formats.valid import violations

Json = dict[str, Any]
USER: Json = {"role": "user", "content": "Go on."}


def request(chat: fastpaca.Context, *messages: Json) -> Json:
    chat.append(messages)
    found = chat.window(close=True).to("openai-responses")
    assert violations("openai-responses", found, None) == []
    return found


def test_native_items_come_back(chat: fastpaca.Context) -> None:
    items: list[Json] = [
        {"role": "user", "content": "Go."},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"},
        {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "Looking.", "annotations": []}],
        },
        {"type": "function_call", "id": "fc_1", "name": "f", "arguments": '{ "x":1.0}', "call_id": "a"},
        {"type": "custom_tool_call", "id": "ctc_1", "name": "g", "input": "ls", "call_id": "b"},
        {"type": "function_call_output", "output": "1", "call_id": "a"},
        {"type": "custom_tool_call_output", "output": "2", "call_id": "b"},
    ]
    assert request(chat, {"role": "system", "content": "Be brief."}, *items) == {
        "instructions": "Be brief.",
        "input": items,
    }


def test_ids_stay_only_behind_their_reasoning(chat: fastpaca.Context) -> None:
    text = {"type": "output_text", "text": "Yes.", "annotations": []}
    found = request(
        chat,
        USER,
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"type": "function_call", "id": "fc_1", "call_id": "a", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "a", "output": "1"},
        {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [text]},
    )
    assert found["input"] == [
        USER,
        {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "a", "output": "1"},
        {"role": "assistant", "content": "Yes."},
    ]
    assert chat.window().omitted_reasoning("openai-responses") == [2]


def test_reasoning_without_its_item_is_left_out(chat: fastpaca.Context) -> None:
    reasoning = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}
    found = request(chat, USER, reasoning)
    assert found == {"instructions": None, "input": [USER]}
    assert chat.window().omitted_reasoning("openai-responses") == [2]
    said = {"role": "assistant", "content": "Yes."}
    assert request(chat, said)["input"] == [USER, reasoning, said]
    assert chat.window().omitted_reasoning("openai-responses") == []


def test_other_providers_messages(chat: fastpaca.Context) -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBOR"}}
    blocks = [{"type": "text", "text": "here"}, image]
    found = request(
        chat,
        {"role": "system", "content": "One."},
        {"role": "developer", "content": "Two."},
        {"role": "user", "content": [{"type": "text", "text": "Look."}, image]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": "sig"},
                {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"x": 1}},
            ],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": blocks}]},
        {
            "role": "assistant",
            "tool_calls": [{"id": "c", "type": "custom", "custom": {"name": "g", "input": "ls"}}],
            "content": None,
        },
        {"role": "tool", "tool_call_id": "c", "content": "a.txt"},
        {"role": "system", "content": "Three."},
    )
    shown = {"type": "input_image", "image_url": "data:image/png;base64,iVBOR", "detail": "auto"}
    assert found == {
        "instructions": "One.\n\nTwo.",
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "Look."}, shown]},
            {"type": "function_call", "call_id": "toolu_1", "name": "f", "arguments": '{"x":1}'},
            {
                "type": "function_call_output",
                "call_id": "toolu_1",
                "output": [{"type": "input_text", "text": "here"}, shown],
            },
            {"type": "custom_tool_call", "call_id": "c", "name": "g", "input": "ls"},
            {"type": "custom_tool_call_output", "call_id": "c", "output": "a.txt"},
            {"role": "system", "content": "Three."},
        ],
    }


def test_reasoning_that_the_ai_sdk_kept(chat: fastpaca.Context) -> None:
    kept = {"openai": {"itemId": "rs_1", "reasoningEncryptedContent": "gAAA"}}
    parts = [{"type": "reasoning", "text": "Hm.", "providerMetadata": kept}, {"type": "text", "text": "Yes."}]
    found = request(chat, USER, {"role": "assistant", "parts": parts})
    summary = [{"type": "summary_text", "text": "Hm."}]
    assert found["input"][1:] == [
        {"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": "gAAA"},
        {"role": "assistant", "content": "Yes."},
    ]


def test_texts_of_one_reasoning_item_that_the_ai_sdk_kept_apart(chat: fastpaca.Context) -> None:
    def part(text: str, encrypted: str) -> Json:
        kept = {"openai": {"itemId": "rs_1", "reasoningEncryptedContent": encrypted}}
        return {"type": "reasoning", "text": text, "providerMetadata": kept}

    parts = [part("One.", "gAAA"), part("Two.", "gBBB"), {"type": "text", "text": "Yes."}]
    found = request(chat, USER, {"role": "assistant", "parts": parts})
    summary = [{"type": "summary_text", "text": "One."}, {"type": "summary_text", "text": "Two."}]
    assert found["input"][1] == {"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": "gBBB"}


def test_an_item_id_is_shown_once(chat: fastpaca.Context) -> None:
    def answer(call_id: str) -> list[Json]:
        return [
            USER,
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"},
            {"type": "function_call", "id": "fc_1", "name": "f", "arguments": "{}", "call_id": call_id},
            {"type": "function_call_output", "output": "1", "call_id": call_id},
        ]

    found = request(chat, *answer("a"), *answer("b"))
    call = {"type": "function_call", "name": "f", "arguments": "{}", "call_id": "b"}
    output = {"type": "function_call_output", "output": "1", "call_id": "b"}
    assert found["input"] == [*answer("a"), USER, call, output]
    assert chat.window().omitted_reasoning("openai-responses") == [6]


def test_ids_go_with_reasoning_that_a_policy_dropped(chat: fastpaca.Context, tmp_path: Path) -> None:
    text = {"type": "output_text", "text": "Yes.", "annotations": []}
    search = {
        "type": "web_search_call",
        "id": "ws_1",
        "status": "completed",
        "action": {"type": "search", "query": "q"},
    }
    messages: list[Json] = [
        USER,
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"},
        search,
        {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "gBBB"},
        {"type": "function_call", "id": "fc_1", "name": "f", "arguments": "{}", "call_id": "a"},
        {"type": "function_call_output", "output": "1", "call_id": "a"},
        {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [text]},
        USER,
    ]
    kept = request(chat, *messages)["input"]
    assert kept == [*messages[:6], {"role": "assistant", "content": "Yes."}, USER]
    config = {"kinds": ["reasoning"], "trigger_ratio": 0.5, "target_ratio": 0.45, "overflow": "flag"}
    with fastpaca.open(tmp_path / "small") as store:
        small = store.context("small", budget=1000, policy={"strategy": "skip_parts", "config": config})
        found = request(small, {**messages[0], "token_count": 700}, *messages[1:])
    call = {"type": "function_call", "name": "f", "arguments": "{}", "call_id": "a"}
    assert found["input"] == [USER, call, messages[5], {"role": "assistant", "content": "Yes."}, USER]


def test_reasoning_of_another_provider_is_left_out_of_its_turn_alone(chat: fastpaca.Context) -> None:
    redacted = {"type": "redacted_thinking", "data": "abc"}
    text = {"type": "output_text", "text": "No.", "annotations": []}
    native: list[Json] = [
        USER,
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"},
        {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [text]},
    ]
    other = {"role": "assistant", "content": [redacted, {"type": "text", "text": "Yes."}]}
    found = request(chat, USER, other, *native)
    assert found["input"] == [USER, {"role": "assistant", "content": "Yes."}, *native]
    assert chat.window().omitted_reasoning("openai-responses") == [2]


def test_a_head_alone_is_the_input(chat: fastpaca.Context) -> None:
    found = request(chat, {"role": "system", "content": "One."}, {"role": "developer", "content": "Two."})
    assert found == {"instructions": None, "input": [{"role": "system", "content": "One.\n\nTwo."}]}
    assert request(chat, USER) == {"instructions": "One.\n\nTwo.", "input": [USER]}
