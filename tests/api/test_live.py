"""Streams, drafts, leases and the past of a context, over every face of the Python interface."""

from __future__ import annotations

from typing import Any

import pytest

from fastpaca import errors
from fastpaca.streams.frames import Cursor, Frame


def user(text: str, **more: Any) -> dict[str, Any]:
    return {"role": "user", "content": text, **more}


def taken(frames: Any, count: int) -> list[Frame]:
    return [next(frames) for _ in range(count)]


@pytest.mark.slow
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


def test_a_store_that_is_closed_ends_its_streams(store: Any, name: str) -> None:
    chat = store.context(name, budget=1000)
    chat.append(user("one"))
    with chat.subscribe(cursor=0) as frames, store.subscribe() as everywhere:
        assert next(frames).version == 1
        store.close()
        for each in (frames, everywhere):
            with pytest.raises(errors.ClosedError):
                list(each)


BAD_CURSORS: list[tuple[Any, str]] = [
    (99, "cursor_ahead"),
    ((1 << 64) - 1, "cursor_ahead"),
    (1 << 64, "invalid_field"),
    (-1, "invalid_field"),
    ("1", "invalid_field"),
    ("x", "invalid_field"),
    (1.0, "invalid_field"),
    (True, "invalid_field"),
]
BAD_CURSORS_OF_ALL: list[tuple[Any, str]] = [
    (str(Cursor(1 << 40, 0)), "cursor_ahead"),
    ("", "invalid_field"),
    ("abc", "invalid_field"),
    ("x" * 1000, "invalid_field"),
    ("AgAAAAAAAAAAAAAAAAAAAAA", "invalid_field"),
    ("\ud800", "invalid_field"),
    ("é", "invalid_field"),
    (5, "invalid_field"),
    (-1, "invalid_field"),
    (b"abc", "invalid_field"),
]


def test_streams_that_can_not_begin(store: Any, name: str) -> None:
    chat = store.context(name, budget=1000)
    for subscribe, cursor, code in [
        *((chat.subscribe, *case) for case in BAD_CURSORS),
        *((lambda cursor: store.subscribe(name, cursor=cursor), *case) for case in BAD_CURSORS),
        *((store.subscribe, *case) for case in BAD_CURSORS_OF_ALL),
    ]:
        with pytest.raises(errors.InvalidError) as raised, subscribe(cursor=cursor) as frames:
            next(frames)
        assert (raised.value.code, raised.value.field) == (code, "cursor"), cursor
    with pytest.raises(errors.NotFoundError), store.context(f"{name}?").subscribe() as frames:
        next(frames)
    with pytest.raises(errors.InvalidError), store.context("a\nb").subscribe() as frames:
        next(frames)


def test_the_end_of_a_deleted_context(store: Any, name: str) -> None:
    chat = store.context(name, budget=1000)
    chat.append(user("one"))
    chat.delete()
    version = chat.info().version
    for options in ({}, {"cursor": version}):
        with chat.subscribe(**options) as frames:
            assert list(frames) == []
        assert list(chat.subscribe(**options)) == []
    with chat.subscribe(cursor=version - 1) as frames:
        assert [f.type for f in frames] == ["tombstoned", "window"]
        assert list(frames) == []
    with pytest.raises(errors.InvalidError):
        next(chat.subscribe(cursor=version + 1))
    with pytest.raises(errors.TombstonedError):
        chat.draft("m", 0, "x")
    with pytest.raises(errors.TombstonedError), chat.lease():
        pass


