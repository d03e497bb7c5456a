"""Tool calls and results: the caller's own, and those that run at the provider."""

from __future__ import annotations

import re
from itertools import takewhile

from fastpaca.providers.anthropic.conversation import (
    DOCS,
    HANDLE_TOOL_CALLS,
    Block,
    Turn,
    all_blocks,
    inner_blocks,
    is_server_result,
    turns,
)
from fastpaca.providers.base import Found, Request, Rules, shown, text_of

RULES = Rules()

ID = re.compile(r"[a-zA-Z0-9_-]+")
SERVER_ID = re.compile(r"srvtoolu_[a-zA-Z0-9_]+")
NAME_CHARS_MAX = 200


@RULES.add("tool_use_shape", HANDLE_TOOL_CALLS)
def _tool_use_shape(request: Request) -> Found:
    """A tool_use has a name of 1 to 200 characters and an input that is an object."""
    for _, block in all_blocks(request):
        if block.kind not in {"tool_use", "server_tool_use", "mcp_tool_use"}:
            continue
        name = text_of(block.value, "name")
        if not name or len(name) > NAME_CHARS_MAX:
            yield f"{block.path}.name", f"{shown(block.value.get('name'))} is not a string of 1 to 200 characters"
        if not isinstance(block.value.get("input"), dict):
            yield f"{block.path}.input", "input must be an object"


@RULES.add("tool_use_id", "https://github.com/maximhq/bifrost/issues/5097")
def _tool_use_id(request: Request) -> Found:
    """Ids match ^[a-zA-Z0-9_-]+$, those of server tools ^srvtoolu_[a-zA-Z0-9_]+$."""
    for _, block in all_blocks(request):
        name = "id" if block.kind in {"tool_use", "server_tool_use"} else "tool_use_id"
        if block.kind not in {"tool_use", "server_tool_use", "tool_result"}:
            continue
        pattern = SERVER_ID if block.kind == "server_tool_use" else ID
        if not pattern.fullmatch(text_of(block.value, name) or ""):
            yield f"{block.path}.{name}", f"{shown(block.value.get(name))} does not match ^{pattern.pattern}$"


@RULES.add("tool_use_id_repeated", "https://github.com/anthropics/claude-code/issues/28515")
def _tool_use_id_repeated(request: Request) -> Found:
    """Ids of the calls of one turn differ."""
    for turn in turns(request):
        yield from _repeated([block for block in turn.blocks if _has_call_id(block)])


@RULES.add("tool_use_id_reused", "https://github.com/anthropics/claude-code/issues/28515", strict=True)
def _tool_use_id_reused(request: Request) -> Found:
    """Ids of calls differ in the whole request (other hosts; Anthropic took one again after its result)."""
    yield from _repeated([block for _, block in all_blocks(request) if _has_call_id(block)])


@RULES.add("tool_use_unanswered", HANDLE_TOOL_CALLS)
def _tool_use_unanswered(request: Request) -> Found:
    """Every tool_use has its tool_result in the next message."""
    all_turns = turns(request)
    for place, turn in enumerate(all_turns):
        if turn.role != "assistant":
            continue
        answers = _result_ids(all_turns[place + 1].blocks) if place + 1 < len(all_turns) else set()
        for block in turn.blocks:
            if block.kind == "tool_use" and text_of(block.value, "id") not in answers:
                yield f"{block.path}.id", f"no tool_result in the next message for {shown(block.value.get('id'))}"


@RULES.add("tool_result_orphan", HANDLE_TOOL_CALLS)
def _tool_result_orphan(request: Request) -> Found:
    """Every tool_result has its tool_use in the message before."""
    before: Turn | None = None
    for turn in turns(request):
        calls = {text_of(b.value, "id") for b in before.blocks if b.kind == "tool_use"} if before else set()
        for block in turn.blocks:
            if block.kind == "tool_result" and text_of(block.value, "tool_use_id") not in calls:
                shown_id = shown(block.value.get("tool_use_id"))
                yield f"{block.path}.tool_use_id", f"no tool_use in the message before for {shown_id}"
        before = turn


