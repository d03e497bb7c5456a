"""The providers' own client libraries take a request: their request types parse it, nothing is called.

The types are `TypedDict`s. Extra keys are refused wherever the library's types allow that, nothing is converted, and
iterables, which pydantic validates as they are read, are read to their end.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from anthropic.types.message_create_params import MessageCreateParamsNonStreaming
from langchain_core.messages import convert_to_messages, convert_to_openai_messages
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming
from pydantic import BaseModel, ConfigDict, TypeAdapter

Json = dict[str, Any]

_CONFIG = ConfigDict(extra="forbid", arbitrary_types_allowed=True)


@cache
def _adapter(params: Any) -> TypeAdapter[Any]:
    params.__pydantic_config__ = _CONFIG
    return TypeAdapter(params)


def _parse(params: Any, request: Json) -> Json:
    parsed: Json = _read(_adapter(params).validate_python(request, strict=True))
    return parsed


def _read(value: Any) -> Any:
    """The value with every iterable read, so that what it holds is validated too."""
    if isinstance(value, dict):
        return {name: _read(item) for name, item in value.items()}
    if isinstance(value, str | bytes | int | float | None):
        return value
    # A response's class takes more than a request's type does.
    if isinstance(value, BaseModel) or not isinstance(value, Iterable):
        raise TypeError(f"no request's type takes {value!r}")
    return [_read(item) for item in value]


def parse_openai(request: Json) -> Json:
    """The request as the arguments of `client.chat.completions.create`; raises `pydantic.ValidationError`."""
    return _parse(CompletionCreateParamsNonStreaming, {"model": "gpt-5", **request})


def parse_responses(request: Json) -> Json:
    """The request as the arguments of `client.responses.create`; raises `pydantic.ValidationError`."""
    return _parse(ResponseCreateParamsNonStreaming, {"model": "gpt-5", **request})


def parse_anthropic(request: Json) -> Json:
    """The request as the arguments of `client.messages.create`; raises `pydantic.ValidationError`."""
    return _parse(MessageCreateParamsNonStreaming, {"model": "claude-opus-4-8", "max_tokens": 1024, **request})


def langchain_roundtrip(request: Json) -> list[Json]:
    """The messages of an OpenAI chat request through LangChain's messages and back."""
    back = convert_to_openai_messages(convert_to_messages(request["messages"]))
    assert isinstance(back, list)
    return back
