"""LangChain's messages come out of a window as they went in, and every format reads what is stored."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)

import fastpaca
from fastpaca import errors, providers
from fastpaca.integrations._langchain_messages import stored, window_messages
from tests.integrations.conftest import Json

CALL: Any = {"type": "tool_call", "id": "c1", "name": "look", "args": {"at": "ü", "n": 1.5}}
CALLED = AIMessage("", tool_calls=[CALL], id="a0")
USE: Json = {"type": "tool_use", "id": "c1", "name": "look", "input": CALL["args"]}
RESULT = ToolMessage("brown", tool_call_id="c1", name="look", id="t1")
USAGE: Any = {"input_tokens": 7, "output_tokens": 3, "total_tokens": 10}

MESSAGES: dict[str, list[BaseMessage]] = {
    "texts": [SystemMessage("Be brief.", id="s"), HumanMessage("ü 🦙", id="h", name="ann"), AIMessage("Yes.", id="a")],
    "developer": [SystemMessage("Be brief.", id="s", additional_kwargs={"__openai_role__": "developer"})],
    "blocks": [
        HumanMessage(
            [
                {"type": "text", "text": "Look:"},
                {"type": "image", "base64": "iVBORw0KGgo=", "mime_type": "image/png"},
                {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
            ],
            id="h",
        )
    ],
    "calls": [HumanMessage("Look.", id="h"), CALLED, RESULT],
    "parallel": [
        HumanMessage("Look.", id="h"),
        AIMessage("I look.", tool_calls=[CALL, {**CALL, "id": "c2"}], id="a", usage_metadata=USAGE),
        RESULT,
        ToolMessage([{"type": "text", "text": "white"}], tool_call_id="c2", id="t2", status="error"),
    ],
    "thinking": [
        HumanMessage("Look.", id="h"),
        AIMessage(
            [{"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}, {"type": "text", "text": "I look."}, USE],
            tool_calls=[CALL],
            id="a",
            response_metadata={"model_provider": "anthropic", "stop_reason": "tool_use"},
        ),
        RESULT,
    ],
    "reasoning": [
        HumanMessage("Look.", id="h"),
        AIMessage(
            [
                {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "Zm9v"},
                {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "look", "arguments": '{"at": "it"}'},
            ],
            tool_calls=[{**CALL, "args": {"at": "it"}}],
            id="a",
            additional_kwargs={"parsed": None},
            response_metadata={"model_provider": "openai", "output_version": "responses/v1"},
        ),
        RESULT,
    ],
    "standard": [
        HumanMessage("Look.", id="h"),
        AIMessage(
            [{"type": "reasoning", "reasoning": "Hm."}, {"type": "tool_call", "id": "c1", "name": "look", "args": {}}],
            tool_calls=[{**CALL, "args": {}}],
            id="a",
            response_metadata={"output_version": "v1"},
        ),
        RESULT,
    ],
    "invalid": [
        HumanMessage("Look.", id="h"),
        AIMessage(
            "",
            tool_calls=[CALL],
            invalid_tool_calls=[
                {"type": "invalid_tool_call", "id": "c2", "name": "look", "args": '{"at', "error": "cut"}
            ],
            id="a",
        ),
        RESULT,
        ToolMessage("Those are no arguments.", tool_call_id="c2", id="t2", status="error"),
    ],
}


def exchanged(folder: Path, messages: list[BaseMessage], **options: Any) -> fastpaca.Window:
    with fastpaca.open(folder / "data") as store:
        chat = store.context("c", budget=100_000, **options)
        chat.append([stored(message) for message in messages])
        return chat.window()


@pytest.mark.parametrize("name", MESSAGES)
def test_they_come_back_as_they_were(name: str, tmp_path: Path) -> None:
    window = exchanged(tmp_path, MESSAGES[name])
    assert window_messages(window) == MESSAGES[name]
    assert window.open_calls == []


@pytest.mark.parametrize("format", ["openai", "openai-responses", "anthropic"])
@pytest.mark.parametrize("name", [name for name in MESSAGES if name != "developer"])
def test_every_format_reads_them(name: str, format: Any, tmp_path: Path) -> None:
    messages = MESSAGES[name] + ([HumanMessage("And?")] if MESSAGES[name][-1].type == "ai" else [])
    request = exchanged(tmp_path, messages).to(format)
    assert providers.check(format, request) == []
    results = sum(isinstance(message, ToolMessage) for message in messages)
    kinds = {"openai": '"role": "tool"', "openai-responses": '"function_call_output"', "anthropic": '"tool_result"'}
    assert str(request).replace("'", '"').count(kinds[format]) == results


def test_streamed_calls_are_stored_as_they_were_parsed(tmp_path: Path) -> None:
    chunks = [
        AIMessageChunk(
            content=[{"type": "tool_use", "id": "c1", "name": "look", "input": {}, "index": 0}],
            tool_call_chunks=[{"id": "c1", "name": "look", "args": "", "index": 0, "type": "tool_call_chunk"}],
            id="a",
        ),
        AIMessageChunk(
            content=[{"type": "input_json_delta", "partial_json": '{"at": "it"}', "index": 0}],
            tool_call_chunks=[
                {"id": None, "name": None, "args": '{"at": "it"}', "index": 0, "type": "tool_call_chunk"}
            ],
            id="a",
        ),
    ]
    whole: Any = chunks[0] + chunks[1]
    message = AIMessage(whole.content, tool_calls=whole.tool_calls, id="a")
    window = exchanged(tmp_path, [HumanMessage("Look.", id="h"), message, RESULT])
    (_, read, _) = window_messages(window)
    assert isinstance(read, AIMessage)
    assert read.tool_calls == message.tool_calls == [{**CALL, "args": {"at": "it"}}]
    assert '"input":{"at":"it"}' in window.raw.decode()


def test_what_json_cannot_hold_beside_a_message_is_left_out(tmp_path: Path) -> None:
    odd = AIMessage("Yes.", id="a", response_metadata={"at": dt.datetime.now(tz=dt.UTC), "model_name": "m"})
    (_, read) = window_messages(exchanged(tmp_path, [HumanMessage("Hm?", id="h"), odd]))
    assert read == AIMessage("Yes.", id="a", response_metadata={"model_name": "m"})


def test_what_it_says_has_to_be_json(tmp_path: Path) -> None:
    odd = HumanMessage([{"type": "text", "text": "Hm?", "at": object()}], id="h")
    with pytest.raises(errors.InvalidError, match="Object of type object"):
        exchanged(tmp_path, [odd])
    with pytest.raises(errors.InvalidError, match="a RemoveMessage has no role"):
        stored(RemoveMessage(id="h"))


def test_summaries_repairs_and_messages_of_others(tmp_path: Path) -> None:
    with fastpaca.open(tmp_path / "data") as store:
        chat = store.context("c", budget=100_000)
        chat.append([stored(m) for m in (HumanMessage("One.", id="h"), AIMessage("Two.", id="a1"))])
        chat.compact({"role": "assistant", "content": "They counted."}, from_seq=1, to_seq=2)
        chat.append([stored(HumanMessage("Look.", id="h2")), stored(CALLED)])
        chat.append({"role": "user", "content": [{"type": "text", "text": "Never mind."}]})
        chat.append(stored(ChatMessage(content="Noted.", role="assistant", id="x")))
        kinds = [(type(message), message.text) for message in window_messages(chat.window())]
    assert kinds == [
        (AIMessage, "They counted."),
        (HumanMessage, "Look."),
        (AIMessage, ""),
        (ToolMessage, "No result was recorded for this call."),
        (HumanMessage, "Never mind."),
        (AIMessage, "Noted."),
    ]


def test_results_that_a_policy_strips(tmp_path: Path) -> None:
    long = ToolMessage("brown " * 100, tool_call_id="c1", name="look", id="t1")
    config = {"keep_last": 0, "keep_tokens": 0, "clear_at_least": 0, "target_ratio": 0.19}
    with fastpaca.open(tmp_path / "data") as store:
        policy = {"strategy": "strip_tool_results", "config": config}
        chat = store.context("c", budget=1000, trigger=0.2, policy=policy)
        chat.append([stored(message) for message in [*MESSAGES["calls"][:2], long]])
        for turn in range(2):
            chat.append(stored(HumanMessage("word " * 40, id=f"h{turn}")))
            chat.append(stored(AIMessage("Ok.", id=f"a{turn}")))
        read = window_messages(chat.window())
    assert read[1] == CALLED
    assert isinstance(read[2], ToolMessage)
    assert (read[2].tool_call_id, read[2].name, read[2].id) == ("c1", "look", "t1")
    assert 0 < len(read[2].text) < 100


def test_results_that_are_too_long(tmp_path: Path) -> None:
    long = ToolMessage([{"type": "text", "text": "brown " * 900}], tool_call_id="c1", name="look", id="t1")
    with fastpaca.open(tmp_path / "data") as store:
        chat = store.context("c", budget=1000)
        chat.append([stored(message) for message in [*MESSAGES["calls"][:2], long]])
        read = window_messages(chat.window())
    assert isinstance(read[2], ToolMessage)
    assert 0 < len(read[2].text) < len(long.text) / 2


def test_reasoning_that_a_policy_skips(tmp_path: Path) -> None:
    """What it belonged to loses its item's id, without which the API takes it."""
    content: list[Any] = [
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "Zm9v"},
        {"type": "text", "text": "I look.", "id": "msg_1"},
    ]
    with fastpaca.open(tmp_path / "data") as store:
        policy = {"strategy": "skip_parts", "config": {"kinds": ["reasoning"], "overflow": "flag"}}
        chat = store.context("c", budget=1000, trigger=0.1, policy=policy)
        chat.append([stored(m) for m in (HumanMessage("word " * 90, id="h"), AIMessage(content, id="a"))])
        assert window_messages(chat.window())[1].content == content
        chat.append(stored(HumanMessage("And?", id="h2")))
        assert window_messages(chat.window())[-2].content == [{"type": "text", "text": "I look."}]


def test_a_chunk_is_its_message(tmp_path: Path) -> None:
    messages = [HumanMessage("Hm?", id="h"), AIMessageChunk(content="Yes.", id="a")]
    assert window_messages(exchanged(tmp_path, messages)) == [messages[0], AIMessage("Yes.", id="a")]


def test_thinking_that_a_rewrite_made_stale(tmp_path: Path) -> None:
    thinking = MESSAGES["thinking"]
    with fastpaca.open(tmp_path / "data") as store:
        chat = store.context("c", budget=100_000, model="claude-opus-4-8")
        chat.append([stored(message) for message in [HumanMessage("Hi.", id="h0"), AIMessage("Hi.", id="a0")]])
        chat.append([stored(message) for message in [*thinking, AIMessage("Brown.", id="a1")]])
        assert window_messages(chat.window())[2:5] == thinking
        chat.append([stored(HumanMessage("And?", id="h2")), stored(AIMessage("Bye.", id="a2"))])
        chat.compact({"role": "user", "content": "We met."}, from_seq=1, to_seq=2)
        read = window_messages(chat.window())
    called = read[2]
    assert isinstance(called, AIMessage)
    assert called.content == [{"type": "text", "text": "I look."}, USE]
    assert called.tool_calls == [CALL]
