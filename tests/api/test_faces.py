"""One suite over every face of the Python interface: what is written for one runs against the others."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from fastpaca import errors
from tests.support.faces import opened
from tests.support.server import Server


def user(text: str, **more: Any) -> dict[str, Any]:
    return {"role": "user", "content": text, **more}


def test_the_main_job(store: Any, name: str) -> None:
    chat = store.context(name, budget=1000, trigger=0.5)
    first = chat.append({"role": "system", "content": "Be brief."})
    assert (first.seq, first.first_seq, first.version) == (1, 1, 1)
    batch = chat.append([user("hi"), {"role": "assistant", "content": "hello"}])
    assert (batch.seq, batch.first_seq, batch.version) == (3, 2, 3)
    window = chat.window()
    assert [m["seq"] for m in window.messages] == [1, 2, 3]
    assert window.used_tokens == batch.used_tokens == sum(m["token_count"] for m in window.messages)
    assert window.segments == [{"type": "live", "from_seq": 1, "to_seq": 3}]
    assert (window.ends_with, window.open_calls, window.truncated) == ("assistant", [], False)
    assert [m["seq"] for m in chat.messages()] == [1, 2, 3]
    assert [m["seq"] for m in chat.messages(from_seq=-2)] == [2, 3]
    assert [m["seq"] for m in chat.tail(2)] == [2, 3]
    assert [m["seq"] for m in chat.tail(2, offset=1)] == [1, 2]


def test_no_write_without_options(store: Any, name: str) -> None:
    chat = store.context(name)
    with pytest.raises(errors.NotFoundError):
        chat.append(user("hi"))
    with pytest.raises(errors.NotFoundError):
        chat.info()
    assert list(store.contexts(prefix=name)) == []


def test_the_chain_is_written_with_the_next_operation(store: Any, name: str) -> None:
    chat = store.context(name).budget(500).trigger(1).policy("last_n", limit=4).reserve(10).model("gpt-4o")
    chat.append(user("hi"))
    info = chat.info()
    assert (info.token_budget, info.trigger_ratio, info.reserve_tokens, info.model) == (500, 1.0, 10, "gpt-4o")
    assert info.policy == {"strategy": "last_n", "config": {"limit": 4}}


def test_a_chain_that_was_refused_is_not_forgotten(store: Any, name: str) -> None:
    chat = store.context(name).model("gpt-4o").budget(0)
    with pytest.raises(errors.InvalidError) as refused:
        chat.append(user("hi"))
    assert refused.value.field == "token_budget"
    chat.budget(500).append(user("hi"))
    assert (chat.info().token_budget, chat.info().model) == (500, "gpt-4o")


def test_the_same_configuration_changes_nothing(store: Any, name: str) -> None:
    chat = store.context(name, budget=500, metadata={"a": 1})
    version = chat.info().version
    store.context(name, budget=500)
    assert chat.info().version == version
    store.context(name, budget=600)
    info = chat.info()
    assert (info.version, info.token_budget, info.metadata) == (version + 1, 600, {"a": 1})


def test_idempotent_append(store: Any, name: str) -> None:
    chat = store.context(name, budget=500)
    first = chat.append(user("hi"), idempotency_key="k")
    again = chat.append(user("hi"), idempotency_key="k")
    assert again.replayed
    assert not first.replayed
    assert (again.seq, again.version) == (first.seq, first.version)
    with pytest.raises(errors.KeyReusedError):
        chat.append(user("other"), idempotency_key="k")


def test_replace_and_rewind(store: Any, name: str) -> None:
    chat = store.context(name, budget=500)
    chat.append(user("hi"))
    chat.append({"role": "assistant", "content": "one", "id": "a"})
    replaced = chat.append({"role": "assistant", "content": "two", "id": "a"}, replace=True)
    assert replaced.seq == 3
    assert [m["seq"] for m in chat.window().messages] == [1, 3]
    assert [m["seq"] for m in chat.messages()] == [1, 3]
    assert [m["seq"] for m in chat.messages(all=True)] == [1, 2, 3]
    with pytest.raises(errors.NotNewestError) as raised:
        chat.append({"role": "assistant", "content": "three", "id": "b"}, replace=True)
    assert raised.value.newest_id == "a"
    assert chat.rewind(1).to_seq == 1
    assert [m["seq"] for m in chat.window().messages] == [1]
    assert chat.append(user("again")).seq == 4


def test_compaction_never_loses_what_came_meanwhile(store: Any, name: str) -> None:
    chat = store.context(name, budget=500)
    chat.append([user("one"), {"role": "assistant", "content": "two"}])
    chat.window()
    chat.append(user("three"))
    compacted = chat.compact({"role": "assistant", "content": "summary"})
    assert compacted.tokens_before > compacted.tokens_after
    window = chat.window()
    assert [m.get("seq") for m in window.messages] == [None, 3]
    assert window.segments == [
        {"type": "summary", "from_seq": 1, "to_seq": 2},
        {"type": "live", "from_seq": 3, "to_seq": 3},
    ]
    with pytest.raises(errors.CompactionConflictError):
        chat.compact({"role": "assistant", "content": "older"}, up_to_version=3)
    assert [m["seq"] for m in chat.messages()] == [1, 2, 3]


def test_the_suggested_range_can_be_compacted(store: Any, name: str) -> None:
    chat = store.context(name, budget=400, trigger=0.5)
    chat.append({"role": "system", "content": "Be brief."})
    for turn in range(12):
        chat.append(user("word " * 20))
        call = {"type": "tool_call", "call_id": f"c{turn}", "name": "look", "payload": {}}
        chat.append({"role": "assistant", "parts": [call]})
        chat.append({"role": "tool", "parts": [{"type": "tool_result", "call_id": f"c{turn}", "content": "x"}]})
        window = chat.window()
        if not window.needs_compaction:
            assert window.suggested_range is None
            continue
        first, last = window.suggested_range
        summary = {"role": "assistant", "content": "So far."}
        compacted = chat.compact(summary, from_seq=first, to_seq=last)
        assert compacted.tokens_after < compacted.tokens_before
        assert not compacted.needs_compaction
    assert [m["role"] for m in chat.window().messages][:2] == ["system", "assistant"]


def test_live_references(store: Any, name: str) -> None:
    chat = store.context(name, budget=5000)
    chat.append([user(f"message {n}") for n in range(10)])
    shown = chat.window().messages
    chat.compact([{"seq": 1}, {"role": "assistant", "content": "in between"}, shown[7], {"from_seq": 9, "to_seq": 10}])
    assert [m.get("seq") for m in chat.window().messages] == [1, None, 8, 9, 10]
    chat.compact([{"from_seq": 1, "to_seq": 10}])
    assert [m.get("seq") for m in chat.window().messages] == list(range(1, 11))


def test_a_summary_without_content_is_refused(store: Any, name: str) -> None:
    chat = store.context(name, budget=5000)
    chat.append(user("hi"))
    replacements: list[Any] = [[], {"role": "assistant", "content": " "}]
    for empty in replacements:
        with pytest.raises(errors.EmptyReplacementError):
            chat.compact(empty)
    assert chat.compact([], force=True).tokens_after == 0


def test_a_budget_that_is_too_small_says_what_would_do(store: Any, name: str) -> None:
    chat = store.context(name, budget=5000)
    chat.append([{"role": "system", "content": "word " * 50}, user("word " * 50)])
    with pytest.raises(errors.BudgetTooSmallError) as raised:
        chat.window(budget=20)
    needed = raised.value.details["needed_tokens"]
    assert isinstance(needed, int)
    assert chat.window(budget=needed).used_tokens <= needed


def test_metadata_merges(store: Any, name: str) -> None:
    chat = store.context(name, metadata={"a": 1, "b": {"c": 2}})
    assert chat.metadata() == {"a": 1, "b": {"c": 2}}
    assert chat.metadata({"b": {"d": 3}}, a=None) == {"b": {"c": 2, "d": 3}}


def test_deleted_contexts_are_read_only(store: Any, name: str) -> None:
    chat = store.context(name, budget=500)
    chat.append(user("hi"))
    chat.delete()
    chat.delete()
    with pytest.raises(errors.TombstonedError):
        chat.append(user("again"))
    assert chat.info().status == "tombstoned"
    assert len(chat.window().messages) == 1
    assert list(store.contexts(prefix=name)) == []


def test_listing(store: Any, name: str) -> None:
    for n in range(5):
        store.context(f"{name}a-{n}", budget=100).append(user("word " * (90 if n == 2 else 1)))
    store.context(f"{name}b", budget=100)

    def listed(prefix: str = "", **more: Any) -> list[str]:
        return [c.id.removeprefix(name) for c in store.contexts(prefix=name + prefix, **more)]

    assert listed() == ["a-0", "a-1", "a-2", "a-3", "a-4", "b"]
    assert listed("a-") == ["a-0", "a-1", "a-2", "a-3", "a-4"]
    assert listed(needs_compaction=True) == ["a-2"]
    assert "a-2" not in listed(needs_compaction=False)
    assert set(listed()) <= {c.id.removeprefix(name) for c in store.contexts()}


def test_calibration(store: Any, name: str) -> None:
    chat = store.context(name, budget=5000)
    chat.append(user("hi"))
    window = chat.window()
    usage = {"input_tokens": window.used_tokens + 300, "window_version": window.version}
    reply = chat.append({"role": "assistant", "content": "hello", "usage": usage})
    shown = chat.window()
    assert reply.used_tokens == shown.used_tokens == sum(m["token_count"] for m in shown.messages) + 300


BAD: list[tuple[Any, str]] = [
    ({"content": "no role"}, "message.role"),
    ({"role": 5, "content": "x"}, "message.role"),
    ({"role": "user"}, "message"),
    ({"role": "user", "content": 5}, "message.content"),
    ({"role": "user", "parts": [{"type": "text"}]}, "message.parts[0].text"),
    ({"role": "user", "parts": [{"text": "no type"}]}, "message.parts[0].type"),
    ({"role": "user", "content": "x", "token_count": -1}, "message.token_count"),
    ({"role": "user", "content": "x", "created_at": "yesterday"}, "message.created_at"),
    ([], "messages"),
    ("a string", "message"),
    ({"role": "user", "content": float("nan")}, "body"),
    ({"role": "user", "content": {1, 2}}, "body"),
]


@pytest.mark.parametrize(("message", "field"), BAD, ids=range(len(BAD)))
def test_bad_messages_name_the_field(store: Any, name: str, message: Any, field: str) -> None:
    chat = store.context(name, budget=500)
    version = chat.info().version
    with pytest.raises(errors.InvalidError) as raised:
        chat.append(message)
    assert str(raised.value.details["field"]).startswith(field)
    assert chat.info().version == version


def test_bad_ids(store: Any, name: str) -> None:
    for bad in ("", "a/b", "a\nb", "x" * 256, "\ud800", "é" * 128):
        with pytest.raises(errors.InvalidError):
            store.context(bad, budget=5)


def test_use_after_close(store: Any, name: str) -> None:
    chat = store.context(name, budget=500)
    store.close()
    store.close()
    with pytest.raises(errors.ClosedError):
        chat.append(user("hi"))
    with pytest.raises(errors.ClosedError):
        next(iter(chat.subscribe()))


@pytest.mark.parametrize("face", ["blocking", "http-blocking"])
def test_threads_share_a_store(face: str, tmp_path: Path, server: Server, name: str) -> None:
    with opened(face, tmp_path / "data", server.url) as store:
        chat = store.context(name, budget=500)
        seqs: list[int] = []

        def work() -> None:
            seqs.extend(chat.append(user("hi")).seq for _ in range(25))

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(seqs) == list(range(1, 201))
        assert [m["seq"] for m in chat.messages()] == list(range(1, 201))
