"""A recorded conversation as a sequence of model calls."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from fastpaca.transcripts import Conversation, Recorded

_PROVIDERS: Final = {"anthropic": "anthropic", "claude-code": "anthropic"}
PROVIDERS: Final = ("openai", "anthropic")
"""Formats of requests that are simulated: those that are a list of messages."""

INSTRUCTIONS: Final = frozenset({"system", "developer"})

Json = dict[str, Any]


@dataclass(slots=True)
class Exchange:
    """What came before a model call, and what the model answered. The last one may have no answer."""

    input: list[Json] = field(default_factory=list)
    output: list[Json] = field(default_factory=list)


def exchanges(messages: Iterable[Recorded]) -> list[Exchange]:
    """Splits at the assistant's messages. Several in a row are one answer: nothing came between them.

    What the assistant says before anyone else speaks is no call; it counts as input.
    """
    found = [Exchange()]
    for recorded in messages:
        current = found[-1]
        if not is_assistant(recorded.message):
            if current.output:
                current = Exchange()
                found.append(current)
            current.input.append(recorded.message)
        elif len(found) > 1 or any(not is_assistant(message) for message in current.input):
            current.output.append(recorded.message)
        else:
            current.input.append(recorded.message)
    return found


def is_assistant(message: Json) -> bool:
    """The model made it: by its role, or as an item of OpenAI's Responses that is no output of a tool."""
    role = message.get("role")
    if isinstance(role, str):
        return role == "assistant"
    return not str(message.get("type")).endswith("_output")


def is_bare(messages: Iterable[Json]) -> bool:
    """Nothing but instructions."""
    return all(message.get("role") in INSTRUCTIONS for message in messages)


def provider_format(conversation: Conversation) -> str:
    """The format of the requests that such a conversation is made of."""
    return _PROVIDERS.get(conversation.format, "openai")
