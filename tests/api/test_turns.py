"""Answers of models, streamed through every face of the Python interface."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from fastpaca import errors

TEXTS = ["Once", " upon", " a time 🦙"]


def user(text: str, **more: Any) -> dict[str, Any]:
    return {"role": "user", "content": text, **more}


def texts_of(messages: Any) -> list[str]:
    return ["".join(part["text"] for part in message["parts"]) for message in messages]


def started(store: Any, name: str, **options: Any) -> Any:
    chat = store.context(name, budget=1000, **options)
    chat.append(user("Tell me a story."))
    return chat


def drafts_left(chat: Any) -> list[str]:
    """Ids of drafts that a page which is loaded now would see."""
    found = []
    with chat.subscribe() as frames:
        chat.metadata(looked=True)
        while (frame := next(frames)).type == "draft":
            found.append(frame.fields["message_id"])
    return found


def gives(answer: Any) -> Callable[..., Any]:
    return lambda **_: answer


def plain(messages: Any) -> Iterator[str]:
    yield from TEXTS


async def asynchronous(messages: Any) -> AsyncIterator[str]:
    for text in TEXTS:
        await asyncio.sleep(0)
        yield text


async def awaited(messages: Any) -> list[str]:
    await asyncio.sleep(0)
    return TEXTS


async def awaited_asynchronous(messages: Any) -> AsyncIterator[str]:
    return asynchronous(messages)


@contextlib.contextmanager
def managed(messages: Any) -> Iterator[list[str]]:
    yield TEXTS


@contextlib.asynccontextmanager
async def managed_asynchronous(messages: Any) -> AsyncIterator[AsyncIterator[str]]:
    yield asynchronous(messages)


def returned(messages: Any) -> Any:
    """A coroutine of a function that is none by its looks, as a lambda around an async client gives it."""
    return awaited_asynchronous(messages)


FUNCTIONS: list[Callable[..., Any]] = [
    plain,
    asynchronous,
    awaited,
    awaited_asynchronous,
    managed,
    managed_asynchronous,
    returned,
]


def test_an_answer_is_relayed_and_appended(store: Any, name: str) -> None:
    chat = started(store, name)
    for number, fn in enumerate(FUNCTIONS):
        turn = chat.stream(fn)
        assert turn.window is None
        assert list(turn) == TEXTS, number
        assert turn.text == "".join(TEXTS)
        assert (turn.appended.seq, turn.appended.replayed) == (2 + number, False)
        assert turn.draft_error is None
        (answer,) = chat.tail(1)
        assert (answer["role"], answer["id"]) == ("assistant", turn.message_id)
        assert answer["parts"] == [{"type": "text", "text": "".join(TEXTS)}]
        assert "metadata" not in answer
    assert drafts_left(chat) == []


def test_the_model_gets_the_window(store: Any, name: str) -> None:
    chat = started(store, name)
    asked: list[dict[str, Any]] = []

    def fn(**arguments: Any) -> list[str]:
        asked.append(arguments)
        return ["Yes."]

    list(chat.stream(fn))
    list(chat.stream(fn, format="openai"))
    list(chat.stream(fn, format="anthropic", cache="auto", budget=999))
    assert texts_of(asked[0]["messages"]) == ["Tell me a story."]
    assert asked[1] == {"messages": [user("Tell me a story."), {"role": "assistant", "content": "Yes."}]}
    assert asked[2]["messages"][0]["content"] == [{"type": "text", "text": "Tell me a story."}]
    assert "cache_control" in asked[2]["messages"][-1]["content"][-1]


def test_others_see_it_while_it_comes(store: Any, name: str) -> None:
    chat = started(store, name)
    seen = threading.Event()

    def fn(messages: Any) -> Iterator[str]:
        yield TEXTS[0]
        assert seen.wait(10)
        yield TEXTS[1]

    with chat.subscribe() as frames, chat.stream(fn, message_id="a-1") as turn:
        assert next(turn) == TEXTS[0]
        frame = next(frames)
        assert frame.type == "draft"
        assert {**frame.fields, "offset": 0, "delta": TEXTS[0]} == frame.fields | {"message_id": "a-1"}
        seen.set()
        assert list(turn) == [TEXTS[1]]
        kinds = []
        while (frame := next(frames)).type != "message":
            kinds.append(frame.fields.get("delta"))
        assert frame.fields["id"] == "a-1"
        assert kinds in ([], [TEXTS[1]])
    assert drafts_left(chat) == []


def test_many_small_chunks_make_few_drafts(store: Any, name: str) -> None:
    chat = started(store, name)
    with chat.subscribe() as frames:
        list(chat.stream(gives(f"{n} " for n in range(2000))))
        kinds = []
        while (frame := next(frames)).type != "message":
            kinds.append(frame.type)
        assert set(kinds) <= {"draft"}
        assert len(kinds) < 100
    assert texts_of(chat.tail(1)) == ["".join(f"{n} " for n in range(2000))]


def test_without_drafts(store: Any, name: str) -> None:
    chat = started(store, name)
    with chat.subscribe() as frames:
        list(chat.stream(plain, drafts=False))
        assert next(frames).type == "message"


def test_drafts_of_an_id_that_is_in_use(store: Any, name: str) -> None:
    """What a process that was killed left behind gives way, and the answer never notices."""
    chat = started(store, name)
    chat.draft("a-1", 0, "something else")
    turn = chat.stream(plain, message_id="a-1")
    assert list(turn) == TEXTS
    assert turn.draft_error is None
    assert drafts_left(chat) == []


def test_drafts_that_fail_are_reported_alone(store: Any, name: str) -> None:
    """An id that no path can hold, and no draft may have."""
    chat = started(store, name)
    turn = chat.stream(plain, message_id="..")
    assert list(turn) == TEXTS
    assert chat.tail(1)[0]["id"] == ".."


def test_the_caller_appends(store: Any, name: str) -> None:
    chat = started(store, name)
    turn = chat.stream(plain, auto_append=False)
    assert list(turn) == TEXTS
    assert (turn.appended, chat.info().last_seq) == (None, 1)
    assert drafts_left(chat) == []
    assert turn.messages == [{"role": "assistant", "id": turn.message_id, "content": "".join(TEXTS)}]
    assert turn.append().seq == 2
    assert turn.append().seq == 2
    assert chat.info().last_seq == 2


def test_an_append_in_the_middle_ends_the_answer(store: Any, name: str) -> None:
    chat = started(store, name)
    with chat.stream(plain) as turn:
        assert next(turn) == TEXTS[0]
        assert turn.append().seq == 2
        assert list(turn) == []
    (answer,) = list(chat.messages())[1:]
    assert (texts_of([answer]), answer["metadata"]) == ([TEXTS[0]], {"status": "interrupted"})


def broken(messages: Any) -> Iterator[str]:
    yield TEXTS[0]
    raise OSError("the model is gone")


@pytest.mark.parametrize("keep_partial", [False, True])
def test_a_model_that_fails_in_the_middle(store: Any, name: str, keep_partial: bool) -> None:
    chat = started(store, name)
    turn = chat.stream(broken, keep_partial=keep_partial)
    with pytest.raises(OSError, match="the model is gone"):
        list(turn)
    stored = list(chat.messages())[1:]
    assert texts_of(stored) == ([TEXTS[0]] if keep_partial else [])
    assert [message["metadata"] for message in stored] == [{"status": "interrupted"}] * keep_partial
    assert (turn.text, turn.messages[0]["metadata"]) == (TEXTS[0], {"status": "interrupted"})
    assert drafts_left(chat) == []
    chat.append(user("Go on."))
    assert chat.window().to("openai")["messages"][-1] == user("Go on.")


class Stream:
    """As clients give it: it lets go of its connection when it is closed."""

    def __init__(self) -> None:
        self.closed = threading.Event()
        self.iterator_closed = threading.Event()

    def __iter__(self) -> Iterator[str]:
        try:
            yield from TEXTS
        finally:
            self.iterator_closed.set()

    def close(self) -> None:
        self.closed.set()


@pytest.mark.parametrize("keep_partial", [False, True])
def test_a_caller_that_has_enough(store: Any, name: str, keep_partial: bool) -> None:
    chat = started(store, name)
    given = Stream()

    with contextlib.suppress(ZeroDivisionError), chat.stream(gives(given), keep_partial=keep_partial) as turn:
        assert next(turn) == TEXTS[0]
        raise ZeroDivisionError
    assert given.closed.wait(5)
    assert given.iterator_closed.wait(5)
    assert texts_of(list(chat.messages())[1:]) == ([TEXTS[0]] if keep_partial else [])
    assert drafts_left(chat) == []
    assert list(turn) == []


def chunk(delta: dict[str, Any], finish_reason: str | None = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return {"object": "chat.completion.chunk", "choices": [choice], **more}


def test_thinking_that_stands_in_the_content(store: Any, name: str) -> None:
    """As Mistral's models give it."""
    chat = started(store, name)
    thinking = [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}, {"type": "text", "text": "Once"}]
    turn = chat.stream(gives([chunk({"content": thinking}), chunk({"content": " upon"}, "stop")]))
    assert len(list(turn)) == 2
    assert turn.text == "Once upon"
    (answer,) = chat.tail(1)
    assert (texts_of([answer]), answer["reasoning_content"]) == (["Once upon"], "Hm.")


