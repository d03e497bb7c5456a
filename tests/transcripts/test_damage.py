"""What can't be read is reported with its file and line, and nothing beside it is lost."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from fastpaca import transcripts
from fastpaca.transcripts import Conversation, Problem, TranscriptError

GOOD = json.dumps({"messages": [{"role": "user", "content": "Hello"}]})


def problems(path: Path) -> tuple[int, list[str]]:
    found: list[Problem] = []
    conversations = list(transcripts.read(path, on_problem=found.append))
    for problem in found:
        assert str(problem).startswith(f"{path}:{problem.line}: ")
    return len(conversations), [f"{problem.line} {problem.text}" for problem in found]


@pytest.mark.parametrize("bad", ['{"messages": [', "hello", '{"role": "user", "content": "\\ud8', "\x00", "nul"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_damaged_line(tmp_path: Path, bad: str, place: int) -> None:
    path = tmp_path / "a.jsonl"
    lines = [GOOD] * 3
    lines[place] = bad
    path.write_text("\n".join(lines))
    count, found = problems(path)
    assert count == 2
    assert len(found) == 1
    assert found[0].startswith(f"{place + 1} no valid JSON")
    with pytest.raises(TranscriptError, match=rf"a\.jsonl:{place + 1}: no valid JSON"):
        list(transcripts.read(path))


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(GOOD.encode() + b'\n{"role": "user", "content": "\xff\xfe"}\n' + GOOD.encode())
    count, found = problems(path)
    assert count == 2
    assert found[0].startswith("2 no valid JSON")


@pytest.mark.parametrize("value", ["7", "null", "[]", "{}", '{"message": 3}', "[1, 2]", '"text"'])
def test_a_value_that_is_no_conversation(tmp_path: Path, value: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f"{GOOD}\n{value}\n{GOOD}\n")
    count, found = problems(path)
    assert count == 2
    assert found
    assert all(each.startswith("2 no conversation") for each in found)


def test_a_message_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"messages": [{"role": "user", "content": "x"}, 7, {"content": "y"}]}))
    count, found = problems(path)
    assert count == 1
    assert [each.split(":")[0] for each in found] == ["1 message 2", "1 message 3"]


def test_a_time_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"role": "user", "content": "x", "created_at": "yesterday"}))
    (found,) = transcripts.read(path, on_problem=lambda _: None)
    assert "created_at" not in found.messages[0].message
    with pytest.raises(TranscriptError, match=r"a\.jsonl:1: its time can't be read"):
        list(transcripts.read(path))


def test_a_damaged_document_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('[\n {"role": "user",\n  "content": "x"},\n oops\n]\n')
    with pytest.raises(TranscriptError, match=r"a\.json:4: no valid JSON"):
        list(transcripts.read(path, on_problem=lambda _: None))


def test_a_cut_gzip(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(f"{GOOD}\n".encode() * 2000)[:-12])
    found: list[Conversation] = []
    with pytest.raises(TranscriptError, match=r"a\.jsonl\.gz:\d+: can't be read from here on"):
        found.extend(transcripts.read(path))


@pytest.mark.parametrize("content", [b"", b"\n  \n"])
def test_an_empty_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(content)
    with pytest.raises(TranscriptError, match="holds no conversation"):
        list(transcripts.read(path))
    with pytest.raises(TranscriptError, match="holds no conversation"):
        transcripts.detect(path)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(TranscriptError, match="can't be opened: No such file"):
        list(transcripts.read(tmp_path / "none.jsonl"))
    with pytest.raises(TranscriptError, match="can't be"):
        list(transcripts.read(tmp_path))


def test_nesting_has_an_end(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f"{GOOD}\n{'[' * 200_000}\n")
    assert problems(path)[1][0].startswith("2 no valid JSON: is nested too deep")
