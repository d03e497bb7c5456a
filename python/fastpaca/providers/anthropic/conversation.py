"""How the API reads a request: messages, their blocks, and turns of consecutive messages of one role."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from fastpaca.providers.base import Json, Request, objects, once, text_of

DOCS = "https://platform.claude.com/docs/en"
MESSAGES = f"{DOCS}/api/messages"
HANDLE_TOOL_CALLS = f"{DOCS}/agents-and-tools/tool-use/handle-tool-calls"
THINKING = f"{DOCS}/build-with-claude/extended-thinking"
CACHING = f"{DOCS}/build-with-claude/prompt-caching"
SYSTEM_MESSAGES = f"{DOCS}/build-with-claude/mid-conversation-system-messages"


@dataclass(frozen=True, slots=True)
class Block:
    """A content block; a string content is one text block."""

    path: str
    kind: str
    value: Json


@dataclass(frozen=True, slots=True)
class Message:
    """A message and its blocks."""

    path: str
    role: str
    value: Json
    blocks: list[Block]

    @classmethod
    def of(cls, path: str, value: Json) -> Message:
        """Reads a message."""
        content = value.get("content")
        if isinstance(content, str):
            text = {"type": "text", "text": content}
            blocks = [Block(f"{path}.content", "text", text)] if content else []
        else:
            blocks = blocks_of(content, f"{path}.content")
        return cls(path, text_of(value, "role") or "", value, blocks)


@dataclass(frozen=True, slots=True)
class Turn:
    """Consecutive messages of one role, which the API joins into one."""

    role: str
    messages: list[Message]
    blocks: list[Block]
    """Of all its messages, in order."""

    @classmethod
    def of(cls, role: str, run: Iterable[Message]) -> Turn:
        """Joins messages."""
        joined = list(run)
        return cls(role, joined, [block for message in joined for block in message.blocks])


def blocks_of(content: object, path: str) -> list[Block]:
    """The blocks of a list of content."""
    return [Block(at, text_of(value, "type") or "", value) for at, value in objects(content, path)]


@once
def messages(request: Request) -> list[Message]:
    """The messages that are objects."""
    return [Message.of(path, value) for path, value in objects(request.value.get("messages"), "messages")]


@once
def turns(request: Request) -> list[Turn]:
    """The messages, joined where roles repeat."""
    return [Turn.of(role, run) for role, run in groupby(messages(request), key=lambda message: message.role)]


def system_blocks(request: Request) -> list[Block]:
    """The blocks of the system prompt, where it is a list."""
    return blocks_of(request.value.get("system"), "system")


def inner_blocks(block: Block) -> list[Block]:
    """The blocks inside a tool result."""
    return blocks_of(block.value.get("content"), f"{block.path}.content") if block.kind == "tool_result" else []


def all_blocks(request: Request) -> Iterator[tuple[Message, Block]]:
    """Every block of every message."""
    for message in messages(request):
        for block in message.blocks:
            yield message, block


def is_server_result(block: Block) -> bool:
    """The result of a tool that runs at the provider."""
    return block.kind.endswith("_tool_result")


def thinks(request: Request) -> bool:
    """Whether the request turns manual extended thinking on."""
    thinking = request.value.get("thinking")
    return isinstance(thinking, dict) and thinking.get("type") == "enabled"


_MODEL = re.compile(r"claude-([a-z]+)-(\d{1,2})(?:[-.](\d{1,2}))?(?![\d])")


def version(model: str | None) -> tuple[str, int, int] | None:
    """Family and version of a model since Claude 4, such as `("opus", 4, 8)`; none for others and unknown ones."""
    found = _MODEL.search(model or "")
    return (found[1], int(found[2]), int(found[3] or 0)) if found else None
