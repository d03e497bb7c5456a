"""Stored bytes: what is unknown, damaged, lost or moved is found, stops its context alone, and says so."""

from __future__ import annotations

import json
import random
import threading
from typing import TYPE_CHECKING, Any

import blake3
import pytest
import xxhash

from fastpaca._core import CoreError
from fastpaca.engine import Engine
from fastpaca.errors import DataError, FastpacaError
from fastpaca.log import Family, MemoryDisk, MemoryLog
from tests.support.memory import append, describe, memory_engine, replay, values, verify, window, write
from tests.support.patience import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Callable

CHAIN_BYTES = 16
CHECKSUM_BYTES = 8
METADATA_KIND = 6
UNKNOWN_KIND = 99


def filled(contexts: int = 2, *, records: int = 300) -> MemoryDisk:
    """Contexts with a snapshot, index chunks, records behind both, and keys."""
    disk = MemoryDisk()
    engine = memory_engine(disk)
    for number in range(contexts):
        context_id = f"c{number}"
        write(engine, context_id, "configure", token_budget=5_000)
        for n in range(records):
            batch = [{"role": "user", "content": f"message {n}.{m}", "token_count": 10} for m in range(5)]
            write(engine, context_id, "append", key=f"key {n}" if n % 50 == 0 else None, messages=batch)
    engine.close()
    return disk


@pytest.fixture(scope="module")
def stored() -> MemoryDisk:
    return filled()


def copy_of(disk: MemoryDisk) -> MemoryDisk:
    copied = MemoryDisk()
    copied.values = [dict(each) for each in disk.values]
    copied.keys = [list(each) for each in disk.keys]
    return copied


def keys_of(disk: MemoryDisk, family: Family, context_id: str = "c0") -> list[bytes]:
    prefix = b"c" + context_id.encode() if family is Family.STATE else context_id.encode() + b"\x00"
    return [key for key in disk.keys[family] if key.startswith(prefix)]


# A record of a later release


def reframed(record: bytes, change: Callable[[bytes], bytes], previous: bytes) -> bytes:
    """The record with another header: its chain and its checksum are those of the header."""
    length = int.from_bytes(record[1:5], "little")
    header, rest = change(record[5 : 5 + length]), record[5 + length + CHAIN_BYTES : -CHECKSUM_BYTES]
    chain = blake3.blake3(previous + header).digest()[:CHAIN_BYTES]
    framed = record[:1] + len(header).to_bytes(4, "little") + header + chain + rest
    return framed + xxhash.xxh3_64(framed).digest()[::-1]


def chain_of(record: bytes) -> bytes:
    length = int.from_bytes(record[1:5], "little")
    return record[5 + length : 5 + length + CHAIN_BYTES]


def of_unknown_kind(header: bytes) -> bytes:
    """The header ends with its entries: how many, then of each the kind, the length of the payload and the payload."""
    assert header[-4:-1] == bytes([1, METADATA_KIND, 1]), header
    return header[:-3] + bytes([UNKNOWN_KIND]) + header[-2:]


def later_release(disk: MemoryDisk) -> bytes:
    """Makes the newest record of c0 one with an entry of unknown kind; gives its key."""
    engine = memory_engine(disk)
    write(engine, "c0", "metadata", metadata={"later": 1})
    engine.close()
    before, newest = keys_of(disk, Family.RECORDS)[-2:]
    records = disk.values[Family.RECORDS]
    records[newest] = reframed(records[newest], of_unknown_kind, chain_of(records[before]))
    return newest


def test_reframing_as_it_was_gives_the_same_bytes(stored: MemoryDisk) -> None:
    before, newest = keys_of(stored, Family.RECORDS)[-2:]
    records = stored.values[Family.RECORDS]
    assert reframed(records[newest], lambda header: header, chain_of(records[before])) == records[newest]


def test_an_unknown_entry_stops_its_context_alone(stored: MemoryDisk) -> None:
    disk = copy_of(stored)
    newest = later_release(disk)
    version = int.from_bytes(newest[-8:], "big")
    engine = memory_engine(disk)
    for use in uses(engine, "c0"):
        with pytest.raises(DataError) as caught:
            use()
        assert caught.value.code == "unknown_entry"
        assert str(UNKNOWN_KIND) in str(caught.value)
        assert str(version) in str(caught.value)
    with pytest.raises(Exception, match=str(UNKNOWN_KIND)):
        verify(engine.log, "c0")
    goes_on(engine, "c1")
    engine.close()


def uses(engine: Engine, context_id: str) -> list[Callable[[], Any]]:
    message = {"role": "user", "content": "x"}
    return [
        lambda: window(engine, context_id),
        lambda: describe(engine, context_id),
        lambda: replay(engine, context_id),
        lambda: append(engine, context_id, [message]),
        lambda: write(engine, context_id, "configure", token_budget=9),
        lambda: write(engine, context_id, "tombstone"),
    ]


