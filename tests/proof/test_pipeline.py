"""parse, plan, commit, apply, with a log that fails where it is told to: before HTTP, on one context under load."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from fastpaca.engine import Engine
from fastpaca.errors import KeyReusedError, OutcomeUnknownError, PoisonedError, UnavailableError, VersionConflictError
from fastpaca.log import MemoryDisk
from fastpaca.ticket import Reply, Ticket, Waiter
from tests.support.faulty_log import Faults, FaultyMemoryLog, FaultyRocksLog
from tests.support.memory import append, describe, replay, verify, window, write
from tests.support.patience import PATIENCE_S, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

IN_FLIGHT = 16


class Storage:
    """Opens engines with faults on one storage."""

    def __init__(self, kind: str, path: Path) -> None:
        self.kind, self.path, self.disk = kind, path / "store", MemoryDisk()
        self.opened: list[tuple[Engine, Faults]] = []

    def open(self, faults: Faults | None = None) -> Engine:
        faults = faults or Faults()
        if self.kind == "memory":
            engine = Engine(FaultyMemoryLog(self.disk, faults=faults))
        else:
            engine = Engine(FaultyRocksLog(self.path, faults=faults))
        self.opened.append((engine, faults))
        return engine

    def close(self) -> None:
        for engine, faults in self.opened:
            faults.release()
            engine.close()


@pytest.fixture(params=["memory", "rocks"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    storage = Storage(request.param, tmp_path)
    yield storage
    storage.close()


def body(number: int, **fields: Any) -> bytes:
    message = {"role": "user", "content": f"message {number}", "token_count": 1, "id": f"m{number}"}
    return json.dumps({"message": message, **fields}).encode()


def submitted(engine: Engine, number: int, key: str | None = None, waiter: Waiter = lambda _: None) -> Ticket:
    """An append that settles in the background."""
    ticket = Ticket(waiter)
    engine._submit(ticket, "c", "append", body(number), key)
    return ticket


def appends(engine: Engine, count: int = IN_FLIGHT, *, keyed: bool = False) -> list[Ticket]:
    """Appends on one context, submitted one after the other."""
    return [submitted(engine, n, f"key {n}" if keyed else None) for n in range(count)]


def settle(tickets: list[Ticket], engine: Engine) -> list[Reply | UnavailableError]:
    """Waits for all."""
    until(lambda: all(ticket.settled for ticket in tickets))
    return [ticket.error if isinstance(ticket.error, UnavailableError) else ticket.result() for ticket in tickets]


def shown(engine: Engine) -> list[str]:
    return [message["id"] for message in json.loads(window(engine, "c"))["messages"]]


def check_visible(engine: Engine, outcomes: list[Reply | UnavailableError]) -> int:
    """What is acknowledged is visible, in order, each version once; nothing else is. Gives how many."""
    good = [outcome for outcome in outcomes if isinstance(outcome, Reply)]
    assert [outcome.version for outcome in good] == list(range(1, len(good) + 1))
    assert outcomes[: len(good)] == good
    assert shown(engine) == [f"m{n}" for n in range(len(good))]
    assert describe(engine, "c")["version"] == describe(engine, "c")["last_seq"] == len(good)
    assert [message["id"] for message in replay(engine, "c")] == shown(engine)
    return len(good)


@pytest.mark.parametrize("nth", range(1, 7))
@pytest.mark.parametrize("what", ["write", "sync"])
def test_the_nth_write_or_sync_fails(storage: Storage, what: str, nth: int) -> None:
    """Creation is the first group; every append of a round gets its group by a held sync."""
    faults = Faults(fail_write=nth + 1) if what == "write" else Faults(fail_sync=nth + 1)
    engine = storage.open(faults)
    write(engine, "c", "configure")
    outcomes: list[Reply | UnavailableError] = []
    for start in range(0, IN_FLIGHT, 4):
        faults.hold()
        try:
            tickets = [submitted(engine, start + n, f"key {start + n}") for n in range(4)]
        except PoisonedError as error:
            outcomes += [error] * 4
            continue
        finally:
            faults.release()
        outcomes += settle(tickets, engine)
    good = check_visible(engine, outcomes)
    failed = [type(outcome) for outcome in outcomes if not isinstance(outcome, Reply)]
    assert set(failed) <= {OutcomeUnknownError, PoisonedError}
    assert engine.log.poisoned == bool(failed)
    if failed:
        check_reads_and_refusals(engine, good)
    engine.close()
    check_restart(storage, good)


def check_reads_and_refusals(engine: Engine, good: int) -> None:
    before = window(engine, "c")
    refused: dict[str, dict[str, Any]] = {
        "append": {"message": {"role": "user", "content": "x"}},
        "configure": {"token_budget": 7},
        "metadata": {"metadata": {"a": 1}},
        "rewind": {"to_seq": 0},
        "compact": {"replacement": {"role": "user", "content": "x"}},
    }
    for route, fields in refused.items():
        if route == "rewind" and good == 0:
            continue
        with pytest.raises(PoisonedError):
            write(engine, "c", route, **fields)
    assert window(engine, "c") == before


def check_restart(storage: Storage, acknowledged: int) -> None:
    """Whole records or none; the same keys settle what is unknown."""
    engine = storage.open()
    there = shown(engine)
    assert there == [f"m{n}" for n in range(len(there))]
    assert len(there) >= acknowledged
    assert verify(engine.log, "c") == (len(there), len(there))
    for n in range(IN_FLIGHT):
        reply = engine.write("c", "append", body(n), key=f"key {n}")
        assert reply.replayed == (n < len(there))
        assert reply.version == n + 1
    assert shown(engine) == [f"m{n}" for n in range(IN_FLIGHT)]
    engine.close()


def test_nothing_is_visible_between_write_and_sync(storage: Storage) -> None:
    faults = Faults()
    engine = storage.open(faults)
    write(engine, "c", "configure")
    faults.hold()
    tickets = appends(engine)
    faults.reach()
    assert shown(engine) == []
    assert describe(engine, "c")["version"] == 0
    assert replay(engine, "c", all=True) == []
    assert not any(ticket.settled for ticket in tickets)
    faults.release()
    assert check_visible(engine, settle(tickets, engine)) == IN_FLIGHT
    assert faults.syncs <= 3


@pytest.mark.parametrize("delay_s", [0.0, 0.003])
@pytest.mark.parametrize("nth", [2, 3, 9, 1000])
def test_threads_are_all_answered(storage: Storage, nth: int, delay_s: float) -> None:
    engine = storage.open(Faults(fail_sync=nth, sync_delay_s=delay_s))
    write(engine, "c", "configure")
    answers: dict[int, int | Exception] = {}

    def work(number: int) -> None:
        for turn in range(4):
            name = number * 100 + turn
            try:
                answers[name] = engine.write("c", "append", body(name)).version
            except UnavailableError as error:
                answers[name] = error

    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(IN_FLIGHT)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert not any(thread.is_alive() for thread in threads), "a waiter was never answered"
    versions = sorted(answer for answer in answers.values() if isinstance(answer, int))
    assert versions == list(range(1, len(versions) + 1))
    by_version = {answer: f"m{name}" for name, answer in answers.items() if isinstance(answer, int)}
    assert shown(engine) == [by_version[version] for version in versions]
    assert len(answers) == IN_FLIGHT * 4
    assert engine._handles.loaded("c").waiting == {}


@pytest.mark.parametrize("nth", [2, 3, 1000])
def test_tasks_are_all_answered(storage: Storage, nth: int) -> None:
    engine = storage.open(Faults(fail_sync=nth, sync_delay_s=0.002))
    write(engine, "c", "configure")

    async def work() -> list[Reply | BaseException]:
        many = [engine.awrite("c", "append", body(n)) for n in range(IN_FLIGHT * 4)]
        return await asyncio.wait_for(asyncio.gather(*many, return_exceptions=True), PATIENCE_S)

    outcomes = asyncio.run(work())
    good = [outcome.version for outcome in outcomes if isinstance(outcome, Reply)]
    assert sorted(good) == list(range(1, len(good) + 1))
    assert len(shown(engine)) == len(good)
    assert all(isinstance(outcome, Reply | UnavailableError) for outcome in outcomes)


def test_a_blocking_retry_on_the_loop_that_submitted_is_answered(storage: Storage) -> None:
    """That loop wakes the writer in its next turn, which does not come before the retry is answered."""
    engine = storage.open()
    write(engine, "c", "configure")

    async def work() -> list[Reply]:
        task = asyncio.create_task(engine.awrite("c", "append", body(0), key="k"))
        await asyncio.sleep(0)
        again = engine.write("c", "append", body(0), key="k")
        return [await task, again]

    assert [reply.replayed for reply in asyncio.run(work())] == [False, True]
    assert shown(engine) == ["m0"]


def test_a_task_that_was_cancelled_takes_nothing_back(storage: Storage) -> None:
    faults = Faults()
    engine = storage.open(faults)
    write(engine, "c", "configure")

    async def work() -> None:
        faults.hold()
        task = asyncio.create_task(engine.awrite("c", "append", body(0)))
        await asyncio.to_thread(faults.reach)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        faults.release()
        await engine.awrite("c", "append", body(1))

    asyncio.run(work())
    assert shown(engine) == ["m0", "m1"]


def test_a_retry_during_the_failure_steals_no_ticket(storage: Storage) -> None:
    faults = Faults(fail_sync=2)
    engine = storage.open(faults)
    write(engine, "c", "configure")
    faults.hold()
    refused: list[type[Exception]] = []

    def retry(_: Ticket) -> None:
        # It ends at the version of the second append, which is not settled yet.
        try:
            append(engine, "c", [{"role": "user", "content": "x"}] * 2)
        except PoisonedError as error:
            refused.append(type(error))

    tickets = [submitted(engine, 0, waiter=retry), submitted(engine, 1)]
    faults.release()
    outcomes = settle(tickets, engine)
    assert [type(outcome) for outcome in outcomes] == [OutcomeUnknownError] * 2
    assert refused == [PoisonedError]


def test_contexts_fail_together_and_read_on(storage: Storage) -> None:
    engine = storage.open(Faults(fail_sync=4))
    for name in ("a", "b", "d"):
        write(engine, name, "configure")
    with pytest.raises(OutcomeUnknownError):
        append(engine, "a", [{"role": "user", "content": "x"}])
    for name in ("a", "b", "d"):
        assert describe(engine, name)["version"] == 0
        with pytest.raises(PoisonedError):
            append(engine, name, [{"role": "user", "content": "x"}])
    with pytest.raises(PoisonedError):
        write(engine, "new", "configure")


# Idempotency


def test_sixteen_equal_requests_append_once(storage: Storage) -> None:
    faults = Faults(sync_delay_s=0.01)
    engine = storage.open(faults)
    write(engine, "c", "configure")
    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        many: list[Future[Reply]] = [
            pool.submit(engine.write, "c", "append", body(0), key="k") for _ in range(IN_FLIGHT)
        ]
    replies = [future.result() for future in many]
    assert len({reply.body for reply in replies}) == 1
    assert sorted(reply.replayed for reply in replies) == [False] + [True] * (IN_FLIGHT - 1)
    assert shown(engine) == ["m0"]

    async def again() -> list[Reply]:
        return await asyncio.gather(*(engine.awrite("c", "append", body(1), key="l") for _ in range(IN_FLIGHT)))

    assert sorted(reply.replayed for reply in asyncio.run(again())) == [False] + [True] * (IN_FLIGHT - 1)
    assert shown(engine) == ["m0", "m1"]


def test_a_key_stands_for_route_and_payload(storage: Storage) -> None:
    engine = storage.open()
    assert not write(engine, "c", "configure", key="k").replayed
    assert write(engine, "c", "configure", key="k").replayed
    with pytest.raises(KeyReusedError):
        write(engine, "c", "tombstone", key="k")
    assert describe(engine, "c")["status"] == "active"


def test_a_write_on_another_version_than_expected_is_refused(storage: Storage) -> None:
    """Compared once, before the first entry: a batch is more than one version."""
    engine = storage.open()
    write(engine, "c", "configure")
    batch = [{"role": "user", "content": "x"}] * 3
    assert append(engine, "c", batch, if_version=0)["version"] == 3
    for route, fields in (
        ("append", {"messages": batch}),
        ("configure", {"token_budget": 7}),
        ("metadata", {"metadata": {"a": 1}}),
        ("rewind", {"to_seq": 1}),
        ("compact", {"replacement": batch[0]}),
        ("tombstone", {}),
    ):
        for expected in (0, 2, 4):
            with pytest.raises(VersionConflictError) as caught:
                write(engine, "c", route, **fields, if_version=expected)
            assert caught.value.details == {"expected": expected, "actual": 3}
    assert describe(engine, "c")["version"] == 3
    assert append(engine, "c", batch, if_version=3)["version"] == 6


def test_times_of_records_never_go_back(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = storage.open()
    seconds = iter([1_800_000_000, 1_700_000_000, 1_800_000_001, 1_600_000_000])
    monkeypatch.setattr(time, "time_ns", lambda: next(seconds) * 10**9)
    write(engine, "c", "configure")
    for _ in range(3):
        append(engine, "c", [{"role": "user", "content": "x"}])
    times = [message["inserted_at"] for message in replay(engine, "c")]
    assert times == ["2027-01-15T08:00:00.000Z", "2027-01-15T08:00:01.000Z", "2027-01-15T08:00:01.000Z"]


def test_a_context_needs_compaction_over_the_trigger(storage: Storage) -> None:
    engine = storage.open()
    write(engine, "c", "configure", token_budget=1000, trigger_ratio=0.5)
    message = {"role": "user", "content": "x"}
    assert not append(engine, "c", [{**message, "token_count": 500}])["needs_compaction"]
    assert append(engine, "c", [{**message, "token_count": 1}])["needs_compaction"]
    assert json.loads(window(engine, "c", 10_000_000))["needs_compaction"]


def test_absent_fields_of_a_configuration_keep_their_value(storage: Storage) -> None:
    engine = storage.open()
    policy = {"strategy": "last_n", "config": {"limit": 3}}
    given: dict[str, Any] = {
        "token_budget": 500,
        "reserve_tokens": 20,
        "trigger_ratio": 0.5,
        "policy": policy,
        "model": "gpt-4o",
    }
    write(engine, "c", "configure", **given, tokenizer="cl100k_base", metadata={"a": 1})
    before = describe(engine, "c")
    for field, value in given.items():
        write(engine, "c", "configure", **{field: value})
        assert describe(engine, "c") == before
    assert before["version"] == 0
    write(engine, "c", "configure", token_budget=600)
    after = describe(engine, "c")
    changed = {"token_budget", "version", "updated_at"}
    assert {name: value for name, value in after.items() if name not in changed} == {
        name: value for name, value in before.items() if name not in changed
    }
    assert (after["token_budget"], after["version"]) == (600, 1)


def test_a_second_request_in_flight_waits_for_the_first(storage: Storage) -> None:
    faults = Faults()
    engine = storage.open(faults)
    write(engine, "c", "configure")
    faults.hold()
    first, second = (submitted(engine, 0, "k") for _ in range(2))
    with pytest.raises(KeyReusedError):
        engine.write("c", "append", body(1), key="k")
    assert not first.settled
    assert not second.settled
    faults.release()
    replies = settle([first, second], engine)
    assert [isinstance(reply, Reply) and reply.replayed for reply in replies] == [False, True]


def test_both_waiters_of_a_key_hear_of_the_failure(storage: Storage) -> None:
    faults = Faults(fail_sync=2)
    engine = storage.open(faults)
    write(engine, "c", "configure")
    faults.hold()
    tickets = [submitted(engine, 0, "k") for _ in range(3)]
    faults.release()
    assert [type(outcome) for outcome in settle(tickets, engine)] == [OutcomeUnknownError] * 3
    # Nothing of it is left that a later request with that key could wait for.
    with pytest.raises(PoisonedError):
        submitted(engine, 0, "k")


WRITES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("append", {"messages": [{"role": "user", "content": "x"}] * 2}, {"message": {"role": "user", "content": "y"}}),
    (
        "append",
        {"message": {"role": "user", "content": "new", "id": "m2"}, "replace": True},
        {"message": {"role": "user", "content": "newer", "id": "m2"}, "replace": True},
    ),
    (
        "compact",
        {"replacement": {"role": "user", "content": "s"}, "from_seq": 1, "to_seq": 2},
        {"replacement": {"role": "user", "content": "t"}, "from_seq": 1, "to_seq": 2},
    ),
    ("rewind", {"to_seq": 1}, {"to_seq": 2}),
    ("configure", {"token_budget": 500}, {"token_budget": 600}),
    ("metadata", {"metadata": {"a": 1}}, {"metadata": {"a": 2}}),
    ("tombstone", {}, {"if_version": 5}),
]


@pytest.mark.parametrize(
    ("route", "fields", "other"), WRITES, ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_write_takes_a_key_and_holds_it_over_a_restart(
    storage: Storage, route: str, fields: dict[str, Any], other: dict[str, Any]
) -> None:
    engine = storage.open()
    write(engine, "c", "configure")
    for n in range(3):
        engine.write("c", "append", body(n))
    first = write(engine, "c", route, key="k", **fields)
    assert not first.replayed
    for _ in range(2):
        before = describe(engine, "c")
        again = write(engine, "c", route, key="k", **fields)
        assert (again.body, again.version, again.replayed) == (first.body, first.version, True)
        with pytest.raises(KeyReusedError):
            write(engine, "c", route, key="k", **other)
        with pytest.raises(KeyReusedError):
            write(engine, "c", "append" if route != "append" else "rewind", key="k", **OTHER_ROUTE[route != "append"])
        assert describe(engine, "c") == before
        engine.close()
        engine = storage.open()


OTHER_ROUTE: dict[bool, dict[str, Any]] = {True: {"message": {"role": "user", "content": "z"}}, False: {"to_seq": 1}}


def test_a_key_goes_before_version_and_tombstone(storage: Storage) -> None:
    engine = storage.open()
    write(engine, "c", "configure", key="create")
    first = engine.write("c", "append", body(0, if_version=0), key="k")
    assert engine.write("c", "append", body(0, if_version=0), key="k").body == first.body
    write(engine, "c", "tombstone", key="end")
    assert engine.write("c", "append", body(0, if_version=0), key="k").replayed
    assert write(engine, "c", "tombstone", key="end").replayed
    assert write(engine, "c", "configure", key="create").replayed
