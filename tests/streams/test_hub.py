"""Subscriptions in process: nothing skipped, nothing twice, from any cursor on."""

from __future__ import annotations

import asyncio
import gc
import random
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import fastpaca
from fastpaca import _core
from fastpaca.errors import ClosedError, DataError
from fastpaca.streams import hub, subscription
from fastpaca.streams.aio import AsyncFrames
from fastpaca.streams.frames import Cursor
from fastpaca.streams.sync import Frames
from tests.support.memory import append, write

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastpaca.engine import Engine
    from fastpaca.streams import Frame


def user(text: str, **more: Any) -> dict[str, Any]:
    return {"role": "user", "content": text, **more}


def take_nowait(frames: Frames) -> list[Frame]:
    """What is there already. From now on the subscription is live."""
    subscription = frames.open()._subscription
    assert subscription is not None
    while not subscription.live:
        subscription.catch_up()
    found = [*frames._taken, *(subscription.take() or [])]
    frames._taken.clear()
    return found


def entries(frames: Iterator[Frame] | Frames, count: int) -> list[Frame]:
    """The next frames that stand for entries."""
    found: list[Frame] = []
    while len(found) < count:
        frame = next(frames)
        if frame.cursor is not None and frame.type != "window":
            found.append(frame)
    return found


def test_every_kind_of_entry_has_a_frame(engine: Engine) -> None:
    append(engine, "chat", [user("one", id="m1"), user("two")])
    write(engine, "chat", "compact", from_seq=1, to_seq=1, replacement=user("summary"))
    write(engine, "chat", "metadata", metadata={"title": "t"})
    write(engine, "chat", "rewind", to_seq=1)
    write(engine, "chat", "configure", token_budget=2000)
    write(engine, "chat", "tombstone")
    frames = list(Frames(engine.hub, "chat", -1))
    kinds = [frame.type for frame in frames if frame.type != "window"]
    assert kinds == ["config", "message", "message", "compaction", "metadata", "rewound", "config", "tombstoned"]
    assert [frame.version for frame in frames if frame.type != "window"] == list(range(8))
    by_version = {frame.version: frame.fields for frame in frames if frame.type != "window"}
    assert by_version[0]["config"]["token_budget"] == 1000
    assert by_version[1]["message"]["parts"] == [{"type": "text", "text": "one"}]
    assert by_version[1]["id"] == "m1"
    assert by_version[3] | {"by": "caller", "strategy": None, "range": {"from_seq": 1, "to_seq": 1}} == by_version[3]
    assert by_version[4]["metadata"] == {"title": "t"}
    assert by_version[5]["to_seq"] == 1
    windows = [frame.fields for frame in frames if frame.type == "window"]
    assert [each["version"] for each in windows] == [0, 2, 3, 4, 5, 6, 7]
    assert all({"used_tokens", "needs_compaction"} <= each.keys() for each in windows)


@pytest.mark.parametrize("cursor", range(-1, 7))
def test_a_cursor_resumes_inside_a_batch(engine: Engine, cursor: int) -> None:
    append(engine, "chat", [user(str(n)) for n in range(3)])
    append(engine, "chat", [user(str(n)) for n in range(3)])
    with Frames(engine.hub, "chat", cursor) as frames:
        append(engine, "chat", [user("live")])
        versions = [frame.version for frame in entries(frames, 7 - cursor)]
    assert versions == list(range(cursor + 1, 8))


def test_without_a_cursor_it_begins_now(engine: Engine) -> None:
    append(engine, "chat", [user("before")])
    with Frames(engine.hub, "chat", None) as frames:
        append(engine, "chat", [user("after")])
        assert entries(frames, 1)[0].fields["message"]["parts"][0]["text"] == "after"


def test_signals_alone(engine: Engine) -> None:
    append(engine, "chat", [user("hidden words", id="m")])
    with Frames(engine.hub, "chat", 0, include_messages=False) as frames:
        frame = entries(frames, 1)[0]
    assert frame.fields == {"type": "message", "version": 1, "seq": 1, "id": "m", "role": "user", "token_count": 6}


