"""The OpenAPI document of what is served. A test walks the routes and the document and compares."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from fastpaca._core import CONTEXT_ID_BYTES_MAX, KEY_BYTES_MAX
from fastpaca.http import compactions, contexts, messages, openapi_schemas, query, stream, window

if TYPE_CHECKING:
    from fastpaca.config import Config

_CONTEXT: Final = "/v1/contexts/{context_id}"
_JSON: Final = "application/json"

_MEANS: Final = {
    "prefix": "Only ids that begin with it.",
    "needs_compaction": "Only contexts that do, or that do not.",
    "cursor": "Where the page before ended: its `next_cursor`.",
    "limit": "Items in a page.",
    "if_version": "The version that the caller expects, or has already.",
    "at_version": "As it was at that version.",
    "explain": "Adds `explanation`: what became of each run of the log, and why.",
    "min_version": "503 with Retry-After while the context is older.",
    "from_seq": "First message; negative counts from the end.",
    "to_seq": "Last message; negative counts from the end.",
    "view": "`all` shows what left by a rewind as well.",
    "offset": "Messages to pass over, from the newest backwards.",
    "budget_tokens": "Instead of the context's `token_budget`.",
    "fit": "`steps` keeps the prefix stable for caches, `largest` takes all that fits.",
    "close": "Closes calls at the end that have no result yet.",
    "format": "How messages are given: as stored, or as the arguments of a provider's call.",
    "cache": "`auto` sets breakpoints for the provider's prompt cache, with `format=anthropic`.",
    "include_messages": "`false` names messages and does not show them.",
}


def document(config: Config) -> bytes:
    """The document as JSON."""
    paths = _context_paths() | _log_paths() | _compaction_paths() | _window_paths() | _stream_paths()
    paths |= _operator_paths()
    found = {
        "openapi": "3.1.0",
        "info": {
            "title": "Fastpaca",
            "version": version("fastpaca"),
            "description": f"Bodies are JSON in UTF-8, at most {config.body_bytes_max} bytes, nested at most 128 deep.",
        },
        "paths": _of_context(paths),
        "components": {"schemas": openapi_schemas.SCHEMAS, "responses": _ERRORS},
    }
    return json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode()


def _context_paths() -> dict[str, Any]:
    created = {"201": _answer("Created.", "Context"), "200": _answer("Configured, or as it was.", "Context")}
    return {
        "/v1/contexts": _path(
            get=_read("listContexts", "Contexts in the order of ids.", "Contexts", contexts.LIST_QUERY)
        ),
        _CONTEXT: _path(
            put=_write(
                "configureContext", "Create or configure; absent fields keep their value.", "Configure", created
            ),
            get=_read("readContext", "Configuration and state.", "Context", contexts.READ_QUERY),
            delete=_write(
                "deleteContext",
                "Tombstone: appends get 409 from then on, reads go on.",
                "WriteOptions",
                {"204": {"description": "Deleted."}},
                contexts.DELETE_QUERY,
            ),
        ),
        f"{_CONTEXT}/metadata": _path(
            patch=_write("patchMetadata", "Merge; null removes.", "Metadata", {"200": _answer("Merged.", "Context")}),
        ),
    }


def _log_paths() -> dict[str, Any]:
    appended = {"201": _answer("Appended.", "Appended"), "200": _answer("Appended before.", "Appended")}
    return {
        f"{_CONTEXT}/messages": _path(
            post=_write("appendMessages", "Append one message or a batch.", "Append", appended),
            get=_read("replayMessages", "A page of the log.", "Messages", messages.REPLAY_QUERY),
        ),
        f"{_CONTEXT}/tail": _path(get=_read("tailMessages", "The newest messages.", "Tail", messages.TAIL_QUERY)),
        f"{_CONTEXT}/rewind": _path(
            post=_write("rewind", "Leave the messages after a seq.", "Rewind", {"200": _answer("Done.", "Changed")}),
        ),
        f"{_CONTEXT}/compact": _path(
            post=_write("compact", "Replace a range or all.", "Compact", {"200": _answer("Done.", "Changed")}),
        ),
    }


def _compaction_paths() -> dict[str, Any]:
    listed = _read("listCompactions", "Compactions, newest first.", "Compactions", compactions.LIST_QUERY)
    reverted = {"200": _answer("Reverted.", "Changed")}
    revert = _write("revertCompaction", "Undo a caller's compaction.", "WriteOptions", reverted)
    lease = {
        "operationId": "takeLease",
        "summary": "Take or renew the lease on compacting: advisory, in memory.",
        "requestBody": {"required": False, "content": {_JSON: {"schema": {"$ref": "#/components/schemas/TakeLease"}}}},
        "responses": {"200": _answer("Held.", "Lease")},
    }
    release = {
        "operationId": "releaseLease",
        "summary": "Give the lease back.",
        "requestBody": {
            "required": True,
            "content": {_JSON: {"schema": {"$ref": "#/components/schemas/ReleaseLease"}}},
        },
        "responses": {"204": {"description": "Not held, whether it was or not."}},
    }
    version = {
        "name": "version",
        "in": "path",
        "required": True,
        "description": "The compaction's.",
        "schema": {"type": "integer", "minimum": 0},
    }
    return {
        f"{_CONTEXT}/compactions": _path(get=listed),
        f"{_CONTEXT}/compactions/{{version}}/revert": {"parameters": [_ID, version], **_path(post=revert)},
        f"{_CONTEXT}/compactions/lease": _path(post=lease, delete=release),
    }


def _window_paths() -> dict[str, Any]:
    operation = _read("readWindow", "What the model gets.", "Window", window.QUERY)
    operation["parameters"].append(_header("If-None-Match", "Entity tags that the caller has.", None))
    operation["responses"]["200"]["headers"] = {
        "ETag": {"schema": {"type": "string"}},
        "Fastpaca-Model": {
            "description": "The model that the window goes to, percent-encoded.",
            "schema": {"type": "string"},
        },
    }
    operation["responses"]["304"] = {"description": "The caller has it already."}
    alias = operation | {"operationId": "readWindowAlias"}
    return {f"{_CONTEXT}/window": _path(get=operation), f"{_CONTEXT}/context": _path(get=alias)}


def _stream_paths() -> dict[str, Any]:
    of_one = _stream("streamContext", "Frames of one context; the cursor is a version.", stream.CONTEXT_QUERY)
    of_all = _stream("streamAll", "Frames of all contexts; the cursor is opaque.", stream.GLOBAL_QUERY)
    drop = {
        "operationId": "dropDraft",
        "summary": "Drop a draft that will not be appended.",
        "responses": {"204": {"description": "Dropped."}},
    }
    draft = {
        "operationId": "draft",
        "summary": "Continue a message that is being written; what was sent before may be sent again.",
        "requestBody": {"required": True, "content": {_JSON: {"schema": {"$ref": "#/components/schemas/Draft"}}}},
        "responses": {"200": _answer("The draft's length.", "Drafted")},
    }
    message_id = {"name": "message_id", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
    drafts = _path(post=draft, delete=drop)
    drafts["parameters"] = [_ID, message_id]
    return {
        f"{_CONTEXT}/stream": {"get": of_one},
        "/v1/stream": {"get": of_all},
        f"{_CONTEXT}/drafts/{{message_id}}": drafts,
    }


def _stream(name: str, summary: str, known: query.Known) -> dict[str, Any]:
    parameters = [_parameter(each, kind) for each, kind in known.items()]
    parameters.append(_header("Last-Event-ID", "As `cursor`, and wins over it: a browser sends it.", None))
    schema = {"schema": {"$ref": "#/components/schemas/Frame"}}
    return {
        "operationId": name,
        "summary": summary,
        "description": "Server-sent events, or with an upgrade a WebSocket of one text message a frame.",
        "parameters": parameters,
        "responses": {
            "200": {"description": "Frames, one an event.", "content": {"text/event-stream": schema}},
            "204": {"description": "The context is deleted, and there is nothing behind the cursor."},
            "default": {"$ref": "#/components/responses/Error"},
        },
    }


def _operator_paths() -> dict[str, Any]:
    text = {
        "200": {"description": "Metrics for Prometheus.", "content": {"text/plain": {"schema": {"type": "string"}}}}
    }
    metrics = {"operationId": "metrics", "summary": "Metrics.", "responses": text}
    return {
        "/health/live": _path(get=_read("live", "Fails when only a restart helps.", "Health", query.NONE)),
        "/health/ready": _path(get=_read("ready", "Whether to send requests here.", "Health", query.NONE)),
        "/metrics": _path(get=metrics),
        "/openapi.json": _path(get=_read("openapi", "This document.", "Document", query.NONE)),
    }


def _path(**operations: dict[str, Any]) -> dict[str, Any]:
    """The operations of a path; `HEAD` goes with `GET`."""
    if "get" in operations:
        get = operations["get"]
        bare = {status: {"description": each.get("description", "")} for status, each in get["responses"].items()}
        operations["head"] = get | {"operationId": f"{get['operationId']}Head", "responses": bare}
    for operation in operations.values():
        operation["responses"].setdefault("default", {"$ref": "#/components/responses/Error"})
    return dict(operations)


def _of_context(paths: dict[str, Any]) -> dict[str, Any]:
    """Adds the parameter of those paths that name a context."""
    return {path: ({"parameters": [_ID]} | each if "{" in path else each) for path, each in paths.items()}


def _read(name: str, summary: str, schema: str, known: query.Known) -> dict[str, Any]:
    parameters = [_parameter(each, kind) for each, kind in known.items()]
    responses = {"200": _answer(summary, schema)}
    return {"operationId": name, "summary": summary, "parameters": parameters, "responses": responses}


def _write(
    name: str, summary: str, schema: str, responses: dict[str, Any], known: query.Known = query.NONE
) -> dict[str, Any]:
    parameters = [_parameter(each, kind) for each, kind in known.items()]
    parameters.append(_header("Idempotency-Key", "The same key and content again give the first reply.", KEY_BYTES_MAX))
    required = schema not in {"Configure", "WriteOptions"}
    body = {"required": required, "content": {_JSON: {"schema": {"$ref": f"#/components/schemas/{schema}"}}}}
    return {
        "operationId": name,
        "summary": summary,
        "parameters": parameters,
        "requestBody": body,
        "responses": {status: _replayable(each) for status, each in responses.items()},
    }


def _replayable(answer: dict[str, Any]) -> dict[str, Any]:
    means = "`true` where the key had been used for the same request."
    return answer | {"headers": {"Idempotency-Replayed": {"description": means, "schema": {"type": "string"}}}}


def _parameter(name: str, kind: query.Kind) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": _MEANS[name], "schema": kind.schema()}


def _header(name: str, means: str, length: int | None) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"} if length is None else {"type": "string", "maxLength": length}
    return {"name": name, "in": "header", "description": means, "schema": schema}


def _answer(means: str, schema: str) -> dict[str, Any]:
    return {"description": means, "content": {_JSON: {"schema": {"$ref": f"#/components/schemas/{schema}"}}}}


_ERRORS: Final = {"Error": _answer("Refused.", "Error")}
_ID: Final = {
    "name": "context_id",
    "in": "path",
    "required": True,
    "description": f"1 to {CONTEXT_ID_BYTES_MAX} bytes of UTF-8, percent-encoded; no slash, no control characters.",
    "schema": {"type": "string", "minLength": 1, "maxLength": CONTEXT_ID_BYTES_MAX},
}
