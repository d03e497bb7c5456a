"""LangChain and pydantic-ai in front of recorded streams: what is appended of their chunks gives the same next request
as what is appended of the provider's own.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, FunctionModel
from pydantic_ai.usage import RequestUsage

import fastpaca
from fastpaca.turn.answer import Answer
from tests.formats import valid
from tests.support.data import needs_data
from tests.support.model_server import ModelServer
from tests.support.recorded_streams import FORMATS, creates, pieces, recorded

Json = dict[str, Any]
Fn = Callable[..., Any]

OTHERWISE = (
    *(
        "server_tool_use",
        "tool_search_call",
        "web_search_call",
        "file_search_call",
        "image_generation_call",
        "mcp_call",
    ),
    *("mcp_list_tools", "code_interpreter_call", "shell_call", "compaction", "reasoning_text", "native_finish_reason"),
    '"error":{',
)
"""In streams that the libraries show otherwise: tools that the provider ran, and slips of other services."""
FEWEST = {"openai.chat": 35, "openai.responses": 10, "anthropic.messages": 20}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[fastpaca.Store]:
    with fastpaca.open(tmp_path / "data") as store:
        yield store


@needs_data
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("api", FORMATS)
def test_recorded_streams_through_other_libraries(store: fastpaca.Store, api: str) -> None:
    from tests.support.other_libraries import langchain, pydantic_ai  # noqa: PLC0415 - what it imports takes a second

    calls = [call for call in recorded(api) if not any(word in call["response"] for word in OTHERWISE)]
    assert len(calls) >= FEWEST[api]
    with ModelServer() as server, pydantic_ai(server.url) as agents:
        functions: dict[str, tuple[Fn, Any]] = {
            "own": (creates(server.url)[api], FORMATS[api]),
            "langchain": (langchain(server.url)[api], "openai"),
            "pydantic-ai": (agents[api], None),
        }
        for number, call in enumerate(calls):
            requests = {}
            for name, (fn, kind) in functions.items():
                server.answers = [pieces(call["response"])]
                context = store.context(f"{number}-{name}", budget=100_000, model=call["model"])
                context.append({"role": "user", "content": "Go on."})
                list(context.stream(fn, format=kind))
                context.append({"role": "user", "content": "Go on."})
                request = context.window().to(FORMATS[api])  # type: ignore[arg-type]
                assert valid.violations(FORMATS[api], request, call["model"]) == []
                requests[name] = normal(request)
            assert requests["langchain"] == requests["own"], number
            assert requests["pydantic-ai"] == requests["own"], number


def normal(value: Any) -> Any:
    """Without what the libraries don't keep, and arguments as what they say. They put texts together, and OpenAI's ids
    of messages are not kept by both.
    """
    if isinstance(value, dict):
        if value.get("type") == "message":
            return {"role": "assistant", "content": "".join(part["text"] for part in value["content"])}
        kept = {
            name: normal(item) for name, item in value.items() if name not in {"caller", "status", "namespace", "id"}
        }
        if value.get("type") == "reasoning" and not kept.get("content"):
            kept.pop("content", None)
        if "arguments" in kept:
            kept["arguments"] = json.loads(kept["arguments"] or "{}")
        return kept
    if isinstance(value, list):
        return [normal(item) for item in value]
    return value


def look(at: int) -> str:
    """A tool."""
    return f"{at} alpacas"


async def answers(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Any]:
    """A model that calls two tools, then speaks."""
    done = [part for message in messages for part in message.parts if isinstance(part, ToolReturnPart)]
    if not done:
        yield "Let me look."
        yield {1: DeltaToolCall(name="look", json_args='{"at":', tool_call_id="c1")}
        yield {1: DeltaToolCall(json_args="1}"), 2: DeltaToolCall(name="look", json_args='{"at":2}', tool_call_id="c2")}
        return
    for text in ("There are ", "some", "."):
        yield text


@pytest.fixture
def agent() -> Agent:
    return Agent(FunctionModel(stream_function=answers), tools=[look])


def test_the_run_of_an_agent(store: fastpaca.Store, agent: Agent) -> None:
    """Its steps, the results of its tools and its last word are appended at once, and each is drafted by itself."""
    context = store.context("agent", budget=10_000)
    context.append({"role": "user", "content": "How many?"})
    with context.subscribe() as frames:
        turn = context.stream(lambda **_: agent.run_stream_events("How many?"))
        kinds = {event.event_kind for event in turn}
        found: list[Json] = []
        while len(found) < 4:
            frame = next(frames)
            found += [frame.fields] if frame.type == "message" else []
    assert {"part_start", "function_tool_result", "agent_run_result"} <= kinds
    assert [message["role"] for message in context.messages()] == ["user", "assistant", "tool", "tool", "assistant"]
    stored = list(context.messages())
    assert (stored[1]["id"], stored[4]["id"]) == (turn.message_id, f"{turn.message_id}-2")
    assert turn.text == "Let me look.There are some."
    request = context.window().to("openai")
    assert valid.violations("openai", request, None) == []
    assert [call["function"]["arguments"] for call in request["messages"][1]["tool_calls"]] == ['{"at":1}', '{"at":2}']
    assert [message["content"] for message in request["messages"][2:4]] == ["1 alpacas", "2 alpacas"]
    assert request["messages"][4]["content"] == "There are some."
    assert stored[4]["usage"]["window_version"] == 1


def test_what_an_agent_s_first_request_counted_is_the_window_s() -> None:
    run = [
        ModelResponse([ToolCallPart("look", {"at": 1}, "c1")], usage=RequestUsage(input_tokens=50, output_tokens=5)),
        ModelResponse([TextPart("One.")], usage=RequestUsage(input_tokens=90, output_tokens=2)),
    ]
    answer = Answer("a-1")
    list(answer.feed(SimpleNamespace(event_kind="agent_run_result", result=SimpleNamespace(new_messages=lambda: run))))
    answer.end()
    assert answer.messages(1)[-1]["usage"] == {"input_tokens": 50, "output_tokens": 7, "window_version": 1}


def test_an_agent_that_is_interrupted(store: fastpaca.Store, agent: Agent) -> None:
    context = store.context("agent", budget=10_000)
    context.append({"role": "user", "content": "How many?"})
    with context.stream(lambda **_: agent.run_stream_events("How many?"), keep_partial=True) as turn:
        for _ in turn:
            if turn.text.endswith("some"):
                break
    messages = list(context.messages())
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "tool", "assistant"]
    assert messages[4]["parts"] == [{"type": "text", "text": "There are some"}]
    assert {message["metadata"]["status"] for message in messages[1:]} == {"interrupted"}


def test_langchain_s_fake_model(store: fastpaca.Store) -> None:
    context = store.context("fake", budget=10_000)
    context.append({"role": "user", "content": "Hello!"})
    model = GenericFakeChatModel(messages=iter([AIMessage("Once upon a time")]))

    def ask(messages: Any) -> Iterator[AIMessageChunk]:
        return model.stream(messages)

    turn = context.stream(ask, format="openai")
    assert len(list(turn)) > 3
    assert context.tail(1)[0]["parts"] == [{"type": "text", "text": "Once upon a time"}]


def test_a_chunk_of_langchain_that_is_the_last(store: fastpaca.Store) -> None:
    """Of what has come by then, texts and signed thinking are kept; calls that may lack a half are not."""
    context = store.context("partial", budget=10_000)
    context.append({"role": "user", "content": "Hello!"})
    thinking = {"type": "thinking", "thinking": "Hm.", "signature": "c2lnbmVk", "index": 0}
    search = {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}, "index": 2}
    chunks = [
        AIMessageChunk(content=[thinking]),
        AIMessageChunk(content=[{"type": "text", "text": "Let me look.", "index": 1}]),
        AIMessageChunk(content=[{**search, "partial_json": '{"query": "al'}]),
        AIMessageChunk(content="", tool_call_chunks=[{"name": "look", "args": '{"at"', "id": "c1", "index": 3}]),
    ]

    def fn(messages: Any) -> Iterator[AIMessageChunk]:
        yield from chunks
        raise OSError("the model is gone")

    with pytest.raises(OSError, match="gone"):
        list(context.stream(fn, keep_partial=True))
    (message,) = context.tail(1)
    del thinking["index"]
    assert message["parts"] == [thinking, {"type": "text", "text": "Let me look."}]
    context.append({"role": "user", "content": "Go on."})
    assert valid.violations("anthropic", context.window().to("anthropic"), None) == []
    list(context.stream(lambda **_: chunks))
    (message,) = context.tail(1)
    assert [part["type"] for part in message["parts"]] == ["thinking", "text", "server_tool_use", "tool_call"]
    assert message["parts"][2]["input"] == {"_unparsed": '{"query": "al'}
    assert message["parts"][3]["arguments"] == '{"at"'
