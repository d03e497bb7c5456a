"""Streams, drafts, leases and the past of a context, over every face of the Python interface."""

from __future__ import annotations

from typing import Any

import pytest

from fastpaca import errors
from fastpaca.streams.frames import Frame


def user(text: str, **more: Any) -> dict[str, Any]:
    return {"role": "user", "content": text, **more}


def taken(frames: Any, count: int) -> list[Frame]:
    return [next(frames) for _ in range(count)]


def test_a_stream_from_the_beginning(store: Any, name: str) -> None:
    chat = store.context(name, budget=1000)
    chat.append([user("one"), user("two")])
    chat.metadata(a=1)
    with chat.subscribe(cursor=0) as frames:
        found = taken(frames, 5)
        assert [(f.type, f.version, f.cursor) for f in found] == [
            ("message", 1, 1),
            ("message", 2, 2),
            ("window", 2, 2),
            ("metadata", 3, 3),
            ("window", 3, 3),
        ]
        assert found[1].fields["message"] == list(chat.messages())[1]
        chat.append(user("three\u2028 \u0085 é"))
        assert next(frames).fields["message"]["parts"][0]["text"] == "three\u2028 \u0085 é"
    with chat.subscribe(cursor=2, include_messages=False) as frames:
        assert [f.type for f in taken(frames, 3)] == ["metadata", "window", "message"]


def test_a_stream_from_now_on(store: Any, name: str) -> None:
    chat = store.context(name, budget=1000)
    chat.append(user("before"))
    with chat.subscribe() as frames:
        chat.append(user("one"))
        chat.compact({"role": "assistant", "content": "So far."})
        assert [f.type for f in taken(frames, 4)] == ["message", "window", "compaction", "window"]
        chat.delete()
        assert [f.type for f in frames] == ["tombstoned", "window"]


def test_the_stream_of_all_contexts(store: Any, name: str) -> None:
    with store.subscribe() as frames:
        store.context(name, budget=100).append(user("one"))
        found: list[Frame] = []
        while len(found) < 4:
            frame = next(frames)
            if frame.fields["context_id"] == name:
                found.append(frame)
    assert [f.type for f in found] == ["config", "window", "message", "window"]
    with store.subscribe(cursor=found[1].cursor) as frames:
        again = next(frames)
    assert again == found[2]
    with store.subscribe(name, cursor=0) as frames:
        assert next(frames).version == 1


def test_streams_that_can_not_begin(store: Any, name: str) -> None:
    chat = store.context(name, budget=1000)
    cases: list[tuple[Any, str]] = [(99, "cursor_ahead"), ("x", "invalid_field"), (-2, "invalid_field")]
    for cursor, code in cases:
        with pytest.raises(errors.InvalidError) as raised, chat.subscribe(cursor=cursor) as frames:
            next(frames)
        assert (raised.value.code, raised.value.field) == (code, "cursor")
    with pytest.raises(errors.InvalidError) as raised, store.subscribe(cursor="abc") as frames:
        next(frames)
    assert raised.value.field == "cursor"
    with pytest.raises(errors.NotFoundError), store.context(f"{name}?").subscribe() as frames:
        next(frames)


def test_drafts(store: Any, name: str) -> None:
    chat = store.context(name, budget=1000)
    assert chat.draft("answer/1", 0, "Once üp") == 7
    with chat.subscribe() as frames:
        assert next(frames).fields == {"type": "draft", "message_id": "answer/1", "offset": 0, "delta": "Once üp"}
        assert chat.draft("answer/1", 7, "on") == 9
        assert chat.draft("answer/1", 7, "on") == 9
        assert next(frames).fields["delta"] == "on"
        with pytest.raises(errors.DraftConflictError) as raised:
            chat.draft("answer/1", 20, "x")
        assert (raised.value.field, raised.value.length) == ("offset", 9)
        chat.append({"role": "assistant", "id": "answer/1", "content": "Once upon"})
        assert next(frames).type == "message"
        chat.draft("other", 0, "x")
        chat.drop_draft("other")
        chat.drop_draft("other")
        assert [f.fields.get("dropped") for f in taken(frames, 3)] == [None, None, True]
    bad: list[Any] = [-1, "0", True]
    for offset in bad:
        with pytest.raises(errors.InvalidError):
            chat.draft("m", offset, "x")
    with pytest.raises(errors.InvalidError):
        chat.draft("m", 0, "\ud800")
    with pytest.raises(errors.NotFoundError):
        store.context(f"{name}?").draft("m", 0, "x")


