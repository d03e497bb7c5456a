"""Roles, the order of messages, and whether they hold anything."""

from __future__ import annotations

from fastpaca.providers.anthropic.conversation import (
    DOCS,
    MESSAGES,
    SYSTEM_MESSAGES,
    Message,
    is_server_result,
    messages,
    turns,
    version,
)
from fastpaca.providers.base import Found, Request, Rules, shown, text_of

RULES = Rules()

ROLES = ("user", "assistant", "system")
SYSTEM_SINCE = (4, 8)
PREFILL_UNTIL = (4, 5)


@RULES.add("messages_shape", MESSAGES)
def _messages_shape(request: Request) -> Found:
    """`messages` is a list of at least one object."""
    value = request.value.get("messages")
    if not isinstance(value, list) or not value:
        yield "messages", "messages must be a list of at least one message"
        return
    for place, message in enumerate(value):
        if not isinstance(message, dict):
            yield f"messages[{place}]", "a message must be an object"


@RULES.add("role_unknown", MESSAGES)
def _role_unknown(request: Request) -> Found:
    """Roles are user and assistant, and system on models that take it."""
    for message in messages(request):
        if message.role not in ROLES:
            yield f"{message.path}.role", f"{shown(message.value.get('role'))} is not one of {', '.join(ROLES)}"


@RULES.add("message_field", "https://github.com/RooCodeInc/Roo-Code/issues/11429")
def _message_field(request: Request) -> Found:
    """A message has role and content, and no other field."""
    for message in messages(request):
        for name in message.value.keys() - {"role", "content"}:
            yield f"{message.path}.{name}", "extra inputs are not permitted"


@RULES.add("content_shape", MESSAGES)
def _content_shape(request: Request) -> Found:
    """Content is a string or a list of blocks, each an object with a type."""
    for message in messages(request):
        content = message.value.get("content")
        if not isinstance(content, str | list):
            yield f"{message.path}.content", "content must be a string or a list of blocks"
            continue
        for place, block in enumerate(content if isinstance(content, list) else []):
            if not isinstance(block, dict) or not text_of(block, "type"):
                yield f"{message.path}.content[{place}]", "a block must be an object with a type"


@RULES.add("content_empty", "https://github.com/langchain-ai/langchain/pull/35676")
def _content_empty(request: Request) -> Found:
    """A user turn holds something."""
    for turn in turns(request):
        if turn.role in {"user", "system"} and not turn.blocks:
            yield f"{turn.messages[0].path}.content", f"{turn.role} messages must have non-empty content"


@RULES.add("first_message_role", "https://github.com/anthropics/anthropic-sdk-typescript/issues/622", strict=True)
def _first_message_role(request: Request) -> Found:
    """The first message is the user's (Amazon Bedrock, and older models)."""
    for message in messages(request)[:1]:
        if message.role != "user":
            yield f"{message.path}.role", 'the first message must use the "user" role'


@RULES.add("assistant_empty", "https://github.com/anthropics/claude-code/issues/6774", strict=True)
def _assistant_empty(request: Request) -> Found:
    """An assistant message holds something, except for the last one (older models and other hosts)."""
    for message in messages(request)[:-1]:
        if message.role == "assistant" and not message.blocks:
            yield f"{message.path}.content", "all messages must have non-empty content except for the last"


@RULES.add("system_message_place", SYSTEM_MESSAGES)
def _system_message_place(request: Request) -> Found:
    """A system message follows the user, or a server tool's result, and precedes the assistant or ends the list."""
    all_turns = turns(request)
    for place, turn in enumerate(all_turns):
        if turn.role != "system":
            continue
        before = all_turns[place - 1] if place else None
        after = all_turns[place + 1] if place + 1 < len(all_turns) else None
        if before is None:
            yield turn.messages[0].path, "the initial system prompt goes into the top-level system field"
        elif before.role != "user" and not (before.blocks and is_server_result(before.blocks[-1])):
            yield turn.messages[0].path, "a system message must follow a user message"
        if after is not None and after.role != "assistant":
            yield turn.messages[-1].path, "a system message must precede an assistant message or end the list"


@RULES.add("system_message_model", SYSTEM_MESSAGES)
def _system_message_model(request: Request) -> Found:
    """Models before Opus 4.8, and Sonnet 5, take no system messages."""
    model = version(request.model)
    if model is None or (model[1:] >= SYSTEM_SINCE and model[0] != "sonnet"):
        return
    for message in messages(request):
        if message.role == "system":
            yield f"{message.path}.role", f"role system is not supported by {request.model}"


@RULES.add("prefill_model", f"{DOCS}/api/errors#prefill-not-supported")
def _prefill_model(request: Request) -> Found:
    """Since Claude 4.6 the last message is not the assistant's."""
    model, last = version(request.model), _last_assistant(request)
    if model is None or model[1:] <= PREFILL_UNTIL or last is None:
        return
    # A turn that the provider paused in the middle of its own tools is sent back as it came.
    if not last.blocks or last.blocks[-1].kind == "text":
        yield last.path, f"{request.model} does not support prefill: the conversation must end with a user message"


@RULES.add("prefill_trailing_space", f"{DOCS}/build-with-claude/prompt-engineering/prefill-claudes-response")
def _prefill_trailing_space(request: Request) -> Found:
    """A last message of the assistant's does not end with white space."""
    last = _last_assistant(request)
    if last is None or not last.blocks or last.blocks[-1].kind != "text":
        return
    text = text_of(last.blocks[-1].value, "text") or ""
    if text != text.rstrip():
        yield last.blocks[-1].path, "final assistant content cannot end with trailing whitespace"


def _last_assistant(request: Request) -> Message | None:
    found = messages(request)
    return found[-1] if found and found[-1].role == "assistant" else None
