"""Compaction beside the conversation, over every face of the Python interface."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from fastpaca import errors
from fastpaca.compaction import summary as summaries


def user(text: str, **more: Any) -> dict[str, Any]:
    return {"role": "user", "content": text, **more}


def grown(chat: Any, turns: int = 8) -> None:
    """Over the trigger of a context with a budget of 400."""
    messages = [[user("word " * 20), {"role": "assistant", "content": "yes " * 20}] for _ in range(turns)]
    chat.append([message for turn in messages for message in turn])


def started(store: Any, name: str) -> Any:
    return store.context(name, budget=400, trigger=0.5)


def texts(chat: Any) -> list[str]:
    return ["".join(part["text"] for part in message["parts"]) for message in chat.window(budget=10_000).messages]


class Held:
    """Summaries that take until they are let go."""

    def __init__(self) -> None:
        self.begun, self.go = threading.Event(), threading.Event()
        self.calls = 0

    def __call__(self, messages: Any) -> str:
        self.calls += 1
        self.begun.set()
        assert self.go.wait(10)
        return "A summary."

    def wait_begun(self, auto: Any) -> None:
        """In turns: over some faces the summary runs while its owner waits."""
        while not self.begun.is_set():
            auto.wait(0.02)


def test_the_suggested_range_gives_way_to_a_summary(store: Any, name: str) -> None:
    chat = started(store, name)
    asked: list[Any] = []

    def fn(messages: Any) -> str:
        asked.append(messages)
        return "So far: nothing but words."

    with chat.auto_compact(fn) as auto:
        chat.append(user("not yet"))
        assert auto.wait(0)
        assert asked == []
        grown(chat)
        first, last = chat.window().suggested_range
        assert auto.wait(10)
        assert auto.last_error is None
    (messages,) = asked
    assert [message["seq"] for message in messages] == list(range(first, last + 1))
    shown = chat.window()
    assert not shown.needs_compaction
    assert texts(chat)[0] == "So far: nothing but words."
    assert shown.messages[0]["role"] == "user"
    (compaction,) = chat.compactions()
    assert (compaction.from_seq, compaction.to_seq, compaction.by) == (first, last, "caller")
    assert compaction.up_to_version is not None
    assert chat.info().last_seq == 17


async def asynchronous(messages: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": f"{len(messages)} messages"}


def test_what_a_function_may_give(store: Any, name: str) -> None:
    chat = started(store, name)
    formats: list[Any] = []

    def by_format(**arguments: Any) -> list[dict[str, Any]]:
        formats.append(arguments)
        return [user("a list"), {"role": "assistant", "content": "of two"}]

    with chat.auto_compact(asynchronous) as auto:
        grown(chat)
        auto.wait(10)
    assert texts(chat)[0].endswith(" messages")
    with chat.auto_compact(by_format, format="openai") as auto:
        grown(chat)
        auto.wait(10)
    assert texts(chat)[:2] == ["a list", "of two"]
    assert set(formats[0]) == {"messages"}
    assert formats[0]["messages"][0]["content"].endswith(" messages")
    assert {"role": "user", "content": "word " * 20} in formats[0]["messages"]


def test_a_summary_is_asked_for_without_signed_thinking(store: Any, name: str) -> None:
    """It was signed behind other messages than those of the range: the provider would refuse it."""
    chat = started(store, name)
    asked: list[Any] = []

    def fn(messages: Any) -> str:
        asked.append(messages)
        return "A summary."

    thinking = {"type": "thinking", "thinking": "Hm.", "signature": "c2lnbmVk"}
    with chat.auto_compact(fn, format="anthropic") as auto:
        chat.append([user("One?"), {"role": "assistant", "content": [thinking, {"type": "text", "text": "One."}]}])
        grown(chat)
        assert auto.wait(10)
    assert auto.last_error is None
    assert asked[0][1] == {"role": "assistant", "content": [{"type": "text", "text": "One."}]}


def failing(messages: Any) -> str:
    raise OSError("the model is gone")


FAILURES: list[tuple[Any, type[Exception]]] = [
    (failing, OSError),
    (lambda **_: "word " * 2000, errors.SummaryNotSmallerError),
    (lambda messages: {"from_seq": 1, "to_seq": messages[-1]["seq"]}, errors.SummaryNotSmallerError),
    (lambda **_: "  ", errors.EmptyReplacementError),
    (lambda **_: [], errors.EmptyReplacementError),
    (lambda **_: None, errors.InvalidError),
    (lambda **_: [5], errors.InvalidError),
    (lambda **_: {"content": "no role"}, errors.InvalidError),
    (lambda **_: {"seq": 99}, errors.InvalidError),
]


def test_a_summary_that_fails_changes_nothing_and_is_reported(store: Any, name: str) -> None:
    for number, (fn, kind) in enumerate(FAILURES):
        chat = started(store, f"{name}-{number}")
        told: list[tuple[str, Exception]] = []
        with chat.auto_compact(fn, on_error=lambda *error, told=told: told.append(error)) as auto:
            grown(chat)
            version = chat.info().version
            assert auto.wait(10)
            assert type(auto.last_error) is kind, number
        assert [(context_id, type(error)) for context_id, error in told] == [(chat.id, kind)]
        assert chat.info().version == version
        assert chat.info().needs_compaction
        with chat.lease():
            pass


def test_a_broken_model_is_left_alone_for_a_while(store: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    chat = started(store, name)
    calls: list[float] = []

    def fn(messages: Any) -> str:
        calls.append(time.monotonic())
        raise OSError

    with chat.auto_compact(fn) as auto:
        grown(chat)
        auto.wait(10)
        for _ in range(5):
            chat.append(user("more"))
            auto.wait(10)
    assert len(calls) == 1
    monkeypatch.setattr(summaries, "FIRST_PAUSE_S", 0.0)
    with chat.auto_compact(fn) as auto:
        for _ in range(3):
            chat.append(user("more"))
            auto.wait(10)
    assert len(calls) == 4


def test_what_comes_during_a_slow_summary_is_kept(store: Any, name: str) -> None:
    chat, held = started(store, name), Held()
    with chat.auto_compact(held) as auto:
        grown(chat)
        held.wait_begun(auto)
        chat.append(user("meanwhile one"))
        chat.window()
        chat.append(user("meanwhile two"))
        held.go.set()
        assert auto.wait(10)
    assert texts(chat)[0] == "A summary."
    assert texts(chat)[-2:] == ["meanwhile one", "meanwhile two"]
    assert chat.info().last_seq == 18


def test_what_is_due_again_by_then_follows_and_nothing_behind_the_end(store: Any, name: str) -> None:
    chat, held = started(store, name), Held()
    with chat.auto_compact(held) as auto:
        grown(chat)
        held.wait_begun(auto)
        grown(chat)
        held.go.set()
        assert auto.wait(10)
        assert not chat.info().needs_compaction
    assert held.calls == 2
    grown(chat)
    assert chat.info().needs_compaction
    assert auto.wait(10)
    assert held.calls == 2


def test_one_at_a_time(store: Any, name: str) -> None:
    """Two objects of one context, as two requests of a server have them."""
    one, two = started(store, name), started(store, name)
    held, other = Held(), Held()
    with one.auto_compact(held) as first, two.auto_compact(other) as second:
        grown(one)
        held.wait_begun(first)
        two.append(user("more"))
        assert second.wait(10)
        assert second.last_error is None
        with pytest.raises(errors.LeaseHeldError) as raised, two.lease():
            pass
        assert raised.value.holder
        held.go.set()
        assert first.wait(10)
    assert (held.calls, other.calls) == (1, 0)


def test_somebody_who_was_faster_wins(store: Any, name: str) -> None:
    chat, held = started(store, name), Held()
    with chat.auto_compact(held) as auto:
        grown(chat)
        held.wait_begun(auto)
        started(store, name).compact(user("By hand."), from_seq=1, to_seq=14)
        held.go.set()
        assert auto.wait(10)
        assert auto.last_error is None
    assert texts(chat)[0] == "By hand."
    assert "A summary." not in texts(chat)


def test_a_window_that_was_cut_hides_nothing_from_the_summary(store: Any, name: str) -> None:
    chat = started(store, name)
    grown(chat, turns=40)
    window = chat.window()
    assert window.truncated
    seen: list[int] = []

    def fn(messages: Any) -> str:
        seen.extend(message["seq"] for message in messages)
        return "A summary."

    with chat.auto_compact(fn) as auto:
        chat.append(user("one more"))
        assert auto.wait(10)
    first, last = window.suggested_range
    assert seen[: last - first + 1] == list(range(first, last + 1))


def test_bad_options_name_the_field(store: Any, name: str) -> None:
    chat = started(store, name)
    bad: list[tuple[Any, dict[str, Any], str]] = [
        (None, {}, "fn"),
        (failing, {"format": "parts"}, "format"),
        (failing, {"lease_seconds": 0}, "lease_seconds"),
        (failing, {"lease_seconds": None}, "lease_seconds"),
        (failing, {"lease_seconds": 10**6}, "lease_seconds"),
        (failing, {"on_error": 5}, "on_error"),
    ]
    for fn, options, field in bad:
        with pytest.raises(errors.InvalidError) as raised:
            chat.auto_compact(fn, **options)
        assert raised.value.field == field
