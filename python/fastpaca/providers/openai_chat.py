"""Rules of OpenAI's Chat Completions: the `messages` of a request."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fastpaca.providers.base import Found, Json, Request, Rules, objects, once, shown, text_of

RULES = Rules()

REFERENCE = "https://platform.openai.com/docs/api-reference/chat/create"

PARTS: dict[str, frozenset[str]] = {
    "system": frozenset({"text"}),
    "developer": frozenset({"text"}),
    "user": frozenset({"text", "image_url", "input_audio", "file"}),
    "assistant": frozenset({"text", "refusal"}),
    "tool": frozenset({"text"}),
    "function": frozenset(),
}
"""Types of content parts by role."""

PART_FIELDS = {
    "text": ("text", str),
    "refusal": ("refusal", str),
    "image_url": ("image_url", dict),
    "input_audio": ("input_audio", dict),
    "file": ("file", dict),
}

NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
CALL_ID_CHARS_MAX = 40


@once
def _messages(request: Request) -> list[tuple[str, Json]]:
    return list(objects(request.value.get("messages"), "messages"))


def _calls(path: str, message: Json) -> list[tuple[str, Json]]:
    return list(objects(message.get("tool_calls"), f"{path}.tool_calls"))


def _is_assistant_with(message: Json, name: str) -> bool:
    return message.get("role") == "assistant" and bool(message.get(name))


@RULES.add("messages_shape", REFERENCE)
def _messages_shape(request: Request) -> Found:
    """`messages` is a list of at least one object."""
    messages = request.value.get("messages")
    if not isinstance(messages, list):
        yield "messages", "messages must be a list"
    elif not messages:
        yield "messages", "messages must hold at least one message"
    else:
        for place, message in enumerate(messages):
            if not isinstance(message, dict):
                yield f"messages[{place}]", "a message must be an object"


@RULES.add("role_unknown", REFERENCE)
def _role_unknown(request: Request) -> Found:
    """Roles are system, developer, user, assistant, tool, and the deprecated function."""
    for path, message in _messages(request):
        if not isinstance(message.get("role"), str) or message["role"] not in PARTS:
            yield f"{path}.role", f"{shown(message.get('role'))} is not one of {', '.join(PARTS)}"


@RULES.add("content_missing", REFERENCE)
def _content_missing(request: Request) -> Found:
    """Content is a string or a list of parts; only an assistant with calls, and a function result, may do without."""
    for path, message in _messages(request):
        content = message.get("content")
        if isinstance(content, str | list):
            continue
        if content is not None:
            yield f"{path}.content", f"content must be a string or a list of parts, not {shown(content)}"
        elif message.get("role") == "assistant":
            if not any(message.get(name) for name in ("tool_calls", "function_call", "refusal", "audio")):
                yield f"{path}.content", "an assistant message needs content, tool_calls, a function_call or a refusal"
        elif message.get("role") != "function" or "content" not in message:
            yield f"{path}.content", "content must be a string or a list of parts"


@RULES.add("content_part", "https://github.com/openai/openai-node/issues/1030")
def _content_part(request: Request) -> Found:
    """Parts are of a type that the role may hold: media for user, refusals for assistant, text for all."""
    for path, message in _messages(request):
        role, content = message.get("role"), message.get("content")
        if not isinstance(content, list) or not isinstance(role, str) or role not in PARTS:
            continue
        if not content:
            yield f"{path}.content", "a list of parts must not be empty"
        for place, part in enumerate(content):
            kind = part.get("type") if isinstance(part, dict) else None
            if not isinstance(kind, str) or kind not in PARTS[role]:
                yield f"{path}.content[{place}]", f"{role} content can't hold {shown(kind or part)}"
            elif not isinstance(part.get(PART_FIELDS[kind][0]), PART_FIELDS[kind][1]):
                yield (
                    f"{path}.content[{place}].{PART_FIELDS[kind][0]}",
                    f"a {kind} part needs its {PART_FIELDS[kind][0]}",
                )


@RULES.add("tool_calls_place", REFERENCE)
def _tool_calls_place(request: Request) -> Found:
    """Only an assistant has tool_calls, a list of at least one object."""
    for path, message in _messages(request):
        if "tool_calls" not in message:
            continue
        calls = message["tool_calls"]
        if message.get("role") != "assistant":
            yield f"{path}.tool_calls", f"a message of role {shown(message.get('role'))} can't have tool_calls"
        elif not isinstance(calls, list) or not calls or not all(isinstance(call, dict) for call in calls):
            yield f"{path}.tool_calls", "tool_calls must be a list of at least one object"


@RULES.add("tool_call_shape", REFERENCE)
def _tool_call_shape(request: Request) -> Found:
    """A call has an id, and a function with name and arguments, or a custom tool with name and input, all strings."""
    for path, message in _messages(request):
        for at, call in _calls(path, message):
            if not text_of(call, "id"):
                yield f"{at}.id", "a call needs an id that is a string and not empty"
            kind = call.get("type")
            if kind not in {"function", "custom"}:
                yield f"{at}.type", f"{shown(kind)} is not function or custom"
                continue
            body, argument = call.get(kind), "arguments" if kind == "function" else "input"
            if not isinstance(body, dict):
                yield f"{at}.{kind}", f"a call of type {kind} needs the object {kind}"
            elif text_of(body, argument) is None:
                yield f"{at}.{kind}.{argument}", f"{argument} must be a string"


@RULES.add("function_name", "https://github.com/mcp-use/mcp-use/issues/90")
def _function_name(request: Request) -> Found:
    """Names of functions are 1 to 64 of a-z, A-Z, 0-9, underscore and dash."""
    for path, message in _messages(request):
        for at, call in _calls(path, message):
            kind = call.get("type")
            body = call.get(kind) if kind in {"function", "custom"} else None
            if isinstance(body, dict) and not NAME.fullmatch(text_of(body, "name") or ""):
                yield f"{at}.{kind}.name", f"{shown(body.get('name'))} does not match ^[a-zA-Z0-9_-]{{1,64}}$"
        if message.get("role") == "function" and not NAME.fullmatch(text_of(message, "name") or ""):
            yield f"{path}.name", f"{shown(message.get('name'))} does not match ^[a-zA-Z0-9_-]{{1,64}}$"


@RULES.add("tool_call_id_repeated", "https://github.com/openclaw/openclaw/pull/41119")
def _tool_call_id_repeated(request: Request) -> Found:
    """Ids of the calls of one message differ."""
    for path, message in _messages(request):
        seen: set[str] = set()
        for at, call in _calls(path, message):
            call_id = text_of(call, "id")
            if call_id and call_id in seen:
                yield f"{at}.id", f"{shown(call_id)} names another call of this message"
            seen.add(call_id or "")


@RULES.add("tool_calls_unanswered", "https://github.com/spring-ai-community/spring-ai-session/issues/44")
def _tool_calls_unanswered(request: Request) -> Found:
    """Tool messages that answer every call follow an assistant message with tool_calls, before anything else."""
    messages = _messages(request)
    for place, (path, message) in enumerate(messages):
        if not _is_assistant_with(message, "tool_calls"):
            continue
        answered = {answer.get("tool_call_id") for _, answer in _run_of_tools(messages, place + 1) if _has_id(answer)}
        for at, call in _calls(path, message):
            if text_of(call, "id") and call["id"] not in answered:
                yield f"{at}.id", f"no tool message directly behind this message answers {shown(call['id'])}"


@RULES.add("tool_message_orphan", "https://github.com/simonw/llm/issues/937")
def _tool_message_orphan(request: Request) -> Found:
    """A tool message answers a call of the assistant message that stands directly before it and its like."""
    open_ids: set[str] = set()
    for path, message in _messages(request):
        if message.get("role") != "tool":
            open_ids = {call["id"] for _, call in _calls(path, message) if text_of(call, "id")}
        elif not _has_id(message):
            yield f"{path}.tool_call_id", "a tool message needs a tool_call_id"
        elif message["tool_call_id"] not in open_ids:
            yield f"{path}.tool_call_id", f"{shown(message['tool_call_id'])} is no call of the message before"


@RULES.add("tool_message_repeated", "https://github.com/agno-agi/agno/issues/5116")
def _tool_message_repeated(request: Request) -> Found:
    """A call is answered once."""
    seen: set[str] = set()
    for path, message in _messages(request):
        if message.get("role") != "tool":
            seen = set()
        elif _has_id(message):
            if message["tool_call_id"] in seen:
                yield f"{path}.tool_call_id", f"{shown(message['tool_call_id'])} is answered already"
            seen.add(message["tool_call_id"])


@RULES.add("function_call_shape", REFERENCE)
def _function_call_shape(request: Request) -> Found:
    """The deprecated function_call is an assistant's: a name, and arguments as a string."""
    for path, message in _messages(request):
        call = message.get("function_call")
        if call is None:
            continue
        if message.get("role") != "assistant":
            yield f"{path}.function_call", f"a message of role {shown(message.get('role'))} can't have a function_call"
        elif not isinstance(call, dict) or not text_of(call, "name") or text_of(call, "arguments") is None:
            yield f"{path}.function_call", "a function_call needs a name, and arguments as a string"


