"""What is imported stands in the log as it was told, once, in its order, with its times; whatever is in the way."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

import fastpaca
from fastpaca import transfer
from fastpaca.transfer import Options, Report
from tests.support.data import DATA, needs_data
from tests.support.server import Server
from tests.transfer.conftest import Json, Target, lines, told, turn, write

POLICY: Json = {"strategy": "last_n", "config": {"limit": 9}}


def report(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_messages_come_as_they_were(target: Target, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "chats.jsonl", {"id": "a", "messages": lines(3)}, {"id": "b", "messages": lines(1)})
    assert target.load(path, "--json") == 0
    found = report(capsys)
    assert (found["ok"], found["imported"], found["contexts"], found["present"]) == (True, 16, 2, 0)
    assert [told(message) for message in target.messages("a")] == [told(message) for message in lines(3)]
    assert target.messages("a")[0]["created_at"] == "2026-01-01T10:00:00Z"


def test_again_it_changes_nothing(target: Target, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # Every answer is the same text; each is told from the others by its place.
    path = write(tmp_path / "chat.jsonl", *lines(300))
    assert target.load(path, "--policy", "last_n:limit=20") == 0
    with target.open() as store:
        before = store.context(f"{target.prefix}chat").info()
    capsys.readouterr()
    assert target.load(path, "--json", "--policy", "last_n:limit=20") == 0
    found = report(capsys)
    assert (found["imported"], found["present"]) == (0, 1200)
    with target.open() as store:
        assert store.context(f"{target.prefix}chat").info() == before


def test_a_file_that_grew_brings_what_is_new(target: Target, tmp_path: Path) -> None:
    path = tmp_path / "chat.jsonl"
    for turns in (1, 2, 130, 131):
        write(path, *lines(turns))
        assert target.load(path) == 0
        assert [told(message) for message in target.messages("chat")] == [told(each) for each in lines(turns)]


def test_what_came_after_an_import_stays(directory: Target, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "chat.jsonl", *lines(2))
    assert directory.load(path) == 0
    with directory.open() as store:
        store.context("chat").append({"role": "user", "content": "Live"})
    assert directory.load(path) == 0
    assert len(directory.messages("chat")) == 9
    write(path, *lines(3))
    assert directory.load(path) == 1
    out = capsys.readouterr().out
    assert "chat.jsonl:9: the context 'chat' holds another message here (seq 9): nothing more is imported" in out
    assert len(directory.messages("chat")) == 9


def test_what_was_taken_back_is_imported_again(directory: Target, tmp_path: Path) -> None:
    """By then the first import's request is no longer what the log holds."""
    path = write(tmp_path / "chat.jsonl", *lines(2))
    for count in (0, 3, 0):
        assert directory.load(path) == 0
        there = directory.messages("chat")
        assert [told(message) for message in there] == [told(each) for each in lines(2)]
        with directory.open() as store:
            store.context("chat").rewind(there[count - 1]["seq"] if count else 0)


@pytest.mark.parametrize(
    "change",
    [{"content": "Question 7"}, {"id": "other"}, {"metadata": {"n": 1.0}}, {"created_at": "2026-05-05T00:00:00Z"}],
)
def test_another_message_in_its_place_is_seen(directory: Target, tmp_path: Path, change: dict[str, Any]) -> None:
    path = write(tmp_path / "chat.jsonl", *lines(2))
    assert directory.load(path) == 0
    changed = lines(2)
    changed[4] |= {"metadata": {"n": 1}} | change
    assert directory.load(write(path, *changed, *turn(2))) == 1
    assert len(directory.messages("chat")) == 8


def test_behind_another_message_nothing_is_imported(directory: Target, tmp_path: Path) -> None:
    with directory.open() as store:
        store.context("chat", budget=1000).append([lines(1)[0], {"role": "user", "content": "Other"}])
        before = store.context("chat").info()
        path = write(tmp_path / "chat.jsonl", *lines(400))
        found = transfer.load(
            store, [path], Options(settings={"policy": {"strategy": "last_n", "config": {"limit": 9}}})
        )
        assert store.context("chat").info() == before
    assert (found.present, found.imported, found.left_out, found.problems.count) == (1, 0, 1599, 1)


