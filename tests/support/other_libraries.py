"""LangChain and pydantic-ai in front of a loopback server: by API, the call that streams."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import openai
from langchain_anthropic import ChatAnthropic
from langchain_openai import ChatOpenAI
from pydantic import SecretStr
from pydantic_ai import direct
from pydantic_ai.messages import ModelRequest
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider

from fastpaca.background import on_loop

Fn = Callable[..., Any]


def langchain(url: str) -> dict[str, Fn]:
    key = SecretStr("-")
    chat = ChatOpenAI(base_url=f"{url}/v1", api_key=key, model="gpt-5", max_retries=0, use_responses_api=False)
    responses = ChatOpenAI(base_url=f"{url}/v1", api_key=key, model="gpt-5", max_retries=0, use_responses_api=True)
    options: dict[str, Any] = {"base_url": url, "api_key": key, "model_name": "claude-opus-4-8", "max_retries": 0}
    claude = ChatAnthropic(**options)
    models = {"openai.chat": chat, "openai.responses": responses, "anthropic.messages": claude}
    return {api: functools.partial(_stream, model) for api, model in models.items()}


def _stream(model: Any, messages: Any) -> Any:
    return model.stream(messages)


@contextlib.contextmanager
def pydantic_ai(url: str) -> Iterator[dict[str, Fn]]:
    gpt_client = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="-", max_retries=0)
    claude_client = anthropic.AsyncAnthropic(base_url=url, api_key="-", max_retries=0)
    gpt, claude = OpenAIProvider(openai_client=gpt_client), AnthropicProvider(anthropic_client=claude_client)
    models = {
        "openai.chat": OpenAIChatModel("gpt-5", provider=gpt),
        "openai.responses": OpenAIResponsesModel("gpt-5", provider=gpt),
        "anthropic.messages": AnthropicModel("claude-opus-4-8", provider=claude),
    }
    yield {api: functools.partial(_request, model) for api, model in models.items()}
    for client in (gpt_client, claude_client):
        on_loop(client.close()).result()


def _request(model: Any, messages: Any) -> Any:
    prompt = [ModelRequest.user_text_prompt("Go on.")]
    return direct.model_request_stream(model, prompt, model_request_parameters=ModelRequestParameters())