def test_compactions_and_reverts(store: Any, name: str) -> None:
    chat = store.context(name, budget=1000)
    chat.append([user("one"), user("two")])
    compacted = chat.compact({"role": "assistant", "content": "So far."}, idempotency_key="first")
    assert chat.compact({"role": "assistant", "content": "So far."}, idempotency_key="first").replayed
    (listed,) = chat.compactions()
    assert (listed.version, listed.by, listed.revertible) == (compacted.version, "caller", True)
    then = chat.window(at_version=2)
    reverted = chat.revert(compacted.version)
    assert reverted.version == compacted.version + 1
    assert [c.reverts for c in chat.compactions()] == [compacted.version, None]
    assert chat.window().messages == then.messages
    with pytest.raises(errors.UnknownCompactionError):
        chat.revert(1)
    with pytest.raises(errors.RevertConflictError):
        chat.revert(compacted.version)
    with pytest.raises(errors.NotYetError) as raised:
        chat.window(at_version=99)
    assert (raised.value.wanted, raised.value.actual) == (99, reverted.version)


def test_leases(store: Any, name: str) -> None:
    chat = store.context(name, budget=1000)
    with chat.lease(seconds=30, holder="one") as held:
        assert held.token
        with pytest.raises(errors.LeaseHeldError) as raised, chat.lease():
            pass
        assert raised.value.holder == "one"
        held.renew()
    with chat.lease():
        pass
    lost = chat.lease()
    lost.token = "unknown"
    with pytest.raises(errors.LeaseLostError):
        lost.renew()


def test_a_window_knows_the_model(store: Any, name: str) -> None:
    chat = store.context(name, budget=1000)
    assert chat.window()._model is None
    chat.model("gpt-4o ü%")
    assert chat.window()._model == chat.info().model == "gpt-4o ü%"


def test_windows_convert_alike(store: Any, name: str) -> None:
    chat = store.context(name, budget=1000)
    chat.append([user("one"), {"role": "assistant", "content": "two"}])
    expected = [{"role": "user", "content": "one"}, {"role": "assistant", "content": "two"}]
    assert chat.window(fit="largest", close=True).to("openai")["messages"] == expected
    assert chat.replay("openai")["messages"] == expected
    assert chat.window(explain=True).explanation


BAD_READS: list[tuple[str, dict[str, Any], str]] = [
    ("window", {"budget": 0}, "budget_tokens"),
    ("window", {"budget": 10**8}, "budget_tokens"),
    ("window", {"budget": 1.5}, "budget_tokens"),
    ("window", {"fit": "tight"}, "fit"),
    ("window", {"at_version": -1}, "at_version"),
    ("tail", {"limit": 0}, "limit"),
    ("tail", {"offset": -1}, "offset"),
    ("messages", {"from_seq": "x"}, "from_seq"),
    ("messages", {"to_seq": 1 << 70}, "to_seq"),
]


@pytest.mark.parametrize(("method", "options", "field"), BAD_READS, ids=range(len(BAD_READS)))
def test_bad_reads_name_the_field(store: Any, name: str, method: str, options: dict[str, Any], field: str) -> None:
    chat = store.context(name, budget=1000)
    with pytest.raises(errors.InvalidError) as raised:
        list(getattr(chat, method)(**options))
    assert raised.value.field == field


def test_versions_expected(store: Any, name: str) -> None:
    chat = store.context(name, budget=1000)
    chat.append(user("one"), if_version=0)
    with pytest.raises(errors.VersionConflictError) as raised:
        chat.append(user("two"), if_version=0)
    assert (raised.value.expected, raised.value.actual) == (0, 1)
    with pytest.raises(errors.VersionConflictError):
        chat.rewind(0, if_version=0)
    with pytest.raises(errors.VersionConflictError):
        chat.delete(if_version=0)
    chat.delete(if_version=1, idempotency_key="the end")
    chat.delete(if_version=1, idempotency_key="the end")


KEYS: list[Any] = ["", "k" * 256, "a\nb", "\ud800", 5]


@pytest.mark.parametrize("key", KEYS, ids=range(len(KEYS)))
def test_bad_keys(store: Any, name: str, key: Any) -> None:
    chat = store.context(name, budget=1000)
    with pytest.raises(errors.InvalidError) as raised:
        chat.append(user("one"), idempotency_key=key)
    assert raised.value.field == "idempotency_key"
    with pytest.raises(errors.InvalidError) as raised:
        chat.delete(idempotency_key=key)
    assert raised.value.field == "idempotency_key"
    chat.append(user("one"), idempotency_key=" ü ")
    assert chat.append(user("one"), idempotency_key=" ü ").replayed
    assert not chat.append(user("one"), idempotency_key="ü").replayed