def goes_on(engine: Engine, context_id: str) -> None:
    before = describe(engine, context_id)["version"]
    append(engine, context_id, [{"role": "user", "content": "x"}])
    assert json.loads(window(engine, context_id))["version"] == before + 1
    verify(engine.log, context_id)


def test_a_format_of_a_later_release_is_named(stored: MemoryDisk) -> None:
    for family in (Family.RECORDS, Family.STATE):
        disk = copy_of(stored)
        key = keys_of(disk, family)[-1]
        framed = bytes([9]) + disk.values[family][key][1:-CHECKSUM_BYTES]
        disk.values[family][key] = framed + xxhash.xxh3_64(framed).digest()[::-1]
        engine = memory_engine(disk)
        with pytest.raises(DataError) as caught:
            replay(engine, "c0")
        assert caught.value.code == "unknown_format"
        goes_on(engine, "c1")
        engine.close()


# Damage


def flipped(value: bytes, at: int, bit: int) -> bytes:
    return value[:at] + bytes([value[at] ^ (1 << bit)]) + value[at + 1 :]


def every_read(engine: Engine, context_id: str) -> None:
    """Reads all that is stored of a context: as users do, and as `fastpaca verify` does."""
    window(engine, context_id)
    replay(engine, context_id, all=True)
    for n in range(0, 300, 50):
        messages = [{"role": "user", "content": f"message {n}.{m}", "token_count": 10} for m in range(5)]
        assert write(engine, context_id, "append", key=f"key {n}", messages=messages).replayed
    verify(engine.log, context_id)


@pytest.mark.parametrize("family", [Family.RECORDS, Family.STATE, Family.INDEX, Family.KEYS])
def test_a_flipped_bit_is_found_wherever_it_is(stored: MemoryDisk, family: Family) -> None:
    chance = random.Random(family)
    keys = [key for key in keys_of(stored, family) if b"\x00o" not in key]
    assert keys
    for _ in range(60):
        disk = copy_of(stored)
        key = chance.choice(keys)
        value = disk.values[family][key]
        at = chance.randrange(len(value))
        disk.values[family][key] = flipped(value, at, chance.randrange(8))
        engine = memory_engine(disk)
        with pytest.raises((FastpacaError, CoreError)) as caught:
            every_read(engine, "c0")
        assert codes(caught.value) <= {"corrupt", "unknown_format"}, (family, key, at)
        engine.close()


def test_a_flipped_bit_in_any_byte_of_one_record_is_found(stored: MemoryDisk) -> None:
    key = keys_of(stored, Family.RECORDS)[-1]
    value = stored.values[Family.RECORDS][key]
    disk = copy_of(stored)
    for at in range(len(value)):
        disk.values[Family.RECORDS][key] = flipped(value, at, at % 8)
        log = MemoryLog(disk)
        with pytest.raises(DataError):
            describe(Engine(log), "c0")
        log.close()


