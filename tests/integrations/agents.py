"""Agents of LangChain over the library's own fake models: what their tests share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain.agents.middleware import AgentMiddleware
from langchain_core.language_models.fake_chat_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, convert_to_openai_messages
from langchain_core.outputs import ChatResult
from langchain_core.tools import tool

from fastpaca import providers
from fastpaca.integrations.langchain import FastpacaMiddleware


class Model(FakeMessagesListChatModel):
    """The library's fake, which keeps what it was called with, takes tools, and raises an error of its script."""

    seen: list[list[BaseMessage]]
    script: list[Any]

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        self.seen.append(messages)
        answer = self.script[len(self.seen) - 1]
        if isinstance(answer, Exception):
            raise answer
        self.responses, self.i = [answer], 0
        return super()._generate(messages, *args, **kwargs)


def model(*script: Any) -> Model:
    steps = [AIMessage(step) if isinstance(step, str) else step for step in script]
    return Model(script=steps, seen=[], responses=[])


@tool
def add(a: int, b: int) -> int:
    """Adds."""
    return a + b


@tool(return_direct=True)
def final(a: int) -> int:
    """Ends the run."""
    return a


def calling(*numbers: int, name: str = "add") -> AIMessage:
    args = {"a": 0} if name == "final" else {"b": 0}
    calls = [{"type": "tool_call", "id": f"c{n}", "name": name, "args": {**args, "a": n}} for n in numbers]
    return AIMessage("", tool_calls=calls)


def counted(answer: AIMessage, tokens: int) -> AIMessage:
    """As the provider counts it."""
    answer.usage_metadata = {"input_tokens": tokens, "output_tokens": 3, "total_tokens": tokens + 3}
    return answer


class Breaks(FastpacaMiddleware):
    """The process dies behind the first call of a hook."""

    hook = ""

    def _die(self, hook: str) -> None:
        if self.hook == hook:
            self.hook = ""
            raise RuntimeError(f"died in {hook}")

    def wrap_model_call(self, request: Any, handler: Any) -> Any:
        response = super().wrap_model_call(request, handler)
        self._die("wrap_model_call")
        return response

    def after_model(self, state: Any, runtime: Any) -> Any:
        update = super().after_model(state, runtime)
        self._die("after_model")
        return update


def thread(name: str) -> Any:
    return {"configurable": {"thread_id": name}}


def text(*texts: str) -> Any:
    return {"messages": [HumanMessage(text) for text in texts]}


def texts(messages: Sequence[BaseMessage]) -> list[str]:
    return [
        message.text or f"{len(message.tool_calls)} calls" if isinstance(message, AIMessage) else message.text
        for message in messages
    ]


def logged(chat: Any, **which: Any) -> list[str]:
    return [
        f"{len(message['tool_calls'])} calls" if "tool_calls" in message else message["parts"][0]["text"]
        for message in chat.messages(**which)
    ]


def valid(model: Model) -> None:
    for messages in model.seen:
        assert providers.check("openai", {"messages": convert_to_openai_messages(messages)}) == []


class Adds(AgentMiddleware[Any, Any, Any]):
    """Shows the model one message more."""

    def wrap_model_call(self, request: Any, handler: Any) -> Any:
        return handler(request.override(messages=[*request.messages, HumanMessage("Hurry.")]))
