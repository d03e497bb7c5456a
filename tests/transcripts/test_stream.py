"""Passages come message by message, as they stand in a file, with the places that reports name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fastpaca import transcripts
from fastpaca.transcripts import Problem, TranscriptError

Json = dict[str, Any]


def write(path: Path, *values: Any) -> Path:
    path.write_text("".join((value if isinstance(value, str) else json.dumps(value)) + "\n" for value in values))
    return path


def user(text: str, **fields: Any) -> Json:
    return {"role": "user", "content": text, **fields}


def said(path: Path, **options: Any) -> list[tuple[str, bool, list[tuple[str, str]]]]:
    """Of each passage its id, whether it is whole, and its messages with their places."""
    return [
        (passage.id, passage.is_whole, [(each.message["content"], each.place) for each in passage.messages])
        for passage in transcripts.stream(path, **options)
    ]


def test_a_long_conversation_is_read_as_it_is_taken(tmp_path: Path) -> None:
    path = write(tmp_path / "chat.jsonl", *[user("x" * 1000)] * 2000)
    read = 0

    def count(size: int) -> None:
        nonlocal read
        read += size

    (passage,) = transcripts.stream(path, on_read=count)
    assert read == path.stat().st_size
    read = 0
    passage = next(transcripts.stream(path, on_read=count))
    next(passage.messages)
    assert read < 5000


def test_conversations_that_are_mixed(tmp_path: Path) -> None:
    lines = [user(str(n), thread_id=owner) for n, owner in enumerate("aabab")]
    assert said(write(tmp_path / "rows.jsonl", *lines)) == [
        ("a", False, [("0", "1"), ("1", "2")]),
        ("b", False, [("2", "3")]),
        ("a", False, [("3", "4")]),
        ("b", False, [("4", "5")]),
    ]


def test_what_names_the_conversation_is_not_the_message_s(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", user("x", context_id="a", session_id="s", id=17))
    (passage,) = transcripts.read(path)
    assert passage.messages[0].message == user("x", session_id="s", id="17")


def test_an_export(tmp_path: Path) -> None:
    path = write(
        tmp_path / "all.jsonl",
        {"context_id": "a", "context": {"token_budget": 7}},
        {"context_id": "a", "message": user("1", context_id="kept")},
        {"context_id": "a", "rewound": True, "message": user("gone")},
        {"context_id": "a", "message": user("2")},
        {"context_id": "b", "context": {"token_budget": 8}},
        {"context_id": "a", "context": {"token_budget": 9}},
    )
    assert said(path) == [("a", True, [("1", "2"), ("2", "4")]), ("b", True, []), ("a", True, [])]
    first, *_ = transcripts.stream(path)
    assert first.settings == {"token_budget": 7}
    (one, *_) = transcripts.read(path)
    assert one.messages[0].message == user("1", context_id="kept")


def test_what_is_no_message_parts_nothing(tmp_path: Path) -> None:
    problems: list[Problem] = []
    path = write(
        tmp_path / "chat.jsonl", user("1"), "{", 7, "[]", {"no": "message"}, user("2"), [user("3"), 5], user("4")
    )
    assert said(path, on_problem=problems.append) == [
        ("chat", True, [("1", "1"), ("2", "6")]),
        ("chat-2", True, [("3", "7: message 1")]),
        ("chat-3", True, [("4", "8")]),
    ]
    assert [problem.line for problem in problems] == [2, 3, 4, 5, 7]


def test_passages_that_nobody_takes(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", *(user(str(n), thread_id=owner) for n, owner in enumerate("aaabbb")))
    assert [passage.id for passage in transcripts.stream(path)] == ["a", "b"]


def test_a_large_file_that_begins_with_damage_is_not_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastpaca.transcripts.source._DOCUMENT_BYTES", 1000)
    path = write(tmp_path / "chat.jsonl", "{broken", *(user("x" * 100) for _ in range(100)))
    read = 0

    def count(size: int) -> None:
        nonlocal read
        read += size

    problems: list[Problem] = []
    passage = next(transcripts.stream(path, on_problem=problems.append, on_read=count))
    next(passage.messages)
    assert read < 2000
    assert [problem.line for problem in problems] == [1]
    assert len(list(passage.messages)) == 99


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ("anthropic", {"role": "assistant", "tool_calls": [{"id": "c"}]}),
        ("openai", {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]}),
        ("openai", {"role": "assistant", "content": [{"type": "tool-call", "toolCallId": "t"}]}),
        ("ai-sdk", {"role": "assistant", "parts": [{"type": "tool_call", "call_id": "c"}]}),
    ],
)
def test_another_format_than_named(tmp_path: Path, named: Any, message: Json) -> None:
    path = write(tmp_path / "chat.jsonl", user("x"), message)
    looks = transcripts.detect(path)
    with pytest.raises(TranscriptError, match=rf"chat\.jsonl:2: looks like {looks}, not {named}"):
        list(transcripts.read(path, format=named))
    assert len(list(transcripts.read(path, format="parts"))) == 1
    assert transcripts.detect(write(tmp_path / "b.jsonl", user("x"))) == "openai"
