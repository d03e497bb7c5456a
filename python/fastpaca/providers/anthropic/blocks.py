"""Content blocks one by one: types and fields, empty text, media, cache breakpoints."""

from __future__ import annotations

from collections.abc import Iterator

from fastpaca.providers.anthropic.conversation import (
    CACHING,
    DOCS,
    MESSAGES,
    Block,
    all_blocks,
    inner_blocks,
    messages,
    system_blocks,
)
from fastpaca.providers.base import Found, Json, Request, Rules, objects, shown, text_of

RULES = Rules()

BREAKPOINTS_MAX = 4

_CACHED = frozenset({"type", "cache_control"})
_SERVER_RESULT = _CACHED | {"tool_use_id", "content", "caller"}

FIELDS: dict[str, frozenset[str]] = {
    "text": _CACHED | {"text", "citations"},
    "image": _CACHED | {"source", "transformations"},
    "document": _CACHED | {"source", "citations", "context", "title"},
    "search_result": _CACHED | {"content", "source", "title", "citations"},
    "container_upload": _CACHED | {"file_id"},
    "tool_result": _CACHED | {"tool_use_id", "content", "is_error", "toolset_name"},
    "tool_use": _CACHED | {"id", "name", "input", "caller", "toolset_name"},
    "thinking": frozenset({"type", "thinking", "signature"}),
    "redacted_thinking": frozenset({"type", "data"}),
    "server_tool_use": _CACHED | {"id", "name", "input", "caller"},
    "web_search_tool_result": _SERVER_RESULT,
    "web_fetch_tool_result": _SERVER_RESULT,
    "code_execution_tool_result": _SERVER_RESULT,
    "bash_code_execution_tool_result": _SERVER_RESULT,
    "text_editor_code_execution_tool_result": _SERVER_RESULT,
    "tool_search_tool_result": _SERVER_RESULT,
    "advisor_tool_result": _SERVER_RESULT,
    "mcp_tool_use": _CACHED | {"id", "name", "input", "server_name"},
    "mcp_tool_result": _CACHED | {"tool_use_id", "content", "is_error"},
    "mcp_tool_listing": frozenset({"type", "mcp_server_name", "tools"}),
    "compaction": _CACHED | {"content", "encrypted_content", "signature", "tool_changes"},
    "fallback": frozenset({"type", "from", "to", "trigger"}),
    "tool_addition": _CACHED | {"tool"},
    "tool_removal": _CACHED | {"tool"},
    "tool_reference": _CACHED | {"tool_name"},
    "browser_state": _CACHED | {"tabs", "state_changes"},
}
"""Types of blocks and their fields, as the API reference lists them (betas included)."""

_MEDIA = frozenset({"image", "document", "search_result"})
KINDS: dict[str, frozenset[str]] = {
    "user": _MEDIA | {"text", "container_upload", "tool_result"},
    "system": frozenset({"text", "tool_addition", "tool_removal"}),
    "assistant": frozenset(FIELDS)
    - _MEDIA
    - {"container_upload", "tool_result", "tool_addition", "tool_removal", "tool_reference", "browser_state"},
    "tool_result": _MEDIA | {"text", "tool_reference", "browser_state"},
}
"""Types of blocks by role, and inside a tool result."""

IMAGE_TYPES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
SOURCES: dict[tuple[str, str], tuple[str, frozenset[str] | None]] = {
    ("image", "base64"): ("data", IMAGE_TYPES),
    ("image", "url"): ("url", None),
    ("image", "file"): ("file_id", None),
    ("document", "base64"): ("data", frozenset({"application/pdf"})),
    ("document", "text"): ("data", frozenset({"text/plain"})),
    ("document", "url"): ("url", None),
    ("document", "file"): ("file_id", None),
}
"""What a source needs: the field with the string, and the media types where one has to be named."""


def _with_inner(request: Request) -> Iterator[tuple[str, Block]]:
    """Every block of every message with what holds it: a role, or `tool_result`."""
    for message, block in all_blocks(request):
        yield message.role, block
        for inner in inner_blocks(block):
            yield "tool_result", inner


@RULES.add("block_kind", MESSAGES)
def _block_kind(request: Request) -> Found:
    """A block is of a type that its role may hold: media and results for user, calls and thinking for assistant."""
    for holder, block in _with_inner(request):
        if holder in KINDS and block.kind and block.kind not in KINDS[holder]:
            yield f"{block.path}.type", f"{shown(block.kind)} blocks are not permitted in {holder} content"


@RULES.add("block_field", "https://github.com/anthropics/claude-code/issues/4378")
def _block_field(request: Request) -> Found:
    """A block has the fields of its type, and no other."""
    for _, block in [*_with_inner(request), *(("system", block) for block in system_blocks(request))]:
        if block.kind in FIELDS:
            for name in sorted(block.value.keys() - FIELDS[block.kind] - {"cache_control"}):
                yield f"{block.path}.{name}", "extra inputs are not permitted"