@RULES.add("tool_result_not_first", HANDLE_TOOL_CALLS)
def _tool_result_not_first(request: Request) -> Found:
    """Results come first in the message; anything else comes after all of them."""
    for turn in turns(request):
        if turn.role != "user":
            continue
        leading = len(list(takewhile(lambda block: block.kind == "tool_result", turn.blocks)))
        for block in turn.blocks[leading:]:
            if block.kind == "tool_result":
                yield block.path, "a tool_result must stand before all other content"


@RULES.add("tool_result_repeated", HANDLE_TOOL_CALLS)
def _tool_result_repeated(request: Request) -> Found:
    """A tool_use has a single result."""
    for turn in turns(request):
        seen: set[str] = set()
        for block in turn.blocks:
            call_id = text_of(block.value, "tool_use_id")
            if block.kind == "tool_result" and call_id:
                if call_id in seen:
                    yield f"{block.path}.tool_use_id", f"{shown(call_id)} has a result already"
                seen.add(call_id)


@RULES.add("tool_result_shape", HANDLE_TOOL_CALLS)
def _tool_result_shape(request: Request) -> Found:
    """A tool_result's content is left out, a string, or a list of blocks; is_error is true or false."""
    for _, block in all_blocks(request):
        if block.kind != "tool_result":
            continue
        content = block.value.get("content", "")
        if not isinstance(content, str | list):
            yield f"{block.path}.content", "content must be a string or a list of blocks"
        for place, inner in enumerate(content if isinstance(content, list) else []):
            if not isinstance(inner, dict):
                yield f"{block.path}.content[{place}]", "a block must be an object with a type"
        if not isinstance(block.value.get("is_error", False), bool):
            yield f"{block.path}.is_error", "is_error must be true or false"


@RULES.add("tool_result_error_text", "https://github.com/vellum-ai/vellum-assistant/pull/18387")
def _tool_result_error_text(request: Request) -> Found:
    """A result with is_error holds text alone."""
    for _, block in all_blocks(request):
        if block.kind == "tool_result" and block.value.get("is_error") is True:
            for inner in inner_blocks(block):
                if inner.kind != "text":
                    yield inner.path, "all content must be of type text if is_error is true"


@RULES.add("server_tool_unanswered", f"{DOCS}/agents-and-tools/tool-use/server-tools")
def _server_tool_unanswered(request: Request) -> Found:
    """A server_tool_use has its result in the assistant's messages, unless the last turn was paused before it."""
    assistant = [turn for turn in turns(request) if turn.role == "assistant"]
    answers = {text_of(b.value, "tool_use_id") for turn in assistant for b in turn.blocks if is_server_result(b)}
    for turn in assistant[:-1]:
        for block in turn.blocks:
            if _is_server_call(block) and text_of(block.value, "id") not in answers:
                yield f"{block.path}.id", f"{shown(block.value.get('id'))} has no result block"


@RULES.add("server_result_orphan", "https://github.com/anthropics/claude-code/issues/65726")
def _server_result_orphan(request: Request) -> Found:
    """A result of a server tool has its server_tool_use before it."""
    calls: set[str | None] = set()
    for _, block in all_blocks(request):
        if _is_server_call(block):
            calls.add(text_of(block.value, "id"))
        elif is_server_result(block) and text_of(block.value, "tool_use_id") not in calls:
            yield f"{block.path}.tool_use_id", f"no call before it for {shown(block.value.get('tool_use_id'))}"


def _result_ids(blocks: list[Block]) -> set[str | None]:
    return {text_of(block.value, "tool_use_id") for block in blocks if block.kind == "tool_result"}


def _has_call_id(block: Block) -> bool:
    return block.kind in {"tool_use", "server_tool_use"} and bool(text_of(block.value, "id"))


def _repeated(calls: list[Block]) -> Found:
    seen: set[str] = set()
    for call in calls:
        if call.value["id"] in seen:
            yield f"{call.path}.id", f"{shown(call.value['id'])} names an earlier call"
        seen.add(call.value["id"])


def _is_server_call(block: Block) -> bool:
    return block.kind in {"server_tool_use", "mcp_tool_use"}