CALL = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"at":'}}
REST = {"index": 0, "function": {"arguments": "1}"}}


def test_what_the_provider_has_finished_is_appended_wherever_the_caller_stops(store: Any, name: str) -> None:
    chat = started(store, name)
    chunks = [chunk({"tool_calls": [CALL]}), chunk({"tool_calls": [REST]}), chunk({}, "tool_calls"), chunk({})]
    with chat.stream(gives(chunks)) as turn:
        for each in turn:
            if each["choices"][0]["finish_reason"]:
                break
    (answer,) = list(chat.messages())[1:]
    assert answer["tool_calls"][0]["function"] == {"name": "look", "arguments": '{"at":1}'}
    assert chat.window().open_calls == ["call_1"]


def test_an_error_behind_the_end_of_an_answer_is_one(store: Any, name: str) -> None:
    """Whoever is told of it asks again: then there would be two."""
    chat = started(store, name)

    def fn(messages: Any) -> Iterator[Any]:
        yield chunk({"content": "Once"}, "stop")
        raise OSError("the model is gone")

    with pytest.raises(OSError, match="gone"):
        list(chat.stream(fn))
    assert chat.info().last_seq == 1


def test_half_a_call_is_never_appended(store: Any, name: str) -> None:
    chat = started(store, name)
    chunks = [chunk({"content": "Let me look."}), chunk({"tool_calls": [CALL]}), chunk({"tool_calls": [REST]})]
    with pytest.raises(errors.IncompleteAnswerError):
        list(chat.stream(gives(chunks), keep_partial=True))
    (answer,) = list(chat.messages())[1:]
    assert (texts_of([answer]), "tool_calls" in answer) == (["Let me look."], False)
    with pytest.raises(errors.IncompleteAnswerError):
        list(chat.stream(gives(chunks[1:]), keep_partial=True))
    assert chat.info().last_seq == 2


