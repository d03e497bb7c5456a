"""Rules of OpenAI's Responses: `instructions` and `input` of a request."""

from __future__ import annotations

import re

from fastpaca.providers.base import Found, Json, Request, Rules, objects, once, shown, text_of

RULES = Rules()

REFERENCE = "https://platform.openai.com/docs/api-reference/responses/create"

_CALL = frozenset({"type", "id", "call_id", "status", "caller"})
FIELDS: dict[str, frozenset[str]] = {
    "message": frozenset({"type", "id", "role", "content", "status", "phase"}),
    "reasoning": frozenset({"type", "id", "summary", "content", "encrypted_content"}),
    "function_call": _CALL | {"name", "arguments", "namespace", "async"},
    "function_call_output": _CALL | {"output", "name", "namespace"},
    "custom_tool_call": _CALL | {"name", "input", "namespace", "async"},
    "custom_tool_call_output": _CALL | {"output"},
    "item_reference": frozenset({"type", "id"}),
}
"""Items whose fields are checked."""

OTHER_KINDS = frozenset(
    {"file_search_call", "web_search_call", "image_generation_call", "code_interpreter_call", "tool_search_call"}
    | {"tool_search_output", "computer_call", "computer_call_output", "local_shell_call", "local_shell_call_output"}
    | {"shell_call", "shell_call_output", "apply_patch_call", "apply_patch_call_output", "mcp_list_tools", "mcp_call"}
    | {"mcp_approval_request", "mcp_approval_response", "compaction", "compaction_trigger", "additional_tools"}
    | {"configuration_update", "program", "program_output"}
)
"""Items of tools that run at the provider, and of its own compaction; of these only ids and pairs are checked."""

OUTPUT_OF = {
    "function_call": "function_call_output",
    "custom_tool_call": "custom_tool_call_output",
    "computer_call": "computer_call_output",
    "shell_call": "shell_call_output",
    "apply_patch_call": "apply_patch_call_output",
}
CALL_OF = {output: call for call, output in OUTPUT_OF.items()}

ROLES = ("user", "assistant", "system", "developer")
_INPUT = frozenset({"input_text", "input_image", "input_file"})
PARTS = {"assistant": frozenset({"output_text", "refusal"}), "output": _INPUT}
"""Types of content parts by role, and in the output of a tool; other roles hold what a tool's output does."""

ID_PREFIXES = {
    "message": "msg",
    "reasoning": "rs",
    "function_call": "fc",
    "function_call_output": "fc",
    "custom_tool_call": "ctc",
    "web_search_call": "ws",
}
ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
CALL_ID_CHARS_MAX = 64
NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")


@once
def _items(request: Request) -> list[tuple[str, Json]]:
    return list(objects(request.value.get("input"), "input"))


def _kind(item: Json) -> str:
    kind = item.get("type", "message" if "role" in item else None)
    return kind if isinstance(kind, str) else ""


def _goes_on(request: Request) -> bool:
    """Whether earlier items are stored at the provider, so that calls and reasoning may stand there."""
    return any(request.value.get(name) for name in ("previous_response_id", "conversation"))


@RULES.add("input_shape", REFERENCE)
def _input_shape(request: Request) -> Found:
    """`input` is a string or a list of at least one object; `instructions` a string."""
    items = request.value.get("input")
    if not isinstance(request.value.get("instructions"), str | None):
        yield "instructions", "instructions must be a string"
    if isinstance(items, str):
        return
    if not isinstance(items, list) or not items:
        yield "input", "input must be a string or a list of at least one item"
        return
    for place, item in enumerate(items):
        if not isinstance(item, dict):
            yield f"input[{place}]", "an item must be an object"


@RULES.add("item_kind", REFERENCE)
def _item_kind(request: Request) -> Found:
    """Items are of a type that the reference lists; without a type they are messages, with a role."""
    for path, item in _items(request):
        if _kind(item) not in FIELDS and _kind(item) not in OTHER_KINDS:
            yield f"{path}.type", f"{shown(item.get('type'))} is not a type of item"


@RULES.add("item_field", "https://github.com/openai/openai-agents-python/pull/3026")
def _item_field(request: Request) -> Found:
    """An item has the fields of its type, and no other."""
    for path, item in _items(request):
        for name in sorted(item.keys() - FIELDS.get(_kind(item), item.keys())):
            yield f"{path}.{name}", "unknown parameter"


@RULES.add("role_unknown", REFERENCE)
def _role_unknown(request: Request) -> Found:
    """Roles are user, assistant, system and developer; results of tools are items of their own."""
    for path, item in _items(request):
        if _kind(item) == "message" and item.get("role") not in ROLES:
            yield f"{path}.role", f"{shown(item.get('role'))} is not one of {', '.join(ROLES)}"


@RULES.add("content_part", "https://github.com/strands-agents/harness-sdk/issues/1850")
def _content_part(request: Request) -> Found:
    """An assistant's content is output_text and refusal, all other content input_text, input_image and input_file."""
    for path, item in _items(request):
        is_message = _kind(item) == "message"
        if not is_message and _kind(item) not in {"function_call_output", "custom_tool_call_output"}:
            continue
        name = "content" if is_message else "output"
        allowed = PARTS["assistant" if is_message and item.get("role") == "assistant" else "output"]
        content = item.get(name)
        if not isinstance(content, str | list):
            yield f"{path}.{name}", f"{name} must be a string or a list of parts"
            continue
        for place, part in enumerate(content if isinstance(content, list) else []):
            kind = part.get("type") if isinstance(part, dict) else None
            at = f"{path}.{name}[{place}]"
            if not isinstance(kind, str) or kind not in allowed:
                yield at, f"{shown(kind or part)} is not one of {', '.join(sorted(allowed))}"
            elif kind.endswith("_text") and not isinstance(part.get("text"), str):
                yield f"{at}.text", "text must be a string"


