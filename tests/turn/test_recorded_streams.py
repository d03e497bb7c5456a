"""Recorded streams of the providers, sent by a loopback server through their own clients: what is appended of each is
what the client itself puts together, and the next request built from the log is one that the provider takes.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

import fastpaca
from tests.formats import valid
from tests.support.data import needs_data
from tests.support.model_server import ModelServer
from tests.support.recorded_streams import FORMATS, Json, creates, pieces, recorded

pytestmark = needs_data


def chat(client: openai.OpenAI, **arguments: Any) -> Json:
    with client.chat.completions.stream(model="gpt-5", **arguments) as stream:
        message = stream.get_final_completion().choices[0].message
    found: Json = message.model_dump(exclude_unset=True, mode="json", warnings=False)
    return found


def responses(client: openai.OpenAI, **arguments: Any) -> list[Json]:
    items: list[Json] = []
    for event in client.responses.create(model="gpt-5", stream=True, **arguments):
        if event.type in {"response.completed", "response.incomplete"}:
            items = [item.model_dump(exclude_unset=True, mode="json", warnings=False) for item in event.response.output]
    return items


def messages(client: anthropic.Anthropic, **arguments: Any) -> Json:
    with client.beta.messages.stream(model="claude-opus-4-8", max_tokens=9, **arguments) as stream:
        message = stream.get_final_message()
    found: Json = message.model_dump(exclude_unset=True, mode="json", warnings=False)
    return found


def wholes(url: str) -> dict[str, Callable[..., Any]]:
    """By API: what puts an answer together by the client's own rules."""
    gpt = openai.OpenAI(base_url=f"{url}/v1", api_key="-", max_retries=0)
    claude = anthropic.Anthropic(base_url=url, api_key="-", max_retries=0)
    return {
        "openai.chat": functools.partial(chat, gpt),
        "openai.responses": functools.partial(responses, gpt),
        "anthropic.messages": functools.partial(messages, claude),
    }


@pytest.fixture
def store(tmp_path: Path) -> Iterator[fastpaca.Store]:
    with fastpaca.open(tmp_path / "data") as store:
        yield store


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
@pytest.mark.parametrize("api", FORMATS)
def test_what_is_appended_is_what_the_client_puts_together(store: fastpaca.Store, api: str) -> None:
    calls = recorded(api)
    assert len(calls) > 40
    checks: dict[str, Callable[[list[Json], Any], None]] = {
        "openai.chat": check_chat,
        "openai.responses": check_items,
        "anthropic.messages": check_blocks,
    }
    with ModelServer() as server:
        create, whole = creates(server.url)[api], wholes(server.url)[api]
        for number, call in enumerate(calls):
            server.answers = [pieces(call["response"])] * 2
            context = store.context(f"{api}-{number}", budget=100_000, model=call["model"])
            context.append({"role": "user", "content": "Go on."})
            turn = context.stream(create, format=FORMATS[api])  # type: ignore[arg-type]
            if re.search(r'"error": *{', call["response"]) and api == "openai.chat":
                with pytest.raises(openai.APIError):
                    list(turn)
                assert context.info().last_seq == 1
                continue
            assert len(list(turn)) > 1
            try:
                expected = whole(**context.window(at_version=1).to(FORMATS[api]))  # type: ignore[arg-type]
            except RuntimeError as error:
                # The client's own helper does not take what another service sends beside the text.
                assert "annotations" in call["response"], error
                continue
            stored = list(context.messages())[1:]
            checks[api](stored, expected)
            check_usage(call, stored[-1])
            check_round_trip(context, FORMATS[api], call["model"])


def check_chat(stored: list[Json], expected: Json) -> None:
    (message,) = stored
    text = "".join(part["text"] for part in message.get("parts") or ())
    assert text == (expected.get("content") or "")
    found = [call["function"] | {"id": call["id"]} for call in message.get("tool_calls", ())]
    wanted = expected.get("tool_calls") or ()
    if [call["id"] for call in wanted] == [call["id"] * 2 for call in found]:
        return  # The client's helper adds up ids and names that a service sends twice.
    assert found == [
        {"name": call["function"]["name"], "arguments": call["function"]["arguments"] or "", "id": call["id"]}
        for call in wanted
    ]


def check_items(stored: list[Json], expected: list[Json]) -> None:
    ours = {"seq", "token_count", "inserted_at", "usage"}
    found = [{name: value for name, value in item.items() if name not in ours} for item in stored]
    assert [opaque(item) for item in found] == [opaque(item) for item in expected]


def opaque(item: Json) -> Json:
    """Some values are made anew each time that an item is written: what OpenAI encrypts, OpenRouter's ids."""
    known: Json = without_nulls(item)
    if "encrypted_content" in known:
        known["encrypted_content"] = bool(known["encrypted_content"])
    if "_tmp_" in known.get("id", ""):
        known["id"] = "tmp"
    return known


def check_blocks(stored: list[Json], expected: Json) -> None:
    (message,) = stored
    blocks = message.get("parts") or message["content"]
    assert [without_nulls(block) for block in blocks] == [without_nulls(block) for block in expected["content"]]


def without_nulls(value: Any) -> Any:
    """The clients' helpers fill some fields in with null."""
    if isinstance(value, dict):
        return {name: without_nulls(item) for name, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


def check_usage(call: Json, last: Json) -> None:
    """The recorded count, where the stream has one; where the provider's own tools ran, that of the first request."""
    if "usage" not in last:
        assert call["api"] == "openai.chat"
        assert '"usage":{' not in call["response"].replace(" ", "")
        return
    assert last["usage"]["window_version"] == 1
    if not any(kind in call["response"] for kind in ('"server_tool_use"', '"compaction"')):
        assert last["usage"]["input_tokens"] == call["input_tokens"]


def check_round_trip(context: fastpaca.Context, format: Any, model: str) -> None:
    """Tools answer, the user goes on."""
    window = context.window()
    for call_id in window.open_calls:
        context.append({"role": "tool", "tool_call_id": call_id, "content": "done"})
    context.append({"role": "user", "content": "Go on."})
    request = context.window().to(format)
    # The client's types refuse some items that were recorded.
    items = without_nulls([item for item in request.get("input", ()) if "role" not in item or "id" in item])
    parsed = valid.is_known(items) if format == "openai-responses" else True
    assert valid.violations(format, request, model, parsed=parsed) == [], json.dumps(request)[:2000]