@RULES.add("tool_call_id_too_long", "https://github.com/microsoft/autogen/issues/6377", strict=True)
def _tool_call_id_too_long(request: Request) -> Found:
    """Ids of calls have at most 40 characters (Azure and several models; others take more)."""
    for path, message in _messages(request):
        ids = [(f"{at}.id", call.get("id")) for at, call in _calls(path, message)]
        for at, call_id in [*ids, (f"{path}.tool_call_id", message.get("tool_call_id"))]:
            if isinstance(call_id, str) and len(call_id) > CALL_ID_CHARS_MAX:
                yield at, f"{len(call_id)} characters, at most {CALL_ID_CHARS_MAX}"


@RULES.add("tool_call_id_reused", "https://github.com/openclaw/openclaw/pull/40996", strict=True)
def _tool_call_id_reused(request: Request) -> Found:
    """Ids of calls differ in the whole request (other hosts of the format; OpenAI takes them again after an answer)."""
    seen: set[str] = set()
    for path, message in _messages(request):
        ids = {call["id"]: at for at, call in _calls(path, message) if text_of(call, "id")}
        for call_id, at in ids.items():
            if call_id in seen:
                yield f"{at}.id", f"{shown(call_id)} names a call of an earlier message"
        seen |= ids.keys()


def _run_of_tools(messages: list[tuple[str, Json]], start: int) -> Iterator[tuple[str, Json]]:
    for path, message in messages[start:]:
        if message.get("role") != "tool":
            return
        yield path, message


def _has_id(message: Json) -> bool:
    return bool(text_of(message, "tool_call_id"))
