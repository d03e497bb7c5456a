"""A worker that compacts every context of a store, over every face of the Python interface."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import fastpaca
from fastpaca import errors
from fastpaca.compaction import summary as summaries
from tests.api.test_auto_compact import failing, grown, started
from tests.support.faces import Blocking


def worker_of(store: Any, fn: Any, **options: Any) -> Any:
    if isinstance(store, Blocking):
        return Blocking(fastpaca.compaction_worker(store._inner, fn, **options), store._loop)
    return fastpaca.compaction_worker(store, fn, **options)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_compact(chat: Any) -> bool:
    return not chat.info().needs_compaction


def test_what_is_flagged_and_what_will_be(store: Any, name: str) -> None:
    before = started(store, f"{name}-before")
    grown(before)
    small = started(store, f"{name}-small")
    small.append({"role": "user", "content": "hi"})
    asked: list[int] = []

    def fn(messages: Any) -> str:
        asked.append(len(messages))
        return "A summary."

    with worker_of(store, fn):
        until(lambda: is_compact(before))
        later = started(store, f"{name}-later")
        grown(later)
        until(lambda: is_compact(later))
        grown(before)
        until(lambda: is_compact(before))
    assert before.window().messages[0]["parts"][0]["text"] == "A summary."
    assert list(small.compactions()) == []
    assert len(asked) >= 3
    # It has stopped: nothing is done any more.
    grown(later)
    time.sleep(0.05)
    assert not is_compact(later)


@pytest.mark.slow
def test_failures_are_told_and_tried_again(store: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summaries, "FIRST_PAUSE_S", 0.05)
    chat, other = started(store, f"{name}-bad"), started(store, f"{name}-good")
    told: list[str] = []
    failures = [True, True]

    def fn(messages: Any) -> str:
        if failures and messages[0]["parts"][0]["text"] == "bad":
            failures.pop()
            failing(messages)
        return "A summary."

    chat.append({"role": "user", "content": "bad"})
    grown(chat)
    grown(other)
    with worker_of(store, fn, on_error=lambda context_id, _: told.append(context_id)):
        until(lambda: is_compact(other))
        until(lambda: is_compact(chat))
    assert told == [chat.id, chat.id]


def test_a_context_that_is_gone(store: Any, name: str) -> None:
    chat, other = started(store, f"{name}-a"), started(store, f"{name}-b")
    told: list[str] = []

    def fn(messages: Any) -> str:
        if messages[0]["parts"][0]["text"] == "first":
            begun.set()
            assert go.wait(10)
        return "A summary."

    begun, go = threading.Event(), threading.Event()
    with worker_of(store, fn, on_error=lambda context_id, _: told.append(context_id)):
        chat.append({"role": "user", "content": "first"})
        grown(chat)
        until(lambda: chat.info().version > 0 and begun.is_set())
        chat.delete()
        go.set()
        grown(other)
        until(lambda: is_compact(other))
    assert told == []


def test_bad_options_name_the_field(store: Any, name: str) -> None:
    for options, field in (
        ({"fn": None}, "fn"),
        ({"concurrency": 0}, "concurrency"),
        ({"concurrency": None}, "concurrency"),
        ({"lease_seconds": "x"}, "lease_seconds"),
        ({"format": "parts"}, "format"),
        ({"on_error": "x"}, "on_error"),
    ):
        with pytest.raises(errors.InvalidError) as raised:
            worker_of(store, **{"fn": failing, **options})
        assert raised.value.field == field
    with pytest.raises(errors.InvalidError) as raised:
        fastpaca.compaction_worker("http://127.0.0.1:4000", failing)  # type: ignore[call-overload]
    assert raised.value.field == "client"