def test_what_the_provider_counted_calibrates(store: Any, name: str) -> None:
    chat = started(store, name)
    version, before = chat.info().version, chat.info().used_tokens
    usage = {"prompt_tokens": before + 300, "completion_tokens": 3}
    chunks = [chunk({"content": "Yes."}, "stop"), {"object": "chat.completion.chunk", "choices": [], "usage": usage}]
    turn = chat.stream(gives(chunks))
    list(turn)
    answer = chat.tail(1)[0]
    assert answer["usage"] == {"input_tokens": before + 300, "window_version": version, "output_tokens": 3}
    assert turn.appended.used_tokens == before + 300 + answer["token_count"]
    # A window that was asked for otherwise is not the one that the context knows.
    for options in ({"budget": 900}, {"close": True}):
        list(chat.stream(gives(chunks), **options))
        assert "usage" not in chat.tail(1)[0]


def other_argument(wrong: Any) -> list[str]:
    return []


def no_answer(messages: Any) -> None:
    """Forgets to return what it made."""


class Whole:
    """Of a call without `stream=True`: iterated, it gives its fields, as the models of client libraries do."""

    def model_dump(self) -> dict[str, Any]:
        return dict(self)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        yield "id", "chatcmpl-1"


NO_ANSWERS: list[tuple[Any, type[Exception], str]] = [
    (no_answer, errors.UnknownChunkError, "NoneType"),
    (gives(5), errors.UnknownChunkError, "int"),
    (gives("a whole answer"), errors.UnknownChunkError, "str"),
    (gives({"choices": []}), errors.UnknownChunkError, "dict"),
    (gives(Whole()), errors.UnknownChunkError, "Whole"),
    (gives([b"bytes"]), errors.UnknownChunkError, "bytes"),
    (gives([None]), errors.UnknownChunkError, "NoneType"),
    (gives([{"foo": 1}]), errors.UnknownChunkError, "dict"),
    (gives(["text", 5]), errors.UnknownChunkError, "int"),
    (gives([chunk({"content": "x"}), "text"]), errors.UnknownChunkError, "str"),
    (gives([{"type": "content_block_delta", "index": 3}]), errors.UnknownChunkError, "dict"),
    (gives([{"type": "response.output_text.delta"}]), errors.UnknownChunkError, "dict"),
    (gives([{"choices": [5]}]), errors.IncompleteAnswerError, ""),
    (gives([{"choices": [{"index": 1}]}]), errors.UnknownChunkError, "dict"),
    (gives([{"choices": [{"delta": {"content": [{"type": "image_url"}]}}]}]), errors.UnknownChunkError, "dict"),
    (gives([]), errors.IncompleteAnswerError, ""),
    (gives([{"type": "error", "error": {"type": "overloaded_error"}}]), errors.FailedAnswerError, ""),
    (other_argument, TypeError, ""),
]


