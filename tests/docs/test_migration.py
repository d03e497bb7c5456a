"""The page on moving to Fastpaca, with a real PostgreSQL and a real server: nothing is lost, doubled or reordered."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

import fastpaca
from fastpaca import cli
from tests.support import postgres
from tests.support.examples import ROOT, blocks, run_python
from tests.support.server import Server

PAGE = ROOT / "docs" / "migration.md"
CONVERSATIONS = 12
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("served") / "data") as running:
        yield running


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    with postgres.running() as address:
        yield address


@pytest.fixture
def database(cluster: str) -> Iterator[str]:
    """A table of messages, some of them with calls and results."""
    (schema,) = blocks(PAGE, "sql")
    with psycopg.connect(cluster, autocommit=True) as db:
        db.execute(schema)
        for conversation in range(CONVERSATIONS):
            for number in range(40 * (conversation == 3) + 5):
                insert(db, f"c{conversation}", number)
    yield cluster
    with psycopg.connect(cluster, autocommit=True) as db:
        db.execute("drop table messages")


def insert(db: psycopg.Connection[Any], conversation: str, number: int) -> None:
    call = [{"id": f"call{number}", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    rows = [
        ("user", f"Question {number}", None, None),
        ("assistant", None, json.dumps(call), None),
        ("tool", "found", None, f"call{number}"),
        ("assistant", "Answer", None, None),
    ]
    for row in rows:
        db.execute(
            "insert into messages (conversation_id, role, content, tool_calls, tool_call_id)"
            " values (%s, %s, %s, %s, %s)",
            (conversation, *row),
        )


def compare(address: str, store: fastpaca.Store, prefix: str = "") -> int:
    """Compares the table with the contexts; gives the number of messages."""
    count = 0
    with psycopg.connect(address) as db:
        for (conversation,) in db.execute("select distinct conversation_id from messages").fetchall():
            rows = db.execute(
                "select id::text, role, content, tool_call_id, created_at from messages"
                " where conversation_id = %s order by messages.id",
                (conversation,),
            ).fetchall()
            messages = list(store.context(prefix + conversation).messages())
            for row, message in zip(rows, messages, strict=True):
                assert row[:2] == (message["id"], message["role"])
                assert row[2] == (message["parts"][0]["text"] if "parts" in message else None)
                assert row[3] == message.get("tool_call_id")
                # As times: in the export's text a fraction has no zeros at its end.
                assert abs(datetime.fromisoformat(message["created_at"]) - row[4]) < timedelta(milliseconds=1)
            count += len(rows)
    return count


def test_with_a_pause(database: str, server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "export.sql").write_text(*blocks(PAGE, "sql export"))
    path = tmp_path / "rows.jsonl"
    with path.open("wb") as file:
        psql = [str(postgres.binaries() / "psql"), database, "-At", "-f", "export.sql"]
        subprocess.run(psql, cwd=tmp_path, stdout=file, check=True, timeout=60)
    lines = path.read_text().splitlines()
    assert cli.main(["import", str(path), "--dry-run"]) == 0
    assert f"{len(lines)} messages would be imported into {CONVERSATIONS} contexts" in capsys.readouterr().out
    assert (
        cli.main(["import", str(path), "--url", server.url, "--prefix", "paused-", "--policy", "last_n:limit=50"]) == 0
    )
    with fastpaca.connect(server.url) as store:
        assert compare(database, store, "paused-") == len(lines) == CONVERSATIONS * 20 + 160


def test_without_a_pause(database: str, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("FASTPACA_URL", server.url)
    follow, backfill, check = blocks(PAGE, "python postgres")
    (tmp_path / "follow.py").write_text(follow)
    monkeypatch.syspath_prepend(tmp_path)
    from follow import write  # type: ignore[import-not-found]  # noqa: PLC0415

    ended = threading.Event()
    failed: list[BaseException] = []

    def writer(number: int) -> None:
        """Writes to the same conversations as the other writers, while the backfill runs."""
        try:
            with psycopg.connect(database, autocommit=True) as db, fastpaca.connect(server.url) as store:
                turn = 0
                while not ended.is_set() or turn < 10:
                    write(db, store, f"c{turn % CONVERSATIONS}", "user", f"Live {number} {turn}")
                    write(db, store, f"new{number}", "user", f"Live {turn}")
                    turn += 1
        except BaseException as error:
            failed.append(error)

    writers = [threading.Thread(target=writer, args=(number,)) for number in range(3)]
    for each in writers:
        each.start()
    for _ in range(2):
        run_python(backfill, tmp_path)
    ended.set()
    for each in writers:
        each.join()
    assert failed == []
    printed = run_python(check, tmp_path)
    with fastpaca.connect(server.url) as store:
        count = compare(database, store)
    assert printed == f"{count} messages compared, 0 conversations differ\n"
    assert count > CONVERSATIONS * 20 + 160 + 60
    with psycopg.connect(database, autocommit=True) as db:
        insert(db, "c1", 99)
        insert(db, "unknown", 1)
    assert run_python(check, tmp_path).splitlines()[:2] == ["differs: c1", "differs: unknown"]
    sys.modules.pop("follow")


def test_fastpaca_is_away(database: str, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "follow.py").write_text(blocks(PAGE, "python postgres")[0])
    monkeypatch.syspath_prepend(tmp_path)
    from follow import write  # noqa: PLC0415

    with psycopg.connect(database, autocommit=True) as db:
        with fastpaca.connect("http://127.0.0.1:9", retries=0) as nobody:
            write(db, nobody, "away", "user", "One")
        with fastpaca.connect(server.url) as store:
            write(db, store, "away", "user", "Two")
            assert [m["parts"][0]["text"] for m in store.context("away").messages()] == ["One", "Two"]
    sys.modules.pop("follow")