@RULES.add("call_shape", REFERENCE)
def _call_shape(request: Request) -> Found:
    """A call has a name, and arguments (a custom one: input) as a string."""
    for path, item in _items(request):
        argument = {"function_call": "arguments", "custom_tool_call": "input"}.get(_kind(item))
        if argument is None:
            continue
        if not NAME.fullmatch(text_of(item, "name") or ""):
            yield f"{path}.name", f"{shown(item.get('name'))} does not match ^[a-zA-Z0-9_-]{{1,128}}$"
        if text_of(item, argument) is None:
            yield f"{path}.{argument}", f"{argument} must be a string"


@RULES.add("call_id", "https://github.com/AnswerDotAI/fastllm/issues/45")
def _call_id(request: Request) -> Found:
    """The call_id of a call and of its output is a string of 1 to 64 characters."""
    for path, item in _items(request):
        if _kind(item) in OUTPUT_OF or _kind(item) in CALL_OF:
            call_id = text_of(item, "call_id")
            if not call_id or len(call_id) > CALL_ID_CHARS_MAX:
                yield f"{path}.call_id", f"{shown(item.get('call_id'))} is not a string of 1 to 64 characters"


@RULES.add("call_unanswered", "https://github.com/Azure/azure-sdk-for-python/issues/46092")
def _call_unanswered(request: Request) -> Found:
    """Every call has its output further on."""
    waiting: dict[tuple[str, str], list[str]] = {}
    for path, item in _items(request):
        kind, call_id = _kind(item), text_of(item, "call_id")
        if kind in OUTPUT_OF and call_id:
            waiting.setdefault((kind, call_id), []).append(path)
        elif kind in CALL_OF and waiting.get((CALL_OF[kind], call_id or "")):
            waiting[CALL_OF[kind], call_id or ""].pop()
    for (kind, call_id), paths in waiting.items():
        for path in paths:
            yield f"{path}.call_id", f"no tool output found for {kind} {shown(call_id)}"


@RULES.add("output_orphan", "https://github.com/continuedev/continue/issues/10092")
def _output_orphan(request: Request) -> Found:
    """Every output has its call before it, here or in the response or conversation that the request goes on from."""
    if _goes_on(request):
        return
    calls: set[tuple[str, str | None]] = set()
    for path, item in _items(request):
        kind, call_id = _kind(item), text_of(item, "call_id")
        if kind not in CALL_OF:
            calls.add((kind, call_id))
        # A search for tools that the client runs may be answered like a function.
        elif not calls & {(CALL_OF[kind], call_id), ("tool_search_call", call_id)}:
            yield f"{path}.call_id", f"no tool call found for {kind} with call_id {shown(call_id)}"


@RULES.add("item_id", "https://github.com/nodetool-ai/nodetool/pull/4252")
def _item_id(request: Request) -> Found:
    """An item's id, where it is sent, has its type's prefix and at most 64 letters, digits, underscores and dashes."""
    for path, item in _items(request):
        if item.get("id") is None:
            continue
        prefix = ID_PREFIXES.get(_kind(item), "")
        item_id = text_of(item, "id") or ""
        if not ID.fullmatch(item_id) or not item_id.startswith(prefix):
            yield f"{path}.id", f"{shown(item['id'])} is not an id that begins with {prefix!r}"


@RULES.add("item_id_repeated", "https://github.com/vercel/ai/issues/13307")
def _item_id_repeated(request: Request) -> Found:
    """Ids of items differ."""
    seen: set[str] = set()
    for path, item in _items(request):
        item_id = text_of(item, "id")
        if item_id and item_id in seen:
            yield f"{path}.id", f"duplicate item found with id {shown(item_id)}"
        seen.add(item_id or "")


@RULES.add("reasoning_shape", REFERENCE)
def _reasoning_shape(request: Request) -> Found:
    """A reasoning item has a summary, a list of summary_text."""
    for path, item in _items(request):
        if _kind(item) == "reasoning":
            summary = item.get("summary")
            if not isinstance(summary, list):
                yield f"{path}.summary", "summary must be a list"
            for place, part in enumerate(summary if isinstance(summary, list) else []):
                if not isinstance(part, dict) or part.get("type") != "summary_text" or text_of(part, "text") is None:
                    yield f"{path}.summary[{place}]", "a summary holds summary_text alone"


@RULES.add("reasoning_unfollowed", "https://github.com/openai/openai-node/issues/1567")
def _reasoning_unfollowed(request: Request) -> Found:
    """The assistant's message or call that came with a reasoning item follows it, unless the request has store off."""
    if request.value.get("store") is False:
        return
    items = _items(request)
    for place, (path, item) in enumerate(items):
        if _kind(item) != "reasoning" or not text_of(item, "id"):
            continue
        following = next((each for _, each in items[place + 1 :] if _kind(each) != "reasoning"), None)
        if following is None or not _is_the_models(following):
            yield path, f"reasoning {shown(item.get('id'))} was provided without its required following item"


def _is_the_models(item: Json) -> bool:
    kind = _kind(item)
    return item.get("role") == "assistant" if kind == "message" else kind not in CALL_OF
