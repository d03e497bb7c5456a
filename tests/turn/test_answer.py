"""Answers put together of chunks, whatever brings them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fastpaca import errors
from fastpaca.turn.answer import Answer
from fastpaca.turn.event import failed

Json = dict[str, Any]
USAGE = {"prompt_tokens": 7, "completion_tokens": 2}


def chat(delta: Json, finish_reason: str | None = None, **more: Any) -> Json:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return {"object": "chat.completion.chunk", "choices": [choice], **more}


def fed(*chunks: Json) -> Answer:
    answer = Answer("a-1")
    for chunk in chunks:
        list(answer.feed(chunk))
        answer.check()
    return answer


def test_usage_with_every_chunk_says_nothing_of_the_end() -> None:
    """As some services send it: a stream that breaks off is no whole answer."""
    answer = fed(chat({"content": "Once"}, usage=USAGE), chat({"content": " upon"}, usage=USAGE))
    with pytest.raises(errors.IncompleteAnswerError):
        answer.end()
    assert not answer.is_complete
    list(answer.feed(chat({}, "stop", usage=USAGE)))
    answer.end()
    assert answer.messages(3)[0]["usage"] == {"input_tokens": 7, "output_tokens": 2, "window_version": 3}


@pytest.mark.parametrize("last", [{"choices": []}, {"choices": [{"index": 0, "delta": {"content": ""}}]}])
def test_usage_alone_is_the_end(last: Json) -> None:
    answer = fed(chat({"content": "Once"}), {"object": "chat.completion.chunk", **last, "usage": USAGE})
    answer.end()
    assert answer.messages(None) == [{"role": "assistant", "id": "a-1", "content": "Once"}]


def test_a_call_of_the_old_kind() -> None:
    answer = fed(
        chat({"role": "assistant", "content": None, "function_call": {"name": "look", "arguments": ""}}),
        chat({"function_call": {"arguments": '{"at":'}}),
        chat({"function_call": {"arguments": "1}"}}),
    )
    assert answer.messages(None) == []
    list(answer.feed(chat({}, "function_call")))
    call = {"name": "look", "arguments": '{"at":1}'}
    assert answer.messages(None) == [{"role": "assistant", "id": "a-1", "content": None, "function_call": call}]


def test_an_error_in_the_stream_is_no_end() -> None:
    """As OpenRouter sends it, with a reason why it stopped."""
    error = {"code": 502, "message": "the provider is gone"}
    with pytest.raises(errors.FailedAnswerError, match="502: the provider is gone"):
        fed(chat({"content": "Once"}), chat({"content": ""}, "error", error=error))


def test_reasoning_of_a_response_stands_with_what_it_led_to() -> None:
    """The API refuses it alone."""
    thought = {"type": "reasoning", "id": "rs_1", "summary": []}
    answer = fed({"type": "response.output_item.done", "output_index": 0, "item": thought})
    assert answer.messages(None) == []
    delta = {"type": "response.output_text.delta", "output_index": 1, "content_index": 0, "item_id": "msg_1"}
    list(answer.feed({**delta, "delta": "Once"}))
    first, second = answer.messages(None)
    assert first == {**thought, "metadata": {"status": "interrupted"}}
    assert (second["id"], second["content"][0]["text"]) == ("msg_1", "Once")


def test_ids_tell_calls_apart_where_indexes_do_not() -> None:
    def call(id: str | None, arguments: str) -> Json:
        return chat({"tool_calls": [{"index": 0, "id": id, "function": {"name": "look", "arguments": arguments}}]})

    answer = fed(call("c1", '{"at":'), call("c1", "1}"), call("c2", '{"at":'), call(None, "2}"), chat({}, "tool_calls"))
    (message,) = answer.messages(None)
    found = [(each["id"], each["function"]["arguments"]) for each in message["tool_calls"]]
    assert found == [("c1", '{"at":1}'), ("c2", '{"at":2}')]


def test_the_first_figures_of_anthropic_are_those_of_the_window() -> None:
    """Where its own tools ran, later ones count what they found as well."""
    usage = {"input_tokens": 10, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 1, "output_tokens": 1}
    answer = fed(
        {"type": "message_start", "message": {"usage": usage}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "Once"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {}, "usage": {"input_tokens": 900, "output_tokens": 7}},
        {"type": "message_stop"},
    )
    assert answer.messages(3)[0]["usage"] == {"input_tokens": 16, "output_tokens": 7, "window_version": 3}


def test_pages_hear_what_we_refuse_and_nothing_of_what_a_model_says() -> None:
    told = json.loads(failed(errors.FailedAnswerError("a secret")).data)
    assert told == {"type": "error", "error": "answer_failed", "message": "the answer could not be completed"}
    told = json.loads(failed(errors.TombstonedError("the context is deleted")).data)
    assert told == {"type": "error", "error": "tombstoned", "message": "the context is deleted"}


THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "Zm9v"}
SAID = {
    "type": "message",
    "id": "msg_1",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_text", "text": "Once upon", "annotations": []}],
}
CALL = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "look", "arguments": '{"at":1}'}


def test_a_response_is_its_items() -> None:
    delta = {"type": "response.output_text.delta", "output_index": 1, "content_index": 0, "item_id": "msg_1"}
    done = [{"type": "response.output_item.done", "output_index": n, "item": i} for n, i in enumerate((THOUGHT, SAID))]
    answer = fed(
        {"type": "response.created", "response": {}},
        done[0],
        {**delta, "delta": "Once"},
        {**delta, "delta": " upon"},
        done[1],
        {"type": "response.some_day", "item": {}},
    )
    assert (answer.text, answer.is_complete) == ("Once upon", False)
    # What had no event of its own stands in the last one.
    response = {"output": [THOUGHT, SAID, CALL], "usage": {"input_tokens": 40, "output_tokens": 9}}
    list(answer.feed({"type": "response.completed", "response": response}))
    answer.end()
    usage = {"input_tokens": 40, "output_tokens": 9, "window_version": 2}
    assert answer.messages(2) == [THOUGHT, SAID, {**CALL, "usage": usage}]


def test_a_response_that_fails() -> None:
    error = {"code": "server_error", "message": "sorry"}
    with pytest.raises(errors.FailedAnswerError, match="server_error: sorry"):
        fed({"type": "response.failed", "response": {"status": "failed", "error": error}})


def blocks(*deltas: tuple[int, Json]) -> list[Json]:
    return [{"type": "content_block_delta", "index": index, "delta": delta} for index, delta in deltas]


def test_blocks_of_anthropic() -> None:
    start = {"type": "content_block_start"}
    use = {"type": "tool_use", "id": "t1", "name": "look", "input": {}}
    thinking = {"type": "thinking", "thinking": "Hm, well.", "signature": "c2ln"}
    chunks: list[Json] = [
        {"type": "message_start", "message": {"usage": {"input_tokens": 4}}},
        {**start, "index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}},
        *blocks(
            (0, {"type": "thinking_delta", "thinking": "Hm,"}), (0, {"type": "thinking_delta", "thinking": " well."})
        ),
        *blocks((0, {"type": "signature_delta", "signature": "c2ln"})),
        {"type": "content_block_stop", "index": 0},
        {**start, "index": 1, "content_block": {"type": "text", "text": ""}},
        *blocks((1, {"type": "text_delta", "text": "Let me"}), (1, {"type": "text_delta", "text": " look."})),
        {"type": "content_block_stop", "index": 1},
        {**start, "index": 2, "content_block": use},
        *blocks((2, {"type": "input_json_delta", "partial_json": '{"at":'})),
    ]
    text = {"type": "text", "text": "Let me look."}
    partial = fed(*chunks).messages(None)
    assert partial == [
        {"role": "assistant", "id": "a-1", "content": [thinking, text], "metadata": {"status": "interrupted"}}
    ]
    assert fed(*chunks[:6]).messages(None) == []  # thinking alone says nothing
    ends: list[Json] = [{"type": "content_block_stop", "index": 2}, {"type": "message_stop"}]
    for rest, arguments in (("1}", {"at": 1}), ("", {"_unparsed": '{"at":'})):
        answer = fed(*chunks, *blocks((2, {"type": "input_json_delta", "partial_json": rest})), *ends)
        answer.end()
        assert answer.messages(None)[0]["content"] == [thinking, text, {**use, "input": arguments}]
