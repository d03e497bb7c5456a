"""What is true of the log on disk alone: ownership, recovery, damage, crashes, full disks, forks."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import pytest
from rocksdict import Options, Rdict

from fastpaca.errors import (
    ClosedError,
    ForkedError,
    OutcomeUnknownError,
    StoreCorruptError,
    StoreError,
    StoreFormatError,
    StoreLockedError,
)
from fastpaca.log import Family, RocksLog
from fastpaca.log.feed import decode_entry, encode_position
from tests.support import crash_child
from tests.support.disk import small_disk
from tests.support.faulty_log import Outcomes, record_key
from tests.support.patience import PATIENCE_S

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "python"), str(ROOT)])}


def run(program: str, *arguments: str) -> subprocess.Popen[bytes]:
    """Starts a Python program that can import what the tests can."""
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        env=ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def write(log: RocksLog, count: int, *, first: int = 0, size: int = 100) -> Outcomes:
    """Commits records of one context and waits for them."""
    outcomes = Outcomes()
    for version in range(first, first + count):
        log.submit(outcomes.commit("chat", version, (Family.STATE, b"v%d" % version, b""), value=os.urandom(size)))
    outcomes.wait(count)
    return outcomes


def unclean_copy(log: RocksLog, to: Path) -> Path:
    """The directory as a crash of the machine would leave it now, its WAL not yet flushed. Returns that WAL."""

    def copy(source: str, copied: str) -> None:
        # What a start has no use for is removed a little later.
        with contextlib.suppress(FileNotFoundError):
            shutil.copy2(source, copied)

    shutil.copytree(log.path, to, copy_function=copy)
    return max(to.glob("*.log"))


HOLD = """
import sys
from fastpaca.log import RocksLog
log = RocksLog(sys.argv[1], purpose="fastpaca serve")
print("open", flush=True)
sys.stdin.readline()
log.close()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that has `tmp_path / "store"` open until a line is sent to it."""
    process = run(HOLD, str(tmp_path / "store"))
    assert process.stdout is not None
    assert process.stdout.readline() == b"open\n"
    with process:
        yield process
        process.kill()


def test_another_process_is_named(tmp_path: Path, holder: subprocess.Popen[bytes]) -> None:
    with pytest.raises(StoreLockedError) as caught:
        RocksLog(tmp_path / "store")
    for part in (f"process {holder.pid}", "(fastpaca serve, since 20", "run `fastpaca serve`"):
        assert part in str(caught.value)
    # A refused open must leave the owner's files alone.
    assert not list((tmp_path / "store").glob("LOG.old*"))


def test_a_starting_worker_waits_for_its_predecessor(tmp_path: Path, holder: subprocess.Popen[bytes]) -> None:
    def let_go() -> None:
        time.sleep(0.2)
        assert holder.stdin is not None
        holder.stdin.write(b"\n")
        holder.stdin.flush()

    threading.Thread(target=let_go).start()
    RocksLog(tmp_path / "store", wait_s=PATIENCE_S).close()


def test_a_killed_owner_leaves_no_lock(tmp_path: Path, holder: subprocess.Popen[bytes]) -> None:
    holder.kill()
    holder.wait()
    RocksLog(tmp_path / "store").close()


def test_a_program_that_opened_it_with_rocksdb_itself_is_respected(tmp_path: Path) -> None:
    database = Rdict(str(tmp_path / "store"), Options(raw_mode=True))
    with pytest.raises(StoreLockedError, match="another program"):
        RocksLog(tmp_path / "store", wait_s=0.1)
    database.close()


def test_a_failed_open_leaves_no_lock(tmp_path: Path) -> None:
    (tmp_path / "000001.sst").write_bytes(b"")
    for _ in range(2):
        with pytest.raises(StoreCorruptError, match="no CURRENT"):
            RocksLog(tmp_path)
    (tmp_path / "000001.sst").unlink()
    RocksLog(tmp_path).close()


def test_a_path_that_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match="can't be used"):
        RocksLog(tmp_path / "file")


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    RocksLog(tmp_path).close()
    database = Rdict(str(tmp_path), Options(raw_mode=True))
    meta = bytes.fromhex("01") + (99).to_bytes(4, "big")
    database[b"meta"] = meta + crc32(meta).to_bytes(4, "little")
    database.close()
    del database
    with pytest.raises(StoreFormatError, match="newer version of Fastpaca \\(format 99"):
        RocksLog(tmp_path)


def test_a_family_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    RocksLog(tmp_path).close()
    options = Options(raw_mode=True)
    options.create_missing_column_families(True)
    families = ["records", "feed", "state", "index", "keys", "vectors"]
    Rdict(str(tmp_path), options, {name: Options(raw_mode=True) for name in families}).close()
    with pytest.raises(StoreFormatError, match="vectors"):
        RocksLog(tmp_path)


def test_a_clean_close_leaves_nothing_to_replay(tmp_path: Path) -> None:
    log = RocksLog(tmp_path / "store")
    write(log, 200)
    log.close()
    for wal in (tmp_path / "store").glob("*.log"):
        wal.write_bytes(b"")
    again = RocksLog(tmp_path / "store")
    assert again.position == 200
    assert len(again.scan(Family.STATE, b"", None, limit=999)) == 200
    again.close()


@pytest.mark.parametrize("cut_bytes", [1, 7, 40, 400, 3000])
def test_a_torn_wal_tail_keeps_a_prefix(tmp_path: Path, cut_bytes: int) -> None:
    log = RocksLog(tmp_path / "store")
    for version in range(30):
        write(log, 1, first=version)
    wal = unclean_copy(log, tmp_path / "copy")
    log.close()
    os.truncate(wal, wal.stat().st_size - cut_bytes)
    copy = RocksLog(tmp_path / "copy")
    assert 10 < copy.position < 30
    for position in range(1, 31):
        there = position <= copy.position
        number = position - 1
        assert (copy.get(Family.FEED, encode_position(position)) is not None) == there
        assert (copy.get(Family.RECORDS, record_key("chat", number)) is not None) == there
        assert (copy.get(Family.STATE, b"v%d" % number) is not None) == there
    write(copy, 1, first=copy.position)
    copy.close()


@pytest.mark.parametrize("place", [0.1, 0.5, 0.9])
def test_damage_in_the_middle_of_the_wal_stops_the_open(tmp_path: Path, place: float) -> None:
    log = RocksLog(tmp_path / "store")
    for version in range(30):
        write(log, 1, first=version)
    wal = unclean_copy(log, tmp_path / "copy")
    log.close()
    data = bytearray(wal.read_bytes())
    data[int(len(data) * place)] ^= 0xFF
    wal.write_bytes(data)
    with pytest.raises(StoreCorruptError, match="is damaged") as caught:
        RocksLog(tmp_path / "copy")
    assert "Corruption" in str(caught.value.__cause__)


def test_damage_in_a_table_is_found_on_reading(tmp_path: Path) -> None:
    log = RocksLog(tmp_path)
    write(log, 400, size=1000)
    log.close()
    table = max(tmp_path.glob("*.sst"), key=lambda path: path.stat().st_size)
    data = bytearray(table.read_bytes())
    data[len(data) // 2] ^= 0xFF
    table.write_bytes(data)
    log = RocksLog(tmp_path)
    keys = [record_key("chat", version) for version in range(400)]
    with pytest.raises(StoreCorruptError):
        _ = [log.get(Family.RECORDS, key) for key in keys]
    with pytest.raises(StoreCorruptError):
        log.get_many(Family.RECORDS, keys)
    with pytest.raises(StoreCorruptError):
        log.scan(Family.RECORDS, b"", None, limit=999)
    log.close()


def test_a_missing_table_stops_the_open(tmp_path: Path) -> None:
    log = RocksLog(tmp_path)
    write(log, 10)
    log.close()
    for table in tmp_path.glob("*.sst"):
        table.unlink()
    with pytest.raises(StoreCorruptError):
        RocksLog(tmp_path).get(Family.RECORDS, b"")


@pytest.mark.slow
def test_kill_under_load_loses_nothing_acknowledged(tmp_path: Path) -> None:
    first = 0
    acknowledged: dict[tuple[int, int], int] = {}
    for _ in range(3):
        lines = _killed_run(tmp_path / "store", first)
        acknowledged |= {(thread, version): position for thread, version, position in lines}
        log = RocksLog(tmp_path / "store")
        _check_after_crash(log, acknowledged)
        first = 1 + max(int.from_bytes(key[-8:], "big") for key, _ in log.scan(Family.RECORDS, b"", None, limit=10**6))
        log.close()


def _killed_run(path: Path, first: int) -> list[tuple[int, ...]]:
    process = subprocess.Popen(
        [sys.executable, crash_child.__file__, str(path), str(first)], env=ENVIRONMENT, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    # However slow this machine is: enough of what `_check_after_crash` wants.
    lines = [process.stdout.readline() for _ in range(30)]
    timer = threading.Timer(0.15, process.send_signal, [signal.SIGKILL])
    timer.start()
    lines += process.stdout.read().splitlines(keepends=True)
    process.wait()
    process.stdout.close()
    assert process.returncode == -signal.SIGKILL
    return [tuple(map(int, line.split())) for line in lines if line.endswith(b"\n")]


def _check_after_crash(log: RocksLog, acknowledged: dict[tuple[int, int], int]) -> None:
    feed = [decode_entry(value) for _, value in log.scan(Family.FEED, b"", None, limit=10**6)]
    assert len(feed) == log.position
    assert len(acknowledged) > 20
    for (thread, version), position in acknowledged.items():
        assert feed[position - 1] == (version, f"chat{thread}")
    # Every record of the feed is there with its siblings, acknowledged or not.
    for version, context_id in feed:
        record = log.get(Family.RECORDS, record_key(context_id, version))
        assert record is not None
        assert record[300:] == version.to_bytes(8, "big")
        assert log.get(Family.KEYS, context_id.encode() + b"\x00k" + version.to_bytes(8, "big")) == record[300:]
    for thread in range(crash_child.THREADS):
        versions = [version for version, context_id in feed if context_id == f"chat{thread}"]
        assert versions == sorted(versions)


FILL = """
import resource, sys
from fastpaca.log import RocksLog, Family
from tests.support.faulty_log import Outcomes
log = RocksLog(sys.argv[1])
# No file may grow past this: what a full disk does to the WAL, without a disk to fill.
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
outcomes, version = Outcomes(), 0
while not log.poisoned and version < 1000:
    log.submit(outcomes.commit("chat", version, value=bytes(1000)))
    outcomes.wait(version + 1)
    version += 1