@RULES.add("text_empty", "https://github.com/anthropics/claude-code/issues/59812")
def _text_empty(request: Request) -> Found:
    """A text block's text is a string and not empty."""
    for _, block in [*_with_inner(request), *(("system", block) for block in system_blocks(request))]:
        if block.kind == "text" and not text_of(block.value, "text"):
            yield f"{block.path}.text", "text content blocks must be non-empty"


@RULES.add("text_blank", "https://github.com/LibreChat-AI/agents/pull/124")
def _text_blank(request: Request) -> Found:
    """A message does not consist of white space alone."""
    for message in messages(request):
        blocks = message.blocks
        if blocks and all(b.kind == "text" and (text_of(b.value, "text") or "").isspace() for b in blocks):
            yield blocks[0].path, "text content blocks must contain non-whitespace text"


@RULES.add("system_shape", MESSAGES)
def _system_shape(request: Request) -> Found:
    """`system` is a string or a list of text blocks."""
    system = request.value.get("system", "")
    if not isinstance(system, str | list):
        yield "system", "system must be a string or a list of text blocks"
    for place, block in enumerate(system if isinstance(system, list) else []):
        if not isinstance(block, dict) or block.get("type") != "text":
            yield f"system[{place}]", "system holds text blocks alone"


@RULES.add("media_source", f"{DOCS}/build-with-claude/vision")
def _media_source(request: Request) -> Found:
    """Images are JPEG, PNG, GIF or WebP, documents PDF or plain text; a source has what its type needs, no more."""
    for _, block in _with_inner(request):
        if block.kind not in {"image", "document"}:
            continue
        source = block.value.get("source")
        kind = source.get("type") if isinstance(source, dict) else None
        if not isinstance(source, dict) or not isinstance(kind, str):
            yield f"{block.path}.source", f"a {block.kind} needs a source with a type"
        elif (block.kind, kind) == ("document", "content"):
            if not isinstance(source.get("content"), str | list):
                yield f"{block.path}.source.content", "content must be a string or a list of blocks"
        elif (block.kind, kind) not in SOURCES:
            yield f"{block.path}.source.type", f"{shown(kind)} is no source of a {block.kind}"
        else:
            yield from _in_source(source, f"{block.path}.source", *SOURCES[block.kind, kind])


def _in_source(source: Json, path: str, field: str, media_types: frozenset[str] | None) -> Found:
    if not text_of(source, field):
        yield f"{path}.{field}", f"{field} must be a string and not empty"
    if media_types and source.get("media_type") not in media_types:
        yield f"{path}.media_type", f"not one of {', '.join(sorted(media_types))}"
    for name in sorted(source.keys() - {"type", field} - ({"media_type"} if media_types else set())):
        yield f"{path}.{name}", "extra inputs are not permitted"


def _breakpoints(request: Request) -> list[tuple[str, object, Block | None]]:
    """Cache breakpoints in the order in which the API reads them: tools, system, messages."""
    tools = [(path, tool.get("cache_control"), None) for path, tool in objects(request.value.get("tools"), "tools")]
    blocks = [*system_blocks(request), *(block for _, block in _with_inner(request))]
    found = [*tools, *((block.path, block.value.get("cache_control"), block) for block in blocks)]
    return [each for each in found if each[1] is not None]


@RULES.add("cache_breakpoints", CACHING)
def _cache_breakpoints(request: Request) -> Found:
    """At most 4 breakpoints; the automatic one, `cache_control` of the request, counts."""
    automatic = request.value.get("cache_control") is not None
    for path, _, _ in _breakpoints(request)[BREAKPOINTS_MAX - automatic :]:
        yield f"{path}.cache_control", f"a maximum of {BREAKPOINTS_MAX} blocks with cache_control may be provided"


@RULES.add("cache_place", CACHING)
def _cache_place(request: Request) -> Found:
    """No breakpoint on thinking, or on empty text."""
    for path, _, block in _breakpoints(request):
        if block is None:
            continue
        if "cache_control" not in FIELDS.get(block.kind, _CACHED):
            yield f"{path}.cache_control", f"cache_control cannot be set for {block.kind} blocks"
        elif block.kind == "text" and not text_of(block.value, "text"):
            yield f"{path}.cache_control", "cache_control cannot be set for empty text blocks"


@RULES.add("cache_value", CACHING)
def _cache_value(request: Request) -> Found:
    """A breakpoint is ephemeral, for 5m or 1h, and no longer one comes behind a shorter one."""
    short = False
    for path, value, _ in _breakpoints(request):
        lasts = value.get("ttl", "5m") if isinstance(value, dict) and value.get("type") == "ephemeral" else None
        if lasts not in {"5m", "1h"} if isinstance(lasts, str) else True:
            yield f"{path}.cache_control", 'cache_control must be {"type": "ephemeral"}, with a ttl of 5m or 1h'
        elif short and lasts == "1h":
            yield f"{path}.cache_control", "a breakpoint of 1h must not come after one of 5m"
        short = short or lasts == "5m"
