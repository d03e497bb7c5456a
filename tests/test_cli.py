"""The command: versions, help, wrong calls, and `verify` on good and on damaged stores."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from fastpaca import _core, verify
from fastpaca.cli import main
from fastpaca.engine import Engine
from fastpaca.log import Commit, Family, MemoryDisk, MemoryLog, Put, RocksLog

if TYPE_CHECKING:
    from pathlib import Path

CONTEXTS = 3
APPENDS = 400


def fill(engine: Engine) -> None:
    for n in range(CONTEXTS):
        engine.write(f"chat {n}", "configure", b"")
        for m in range(APPENDS):
            role = "assistant" if m % 2 else "user"
            body = json.dumps({"message": {"role": role, "content": f"message {m}"}})
            engine.write(f"chat {n}", "append", body.encode())


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("verified") / "data"
    engine = Engine(RocksLog(path, sync=False))
    fill(engine)
    engine.close()
    return path


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"fastpaca {_core.__version__}\n"


def test_without_a_command_it_helps(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "serve" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments", [["fly"], ["serve", "--speed", "9"], ["serve", "--workers", "many"], ["verify", "x"]]
)
def test_a_wrong_call_is_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2


def test_a_wrong_setting_is_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--port", "99999"]) == 2
    assert "--port" in capsys.readouterr().err


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom fastpaca.config import Config\nfrom fastpaca import cli\n"
        "heavy = {'falcon', 'gunicorn', 'uvicorn', 'prometheus_client'} & set(sys.modules)\nassert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_verify_a_good_store(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "--data-dir", str(store)]) == 0
    assert f"no damage found in {store}: 3 contexts, 1200 messages, 1203 records" in capsys.readouterr().out
    assert main(["verify", "--data-dir", str(store), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["ok"]
    assert report["feed_entries"] == report["records"] == 1203
    assert report["snapshots"] == 3
    assert report["index_chunks"] >= 3


def test_verify_says_how_far_it_is(
    store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(verify, "_PROGRESS_S", 0.0)
    assert main(["verify", "--data-dir", str(store)]) == 0
    assert "records of 1203" in capsys.readouterr().err


def test_verify_needs_a_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "--data-dir", str(tmp_path / "none")]) == 1
    assert "holds no store" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


def test_verify_does_not_disturb_an_owner(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom fastpaca.log import RocksLog\n"
        "log = RocksLog(Path(sys.argv[1]), purpose='the owner')\nprint('open', flush=True)\ninput()\nlog.close()"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", code, str(store)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "open\n"
        assert main(["verify", "--data-dir", str(store)]) == 1
        complaint = capsys.readouterr().err
        assert f"process {owner.pid}" in complaint
        assert "the owner" in complaint
    finally:
        owner.communicate("\n", timeout=30)


Damage = Callable[[MemoryDisk], None]


def _first(disk: MemoryDisk, family: Family, start: bytes = b"") -> bytes:
    return next(key for key in disk.keys[family] if key >= start)


def _put(disk: MemoryDisk, *puts: Put) -> None:
    disk.apply(puts)


def _flip(family: Family, start: bytes = b"") -> Damage:
    def damage(disk: MemoryDisk) -> None:
        key = _first(disk, family, start)
        value = bytearray(disk.values[family][key])
        value[len(value) // 2] ^= 1
        _put(disk, (family, key, bytes(value)))

    return damage


def _drop(family: Family, nth: int) -> Damage:
    def damage(disk: MemoryDisk) -> None:
        _put(disk, (family, disk.keys[family][nth], None))

    return damage


def _copy(family: Family, source: Callable[[MemoryDisk], bytes], target: bytes) -> Damage:
    def damage(disk: MemoryDisk) -> None:
        _put(disk, (family, target, disk.values[family][source(disk)]))

    return damage


def _swap(disk: MemoryDisk) -> None:
    one, other = disk.keys[Family.RECORDS][5], disk.keys[Family.RECORDS][6]
    values = disk.values[Family.RECORDS]
    _put(disk, (Family.RECORDS, one, values[other]), (Family.RECORDS, other, values[one]))


def _feed_twice(disk: MemoryDisk) -> None:
    keys, values = disk.keys[Family.FEED], disk.values[Family.FEED]
    _put(disk, (Family.FEED, keys[7], values[keys[8]]))


def _third_record(disk: MemoryDisk) -> bytes:
    return disk.keys[Family.RECORDS][3]


def _first_chunk(disk: MemoryDisk) -> bytes:
    return disk.keys[Family.INDEX][0]


def _snapshot(_disk: MemoryDisk) -> bytes:
    return b"cchat 0"


DAMAGES: dict[str, tuple[Damage, str]] = {
    "a bit of a record": (_flip(Family.RECORDS), "chat 0"),
    "a bit of a snapshot": (_flip(Family.STATE, b"cchat 1"), "chat 1"),
    "a bit of a chunk": (_flip(Family.INDEX, b"chat 2"), "chat 2"),
    "a bit of the feed": (_flip(Family.FEED), "feed"),
    "a record lost": (_drop(Family.RECORDS, 10), "chat 0"),
    "a context's first record lost": (_drop(Family.RECORDS, 0), "chat 0"),
    "a context's last record lost": (_drop(Family.RECORDS, 400), "chat 0"),
    "records swapped": (_swap, "chat 0"),
    "a record too many": (_copy(Family.RECORDS, _third_record, b"chat 0\0" + (401).to_bytes(8, "big")), "chat 0"),
    "a feed entry lost": (_drop(Family.FEED, 50), "feed"),
    "the last feed entry lost": (_drop(Family.FEED, -1), "feed"),
    "a feed entry twice": (_feed_twice, "feed"),
    "a snapshot of nothing": (_copy(Family.STATE, _snapshot, b"cnobody"), "nobody"),
    "a chunk that the snapshot builds on lost": (
        _drop(Family.INDEX, 0),
        "index chunk 0, which the snapshot builds on, is missing",
    ),
    "a chunk of nothing": (_copy(Family.INDEX, _first_chunk, b"nobody\0" + bytes(8)), "nobody"),
}


@pytest.fixture(scope="module")
def filled() -> MemoryDisk:
    disk = MemoryDisk()
    engine = Engine(MemoryLog(disk))
    fill(engine)
    engine.close()
    return disk


@pytest.mark.parametrize("name", DAMAGES)
def test_verify_finds_damage(filled: MemoryDisk, name: str) -> None:
    disk = MemoryDisk()
    disk.values = [dict(values) for values in filled.values]
    disk.keys = [list(keys) for keys in filled.keys]
    damage, named = DAMAGES[name]
    log = MemoryLog(disk)
    assert verify.verify_log(log, "memory").ok
    damage(disk)
    report = verify.verify_log(log, "memory")
    log.close()
    assert not report.ok
    assert named in report.text()


def test_a_damaged_directory_ends_in_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "data"
    log = RocksLog(path)
    ended: list[BaseException | None] = []
    log.submit(Commit("lone", 0, [(Family.RECORDS, b"lone\0" + bytes(8), b"no record")], ended.append))
    log.close()
    assert ended == [None]
    assert main(["verify", "--data-dir", str(path), "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["problems"][0]["context_id"] == "lone"
