"""Subscriptions in process: nothing skipped, nothing twice, from any cursor on."""

from __future__ import annotations

import asyncio
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import fastpaca
from fastpaca.errors import DraftConflictError, InvalidError, NotFoundError
from fastpaca.streams import hub as hubs
from fastpaca.streams.sync import Frames
from tests.support.memory import append, memory_engine, write

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastpaca.engine import Engine
    from fastpaca.streams import Frame


def user(text: str, **more: Any) -> dict[str, Any]:
    return {"role": "user", "content": text, **more}


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = memory_engine()
    write(engine, "chat", "configure", token_budget=1000)
    yield engine
    engine.close()


def take_nowait(frames: Frames) -> list[Frame]:
    """What is there already. From now on the subscription is live."""
    subscription = frames.open()._subscription
    assert subscription is not None
    found = list(frames._taken)
    frames._taken.clear()
    while not subscription.live:
        found += subscription.catch_up()
    return found + subscription.take()


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
    monkeypatch.setattr(hubs, "QUEUE_FRAMES_MAX", 10)
    with Frames(engine.hub, "chat", 0) as slow:
        append(engine, "chat", [user("first")])
        assert entries(slow, 1)[0].version == 1
        take_nowait(slow)  # from now on it is live
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


def test_what_a_subscriber_can_get_wrong(engine: Engine) -> None:
    for context_id, cursor, kind in [
        ("nobody", None, NotFoundError),
        ("chat", 99, InvalidError),
        ("chat", -2, InvalidError),
        ("chat", "1", InvalidError),
        (None, "zzz", InvalidError),
        (None, "AQAAAAAAAABjAAAAAAAAAAA", InvalidError),
        (None, "AgAAAAAAAAAAAAAAAAAAAAA", InvalidError),
    ]:
        with pytest.raises(kind), Frames(engine.hub, context_id, cursor):
            pass
    assert len(engine.hub) == 0


def test_a_late_reader_gets_the_draft_from_its_start(engine: Engine) -> None:
    hub = engine.hub
    with ExitStack() as stack:
        early = stack.enter_context(Frames(hub, "chat", None))
        assert take_nowait(early) == []
        assert hub.draft("chat", "m1", 0, "Hel") == 3
        assert hub.draft("chat", "m1", 3, "lo 🌍") == 7
        assert hub.draft("chat", "m1", 3, "lo 🌍") == 7  # a retry
        late = stack.enter_context(Frames(hub, "chat", None))
        assert next(late).fields == {"type": "draft", "message_id": "m1", "offset": 0, "delta": "Hello 🌍"}
        assert [next(early).fields["delta"] for _ in range(2)] == ["Hel", "lo 🌍"]
        for offset, delta in [(8, "x"), (0, "Jel"), (6, "x")]:
            with pytest.raises(DraftConflictError) as refused:
                hub.draft("chat", "m1", offset, delta)
            assert refused.value.length == 7
        append(engine, "chat", [{"role": "assistant", "content": "Hello 🌍!", "id": "m1"}])
        assert next(early).type == "message"
        fresh = stack.enter_context(Frames(hub, "chat", None))
        assert take_nowait(fresh) == []
        assert hub.draft("chat", "m2", 0, "a") == 1
        assert hub.drop_draft("chat", "m2")
        assert not hub.drop_draft("chat", "m2")
        assert [next(fresh).fields for _ in range(2)][1] == {"type": "draft", "message_id": "m2", "dropped": True}
    with pytest.raises(NotFoundError):
        hub.draft("nobody", "m1", 0, "x")


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
                assert [frame.type async for frame in frames] in ([], ["window"])
            return versions

    assert asyncio.run(run()) == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]


def test_the_blocking_face_can_be_closed_by_another_thread(tmp_path: Path) -> None:
    with fastpaca.open(tmp_path / "data") as store:
        chat = store.context("chat", budget=1000)
        frames = chat.subscribe()
        closer = threading.Timer(0.2, frames.close)
        closer.start()
        assert list(frames) == []
        closer.join()