def test_the_global_stream_resumes_everywhere(engine: Engine) -> None:
    write(engine, "other", "configure")
    for n in range(3):
        append(engine, "chat", [user(str(n)), user("again")])
        append(engine, "other", [user(str(n))])
    with Frames(engine.hub, None, "AQAAAAAAAAAAAAAAAAAAAAA") as frames:
        everything = entries(frames, 11)
    seen = [(frame.fields["context_id"], frame.version) for frame in everything]
    chat = [("chat", 0), ("other", 0)]
    for n in range(3):
        chat += [("chat", 2 * n + 1), ("chat", 2 * n + 2), ("other", n + 1)]
    assert seen == chat
    for at, frame in enumerate(everything[:-1]):
        with Frames(engine.hub, None, frame.cursor) as frames:
            rest = entries(frames, len(everything) - at - 1)
        assert rest == everything[at + 1 :]


def test_writers_and_subscribers_at_once(engine: Engine) -> None:
    """Subscribers that come at any moment, and resume now and then, see every version once and in order."""
    total = 400
    seen: list[list[int]] = [[] for _ in range(6)]

    def follow(at: int) -> None:
        cursor = -1
        while cursor < total:
            with Frames(engine.hub, "chat", cursor) as frames:
                for frame in entries(frames, min(1 + at * 7, total - cursor)):
                    assert frame.version is not None
                    seen[at].append(frame.version)
                    cursor = frame.version

    threads = [threading.Thread(target=follow, args=(at,)) for at in range(6)]
    writers = [
        threading.Thread(target=lambda: [append(engine, "chat", [user("x")]) for _ in range(total // 4)])
        for _ in range(4)
    ]
    for thread in threads + writers:
        thread.start()
    for thread in threads + writers:
        thread.join(timeout=60)
    assert seen == [list(range(total + 1))] * 6


def test_a_slow_reader_gets_a_gap_and_resumes(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscription, "QUEUE_FRAMES_MAX", 10)
    with Frames(engine.hub, "chat", 0, gaps=True) as slow:
        append(engine, "chat", [user("first")])
        assert entries(slow, 1)[0].version == 1
        take_nowait(slow)
        for n in range(12):
            append(engine, "chat", [user(str(n))])
        rest = list(slow)
    assert [frame.type for frame in rest] == ["gap"]
    gap = rest[0].fields
    expected: int = gap["expected"]
    assert expected == 2
    assert gap["actual"] > expected
    with Frames(engine.hub, "chat", expected - 1) as again:
        assert [frame.version for frame in entries(again, 14 - expected)] == list(range(expected, 14))


def test_one_large_record_makes_no_reader_slow(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscription, "QUEUE_FRAMES_MAX", 10)
    with Frames(engine.hub, "chat", None, gaps=True) as frames:
        take_nowait(frames)
        append(engine, "chat", [user(str(n)) for n in range(20)])
        assert [frame.version for frame in entries(frames, 20)] == list(range(1, 21))


@pytest.mark.parametrize("of_all", [False, True])
def test_a_slow_reader_in_process_reads_from_disk(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, of_all: bool
) -> None:
    monkeypatch.setattr(subscription, "QUEUE_FRAMES_MAX", 10)
    with Frames(engine.hub, None if of_all else "chat", None) as slow:
        assert take_nowait(slow) == []
        for n in range(3):
            append(engine, "chat", [user(str(n)), user("again")])
        seen = take_nowait(slow)
        for n in range(30):
            append(engine, "chat", [user(str(n)), user("again")])
        assert len(slow._subscription._queue) <= 10  # type: ignore[union-attr]
        write(engine, "chat", "tombstone")
        while seen[-1].version != 67 or seen[-1].type != "window":
            seen.append(next(slow))
    assert [frame.version for frame in seen if frame.type != "window"] == list(range(1, 68))
    assert [frame.version for frame in seen if frame.type == "window"] == [*range(2, 67, 2), 67]


def on_writer() -> bool:
    return threading.current_thread().name.startswith("fastpaca-log")


class PanicError(BaseException):
    """As what the core panics with, no Exception."""


@pytest.mark.parametrize("of_all", [False, True])
@pytest.mark.parametrize("error", [MemoryError, PanicError])
def test_what_fails_on_the_way_is_read_from_disk(
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    of_all: bool,
    error: type[BaseException],
) -> None:
    real = _core.frames

    def failing(*args: Any, **options: Any) -> Any:
        if on_writer():
            raise error
        return real(*args, **options)

    with Frames(engine.hub, None if of_all else "chat", None) as frames:
        assert take_nowait(frames) == []
        append(engine, "chat", [user("before")])
        monkeypatch.setattr(_core, "frames", failing)
        append(engine, "chat", [user("one"), user("two")])
        monkeypatch.setattr(_core, "frames", real)
        append(engine, "chat", [user("after")])
        assert [frame.version for frame in entries(frames, 4)] == [1, 2, 3, 4]
    assert "frames can't be made" in caplog.text


@pytest.mark.parametrize("of_all", [False, True])
def test_what_never_came_is_read_from_disk(engine: Engine, monkeypatch: pytest.MonkeyPatch, of_all: bool) -> None:
    """Whatever became of it: the next record does not go on where the reader stands."""

    def failing(*_args: Any) -> Any:
        raise MemoryError

    with Frames(engine.hub, None if of_all else "chat", None) as frames:
        assert take_nowait(frames) == []
        append(engine, "chat", [user("before")])
        monkeypatch.setattr(engine.hub, "_offer", failing)
        append(engine, "chat", [user("one"), user("two")])
        monkeypatch.undo()
        append(engine, "chat", [user("after")])
        assert [frame.version for frame in entries(frames, 4)] == [1, 2, 3, 4]


@pytest.mark.parametrize("of_all", [False, True])
def test_a_reader_that_catches_up_takes_a_few_large_records_at_once(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, of_all: bool
) -> None:
    monkeypatch.setattr(hub, "_BYTES_AT_ONCE", 5000)
    for n in range(9):
        append(engine, "chat", [user(f"{n} " + "x" * 2000)])
    with Frames(engine.hub, None if of_all else "chat", str(Cursor(1, 0)) if of_all else 0) as frames:
        behind = frames.open()._subscription
        assert behind is not None
        taken: list[list[int | None]] = []
        while not behind.live:
            behind.catch_up()
            taken.append([frame.version for frame in behind.take() or [] if frame.type == "message"])
    assert [len(each) for each in taken if each] == [3, 3, 3]
    assert [version for each in taken for version in each] == list(range(1, 10))


def test_a_record_that_can_not_be_read_is_an_error(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged(*_args: Any, **_options: Any) -> Any:
        raise _core.CoreError("corrupt", "the record is damaged", {})

    append(engine, "chat", [user("one")])
    with Frames(engine.hub, "chat", 0) as frames:
        monkeypatch.setattr(_core, "frames", damaged)
        with pytest.raises(DataError):
            next(frames)
        assert list(frames) == []
    assert len(engine.hub) == 0


def test_an_error_finds_a_reader_that_was_cancelled(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    reading, go_on = threading.Event(), threading.Event()

    def damaged(*_args: Any, **_options: Any) -> Any:
        reading.set()
        assert go_on.wait(30)
        raise _core.CoreError("corrupt", "the record is damaged", {})

    async def run() -> None:
        frames = AsyncFrames(engine.hub, "chat", 0)
        waiting = asyncio.ensure_future(anext(frames))
        await asyncio.to_thread(reading.wait, 30)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        go_on.set()
        with pytest.raises(DataError):
            await anext(frames)
        assert [frame async for frame in frames] == []

    append(engine, "chat", [user("one")])
    monkeypatch.setattr(_core, "frames", damaged)
    asyncio.run(run())


def test_nobody_waits_while_a_record_is_decoded(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    real, decoding, go_on = _core.frames, threading.Event(), threading.Event()

    def slow(*args: Any, **options: Any) -> Any:
        if on_writer():
            decoding.set()
            assert go_on.wait(30)
        return real(*args, **options)

    with ExitStack() as stack:
        early = stack.enter_context(Frames(engine.hub, "chat", None))
        assert take_nowait(early) == []
        monkeypatch.setattr(_core, "frames", slow)
        appending = threading.Thread(target=append, args=(engine, "chat", [user("one")]))
        appending.start()
        assert decoding.wait(30)
        # All of these take the hub's lock. What they see is visible already, and must not come a second time.
        late = [stack.enter_context(Frames(engine.hub, each, None)) for each in ("chat", None)]
        behind = stack.enter_context(Frames(engine.hub, "chat", 0))
        assert [frame.version for frame in entries(behind, 1)] == [1]
        assert take_nowait(late[0]) == []
        assert take_nowait(late[1]) == []
        assert engine.hub.draft("chat", "m", 0, "x") == 1
        go_on.set()
        appending.join(30)
        append(engine, "chat", [user("two")])
        assert [frame.version for frame in entries(early, 2)] == [1, 2]
        assert [frame.version for frame in entries(behind, 1)] == [2]
        assert [frame.version for frame in entries(late[0], 1)] == [2]
        assert [frame.version for frame in entries(late[1], 2)] == [1, 2]


def test_an_end_that_comes_while_a_reader_looks(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    with Frames(engine.hub, "chat", None) as frames:
        assert take_nowait(frames) == []
        looked = frames._subscription
        assert looked is not None
        take = looked.take

        def looking() -> list[Frame] | None:
            found = take()
            monkeypatch.undo()
            write(engine, "chat", "tombstone")
            return found

        monkeypatch.setattr(looked, "take", looking)
        assert [frame.type for frame in frames] == ["tombstoned", "window"]


@pytest.mark.parametrize("step", range(3))
@pytest.mark.parametrize("cursor", [None, 0])
def test_a_tombstone_that_comes_while_a_reader_begins(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, step: int, cursor: int | None
) -> None:
    """It lands between two looks at the context's state, whichever they are."""
    looks = iter(range(100))

    class Racing:
        def __init__(self, context: _core.Context) -> None:
            self._context = context

        def __getattr__(self, name: str) -> Any:
            found = getattr(self._context, name)
            if next(looks) == step:
                write(engine, "chat", "tombstone")
            return found

    read = engine.read
    monkeypatch.setattr(
        engine, "read", lambda name, operation: read(name, lambda context, fetched: operation(Racing(context), fetched))
    )
    with Frames(engine.hub, "chat", cursor) as frames:
        found = [frame.type for frame in frames]
    assert found == ["tombstoned", "window"] if cursor == 0 else found in ([], ["tombstoned", "window"])


def test_what_nobody_holds_any_more_is_forgotten(engine: Engine) -> None:
    append(engine, "chat", [user("one")])
    for frame in Frames(engine.hub, "chat", 0):
        assert frame.version == 1
        break
    gc.collect()
    append(engine, "chat", [user("two")])
    assert len(engine.hub) == 0


def test_the_async_face(tmp_path: Path) -> None:
    async def run() -> list[int | None]:
        async with fastpaca.open_async(tmp_path / "data") as store:
            chat = await store.context("chat", budget=1000)
            async with chat.subscribe(cursor=0) as frames, store.subscribe() as everywhere:
                for n in range(5):
                    await chat.append(user(str(n)))
                versions = [(await anext(frames)).version for _ in range(10)]
                assert (await anext(everywhere)).fields["context_id"] == "chat"
                waiting = asyncio.ensure_future(anext(frames))
                await asyncio.sleep(0)
                await chat.delete()
                assert (await waiting).type == "tombstoned"
                assert [frame.type async for frame in frames] == ["window"]
            return versions

    assert asyncio.run(run()) == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]


def test_a_reader_that_is_cancelled_misses_nothing(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its reading from disk goes on in a thread; who comes again finds what that has read."""
    monkeypatch.setattr(hub, "_RECORDS_AT_ONCE", 1)
    chance = random.Random(5)
    for _ in range(50):
        append(engine, "chat", [user("x")] * 4)

    async def run() -> None:
        seen: list[int | None] = []
        cancelled = 0
        async with AsyncFrames(engine.hub, "chat", 0) as frames:
            while len(seen) < 250:
                waiting = asyncio.ensure_future(anext(frames))
                await asyncio.sleep(chance.choice([0, 0, 0.001]))
                waiting.cancel()
                try:
                    seen.append((await waiting).version)
                except asyncio.CancelledError:
                    cancelled += 1
        assert cancelled > 5
        assert seen == [each for n in range(0, 200, 4) for each in (n + 1, n + 2, n + 3, n + 4, n + 4)]

    asyncio.run(run())


def test_closing_the_store_ends_who_waits(tmp_path: Path) -> None:
    store = fastpaca.open(tmp_path / "data")
    with store.context("chat", budget=1000).subscribe() as frames:
        closer = threading.Timer(0.2, store.close)
        closer.start()
        with pytest.raises(ClosedError):
            next(frames)
        closer.join()


def test_the_blocking_face_can_be_closed_by_another_thread(tmp_path: Path) -> None:
    with fastpaca.open(tmp_path / "data") as store:
        chat = store.context("chat", budget=1000)
        frames = chat.subscribe()
        closer = threading.Timer(0.2, frames.close)
        closer.start()
        assert list(frames) == []
        closer.join()