assert log.get(Family.RECORDS, b"chat\\0" + (0).to_bytes(8, "big")) == bytes(1000)
errors = [type(error).__name__ for *_, error in outcomes.reports if error is not None]
print(version - 1, log.position, *errors)
log.close()
"""


def test_a_file_that_can_not_grow_poisons(tmp_path: Path) -> None:
    with run(FILL, str(tmp_path)) as process:
        out, _ = process.communicate()
    assert process.returncode == 0
    good, position, *errors = out.decode().split()
    assert good == position
    assert errors == ["OutcomeUnknownError"]
    log = RocksLog(tmp_path)
    assert int(position) <= log.position <= int(position) + 1
    write(log, 5, first=1000)
    log.close()


@pytest.mark.slow
def test_a_full_disk_poisons_and_loses_nothing(tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", "8m") as disk:
        log, outcomes, version = RocksLog(disk / "store"), Outcomes(), 0
        while not log.poisoned and version < 10_000:
            log.submit(outcomes.commit("chat", version, value=os.urandom(20_000)))
            outcomes.wait(version + 1)
            version += 1
        assert isinstance(outcomes.reports[-1][2], OutcomeUnknownError)
        position = log.position
        assert position == version - 1 > 100
        assert log.get(Family.RECORDS, record_key("chat", version - 1)) is None
        shutil.copytree(disk / "store", tmp_path / "copy")
        log.close()
    copy = RocksLog(tmp_path / "copy")
    assert position <= copy.position <= position + 1
    copy.close()


def test_use_in_a_forked_child_raises(tmp_path: Path) -> None:
    log = RocksLog(tmp_path)
    write(log, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        os._exit(_refused_in_child(log))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    write(log, 3, first=3)
    log.close()
    assert RocksLog(tmp_path).position == 6


def _refused_in_child(log: RocksLog) -> int:
    try:
        for use in (
            lambda: log.get(Family.RECORDS, b"k"),
            lambda: log.get_many(Family.RECORDS, [b"k"]),
            lambda: log.scan(Family.RECORDS, b"", None, limit=1),
            lambda: log.submit(Outcomes().commit("c", 0)),
        ):
            with pytest.raises(ForkedError):
                use()
        log.close()
        with pytest.raises(StoreLockedError, match=f"process {os.getppid()}"):
            RocksLog(log.path)
    except BaseException as error:
        print(error, file=sys.stderr)
        return 1
    return 0


FORK = """
import os, sys, warnings
from fastpaca.log import RocksLog
from tests.log.test_rocks import write
warnings.simplefilter("ignore")
log = RocksLog(sys.argv[1])
write(log, 50)
child = os.fork()
if child == 0:
    del log
    sys.exit(0)  # An ordinary end of the interpreter, which frees every object.
