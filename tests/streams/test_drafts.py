"""Drafts: messages that are still being written, for readers that come at any moment."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from fastpaca.errors import DraftConflictError, UnavailableError
from fastpaca.streams import drafts, subscription
from fastpaca.streams.sync import Frames
from tests.streams.test_hub import take_nowait
from tests.support.memory import append, write

if TYPE_CHECKING:
    from fastpaca.engine import Engine


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
        hub.drop_draft("chat", "m2")
        hub.drop_draft("chat", "m2")
        assert [next(fresh).fields for _ in range(2)][1] == {"type": "draft", "message_id": "m2", "dropped": True}


def test_drafts_idle_out_without_a_reader(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = engine.hub
    assert hub.draft("chat", "old", 0, "x") == 1
    monkeypatch.setattr(drafts, "IDLE_S", -1.0)
    assert hub.draft("chat", "new", 0, "x") == 1
    assert hub.drafts.of("chat") == ["new"]
    with Frames(hub, "chat", None) as frames:
        assert next(frames).fields["message_id"] == "new"
        hub.sweep()
        assert next(frames).fields == {"type": "draft", "message_id": "new", "dropped": True}
    assert len(hub.drafts) == 0


def test_only_what_is_idle_is_dropped(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = engine.hub
    clock = [0.0]
    monkeypatch.setattr("fastpaca.streams.drafts.time.monotonic", lambda: clock[0])
    for message_id in ("a", "b", "c"):
        clock[0] += 10
        hub.draft("chat", message_id, 0, "x")
    clock[0] = drafts.IDLE_S + 15
    hub.draft("chat", "b", 1, "y")  # at 10, 20 and 30 they began: the first is too old
    assert hub.drafts.of("chat") == ["b", "c"]
    clock[0] = drafts.IDLE_S + 35
    hub.sweep()
    assert hub.drafts.of("chat") == ["b"]


def test_memory_is_bounded(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = engine.hub
    monkeypatch.setattr(drafts, "CHARACTERS_MAX", 3 * drafts.OVERHEAD_CHARACTERS + 10)
    for n in range(3):
        assert hub.draft("chat", str(n), 0, "") == 0
    for message_id, delta in [("3", ""), ("0", "x" * 11)]:
        with pytest.raises(UnavailableError) as full:
            hub.draft("chat", message_id, 0, delta)
        assert full.value.code == "drafts_full"
    assert hub.draft("chat", "0", 0, "x" * 10) == 10
    assert hub.draft("chat", "0", 0, "x" * 10) == 10
    hub.drop_draft("chat", "1")
    hub.drop_draft("chat", "1")
    assert hub.draft("chat", "3", 0, "") == 0
    append(engine, "chat", [{"role": "assistant", "content": "x", "id": "0"}])
    assert hub.draft("chat", "3", 0, "x" * 10) == 10
    monkeypatch.setattr(drafts, "IDLE_S", -1.0)
    assert hub.draft("chat", "5", 0, "y") == 1
    hub.drop_draft("chat", "5")
    assert hub.drafts._characters == len(hub.drafts) == 0


@pytest.mark.parametrize("gaps", [False, True])
def test_drafts_fill_no_slow_reader(engine: Engine, monkeypatch: pytest.MonkeyPatch, gaps: bool) -> None:
    monkeypatch.setattr(subscription, "QUEUE_FRAMES_MAX", 10)
    hub = engine.hub
    with Frames(hub, "chat", None, gaps=gaps) as slow:
        assert take_nowait(slow) == []
        for n in range(25):
            assert hub.draft("chat", "m", n, "x") == n + 1
            assert len(slow._subscription._queue) <= 10  # type: ignore[union-attr]
        append(engine, "chat", [{"role": "user", "content": "beside"}])
        if gaps:
            assert [frame.type for frame in slow] == ["gap"]
        else:
            found = [next(slow) for _ in range(3)]
            assert [frame.type for frame in found] == ["message", "window", "draft"]
            assert found[2].fields["delta"] == "x" * 25


def test_a_deleted_context_has_no_drafts(engine: Engine) -> None:
    engine.hub.draft("chat", "m", 0, "x")
    append(engine, "chat", [{"role": "user", "content": "between"}])
    assert engine.hub.drafts.of("chat") == ["m"]
    write(engine, "chat", "tombstone")
    assert len(engine.hub.drafts) == 0


@pytest.mark.parametrize("delta", ["a\r\nb\rc\n", "\u2028\x85", "\x00", "👩\u200d🚀"])
def test_text_comes_as_it_was_sent(engine: Engine, delta: Any) -> None:
    engine.hub.draft("chat", "m", 0, delta)
    assert engine.hub.draft("chat", "m", len(delta), delta) == 2 * len(delta)
    assert engine.hub.draft("chat", "m", 0, delta) == 2 * len(delta)
    with Frames(engine.hub, "chat", None) as frames:
        assert next(frames).fields["delta"] == delta * 2
