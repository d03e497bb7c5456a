"""`ai-sdk-ui`: what each kind of message becomes in an interface."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fastpaca
from tests.formats.shapes_ai_sdk import ui_faults
from tests.support.data import DATA, lines, needs_data

Json = dict[str, Any]
USER: Json = {"id": "u1", "role": "user", "parts": [{"type": "text", "text": "What is the weather?"}]}
STEP: Json = {"type": "step-start"}


def shown(chat: fastpaca.Context, *messages: Json) -> list[Json]:
    chat.append(messages)
    found = chat.window(close=True).to("ai-sdk-ui")
    assert ui_faults(found) == []
    assert list(found) == ["messages"]
    listed: list[Json] = found["messages"]
    return listed


def tool(call_id: str, name: str = "weather", **more: Any) -> Json:
    return {"type": f"tool-{name}", "toolCallId": call_id, **more}


def function(call_id: str, name: str = "weather") -> Json:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": f'{{"city":"{call_id}"}}'}}


NATIVE: list[Json] = [
    {"id": "s", "role": "system", "parts": [{"type": "text", "text": "Be brief."}]},
    {
        "id": "u",
        "metadata": {"at": 1.50},
        "role": "user",
        "parts": [
            {"type": "text", "text": "Hello", "state": "done"},
            {"type": "file", "mediaType": "image/png", "url": "https://example.org/a.png"},
            {"type": "data-theme", "id": "d", "data": {"dark": True}},
        ],
    },
    {
        "id": "a",
        "role": "assistant",
        "parts": [
            STEP,
            {
                "type": "reasoning",
                "text": "Hm.",
                "state": "done",
                "providerMetadata": {"anthropic": {"signature": "x"}},
            },
            {"type": "source-url", "sourceId": "1", "url": "https://example.org", "title": "t"},
            {"type": "source-document", "sourceId": "2", "mediaType": "text/plain", "title": "t"},
            tool("1", state="output-available", input={"city": "Paris"}, output={"degrees": 1.50}),
            tool("2", state="output-error", input={}, errorText="no"),
            {
                "type": "dynamic-tool",
                "toolName": "x",
                "toolCallId": "3",
                "state": "output-denied",
                "input": None,
                "approval": {"id": "ap", "approved": False},
            },
            STEP,
            {"type": "text", "text": "Cold."},
            {"type": "reasoning", "text": "And?"},
        ],
    },
    {"id": "e", "role": "assistant", "parts": []},
    {"id": "u2", "role": "user", "parts": [{"type": "text", "text": ""}]},
]


def test_native_messages_come_back(chat: fastpaca.Context) -> None:
    assert json.dumps(shown(chat, *NATIVE)) == json.dumps(NATIVE)


def test_the_library_takes_native_messages(chat: fastpaca.Context, ai_sdk: Any) -> None:
    messages = [*shown(chat, *NATIVE), USER]
    assert ai_sdk.ui_prompt({"messages": messages}) == ai_sdk.ui_prompt({"messages": [*NATIVE, USER]})


def with_input(message: Json) -> Json:
    """The SDK drops an input that is undefined where it stores a part, and refuses the part when it reads it."""
    streams = {"input-streaming", "output-error"}
    lacks = [part for part in message["parts"] if part.get("state", "done") != "done" and part["state"] not in streams]
    for part in lacks:
        part.setdefault("input", {})
    return message


@needs_data
def test_real_messages_come_back(tmp_path: Path, ai_sdk: Any) -> None:
    path = DATA / "raw" / "ai_sdk_uimessages" / "uimessages.jsonl.gz"
    found = [[with_input(message) for message in line["messages"]] for line in lines(path)]
    assert len(found) > 40
    with fastpaca.open(tmp_path / "data") as store:
        for n, messages in enumerate(found):
            context = store.context(f"c{n}", budget=10_000_000)
            context.append([USER, *messages])
            assert context.replay("ai-sdk-ui")["messages"] == [USER, *messages]
            window = context.window(close=True)
            assert ui_faults(window.to("ai-sdk-ui")) == []
            assert ai_sdk.ui_prompt(window.to("ai-sdk-ui"))
            assert ai_sdk.prompt(window.to("ai-sdk"))


def test_a_turn_is_one_message(chat: fastpaca.Context, ai_sdk: Any) -> None:
    found = shown(
        chat,
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": "Paris and Rome?"},
        {"role": "assistant", "content": "Let me see.", "tool_calls": [function("a"), function("b")]},
        {"role": "tool", "tool_call_id": "b", "content": "cold"},
        {"role": "tool", "tool_call_id": "a", "content": [{"type": "text", "text": "hot"}]},
        {"role": "assistant", "content": None, "tool_calls": [function("c")], "metadata": {"x": 1}},
        {"role": "tool", "tool_call_id": "c", "content": "mild"},
        {"role": "assistant", "content": "So it is."},
        {"role": "user", "content": "Thanks"},
    )

    def done(call_id: str, output: str) -> Json:
        return tool(call_id, state="output-available", input={"city": call_id}, output=output)

    assert found == [
        {"id": "msg_1", "role": "system", "parts": [{"type": "text", "text": "Be brief."}]},
        {"id": "msg_2", "role": "user", "parts": [{"type": "text", "text": "Paris and Rome?"}]},
        {
            "id": "msg_3",
            "role": "assistant",
            "parts": [
                STEP,
                {"type": "text", "text": "Let me see."},
                done("a", "hot"),
                done("b", "cold"),
                STEP,
                done("c", "mild"),
                STEP,
                {"type": "text", "text": "So it is."},
            ],
        },
        {"id": "msg_9", "role": "user", "parts": [{"type": "text", "text": "Thanks"}]},
    ]
    prompt = ai_sdk.ui_prompt({"messages": found})
    assert [message["role"] for message in prompt[2:-1]] == ["assistant", "tool", "assistant", "tool", "assistant"]


def test_other_shapes(chat: fastpaca.Context) -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBOR"}}
    found = shown(
        chat,
        {
            "role": "user",
            "content": [image, {"type": "image_url", "image_url": {"url": "https://example.org/a", "detail": "low"}}],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": "sig"},
                {"type": "tool_use", "id": "t", "name": "shot", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t", "content": [image]},
                {"type": "text", "text": "And now?"},
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "tool-call", "toolCallId": "p", "toolName": "web", "input": {}, "providerExecuted": True},
                {"type": "tool-result", "toolCallId": "p", "toolName": "web", "output": {"type": "json", "value": [1]}},
                {"type": "text", "text": "x", "providerOptions": {"openai": {"itemId": "i"}}},
                {"type": "reasoning", "text": "no more"},
            ],
        },
    )
    assert found == [
        {
            "id": "msg_1",
            "role": "user",
            "parts": [
                {"type": "file", "mediaType": "image/png", "url": "data:image/png;base64,iVBOR"},
                {
                    "type": "file",
                    "mediaType": "image/*",
                    "url": "https://example.org/a",
                    "providerMetadata": {"openai": {"imageDetail": "low"}},
                },
            ],
        },
        {
            "id": "msg_2",
            "role": "assistant",
            "parts": [
                STEP,
                {"type": "reasoning", "text": "Hm.", "providerMetadata": {"anthropic": {"signature": "sig"}}},
                tool("t", "shot", state="output-available", input={}, output=[image]),
            ],
        },
        {"id": "msg_3", "role": "user", "parts": [{"type": "text", "text": "And now?"}]},
        {
            "id": "msg_4",
            "role": "assistant",
            "parts": [
                STEP,
                tool("p", "web", state="output-available", input={}, providerExecuted=True, output=[1]),
                {"type": "text", "text": "x", "providerMetadata": {"openai": {"itemId": "i"}}},
            ],
        },
    ]
    assert chat.window().omitted_reasoning("ai-sdk-ui") == [4]


def test_results_from_elsewhere_reach_the_stored_part(chat: fastpaca.Context) -> None:
    waiting = [
        tool("a", state="input-available", input={}),
        tool("b", state="approval-requested", input={}, approval={"id": "ap"}),
        tool("c", state="approval-responded", input={}, approval={"id": "ap2", "approved": True}),
    ]
    chat.append([USER, {"id": "m", "role": "assistant", "parts": waiting}])
    assert chat.window().to("ai-sdk-ui")["messages"][1]["parts"] == waiting
    found = shown(chat, {"role": "tool", "content": [{"type": "tool-result", "toolCallId": "a", "result": {"x": 1}}]})
    lost = "No result was recorded for this call."
    assert found[1]["parts"] == [
        tool("a", state="output-available", input={}, output={"x": 1}),
        tool("b", state="output-error", input={}, errorText=lost),
        tool("c", state="output-error", input={}, approval={"id": "ap2", "approved": True}, errorText=lost),
    ]


def test_ids_that_repeat_are_named_anew(chat: fastpaca.Context) -> None:
    def turn(message_id: str) -> list[Json]:
        part = tool("same", state="output-available", input={}, output=1)
        return [USER, {"id": message_id, "role": "assistant", "parts": [part]}]

    found = shown(chat, *turn("x"), *turn("y"))
    assert [message["parts"][0].get("toolCallId") for message in found] == [None, "same", None, "call_4_0"]


def test_a_summary_behind_what_the_model_said_is_a_message_of_its_own(chat: fastpaca.Context) -> None:
    chat.append([USER, *({"role": "assistant", "content": words} for words in ("One.", "Two."))])
    chat.compact({"role": "assistant", "content": "It said two."}, from_seq=3, to_seq=3)
    found = chat.window().to("ai-sdk-ui")["messages"]
    assert [message["id"] for message in found] == ["u1", "msg_2", "summary_3_3"]


def test_a_summary_is_a_message_of_its_own(chat: fastpaca.Context, ai_sdk: Any) -> None:
    for n in range(3):
        chat.append([{"role": "user", "content": f"{n}"}, {"role": "assistant", "content": f"so {n}"}])
    chat.compact({"role": "assistant", "content": "We counted."}, from_seq=1, to_seq=4)
    found = chat.window().to("ai-sdk-ui")["messages"]
    assert [(message["id"], message["role"]) for message in found] == [
        ("summary_1_4", "assistant"),
        ("msg_5", "user"),
        ("msg_6", "assistant"),
    ]
    assert ai_sdk.ui_prompt({"messages": found})


def test_replay_shows_what_a_window_repairs(chat: fastpaca.Context) -> None:
    chat.append(
        [
            USER,
            {"role": "assistant", "content": None, "tool_calls": [function("a"), function("b")]},
            USER | {"id": "u2"},
            {"role": "tool", "tool_call_id": "a", "content": "late"},
            {"role": "tool", "tool_call_id": "z", "content": "of nothing"},
        ]
    )
    found = chat.replay("ai-sdk-ui")["messages"]
    assert found[1]["parts"] == [
        STEP,
        tool("a", state="output-available", input={"city": "a"}, output="late"),
        tool("b", state="input-available", input={"city": "b"}),
    ]
    assert [message["id"] for message in found] == ["u1", "msg_2", "u2", "msg_5"]
    # Of a call that is not shown an interface gets what there is.
    assert found[3]["parts"] == [tool("z", "unknown", state="output-available", input={}, output="of nothing")]