def test_a_message_that_the_server_does_not_take(server: Server, tmp_path: Path) -> None:
    large = {"role": "assistant", "content": "word " * 1_800_000}
    path = write(tmp_path / "large.jsonl", *lines(1), large, *lines(1))
    for _ in range(2):
        with fastpaca.connect(server.url) as store:
            found = transfer.load(store, [path])
            assert len(list(store.context("large").messages())) == 4
        assert (found.present + found.imported, found.left_out) == (4, 5)
        assert found.problems.first == [f"{path}:5: the body has more than 8388608 bytes"]


def test_the_policy_runs_once_at_the_end(target: Target, tmp_path: Path) -> None:
    path = write(tmp_path / "chat.jsonl", *lines(400), {"role": "user", "content": "And now?"})
    assert target.load(path, "--policy", "last_n:limit=20", "--budget", "50_000", "--model", "gpt-4o") == 0
    with target.open() as store:
        context = store.context(f"{target.prefix}chat")
        info = context.info()
        assert (info.token_budget, info.model) == (50_000, "gpt-4o")
        assert info.policy == {"strategy": "last_n", "config": {"limit": 20}}
        (once,) = context.compactions()
        assert (once.by, once.strategy, once.version) == ("policy", "last_n", info.version)
        assert len(context.window().messages) <= 20


def test_a_large_result_is_cut_as_the_policy_says(directory: Target, tmp_path: Path) -> None:
    messages = lines(1)
    messages[2]["content"] = "found it " * 2000
    path = write(tmp_path / "chat.jsonl", *messages, *lines(200))
    assert directory.load(path, "--policy", "last_n:limit=5000,max_result_tokens=100") == 0
    with directory.open() as store:
        result = store.context("chat").window().messages[2]
        assert result["token_count"] < 150
        assert len(json.dumps(directory_message(store, 3))) > 10_000


def directory_message(store: Any, seq: int) -> Any:
    return next(store.context("chat").messages(from_seq=seq))


def test_an_existing_context_keeps_its_configuration(directory: Target, tmp_path: Path) -> None:
    with directory.open() as store:
        before = store.context("chat", budget=5000, metadata={"of": "me"}).info()
    assert directory.load(write(tmp_path / "chat.jsonl", *lines(2))) == 0
    with directory.open() as store:
        after = store.context("chat").info()
    assert (after.token_budget, after.metadata, after.policy) == (5000, {"of": "me"}, before.policy)


def test_a_dry_run_writes_nothing(target: Target, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "chat.jsonl", *lines(200), {"role": "user", "content": 7})
    assert target.load(path, "--dry-run", "--json", "--policy", "last_n:limit=20") == 1
    found = report(capsys)
    assert (found["dry_run"], found["imported"], found["left_out"]) == (True, 800, 1)
    assert not (tmp_path / "data").exists()
    write(path, *lines(150))
    assert target.load(path) == 0
    write(path, *lines(200))
    capsys.readouterr()
    assert target.load(path, "--dry-run", "--json") == 0
    found = report(capsys)
    assert (found["imported"], found["present"]) == (200, 600)
    assert len(target.messages("chat")) == 600


