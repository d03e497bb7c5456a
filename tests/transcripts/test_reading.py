"""Chat transcripts of every shape, written by hand, come as the append API takes them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from fastpaca import transcripts
from fastpaca.transcripts import Conversation, Usage
from tests.support import memory

CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Bern"}'}}
OPENAI: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Weather in Bern?"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
    {"role": "assistant", "content": "Sunny.", "usage": {"prompt_tokens": 40, "completion_tokens": 3}},
]
ANTHROPIC: list[dict[str, Any]] = [
    {"role": "user", "content": "Weather in Bern?"},
    {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "Ask.", "signature": "c2ln"},
            {"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "Bern"}},
        ],
        "usage": {"input_tokens": 5, "cache_read_input_tokens": 30, "cache_creation_input_tokens": 7},
    },
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "sunny"}]},
]
PARTS: list[dict[str, Any]] = [
    {"role": "user", "parts": [{"type": "text", "text": "Weather?"}], "created_at": "2026-01-31T09:30:00Z"},
    {
        "role": "assistant",
        "parts": [{"type": "tool_call", "name": "weather", "call_id": "c1", "payload": {"city": "Bern"}}],
        "metadata": {"message_id": "msg_1", "usage": {"input_tokens": 12, "output_tokens": 2}},
    },
    {"role": "tool", "parts": [{"type": "tool_result", "call_id": "c1", "name": "weather", "content": "sunny"}]},
]
UI: list[dict[str, Any]] = [
    {"id": "m1", "role": "user", "parts": [{"type": "text", "text": "Weather?"}], "createdAt": 1769851800000},
    {
        "id": "m2",
        "role": "assistant",
        "parts": [
            {"type": "step-start"},
            {"type": "tool-weather", "toolCallId": "c1", "state": "output-available", "input": {}, "output": "sunny"},
        ],
        "metadata": {"usage": {"inputTokens": 21, "cachedInputTokens": 4, "outputTokens": 6}},
    },
]
MODEL: list[dict[str, Any]] = [
    {"role": "user", "content": [{"type": "text", "text": "Weather?"}]},
    {"role": "assistant", "content": [{"type": "tool-call", "toolCallId": "c1", "toolName": "weather", "input": {}}]},
    {
        "role": "tool",
        "content": [
            {"type": "tool-result", "toolCallId": "c1", "toolName": "weather", "output": {"type": "text", "value": "!"}}
        ],
    },
]
SHAPES = {"openai": OPENAI, "anthropic": ANTHROPIC, "parts": PARTS, "ui": UI, "model": MODEL}
FORMATS = {"openai": "openai", "anthropic": "anthropic", "parts": "parts", "ui": "ai-sdk", "model": "ai-sdk"}


def write(path: Path, *values: Any, indent: int | None = None) -> Path:
    path.write_text("\n".join(json.dumps(value, indent=indent) for value in values) + "\n")
    return path


def sent(conversation: Conversation) -> list[dict[str, Any]]:
    return [recorded.message for recorded in conversation.messages]


def accepted(conversation: Conversation) -> int:
    """How many messages an engine has taken."""
    engine = memory.memory_engine()
    memory.write(engine, "chat", "configure")
    memory.append(engine, "chat", sent(conversation))
    count = len(memory.replay(engine, "chat"))
    engine.close()
    return count


def timeless(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in message.items() if name != "created_at"} for message in messages]


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("indent", [None, 2])
def test_a_list_of_messages(tmp_path: Path, name: str, indent: int | None) -> None:
    path = write(tmp_path / "chat.json", SHAPES[name], indent=indent)
    (found,) = transcripts.read(path)
    assert (found.id, found.format, found.line) == ("chat", FORMATS[name], 1)
    assert timeless(sent(found)) == timeless(SHAPES[name])
    assert transcripts.detect(path) == FORMATS[name]


@pytest.mark.parametrize("name", SHAPES)
def test_conversations_a_line(tmp_path: Path, name: str) -> None:
    lines = [{"id": "one", "messages": SHAPES[name]}, {"messages": SHAPES[name][:1]}, SHAPES[name]]
    found = list(transcripts.read(write(tmp_path / "all.jsonl", *lines)))
    assert [each.id for each in found] == ["one", "all", "all-2"]
    assert [each.line for each in found] == [1, 2, 3]
    assert [len(each.messages) for each in found] == [len(SHAPES[name]), 1, len(SHAPES[name])]
    assert found[0].format == found[2].format == FORMATS[name]


@pytest.mark.parametrize("name", SHAPES)
def test_the_engine_takes_them(tmp_path: Path, name: str) -> None:
    (found,) = transcripts.read(write(tmp_path / "chat.json", SHAPES[name]))
    assert accepted(found) == len(SHAPES[name])


def test_messages_a_line_are_one_conversation(tmp_path: Path) -> None:
    (found,) = transcripts.read(write(tmp_path / "chat.jsonl", *PARTS))
    assert sent(found) == PARTS


def test_messages_a_line_are_parted_by_their_owner(tmp_path: Path) -> None:
    owned = [{**message, "conversation_id": owner} for owner in ("a", "b") for message in OPENAI]
    found = list(transcripts.read(write(tmp_path / "chat.jsonl", *owned)))
    assert [(each.id, each.line, len(each.messages)) for each in found] == [("a", 1, 5), ("b", 6, 5)]


def test_a_list_of_conversations(tmp_path: Path) -> None:
    found = list(transcripts.read(write(tmp_path / "all.json", [{"id": 7, "messages": OPENAI}, OPENAI], indent=1)))
    assert [(each.id, len(each.messages)) for each in found] == [("7", 5), ("all", 5)]


def test_a_system_prompt_beside_the_messages(tmp_path: Path) -> None:
    blocks = [{"type": "text", "text": "Be brief."}]
    found = list(
        transcripts.read(
            write(
                tmp_path / "a.jsonl",
                {"system": "Be brief.", "messages": ANTHROPIC[:1]},
                {"system": blocks, "messages": ANTHROPIC},
            )
        )
    )
    assert [each.format for each in found] == ["anthropic", "anthropic"]
    assert sent(found[0])[0] == {"role": "system", "content": "Be brief."}
    assert sent(found[1]) == [{"role": "system", "content": blocks}, *ANTHROPIC]


def test_usage_includes_what_was_cached(tmp_path: Path) -> None:
    usage = {}
    for name, messages in SHAPES.items():
        (found,) = transcripts.read(write(tmp_path / f"{name}.json", messages))
        usage[name] = [recorded.usage for recorded in found.messages if recorded.usage is not None]
    assert usage == {
        "openai": [Usage(40, 0, 3)],
        "anthropic": [Usage(42, 30, 0)],
        "parts": [Usage(12, 0, 2)],
        "ui": [Usage(21, 4, 6)],
        "model": [],
    }


def test_usage_of_openai_details(tmp_path: Path) -> None:
    usage = {"prompt_tokens": 90, "completion_tokens": 9, "prompt_tokens_details": {"cached_tokens": 64}}
    (found,) = transcripts.read(write(tmp_path / "a.jsonl", {"role": "assistant", "content": "x", "usage": usage}))
    assert found.messages[0].usage == Usage(90, 64, 9)


def test_usage_of_another_contexts_window_is_left_out(tmp_path: Path) -> None:
    ours = {"role": "assistant", "content": "x", "usage": {"input_tokens": 5, "window_version": 3}}
    (found,) = transcripts.read(write(tmp_path / "a.jsonl", ours))
    assert "usage" not in sent(found)[0]
    assert found.messages[0].usage == Usage(5, 0, 0)


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ({"created_at": "2026-01-31T09:30:00Z"}, "2026-01-31T09:30:00Z"),
        ({"created_at": "2025-04-30T16:32:54.730878"}, "2025-04-30T16:32:54.730878"),
        ({"created_at": 1769851800}, "2026-01-31T09:30:00+00:00"),
        ({"createdAt": 1769851800000}, "2026-01-31T09:30:00+00:00"),
        ({"timestamp": "20260131T093000Z"}, "2026-01-31T09:30:00+00:00"),
        ({"inserted_at": "2026-01-31T09:30:00.125Z"}, "2026-01-31T09:30:00.125Z"),
        ({}, None),
    ],
)
def test_times(tmp_path: Path, given: dict[str, Any], taken: str | None) -> None:
    (found,) = transcripts.read(write(tmp_path / "a.jsonl", {"role": "user", "content": "x", **given}))
    assert sent(found)[0].get("created_at") == taken
    assert accepted(found) == 1


def test_gzip_and_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "chat.jsonl.gz"
    path.write_bytes(gzip.compress(b"\xef\xbb\xbf" + json.dumps({"messages": OPENAI}).encode() + b"\n\n"))
    (found,) = transcripts.read(path)
    assert (found.id, sent(found)) == ("chat", OPENAI)


def test_a_format_given_wins(tmp_path: Path) -> None:
    (found,) = transcripts.read(write(tmp_path / "a.json", OPENAI[:2]), format="anthropic")
    assert found.format == "anthropic"
    with pytest.raises(ValueError, match="unknown format 'word'"):
        next(transcripts.read(tmp_path / "a.json", format="word"))  # type: ignore[arg-type]


def test_a_fine_tuning_file(tmp_path: Path) -> None:
    tools = [{"type": "function", "function": {"name": "weather"}}]
    lines = [{"messages": [*OPENAI[:2], {"role": "assistant", "content": "?", "weight": 0}], "tools": tools}] * 3
    assert len(list(transcripts.read(write(tmp_path / "tuning.jsonl", *lines)))) == 3


def test_reading_is_lazy(tmp_path: Path) -> None:
    path = tmp_path / "all.jsonl"
    path.write_text(json.dumps({"messages": OPENAI}) + "\n" + "no json\n")
    found = transcripts.read(path)
    assert len(next(found).messages) == len(OPENAI)
    with pytest.raises(transcripts.TranscriptError):
        next(found)