def test_what_is_no_answer(store: Any, name: str) -> None:
    chat = started(store, name)
    for number, (fn, kind, type_name) in enumerate(NO_ANSWERS):
        with pytest.raises(kind) as raised:
            list(chat.stream(fn))
        assert str(getattr(raised.value, "type", "")).endswith(type_name), number
        assert type_name in str(raised.value), number
    assert chat.info().last_seq == 1
    assert drafts_left(chat) == []


BAD: list[tuple[Any, dict[str, Any], str]] = [
    (None, {}, "fn"),
    ("text", {}, "fn"),
    (plain, {"format": "parts"}, "format"),
    (plain, {"format": 5}, "format"),
    (plain, {"cache": "auto"}, "cache"),
    (plain, {"format": "openai", "cache": "auto"}, "cache"),
    (plain, {"budget": 0}, "budget"),
    (plain, {"budget": "x"}, "budget"),
    (plain, {"message_id": ""}, "message_id"),
    (plain, {"message_id": 5}, "message_id"),
    (plain, {"message_id": "x" * 256}, "message_id"),
    (plain, {"message_id": "a\nb"}, "message_id"),
    (plain, {"message_id": "\ud800"}, "message_id"),
]


def test_bad_options_name_the_field(store: Any, name: str) -> None:
    chat = started(store, name)
    for number, (fn, options, field) in enumerate(BAD):
        with pytest.raises(errors.InvalidError) as raised:
            list(chat.stream(fn, **options))
        assert raised.value.field == field, number
    assert chat.info().last_seq == 1


def test_contexts_that_take_no_answer(store: Any, name: str) -> None:
    called = threading.Event()

    def fn(messages: Any) -> Iterator[str]:
        called.set()
        yield "Yes."

    with pytest.raises(errors.NotFoundError):
        list(store.context(name).stream(fn))
    assert not called.is_set()
    chat = started(store, name)
    with chat.stream(fn) as turn:
        assert next(turn) == "Yes."
        chat.delete()
        with pytest.raises(errors.TombstonedError):
            list(turn)
    assert chat.info().last_seq == 1


def test_a_key_that_was_used_for_another_answer(store: Any, name: str) -> None:
    chat = started(store, name)
    list(chat.stream(plain, message_id="a-1"))
    with pytest.raises(errors.KeyReusedError):
        list(chat.stream(gives(["Another story."]), message_id="a-1"))
    assert chat.info().last_seq == 2


def test_a_compaction_covers_what_its_caller_has_seen(store: Any, name: str) -> None:
    """An answer that is streamed meanwhile fetches a window of its own."""
    chat = started(store, name)
    chat.window()
    chat.append(user("And another one."))
    list(chat.stream(plain))
    chat.compact(user("A summary."))
    assert texts_of(chat.window().messages) == ["A summary.", "And another one.", "".join(TEXTS)]