def test_conversations_that_a_file_mixes(target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owners = [f"c{number}" for number in range(4)]
    mixed = [{"conversation_id": owner, **message} for message in lines(2) for owner in owners]
    path = write(tmp_path / "rows.jsonl", *mixed)
    # Fewer than there are: contexts are closed, and opened again where the file goes on with them.
    monkeypatch.setattr("fastpaca.transfer.importing.OPEN_CONTEXTS", 3)
    for _ in range(2):
        assert target.load(path) == 0
        for owner in owners:
            assert [told(message) for message in target.messages(owner)] == [told(each) for each in lines(2)]


def test_much_that_is_held_is_written(directory: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastpaca.transfer.importing.OPEN_BYTES", 3000)
    monkeypatch.setattr("fastpaca.transfer.incoming.BATCH_BYTES", 900)
    mixed = [{"context_id": owner, **message} for message in lines(20) for owner in ("a", "b")]
    assert directory.load(write(tmp_path / "rows.jsonl", *mixed), "--policy", "last_n:limit=4") == 0
    for owner in ("a", "b"):
        assert [told(message) for message in directory.messages(owner)] == [told(each) for each in lines(20)]


def meddling(store: fastpaca.Store, at: int) -> Any:
    """Progress of an import, beside which somebody else appends to the context when so many lines are read."""
    reads = itertools.count(1)

    def progress(_report: Report, size: int) -> None:
        if next(reads) == at:
            store.context("chat").append({"role": "user", "content": "Me too"})

    return progress


def test_somebody_else_writes_meanwhile(directory: Target, tmp_path: Path) -> None:
    path = write(tmp_path / "chat.jsonl", *lines(400))
    with directory.open() as store:
        settings = Options(settings={"policy": POLICY})
        found = transfer.load(store, [path], settings, progress=meddling(store, 900))
        assert store.context("chat").info().policy == POLICY
        logged = [message.get("parts") for message in store.context("chat").messages()]
    assert not found.ok
    assert (found.imported, found.left_out, len(logged)) == (500, 1100, 501)
    assert "version" in found.problems.first[0]


def test_somebody_else_writes_before_the_first_batch(directory: Target, tmp_path: Path) -> None:
    path = write(tmp_path / "chat.jsonl", *lines(2))
    with directory.open() as store:
        store.context("chat", budget=9000)
        settings = Options(settings={"policy": POLICY})
        found = transfer.load(store, [path], settings, progress=meddling(store, 2))
        assert store.context("chat").info().last_seq == 1
    assert (found.imported, found.left_out) == (0, 8)
    assert "somebody else writes" in found.problems.first[0]


def test_orphans_are_reported(directory: Target, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    messages = lines(2)
    del messages[2], messages[4]
    assert directory.load(write(tmp_path / "chat.jsonl", *messages), "--json") == 0
    found = report(capsys)
    assert found["ok"]
    assert found["imported"] == 6
    where = tmp_path / "chat.jsonl"
    assert found["orphans"]["first"] == [f"{where}:5: result c1 has no call", f"{where}:2: call c0 has no result"]


def test_damage_is_left_out_and_named(target: Target, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "chat.jsonl", *lines(1))
    good = path.read_text()
    refused = json.dumps({"role": "user", "content": [{"type": "text"}]})
    lone = '{"role": "user", "content": "\\ud83d"}'
    path.write_text(f"{good}{refused}\n{{broken\n{lone}\n7\n" + json.dumps(turn(1)[0]) + "\n")
    for _ in range(2):
        assert target.load(path, "--json") == 1
        problems = report(capsys)["problems"]["first"]
        assert [problem.removeprefix(f"{path}:")[0] for problem in problems] == ["5", "6", "7", "8"]
        assert "message.content[0].text" in problems[0]
        assert "no valid JSON" in problems[1]
        assert "surrogate" in problems[2]
        assert len(target.messages("chat")) == 5


def test_ids_that_no_context_can_have(target: Target, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = [{"id": "a/b", "messages": lines(1)}, {"id": "x" * 300, "messages": lines(1)}]
    assert target.load(write(tmp_path / "all.jsonl", *bad, {"id": "good", "messages": lines(1)}), "--json") == 1
    found = report(capsys)
    assert (found["imported"], found["left_out"], found["problems"]["count"]) == (4, 8, 2)
    assert "all.jsonl:1" in found["problems"]["first"][0]
    assert "slash" in found["problems"]["first"][0]


def test_an_id_given(directory: Target, tmp_path: Path) -> None:
    path = write(tmp_path / "export.json", {"id": 17, "messages": lines(1)})
    assert directory.load(path, "--context", "chat-42") == 0
    assert len(directory.messages("chat-42")) == 4


def test_a_tombstoned_context_takes_nothing(directory: Target, tmp_path: Path) -> None:
    with directory.open() as store:
        store.context("chat", budget=1000).delete()
        found = transfer.load(store, [write(tmp_path / "chat.jsonl", *lines(1))], Options())
    assert (found.imported, found.left_out) == (0, 4)
    assert "deleted" in found.problems.first[0]


@needs_data
@pytest.mark.parametrize(
    "name",
    [
        "raw/claude_code/*.jsonl.gz",
        pytest.param("raw/openai_chat/tau_bench_gpt4o_airline.jsonl.gz", marks=pytest.mark.slow),
        "raw/ai_sdk_uimessages/*.jsonl.gz",
        "openhands.jsonl.gz",
        "mtbench_ja.jsonl.gz",
    ],
)
def test_recorded_conversations(
    directory: Target, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = min(DATA.glob(name), key=lambda path: path.stat().st_size)
    directory.load(path, "--json")
    first = report(capsys)
    assert first["imported"] > 40
    directory.load(path, "--json")
    again = report(capsys)
    assert again["imported"] == 0
    assert again["present"] == first["imported"]
    assert again["problems"] == first["problems"]
    assert again["orphans"] == first["orphans"]
