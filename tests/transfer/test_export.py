"""An export holds the log, and an import of it gives the same messages back; it is written whole, or not at all."""

from __future__ import annotations

import gzip
import json
import os
import resource
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

import fastpaca
from fastpaca import cli, transfer
from tests.support.data import DATA, needs_data
from tests.support.server import Server
from tests.transfer.conftest import Json, Target, lines, write

COMMAND = [sys.executable, "-m", "fastpaca"]
NATIVE: list[Json] = [
    {"role": "system", "content": "Be brief.", "version": 7, "context_id": "mine"},
    {"role": "user", "parts": [{"type": "text", "text": "Hi \\u0000 \U0001f999"}], "metadata": {"pinned": True}},
    {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {"x": 1.50}}]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "r"}]},
    {"type": "function_call", "call_id": "c", "name": "g", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "c", "output": "done"},
    {"role": "assistant", "content": "Yes.", "id": "m7", "token_count": 12, "created_at": "2026-01-01T00:00:00+01:00"},
]


def fill(target: Target) -> None:
    config: Json = {"budget": 9000, "policy": {"strategy": "last_n", "config": {"limit": 3}}, "metadata": {"a": [1]}}
    with target.open() as store:
        store.context(f"{target.prefix}native", model="claude-opus-4-8", **config).append(NATIVE)
        store.context(f"{target.prefix}long", budget=100_000).append(lines(120))
        store.context(f"{target.prefix}empty", budget=1234)
        rewound = store.context(f"{target.prefix}rewound", budget=5000)
        rewound.append(lines(2))
        rewound.rewind(5)
        rewound.append({"role": "user", "content": "Again", "id": "z"})
        rewound.append({"role": "user", "content": "Rather this", "id": "z"}, replace=True)


def export(target: Target, folder: Path, *arguments: str) -> list[Json]:
    path = folder / "exported.jsonl"
    assert cli.main(["export", *target.arguments, *arguments, "--output", str(path)]) == 0
    return [json.loads(line) for line in path.read_text().splitlines()]


def timeless(message: Json) -> Json:
    """A message whose time is told: by itself, or by when it came in."""
    fields = {**message, "created_at": message.get("created_at", message["inserted_at"])}
    del fields["inserted_at"]
    return fields


def test_round_trip(target: Target, tmp_path: Path) -> None:
    fill(target)
    path = tmp_path / "all.jsonl"
    assert cli.main(["export", *target.arguments, "--prefix", target.prefix, "-o", str(path)]) == 0
    copy = tmp_path / "copy"
    assert cli.main(["import", str(path), "--format", "parts", "--data-dir", str(copy)]) == 0
    with target.open() as source, fastpaca.open(copy) as store:
        for name in ("native", "long", "empty", "rewound"):
            old, new = source.context(target.prefix + name), store.context(target.prefix + name)
            before, after = list(old.messages()), list(new.messages())
            assert [m["seq"] for m in after] == list(range(1, len(before) + 1))
            for one, other in zip(before, after, strict=True):
                assert timeless({**one, "seq": 0}) == timeless({**other, "seq": 0})
            for field in ("token_budget", "trigger_ratio", "policy", "model", "metadata", "tokenizer"):
                assert getattr(old.info(), field) == getattr(new.info(), field)
            assert [m.get("id") for m in old.window().messages] == [m.get("id") for m in new.window().messages]