status = os.waitpid(child, 0)[1]
assert status == 0, status
write(log, 50, first=50)
if sys.argv[2] == "close":
    log.close()
"""


@pytest.mark.slow
@pytest.mark.parametrize("end", ["close", "leave open"])
def test_a_child_that_ends_does_the_parent_no_harm(tmp_path: Path, end: str) -> None:
    with run(FORK, str(tmp_path), end) as process:
        assert process.wait() == 0
    log = RocksLog(tmp_path)
    assert log.position == 100
    assert log.get(Family.RECORDS, record_key("chat", 20)) is not None
    log.close()


def test_close_waits_for_reads_under_way(tmp_path: Path) -> None:
    log = RocksLog(tmp_path)
    write(log, 300, size=2000)
    keys = [record_key("chat", version) for version in range(300)] * 20
    ends: list[type[BaseException]] = []

    def read() -> None:
        try:
            while True:
                assert None not in log.get_many(Family.RECORDS, keys)
        except BaseException as error:
            ends.append(type(error))

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    time.sleep(0.05)
    log.close()
    for reader in readers:
        reader.join()
    assert ends == [ClosedError] * 3
    RocksLog(tmp_path).close()


def test_without_sync_everything_but_power_loss_is_the_same(tmp_path: Path) -> None:
    log = RocksLog(tmp_path, sync=False)
    write(log, 20)
    log.close()
    assert RocksLog(tmp_path).position == 20


def test_a_stalled_database_delays_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[int] = []
    whole = RocksLog._write_batch

    def stalled(self: RocksLog, puts: list[tuple[Family, bytes, bytes | None]]) -> bool:
        tries.append(len(puts))
        return len(tries) % 3 == 0 and whole(self, puts)

    monkeypatch.setattr(RocksLog, "_write_batch", stalled)
    log = RocksLog(tmp_path)
    write(log, 3)
    assert log.position == 3
    log.close()