def test_a_context_deleted_while_it_is_read(store: Any, name: str) -> None:
    chat = store.context(name, budget=1000)
    with chat.subscribe(cursor=0) as slow, chat.subscribe() as live, store.subscribe() as everywhere:
        chat.draft("m", 0, "never to be finished")
        assert next(live).type == "draft"
        chat.append([user(str(n)) for n in range(50)])
        version = chat.append(user("last")).version
        chat.delete()
        expected = [*range(1, version + 1), version + 1]
        for frames in (slow, live):
            found = list(frames)
            assert [f.version for f in found if f.type not in {"window", "draft"}] == expected
            assert [f.type for f in found][-2:] == ["tombstoned", "window"]
        other = store.context(f"{name}2", budget=1000)
        other.append(user("the stream of all goes on"))
        seen = [next(everywhere)]
        while seen[-1].fields["context_id"] != other.id:
            seen.append(next(everywhere))
        assert [f.version for f in seen if f.fields["context_id"] == name and f.type != "window"] == expected


def test_a_reader_that_raises_in_the_middle(store: Any, name: str) -> None:
    chat = store.context(name, budget=1000)
    for n in range(20):
        chat.append(user(str(n)))
    cursor = 0
    for broken_off in range(3, 20, 5):
        with pytest.raises(ZeroDivisionError), chat.subscribe(cursor=cursor) as frames:  # noqa: PT012
            for frame in frames:
                assert frame.version in {cursor, cursor + 1}
                cursor = frame.version
                if cursor == broken_off:
                    raise ZeroDivisionError
    with chat.subscribe(cursor=cursor) as frames:
        assert [f.version for f in taken(frames, 4)] == [19, 19, 20, 20]


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
    for message_id, delta, field in [("m", "\ud800", "delta"), ("", "x", "message_id"), ("m" * 256, "x", "message_id")]:
        with pytest.raises(errors.InvalidError) as refused:
            chat.draft(message_id, 0, delta)
        assert refused.value.field == field
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
    then = chat.info().version
    chat.configure(model="claude-opus-4-8")
    assert chat.window()._model == "claude-opus-4-8"
    assert chat.window(at_version=then)._model == "gpt-4o ü%"


def test_windows_convert_alike(store: Any, name: str) -> None:
    chat = store.context(name, budget=1000)
    chat.append([user("one"), {"role": "assistant", "content": "two"}])
    expected = [{"role": "user", "content": "one"}, {"role": "assistant", "content": "two"}]
    assert chat.window(fit="largest", close=True).to("openai")["messages"] == expected
    assert chat.replay("openai")["messages"] == expected
    assert chat.window(explain=True).explanation


BAD_ARGUMENTS: list[tuple[str, dict[str, Any], str]] = [
    ("window", {"budget": 0}, "budget_tokens"),
    ("window", {"budget": 10**8}, "budget_tokens"),
    ("window", {"budget": 1.5}, "budget_tokens"),
    ("window", {"fit": "tight"}, "fit"),
    ("window", {"at_version": -1}, "at_version"),
    ("tail", {"limit": 0}, "limit"),
    ("tail", {"offset": -1}, "offset"),
    ("messages", {"from_seq": "x"}, "from_seq"),
    ("messages", {"to_seq": 1 << 70}, "to_seq"),
    ("metadata", {"changes": 5}, "metadata"),
    ("compact", {"replacement": 5}, "replacement"),
    ("compact", {"replacement": "a summary"}, "replacement"),
    ("draft", {"message_id": 5, "offset": 0, "delta": "x"}, "message_id"),
]


def test_bad_names_are_typed(store: Any) -> None:
    for prefix in (5, "\ud800"):
        with pytest.raises(errors.InvalidError) as raised:
            list(store.contexts(prefix=prefix))
        assert raised.value.field == "prefix"
    for read in (store.context(5).info, lambda: list(store.subscribe(5))):
        with pytest.raises(errors.InvalidError) as raised:
            read()
        assert raised.value.field == "id"


@pytest.mark.parametrize(("method", "options", "field"), BAD_ARGUMENTS, ids=range(len(BAD_ARGUMENTS)))
def test_bad_arguments_name_the_field(store: Any, name: str, method: str, options: dict[str, Any], field: str) -> None:
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