def test_a_cut_value_is_found(stored: MemoryDisk) -> None:
    for family in (Family.RECORDS, Family.STATE, Family.INDEX, Family.KEYS):
        key = next(key for key in reversed(keys_of(stored, family)) if b"\x00o" not in key)
        value = stored.values[family][key]
        for size in (0, 1, 8, len(value) // 2, len(value) - 1):
            disk = copy_of(stored)
            disk.values[family][key] = value[:size]
            engine = memory_engine(disk)
            with pytest.raises((FastpacaError, CoreError)) as caught:
                every_read(engine, "c0")
            assert codes(caught.value) <= {"corrupt", "unknown_format"}
            engine.close()


def codes(error: BaseException) -> set[str]:
    return {str(error.args[0])} if isinstance(error, CoreError) else {getattr(error, "code", "")}


# Records lost, moved, altered


def remove(disk: MemoryDisk, family: Family, key: bytes) -> None:
    del disk.values[family][key]
    disk.keys[family].remove(key)


def swap(disk: MemoryDisk, first: bytes, second: bytes) -> None:
    records = disk.values[Family.RECORDS]
    records[first], records[second] = records[second], records[first]


def altered(disk: MemoryDisk, key: bytes) -> None:
    """A body changed with its checksum made right: only its digest knows."""
    records = disk.values[Family.RECORDS]
    framed = records[key][:-CHECKSUM_BYTES].replace(b"message", b"massage", 1)
    records[key] = framed + xxhash.xxh3_64(framed).digest()[::-1]


DAMAGE: dict[str, Callable[[MemoryDisk, list[bytes]], None]] = {
    "lost": lambda disk, keys: remove(disk, Family.RECORDS, keys[-3]),
    "swapped": lambda disk, keys: swap(disk, keys[-3], keys[-2]),
    "repeated": lambda disk, keys: disk.values[Family.RECORDS].update(
        {keys[-2]: disk.values[Family.RECORDS][keys[-3]]}
    ),
    "of another context": lambda disk, keys: disk.values[Family.RECORDS].update(
        {keys[-2]: disk.values[Family.RECORDS][b"c1" + keys[-2][2:]]}
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_lost_and_moved_records_are_found_on_load_and_by_verify(stored: MemoryDisk, damage: str) -> None:
    disk = copy_of(stored)
    DAMAGE[damage](disk, keys_of(disk, Family.RECORDS))
    engine = memory_engine(disk)
    for use in uses(engine, "c0"):
        with pytest.raises(DataError) as caught:
            use()
        assert caught.value.code == "corrupt"
    with pytest.raises(CoreError):
        verify(engine.log, "c0")
    goes_on(engine, "c1")
    engine.close()


@pytest.mark.parametrize("place", [0, 1, 40, 150, -2, -1])
def test_verify_finds_a_body_that_was_changed_with_its_checksum(stored: MemoryDisk, place: int) -> None:
    disk = copy_of(stored)
    keys = keys_of(disk, Family.RECORDS)
    altered(disk, keys[max(place, 1) if place >= 0 else place])
    log = MemoryLog(disk)
    with pytest.raises(CoreError, match="not what was written"):
        verify(log, "c0")
    log.close()


@pytest.mark.parametrize("place", [0, 1, 150])
def test_verify_finds_an_old_record_that_is_lost(stored: MemoryDisk, place: int) -> None:
    disk = copy_of(stored)
    remove(disk, Family.RECORDS, keys_of(disk, Family.RECORDS)[place])
    log = MemoryLog(disk)
    with pytest.raises(CoreError):
        verify(log, "c0")
    log.close()


def test_a_lost_snapshot_is_made_again(stored: MemoryDisk) -> None:
    """It is derived: without it a load replays, be it all."""
    engine = memory_engine(copy_of(stored))
    wanted = [window(engine, "c0"), replay(engine, "c0")]
    engine.close()
    disk = copy_of(stored)
    remove(disk, Family.STATE, keys_of(disk, Family.STATE)[0])
    engine = memory_engine(disk)
    assert [window(engine, "c0"), replay(engine, "c0")] == wanted
    assert verify(engine.log, "c0") == (1500, 1500)
    engine.close()


@pytest.mark.parametrize("number", range(4))
def test_a_lost_chunk_is_found(stored: MemoryDisk, number: int) -> None:
    """Nothing else is shown in its place."""
    disk = copy_of(stored)
    chunks = keys_of(disk, Family.INDEX)
    assert len(chunks) == 4
    remove(disk, Family.INDEX, chunks[number])
    engine = memory_engine(disk)
    for read in (window, replay):
        with pytest.raises(DataError) as caught:
            read(engine, "c0")
        assert caught.value.code == "corrupt"
    goes_on(engine, "c1")
    engine.close()


# Eviction


def test_eviction_under_threads_keeps_everything_right() -> None:
    disk = MemoryDisk()
    engine = Engine(MemoryLog(disk), cache_bytes=20_000)
    contexts, problems = 30, list[BaseException]()
    for number in range(contexts):
        write(engine, f"c{number}", "configure", token_budget=100)

    def work(thread: int) -> None:
        chance = random.Random(thread)
        try:
            for turn in range(120):
                number = chance.randrange(contexts)
                name = f"t{thread}.{turn}"
                reply = append(
                    engine,
                    f"c{number}",
                    [{"role": "user", "content": name, "id": name, "token_count": 7}],
                    idempotency_key=name,
                )
                newest = replay(engine, f"c{number}", from_seq=reply["seq"], to_seq=reply["seq"])
                assert [message["id"] for message in newest] == [name]
                shown = json.loads(window(engine, f"c{number}", 50, fit="largest"))
                assert len(shown["messages"]) <= 7
                assert shown["used_tokens"] == 7 * len(shown["messages"])
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=work, args=(thread,), daemon=True) for thread in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(PATIENCE_S)
    assert not any(each.is_alive() for each in threads), "no progress under memory pressure"
    assert problems == []
    assert engine.loaded_contexts < contexts
    assert engine.resident_bytes < 200_000
    told = [json.dumps(replay(engine, f"c{number}")) for number in range(contexts)]
    windows = [window(engine, f"c{number}", 50) for number in range(contexts)]
    assert sum(describe(engine, f"c{number}")["last_seq"] for number in range(contexts)) == 8 * 120
    engine.close()
    again = memory_engine(disk)
    assert [json.dumps(replay(again, f"c{number}")) for number in range(contexts)] == told
    assert [window(again, f"c{number}", 50) for number in range(contexts)] == windows
    for number in range(contexts):
        assert verify(again.log, f"c{number}")[1] == len(values(again.log, Family.RECORDS, f"c{number}")) - 1
    again.close()
