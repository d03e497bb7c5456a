"""What every log promises. An implementation belongs to the project once it passes all of this."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from fastpaca.errors import ClosedError, OutcomeUnknownError, PoisonedError, StoreLockedError
from fastpaca.log import Commit, Family, group
from fastpaca.log.feed import decode_entry, decode_position
from tests.support.faulty_log import Faults, Outcomes, record_key
from tests.support.patience import until

if TYPE_CHECKING:
    from tests.log.conftest import AnyLog, Backend


def feed_of(log: AnyLog) -> list[tuple[int, int, str]]:
    """The whole feed as (position, version, context id)."""
    pairs = log.scan(Family.FEED, b"", None, limit=1_000_000)
    return [(decode_position(key), *decode_entry(value)) for key, value in pairs]


def test_a_commit_lands_whole_and_its_done_is_called_with_none(backend: Backend) -> None:
    log, outcomes = backend.open(), Outcomes()
    commit = outcomes.commit("chat", 4, (Family.KEYS, b"chat\x00kx", b"1"), (Family.STATE, b"nchat", b""))
    log.submit(commit)
    assert outcomes.wait(1) == [("chat", 4, None)]
    assert log.get(Family.RECORDS, record_key("chat", 4)) == b"record"
    assert log.get(Family.KEYS, b"chat\x00kx") == b"1"
    assert log.get(Family.STATE, b"nchat") == b""
    assert log.get(Family.INDEX, b"nchat") is None
    assert feed_of(log) == [(1, 4, "chat")]
    assert (log.position, commit.position) == (1, 1)


def test_none_deletes(backend: Backend) -> None:
    log, outcomes = backend.open(), Outcomes()
    log.submit(outcomes.commit("chat", 0, (Family.STATE, b"n", b"x"), (Family.STATE, b"m", b"x")))
    log.submit(outcomes.commit("chat", 1, (Family.STATE, b"n", None), (Family.STATE, b"absent", None)))
    outcomes.wait(2)
    assert log.scan(Family.STATE, b"", None, limit=9) == [(b"m", b"x")]


def test_the_last_put_of_a_key_wins(backend: Backend) -> None:
    log, outcomes = backend.open(), Outcomes()
    log.submit(
        outcomes.commit("c", 0, (Family.STATE, b"k", b"1"), (Family.STATE, b"k", None), (Family.STATE, b"k", b"2"))
    )
    outcomes.wait(1)
    assert log.get(Family.STATE, b"k") == b"2"


def test_outcomes_come_in_the_order_of_submission_and_once_each(backend: Backend) -> None:
    log, outcomes = backend.open(), Outcomes()
    for version in range(500):
        log.submit(outcomes.commit(f"c{version % 7}", version))
    reports = outcomes.wait(500)
    assert [version for _, version, _ in reports] == list(range(500))
    log.close()
    assert len(outcomes.reports) == 500


def test_ids_of_any_letters_survive_the_feed(backend: Backend) -> None:
    log, outcomes = backend.open(), Outcomes()
    for context_id in ("ä", "日本", "a" * 255, "\U0001f999"):
        log.submit(outcomes.commit(context_id, 2**63))
    outcomes.wait(4)
    assert [entry[2] for entry in feed_of(log)] == ["ä", "日本", "a" * 255, "\U0001f999"]
    assert feed_of(log)[0][1] == 2**63


def test_the_group_callback_follows_its_commits_on_one_thread(faulty: Backend) -> None:
    faults = Faults()
    log, outcomes = faulty.open(faults), Outcomes()
    groups: list[tuple[int, int, int]] = []
    log.observe(lambda commits: groups.append((len(commits), len(outcomes.reports), threading.get_ident())))
    faults.hold()
    log.submit(outcomes.commit("c", 0))
    faults.reach()
    for version in range(1, 41):
        log.submit(outcomes.commit("c", version))
    faults.release()
    outcomes.wait(41)
    log.close()
    assert [(size, reported) for size, reported, _ in groups] == [(1, 1), (40, 41)]
    assert len({thread for *_, thread in groups}) == 1
    assert faults.syncs == 2


@pytest.mark.parametrize(
    ("bound", "most", "sizes"), [("GROUP_BYTES_MAX", 100, [1, 2, 2]), ("GROUP_PUTS_MAX", 3, [1, 2, 2])]
)
def test_a_group_is_bounded(
    faulty: Backend, monkeypatch: pytest.MonkeyPatch, bound: str, most: int, sizes: list[int]
) -> None:
    monkeypatch.setattr(group, bound, most)
    faults = Faults()
    log, outcomes = faulty.open(faults), Outcomes()
    groups: list[int] = []
    log.observe(lambda commits: groups.append(len(commits)))
    faults.hold()
    log.submit(outcomes.commit("c", 0))
    assert faults.at_sync.wait(5)
    for version in range(1, 5):
        log.submit(outcomes.commit("c", version, value=b"x" * 60))
    faults.release()
    outcomes.wait(5)
    log.close()
    assert groups == sizes


def test_a_callback_that_raises_stops_nothing(backend: Backend, caplog: pytest.LogCaptureFixture) -> None:
    log, outcomes = backend.open(), Outcomes()

    def broken(_: object) -> None:
        raise ValueError("broken callback")

    log.observe(broken)
    log.submit(Commit("bad", 0, [(Family.RECORDS, b"bad", b"")], broken))
    log.submit(outcomes.commit("good", 0))
    assert outcomes.wait(1) == [("good", 0, None)]
    log.close()
    assert "broken callback" in caplog.text
    assert not log.poisoned


def test_a_malformed_commit_fails_its_caller_alone(backend: Backend) -> None:
    log, outcomes = backend.open(), Outcomes()
    for bad in (Commit("\ud800", 0, [], print), Commit("c", -1, [], print), Commit("c", 0, [None], print)):  # type: ignore[list-item]
        with pytest.raises((ValueError, OverflowError, TypeError)):
            log.submit(bad)
    log.submit(outcomes.commit("c", 0))
    assert outcomes.wait(1) == [("c", 0, None)]
    assert log.position == 1


def test_concurrent_submitters_each_in_order(backend: Backend) -> None:
    log = backend.open()

    def work(thread: int) -> None:
        outcomes = Outcomes()
        for version in range(50):
            log.submit(outcomes.commit(f"t{thread}", version))
            outcomes.wait(version + 1)

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    feed = feed_of(log)
    assert [position for position, *_ in feed] == list(range(1, 801))
    for number in range(16):
        assert [version for _, version, context in feed if context == f"t{number}"] == list(range(50))


def test_positions_go_on_after_reopening(backend: Backend) -> None:
    for round_number in range(3):
        log, outcomes = backend.open(), Outcomes()
        assert log.position == round_number * 10
        for version in range(10):
            log.submit(outcomes.commit("chat", round_number * 10 + version))
        outcomes.wait(10)
        log.close()
    log = backend.open()
    assert log.position == 30
    assert feed_of(log) == [(position, position - 1, "chat") for position in range(1, 31)]


def test_scans(backend: Backend) -> None:
    log, outcomes = backend.open(), Outcomes()
    keys = [b"", b"a", b"b\x00", b"b\x01", b"c", b"\xff", b"\xff\xff"]
    log.submit(outcomes.commit("c", 0, *((Family.INDEX, key, b"v" + key) for key in keys)))
    log.submit(outcomes.commit("c", 1, *((Family.INDEX, key, b"w" + key) for key in keys)))
    outcomes.wait(2)
    edges = [b"", b"a", b"b", b"b\x00", b"b\x02", b"\xff", b"\xff\xff\xff"]
    for start in edges:
        for stop in [*edges, None]:
            for limit in (0, 1, 3, 99):
                expected = [(key, b"w" + key) for key in keys if start <= key and (stop is None or key < stop)]
                assert log.scan(Family.INDEX, start, stop, limit=limit) == expected[:limit]
                assert log.scan(Family.INDEX, start, stop, limit=limit, reverse=True) == expected[::-1][:limit]


def test_a_scan_may_be_bounded_by_bytes(backend: Backend) -> None:
    log, outcomes = backend.open(), Outcomes()
    pairs = [(b"%d" % n, bytes(n)) for n in range(6)]
    log.submit(outcomes.commit("c", 0, *((Family.INDEX, key, value) for key, value in pairs)))
    outcomes.wait(1)
    # The value that reaches the bound is the last one: of 0, 1, 2, 3, 4, 5 bytes.
    for limit_bytes, count in ((1, 2), (2, 3), (3, 3), (4, 4), (15, 6), (99, 6)):
        found = log.scan(Family.INDEX, b"", None, limit=9, limit_bytes=limit_bytes)
        assert found == pairs[:count], limit_bytes
    assert log.scan(Family.INDEX, b"", None, limit=9, limit_bytes=6, reverse=True) == pairs[:3:-1]
    assert log.scan(Family.INDEX, b"", None, limit=2, limit_bytes=99) == pairs[:2]


def test_get_many_keeps_the_order_and_marks_what_is_absent(backend: Backend) -> None:
    log, outcomes = backend.open(), Outcomes()
    for version in range(20):
        log.submit(outcomes.commit("c", version, value=b"v%d" % version))
    outcomes.wait(20)
    order = [7, 3, 99, 3, 0, 19]
    found = log.get_many(Family.RECORDS, tuple(record_key("c", version) for version in order))
    assert found == [b"v7", b"v3", None, b"v3", b"v0", b"v19"]
    assert log.get_many(Family.RECORDS, []) == []


class PanicError(BaseException):
    """As what a driver in Rust panics with, no Exception."""


def panic(*_: object) -> None:
    raise PanicError


@pytest.mark.parametrize("step", ["_mark", "_write", "_sync"])
def test_a_panic_leaves_no_waiter(backend: Backend, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    log, outcomes = backend.open(), Outcomes()
    monkeypatch.setattr(log, step, panic)
    log.submit(outcomes.commit("c", 0))
    [(_, _, error)] = outcomes.wait(1)
    assert isinstance(error, OutcomeUnknownError)
    assert log.poisoned


def test_a_panic_behind_a_failure_leaves_no_waiter(
    faulty: Backend, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    log, outcomes = faulty.open(Faults(fail_sync=1)), Outcomes()
    monkeypatch.setattr(log, "_hide_failed", panic)
    log.submit(outcomes.commit("c", 0))
    [(_, _, error)] = outcomes.wait(1)
    assert isinstance(error, OutcomeUnknownError)
    assert log.poisoned
    assert "may be visible" in caplog.text
    with pytest.raises(PoisonedError):
        log.submit(outcomes.commit("c", 1))


def test_derived_writes_land_behind_the_commits_before_them(backend: Backend) -> None:
    log, outcomes = backend.open(), Outcomes()
    log.submit(outcomes.commit("c", 0, (Family.STATE, b"cc", b"from the commit")))
    log.submit_derived([(Family.STATE, b"cc", b"derived"), (Family.INDEX, b"chunk", b"1")])
    log.submit(outcomes.commit("c", 1))
    outcomes.wait(2)
    assert log.get(Family.STATE, b"cc") == b"derived"
    assert log.get(Family.INDEX, b"chunk") == b"1"
    assert log.position == 2


def test_commits_without_a_wake_are_one_group_of_the_next_one(faulty: Backend) -> None:
    faults = Faults()
    log, outcomes = faulty.open(faults), Outcomes()
    for version in range(3):
        log.submit(outcomes.commit("c", version), wake=False)
    time.sleep(0.05)
    assert outcomes.reports == []
    assert log.position == 0
    log.wake()
    outcomes.wait(3)
    log.submit(outcomes.commit("c", 3), wake=False)
    log.submit(outcomes.commit("c", 4))
    assert [version for _, version, _ in outcomes.wait(5)] == list(range(5))
    log.submit(outcomes.commit("c", 5), wake=False)
    log.close()
    assert outcomes.wait(6)[5] == ("c", 5, None)
    assert (faults.writes, faults.syncs) == (3, 3)


def test_derived_writes_alone_are_written_without_a_sync(faulty: Backend) -> None:
    faults = Faults()
    log = faulty.open(faults)
    log.submit_derived([(Family.STATE, b"cc", b"derived")])
    log.close()
    assert (faults.writes, faults.syncs) == (1, 0)
    assert faulty.open().get(Family.STATE, b"cc") == b"derived"


def test_a_slow_sync_gathers_a_group(faulty: Backend) -> None:
    faults = Faults(sync_delay_s=0.02)
    log, outcomes = faulty.open(faults), Outcomes()
    for version in range(100):
        log.submit(outcomes.commit("c", version))
    outcomes.wait(100)
    assert faults.syncs <= 20


def test_done_waits_for_the_sync(faulty: Backend) -> None:
    faults = Faults()
    log, outcomes = faulty.open(faults), Outcomes()
    faults.hold()
    log.submit(outcomes.commit("c", 0))
    faults.reach()
    time.sleep(0.02)
    assert outcomes.reports == []
    assert log.position == 0
    faults.release()
    assert outcomes.wait(1) == [("c", 0, None)]


@pytest.mark.parametrize("step", ["write", "sync"])
def test_a_failure_poisons(faulty: Backend, step: str) -> None:
    faults = Faults(fail_write=2) if step == "write" else Faults(fail_sync=2)
    log, outcomes = faulty.open(faults), Outcomes()
    woken: list[int] = []
    log.observe(lambda commits: woken.append(len(commits)))
    faults.hold()
    log.submit(outcomes.commit("c", 0, (Family.STATE, b"b", b"old"), (Family.STATE, b"d", b"old")))
    faults.reach()
    new = [(Family.STATE, b"b", b"new"), (Family.STATE, b"c", b"new"), (Family.STATE, b"d", None)]
    for version in (1, 2):
        log.submit(outcomes.commit("c", version, *new))
    faults.release()
    reports = outcomes.wait(3)
    assert reports[0] == ("c", 0, None)
    for _, _, error in reports[1:]:
        assert isinstance(error, OutcomeUnknownError)
        assert str(error.__cause__) == f"{step} 2"
    assert log.poisoned
    with pytest.raises(PoisonedError):
        log.submit(outcomes.commit("c", 3))
    with pytest.raises(PoisonedError):
        log.submit_derived([(Family.STATE, b"y", b"")])
    # Reads go on, and nothing of the failed group is visible.
    assert log.position == 1
    assert feed_of(log) == [(1, 0, "c")]
    assert log.get(Family.RECORDS, record_key("c", 0)) == b"record"
    assert log.get(Family.RECORDS, record_key("c", 1)) is None
    assert log.get_many(Family.STATE, [b"d", b"c", b"b", b"a"]) == [b"old", None, b"old", None]
    state = [(b"b", b"old"), (b"d", b"old")]
    for start, stop in ((b"", None), (b"a", b"d\x00"), (b"b", b"e")):
        assert log.scan(Family.STATE, start, stop, limit=9) == state
        assert log.scan(Family.STATE, start, stop, limit=9, reverse=True) == state[::-1]
    assert log.scan(Family.STATE, b"b\x00", b"d", limit=9) == []
    assert log.scan(Family.STATE, b"c", None, limit=1) == state[1:]
    assert log.scan(Family.STATE, b"", b"d", limit=1, reverse=True) == state[:1]
    assert log.scan(Family.RECORDS, b"", None, limit=9, reverse=True) == [(record_key("c", 0), b"record")]
    log.close()
    assert len(outcomes.reports) == 3
    assert woken == [1, 2]


def test_what_is_queued_behind_a_failure_is_refused_and_never_written(faulty: Backend) -> None:
    faults = Faults(fail_sync=1)
    log, outcomes = faulty.open(faults), Outcomes()
    faults.hold()
    log.submit(outcomes.commit("c", 0))
    faults.reach()
    log.submit(outcomes.commit("c", 1))
    log.submit(outcomes.commit("c", 2))
    faults.release()
    reports = outcomes.wait(3)
    assert [type(error) for *_, error in reports] == [OutcomeUnknownError, PoisonedError, PoisonedError]
    log.close()
    again = faulty.open()
    # The group whose sync failed is there whole or not at all; what was refused is not there.
    assert again.position in (0, 1)
    assert len(feed_of(again)) == again.position
    assert (again.get(Family.RECORDS, record_key("c", 0)) is not None) == (again.position == 1)
    assert again.get(Family.RECORDS, record_key("c", 1)) is None
    again.submit(outcomes.commit("c", 1))
    assert outcomes.wait(4)[3] == ("c", 1, None)


def test_close_writes_what_is_queued_then_refuses(faulty: Backend) -> None:
    faults = Faults()
    log, outcomes = faulty.open(faults), Outcomes()
    faults.hold()
    for version in range(5):
        log.submit(outcomes.commit("c", version))
    faults.reach()
    closer = threading.Thread(target=log.close)
    closer.start()
    until(lambda: isinstance(log._refusal, ClosedError))
    with pytest.raises(ClosedError):
        log.submit(outcomes.commit("c", 5))
    faults.release()
    closer.join()
    assert [error for *_, error in outcomes.reports] == [None] * 5
    assert faulty.open().position == 5


def test_use_after_close(backend: Backend) -> None:
    log, outcomes = backend.open(), Outcomes()
    log.close()
    log.close()
    with pytest.raises(ClosedError):
        log.submit(outcomes.commit("c", 0))
    with pytest.raises(ClosedError):
        log.submit_derived([])
    with pytest.raises(ClosedError):
        log.get(Family.RECORDS, b"k")
    with pytest.raises(ClosedError):
        log.get_many(Family.RECORDS, [b"k"])
    with pytest.raises(ClosedError):
        log.scan(Family.RECORDS, b"", None, limit=1)


def test_one_open_at_a_time(backend: Backend) -> None:
    log = backend.open()
    with pytest.raises(StoreLockedError, match="already open in this process"):
        backend.open()
    log.close()
    backend.open()


def test_reads_while_writes_go_on(backend: Backend) -> None:
    log, outcomes = backend.open(), Outcomes()
    seen: list[int] = []
    stop = threading.Event()

    def read() -> None:
        is_last = False
        while not is_last:
            is_last = stop.is_set()
            position = log.position
            assert len(log.scan(Family.FEED, b"", None, limit=10_000)) >= position
            seen.append(position)

    reader = threading.Thread(target=read)
    reader.start()
    for version in range(200):
        log.submit(outcomes.commit("c", version))
    outcomes.wait(200)
    stop.set()
    reader.join()
    assert seen == sorted(seen)
    assert seen[-1] == 200