def test_back_into_its_own_store(target: Target, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(target)
    with target.open() as store:
        counted = {"usage": {"input_tokens": 9, "window_version": 7}}
        store.context(f"{target.prefix}native").append({"role": "assistant", "content": "Counted.", **counted})
    path = tmp_path / "all.jsonl"
    for more in ([], ["--all"]):
        assert cli.main(["export", *target.arguments, "--prefix", target.prefix, "-o", str(path), *more]) == 0
        capsys.readouterr()
        assert cli.main(["import", str(path), *target.arguments, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert (found["imported"], found["present"]) == (0, 8 + 480 + 0 + 6)


def test_what_a_line_holds(target: Target, tmp_path: Path) -> None:
    fill(target)
    name = f"{target.prefix}rewound"
    head, *rest = export(target, tmp_path, name, "--all")
    assert head["context_id"] == name
    assert (head["context"]["version"], head["context"]["last_seq"]) == (12, 10)
    assert [line["message"]["seq"] for line in rest] == list(range(1, 11))
    assert [line["message"]["seq"] for line in rest if line.get("rewound")] == [6, 7, 8, 9]
    assert {"token_count", "inserted_at", "created_at", "metadata"} <= set(rest[0]["message"])
    _, *shown = export(target, tmp_path, name)
    assert [line["message"]["seq"] for line in shown] == [1, 2, 3, 4, 5, 10]


def test_what_comes_meanwhile_is_left_for_the_next(directory: Target) -> None:
    with directory.open() as store:
        chat = store.context("a", budget=1000)
        chat.append(lines(1))
        for rewound_too in (False, True):
            exported = transfer.dump(store, ["a"], all=rewound_too)
            head = json.loads(next(exported))
            chat.append({"role": "user", "content": "Meanwhile"})
            assert len(list(exported)) == head["context"]["last_seq"]


@pytest.mark.parametrize("format", ["openai", "openai-responses", "anthropic", "ai-sdk", "ai-sdk-ui"])
def test_formats_of_providers(target: Target, tmp_path: Path, format: str) -> None:
    fill(target)
    (line,) = export(target, tmp_path, f"{target.prefix}long", "--format", format)
    with target.open() as store:
        replayed = store.context(f"{target.prefix}long").replay(format)  # type: ignore[arg-type]
    assert line == {"id": f"{target.prefix}long", **replayed}


def test_a_provider_s_format_is_read_back(directory: Target, tmp_path: Path) -> None:
    with directory.open() as store:
        store.context("long", budget=100_000).append(lines(40))
    for name in ("openai", "anthropic", "ai-sdk"):
        path = write(tmp_path / f"{name}.jsonl", *export(directory, tmp_path, "long", "--format", name))
        assert directory.load(path, "--format", name, "--context", name) == 0
        (again,) = export(directory, tmp_path, name, "--format", name)
        assert {**again, "id": "long"} == json.loads(path.read_text())


def test_a_link_stays_one(directory: Target, tmp_path: Path) -> None:
    fill(directory)
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "all.jsonl")
    for _ in range(2):
        assert cli.main(["export", *directory.arguments, "-o", str(tmp_path / "link.jsonl")]) == 0
        assert (tmp_path / "link.jsonl").is_symlink()
        assert (tmp_path / "all.jsonl").read_text().count("\n") == 497


def test_a_gzipped_file(directory: Target, tmp_path: Path) -> None:
    fill(directory)
    path = tmp_path / "all.jsonl.gz"
    assert cli.main(["export", *directory.arguments, "-o", str(path)]) == 0
    assert gzip.decompress(path.read_bytes()).count(b"\n") == 4 + 7 + 480 + 6


def test_a_file_that_was_there_stays_until_the_new_one_is_whole(server: Server, tmp_path: Path) -> None:
    target = Target(["--url", server.url], lambda: fastpaca.connect(server.url), f"{uuid.uuid4()}-")
    fill(target)
    path = tmp_path / "all.jsonl"
    path.write_text("old\n")
    path.chmod(0o640)
    arguments = [*target.arguments, "--prefix", target.prefix, "--output", str(path)]
    limited = subprocess.run(
        [*COMMAND, "export", *arguments],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (limited.returncode, limited.stderr) == (1, f"fastpaca: {path}: File too large\n")
    assert path.read_text() == "old\n"
    assert [each.name for each in tmp_path.iterdir()] == ["all.jsonl"]
    assert cli.main(["export", *arguments]) == 0
    assert path.read_text().count("\n") == 497
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_full_disk(directory: Target) -> None:
    fill(directory)
    command = [*COMMAND, "export", *directory.arguments]
    ran = subprocess.run([*command, "-o", "/dev/full"], capture_output=True, text=True, check=False, timeout=60)
    assert (ran.returncode, ran.stderr) == (1, "fastpaca: /dev/full: No space left on device\n")
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60)
    assert (ran.returncode, ran.stderr) == (1, "fastpaca: standard output: No space left on device\n")


@pytest.mark.parametrize("arguments", [["export"], ["policies"]])
def test_a_reader_that_stops(directory: Target, arguments: list[str]) -> None:
    fill(directory)
    store = directory.arguments if arguments == ["export"] else []
    reading, writing = os.pipe()
    os.close(reading)
    ran = subprocess.run(
        [*COMMAND, *arguments, *store], stdout=writing, stderr=subprocess.PIPE, check=False, timeout=60
    )
    os.close(writing)
    assert (ran.returncode, ran.stderr) == (141, b"")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nobody"], 1, "nobody"),
        (["a/b"], 1, "slash"),
        (["a", "--prefix", "b"], 2, "--prefix"),
        (["-o", "none/all.jsonl"], 1, "No such file or directory"),
        (["-o", "."], 1, "Is a directory"),
    ],
)
def test_bad_calls(
    directory: Target, arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with directory.open() as store:
        store.context("a", budget=1000)
    assert cli.main(["export", *directory.arguments, *arguments]) == code
    assert message in capsys.readouterr().err


def test_no_store_is_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["export", "--data-dir", str(tmp_path / "none")]) == 1
    assert "holds no store" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


@needs_data
@pytest.mark.slow
def test_recorded_conversations(directory: Target, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = min((DATA / "raw" / "claude_code").glob("*.jsonl.gz"), key=lambda path: path.stat().st_size)
    assert directory.load(source) == 0
    path = write(tmp_path / "all.jsonl", *export(directory, tmp_path))
    copy = tmp_path / "copy"
    assert cli.main(["import", str(path), "--data-dir", str(copy)]) == 0

    def log(path: Path) -> list[Any]:
        with fastpaca.open(path) as store:
            return [[timeless(m) for m in store.context(info.id).messages()] for info in store.contexts()]

    assert log(copy) == log(tmp_path / "data")
