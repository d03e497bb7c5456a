"""The providers' own client libraries, and Pydantic AI, over nothing but `window.to` and `append`: the examples, run
against APIs on loopback that refuse what the providers would.
"""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import anthropic
import openai
import pytest
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ThinkingPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

import fastpaca
from tests.integrations.fake_api import FakeApi, Json
from tests.integrations.test_examples import EXAMPLES, ran
from tests.support.examples import ROOT, blocks, run_python
from tests.support.server import Server

ARGUMENTS = {"Lima": '{"city": "Lima"}', "Oslo": '{"city": "Oslo"}'}
QUESTIONS = ("Do I need an umbrella in Lima or in Oslo?", "Thanks!")
SAYS = ("In both.", "You are welcome.")


def chat_completion(number: int, *, text: str | None = None) -> Json:
    calls = [
        {"id": f"c_{city}", "type": "function", "function": {"name": "weather", "arguments": arguments}}
        for city, arguments in ARGUMENTS.items()
    ]
    message = {"role": "assistant", "content": text, **({} if text else {"tool_calls": calls})}
    choice = {"index": 0, "message": message, "finish_reason": "stop" if text else "tool_calls"}
    usage = {"prompt_tokens": 50 + number, "completion_tokens": 5, "total_tokens": 55 + number}
    head = {"id": f"chatcmpl-{number}", "object": "chat.completion", "created": 1, "model": "gpt-5"}
    return {**head, "choices": [choice], "usage": usage}


def response(number: int, *, text: str | None = None) -> Json:
    thought = {"type": "reasoning", "id": f"rs_{number}", "summary": [], "encrypted_content": "Zm9v"}
    content: list[Json] = [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}]
    said = {"type": "message", "id": f"msg_{number}", "role": "assistant", "status": "completed", "content": content}
    calls = [
        {"type": "function_call", "id": f"fc_{city}", "call_id": f"c_{city}", "name": "weather", "arguments": arguments}
        for city, arguments in ARGUMENTS.items()
    ]
    head = {"id": f"resp_{number}", "object": "response", "created_at": 1, "model": "gpt-5", "status": "completed"}
    rest = {"parallel_tool_calls": True, "tool_choice": "auto", "tools": []}
    return {**head, **rest, "output": [thought, *([said] if text else calls)]}


def message(number: int, *, text: str | None = None) -> Json:
    thought = {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}
    calls = [
        {"type": "tool_use", "id": f"toolu_{city}", "name": "weather", "input": {"city": city}} for city in ARGUMENTS
    ]
    content: list[Json] = [thought, *([{"type": "text", "text": text}] if text else calls)]
    head = {"id": f"msg_{number}", "type": "message", "role": "assistant", "model": "claude-opus-4-8"}
    usage = {"input_tokens": 50, "output_tokens": 5}
    return {**head, "content": content, "stop_reason": "end_turn" if text else "tool_use", "usage": usage}


SCRIPTS: dict[str, Any] = {"openai_chat": chat_completion, "openai_responses": response, "anthropic_messages": message}


def scripted(example: str) -> FakeApi:
    made = SCRIPTS[example]
    return FakeApi(made(1), made(2, text=SAYS[0]), made(3, text=SAYS[1]))


def loaded(example: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(example, EXAMPLES / f"{example}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(params=["in process", "over HTTP"])
def chat(request: pytest.FixtureRequest, tmp_path: Path, server: Server, name: str) -> Iterator[fastpaca.Context]:
    over_http = request.param == "over HTTP"
    with fastpaca.connect(server.url) if over_http else fastpaca.open(tmp_path / "data") as store:
        yield store.context(name, budget=100_000)


@pytest.mark.parametrize("example", SCRIPTS)
def test_a_conversation_with_parallel_calls(
    example: str, chat: fastpaca.Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    with scripted(example) as api:
        for variable, value in api.env.items():
            monkeypatch.setenv(variable, value)
        with anthropic.Anthropic() if example == "anthropic_messages" else openai.OpenAI() as client:
            answers = [loaded(example).answer(client, chat, question) for question in QUESTIONS]
    assert tuple(answers) == SAYS
    first, second, third = (request.get("messages") or request["input"] for request in api.requests)
    assert len(first) == 1
    assert all(f"Rain in {city}." in str(second) for city in ARGUMENTS)
    assert third[: len(second)] == second or example == "anthropic_messages"  # its breakpoint moved on
    assert SAYS[0] in str(third)
    assert chat.window().open_calls == []
    if example == "openai_responses":
        assert [item["id"] for item in third if item.get("type") == "reasoning"] == ["rs_1", "rs_2"]
    if example == "anthropic_messages":
        assert str(third).count("'signature': 'c2ln'") == 2


@pytest.mark.slow
@pytest.mark.parametrize("example", SCRIPTS)
def test_it_runs_as_it_stands(example: str, tmp_path: Path) -> None:
    with scripted(example) as api:
        assert ran(f"{example}.py", tmp_path, **api.env) == "".join(f"{says}\n" for says in SAYS)


@pytest.mark.slow
def test_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = blocks(ROOT / "docs" / "integrations.md", "python api")
    with FakeApi(chat_completion(1, text=SAYS[0])) as api:
        for variable, value in api.env.items():
            monkeypatch.setenv(variable, value)
        run_python(example, tmp_path)
    with fastpaca.open(tmp_path / "data") as store:
        said = [message["parts"][0]["text"] for message in store.context("chat-1").messages()]
        assert said == ["What is an alpaca?", SAYS[0]]
        assert store.context("chat-1").info().used_tokens > 50  # what the API counted for the question alone is 51


@pytest.fixture
def event_loop() -> Iterator[None]:
    """Where `run_sync` finds none, it makes one and leaves it open."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()


@pytest.mark.usefixtures("event_loop")
def test_pydantic_ai(chat: fastpaca.Context) -> None:
    """A run gets what it would get of the messages that the runs before gave back."""
    example = loaded("pydantic_ai_agent")
    seen: list[Any] = []

    def model(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        seen.append([(part.part_kind, getattr(part, "content", None)) for m in messages for part in m.parts])
        calls = [ToolCallPart("weather", {"city": city}, tool_call_id=f"c_{city}") for city in ARGUMENTS]
        is_asked = len(messages) == 1
        return ModelResponse([ThinkingPart("Hm."), *(calls if is_asked else [TextPart(f"{len(messages)} messages.")])])

    with example.agent.override(model=FunctionModel(model)):
        ours = [example.answer(chat, question) for question in QUESTIONS]
        history: list[ModelMessage] = []
        theirs = []
        for question in QUESTIONS:
            result = example.agent.run_sync(question, message_history=history)
            history = result.all_messages()
            theirs.append(result.output)
    assert ours == theirs == ["3 messages.", "5 messages."]
    assert seen[:3] == seen[3:]
    assert chat.window().open_calls == []
