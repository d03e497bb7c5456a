"""A table of requests that are to be refused: what is sent, and which status, code and culprit the answer must name.

Before each the context `kept` holds five messages and `gone` is tombstoned; afterwards both must be as they were.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final

CONTEXT: Final = "/v1/contexts/kept"
BODY_BYTES_MAX: Final = 8 << 20

USER: Final = {"role": "user", "content": "hi"}


@dataclass(frozen=True)
class Bad:
    """One refused request. `names` must stand in the message or in `field`; `route` is the same request in process."""

    name: str
    status: int
    code: str
    names: str = ""
    method: str = "POST"
    path: str = f"{CONTEXT}/messages"
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    chunked: bool = False

    @property
    def route(self) -> str | None:
        """The route of `Engine.write`, where the refusal is not HTTP's."""
        if self.headers or self.chunked or self.status == 413 or "?" in self.path or "%" in self.path:
            return None
        routes = {
            ("PUT", ""): "configure",
            ("DELETE", ""): "tombstone",
            ("POST", "/messages"): "append",
            ("POST", "/compact"): "compact",
            ("POST", "/rewind"): "rewind",
            ("PATCH", "/metadata"): "metadata",
        }
        _, _, rest = self.path.removeprefix("/v1/contexts/").partition("/")
        return routes.get((self.method, f"/{rest}" if rest else ""))

    @property
    def context_id(self) -> str:
        """The context that the path names."""
        return self.path.removeprefix("/v1/contexts/").partition("/")[0]


def _bytes(body: Any) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body).encode()


def _append(name: str, body: Any, code: str, names: str = "", status: int = 400, **more: Any) -> Bad:
    return Bad(f"append: {name}", status, code, names, body=_bytes(body), **more)


def _message(name: str, message: Any, code: str, names: str, status: int = 400) -> Bad:
    return _append(f"message with {name}", {"message": message}, code, names, status)


def _put(name: str, body: Any, code: str, names: str, status: int = 400, path: str = CONTEXT) -> Bad:
    return Bad(f"configure: {name}", status, code, names, method="PUT", path=path, body=_bytes(body))


def _policy(name: str, config: Any, code: str, names: str, strategy: str = "last_n") -> Bad:
    return _put(f"policy with {name}", {"policy": {"strategy": strategy, "config": config}}, code, names)


def _compact(name: str, body: Any, code: str, names: str = "", status: int = 400) -> Bad:
    return Bad(f"compact: {name}", status, code, names, path=f"{CONTEXT}/compact", body=_bytes(body))


def _rewind(name: str, body: Any, code: str, names: str = "", status: int = 400) -> Bad:
    return Bad(f"rewind: {name}", status, code, names, path=f"{CONTEXT}/rewind", body=_bytes(body))


def _patch(name: str, body: Any, code: str, names: str = "", status: int = 400) -> Bad:
    return Bad(f"metadata: {name}", status, code, names, "PATCH", f"{CONTEXT}/metadata", _bytes(body))


def _get(path: str, code: str, names: str, status: int = 400) -> Bad:
    return Bad(f"get {path}", status, code, names, "GET", path)


JSON: Final = [
    _append("nothing", b"", "invalid_json"),
    _append("white space", b"  \n ", "invalid_json"),
    _append("truncated", b'{"message": {"role": "user", "content": "hi"', "invalid_json"),
    _append("truncated in a string", b'{"message": {"role": "us', "invalid_json"),
    _append("two values", b'{"message": {"role": "user", "content": "a"}} {}', "invalid_json"),
    _append("a trailing comma", b'{"message": {"role": "user", "content": "a",}}', "invalid_json"),
    _append("single quotes", b"{'message': 1}", "invalid_json"),
    _append("NaN", b'{"message": {"role": "user", "content": "a", "x": NaN}}', "invalid_json"),
    _append("infinity", b'{"message": {"role": "user", "content": "a", "x": -Infinity}}', "invalid_json"),
    _append("a comment", b'{"message": /* hi */ 1}', "invalid_json"),
    _append("a byte order mark", b'\xef\xbb\xbf{"message": 1}', "invalid_json"),
    _append("invalid UTF-8", b'{"message": {"role": "user", "content": "\xff"}}', "invalid_utf8", "byte"),
    _append("UTF-16", '{"message": 1}'.encode("utf-16"), "invalid_utf8"),
    _append("a lone surrogate", b'{"message": {"role": "user", "content": "\\ud800"}}', "invalid_json"),
    _append("a lone low surrogate", b'{"message": {"role": "user", "content": "\\udc00x"}}', "invalid_json"),
    _append("a surrogate in a key", b'{"message": {"role": "user", "content": "a", "\\ud800": 1}}', "invalid_json"),
    _append("a raw NUL in a string", b'{"message": {"role": "user", "content": "a\x00b"}}', "invalid_json"),
    _append("a raw NUL outside", b'{"message": \x00 1}', "invalid_json"),
    _append("a raw line end in a string", b'{"message": {"role": "user", "content": "a\nb"}}', "invalid_json"),
    _append("a bad escape", b'{"message": {"role": "user", "content": "\\x41"}}', "invalid_json"),
    _append("a number out of range", b'{"message": {"role": "user", "content": "a", "x": 1e999}}', "invalid_json"),
    _append("a leading zero", b'{"message": {"role": "user", "content": "a", "x": 01}}', "invalid_json"),
    _append("a list", b"[]", "invalid_field", "array"),
    _append("a string", b'"hi"', "invalid_field", "string"),
    _append("null", b"null", "invalid_field", "null"),
    _append("a number", b"1", "invalid_field", "number"),
    _append(
        "deep nesting",
        b'{"message": {"role": "user", "content": "a", "x": ' + b"[" * 200 + b"]" * 200 + b"}}",
        "nesting_too_deep",
        "128",
    ),
    _append("100 000 levels", b"[" * 100_000, "nesting_too_deep", "128"),
    _append("a key twice", b'{"message": {"role": "user", "content": "a"}, "message": 1}', "duplicate_key", "message"),
    _append(
        "a key twice inside", b'{"message": {"role": "user", "role": "x", "content": "a"}}', "duplicate_key", "role"
    ),
    _append("an escaped key twice", b'{"message": 1, "mess\\u0061ge": 2}', "duplicate_key", "message"),
    _append(
        "a key twice, deep",
        b'{"message": {"role": "user", "content": "a", "x": {"k": 1, "k": 2}}}',
        "duplicate_key",
        "k",
    ),
]

APPEND: Final = [
    _append("no message", {}, "missing_field", "message"),
    _append("an unknown field", {"message": USER, "extra": 1}, "unknown_field", "extra"),
    _append("a misspelt field", {"mesage": USER}, "missing_field", "message"),
    _append("message and messages", {"message": USER, "messages": [USER]}, "invalid_field", "messages"),
    _append("messages as an object", {"messages": USER}, "invalid_field", "messages"),
    _append("no messages", {"messages": []}, "invalid_field", "messages"),
    _append("1001 messages", {"messages": [USER] * 1001}, "invalid_field", "messages"),
    _append("a bad second message", {"messages": [USER, {"role": "user"}]}, "missing_field", "messages[1]"),
    _append("null in messages", {"messages": [None]}, "invalid_field", "messages[0]"),
    _append("replace as text", {"message": USER, "replace": "yes"}, "invalid_field", "replace"),
    _append("replace without an id", {"message": USER, "replace": True}, "missing_field", "message.id"),
    _append("replace of several", {"messages": [USER, USER], "replace": True}, "invalid_field", "replace"),
    _append("replace of another", {"message": USER | {"id": "other"}, "replace": True}, "not_newest", "newest", 409),
    _append("if_version as text", {"message": USER, "if_version": "5"}, "invalid_field", "if_version"),
    _append("if_version below 0", {"message": USER, "if_version": -1}, "invalid_field", "if_version"),
    _append("if_version as a fraction", {"message": USER, "if_version": 1.5}, "invalid_field", "if_version"),
    _append("a huge if_version", {"message": USER, "if_version": 10**30}, "invalid_field", "if_version"),
    _append("another if_version", {"message": USER, "if_version": 999}, "version_conflict", "999", 409),
    _append("a key as a number", {"message": USER, "idempotency_key": 1}, "invalid_field", "idempotency_key"),
    _append("an empty key", {"message": USER, "idempotency_key": ""}, "invalid_field", "idempotency_key"),
    _append("a key of 256 bytes", {"message": USER, "idempotency_key": "k" * 256}, "invalid_field", "idempotency_key"),
    _append("NUL in a key", {"message": USER, "idempotency_key": "a\0"}, "invalid_field", "idempotency_key"),
    _append("an unknown context", {"message": USER}, "unknown_context", status=404, path="/v1/contexts/none/messages"),
    _append("a tombstoned context", {"message": USER}, "tombstoned", status=409, path="/v1/contexts/gone/messages"),
]

MESSAGE: Final = [
    _message("no object", "hi", "invalid_field", "message"),
    _message("a list", [USER], "invalid_field", "message"),
    _message("no role", {"content": "hi"}, "missing_field", "message.role"),
    _message("a number as role", {"role": 1, "content": "hi"}, "invalid_field", "message.role"),
    _message("no content", {"role": "user"}, "missing_field", "message"),
    _message("null content", {"role": "user", "content": None}, "invalid_field", "message.content"),
    _message("a number as content", {"role": "user", "content": 1}, "invalid_field", "message.content"),
    _message("an object as content", {"role": "user", "content": {}}, "invalid_field", "message.content"),
    _message("text as parts", {"role": "user", "parts": "hi"}, "invalid_field", "message.parts"),
    _message("parts and content", {"role": "user", "parts": [], "content": ""}, "invalid_field", "message"),
    _message("a number as part", {"role": "user", "parts": [1]}, "invalid_field", "message.parts[0]"),
    _message("a part without type", {"role": "user", "parts": [{"text": "a"}]}, "missing_field", "message.parts[0]"),
    _message("a number as type", {"role": "user", "parts": [{"type": 1}]}, "invalid_field", "message.parts[0].type"),
    _message(
        "a text part without text", {"role": "user", "parts": [{"type": "text"}]}, "missing_field", "parts[0].text"
    ),
    _message(
        "a number as text",
        {"role": "user", "content": [{"type": "text", "text": 1}]},
        "invalid_field",
        "content[0].text",
    ),
    _message(
        "null as text", {"role": "user", "parts": [{"type": "text", "text": None}]}, "invalid_field", "parts[0].text"
    ),
    _message("text as tool_calls", {"role": "assistant", "tool_calls": "x"}, "invalid_field", "message.tool_calls"),
    _message("a number as id", USER | {"id": 7}, "invalid_field", "message.id"),
    _message("an empty id", USER | {"id": ""}, "invalid_field", "message.id"),
    _message("an id of 256 bytes", USER | {"id": "é" * 128}, "invalid_field", "message.id"),
    _message("text as token_count", USER | {"token_count": "9"}, "invalid_field", "message.token_count"),
    _message("a token_count below 0", USER | {"token_count": -1}, "invalid_field", "message.token_count"),
    _message("a fraction of a token", USER | {"token_count": 1.5}, "invalid_field", "message.token_count"),
    _message("a huge token_count", USER | {"token_count": 10**20}, "invalid_field", "message.token_count"),
    _message("text as metadata", USER | {"metadata": "x"}, "invalid_field", "message.metadata"),
    _message("text as usage", USER | {"usage": "x"}, "invalid_field", "message.usage"),
    _message("usage without tokens", USER | {"usage": {"window_version": 1}}, "missing_field", "usage.input_tokens"),
    _message(
        "text as usage tokens",
        USER | {"usage": {"window_version": 1, "input_tokens": "9"}},
        "invalid_field",
        "usage.input_tokens",
    ),
    _message("a number as created_at", USER | {"created_at": 1}, "invalid_field", "message.created_at"),
    _message("no time as created_at", USER | {"created_at": "yesterday"}, "invalid_field", "message.created_at"),
    _message("no day as created_at", USER | {"created_at": "2026-02-30T00:00:00Z"}, "invalid_field", "created_at"),
]

CONFIGURE: Final = [
    _put("a budget of 0", {"token_budget": 0}, "invalid_field", "token_budget"),
    _put("a budget below 0", {"token_budget": -5}, "invalid_field", "token_budget"),
    _put("a budget over the limit", {"token_budget": 10_000_001}, "invalid_field", "token_budget"),
    _put("a huge budget", {"token_budget": 10**40}, "invalid_field", "token_budget"),
    _put("a budget as text", {"token_budget": "1000"}, "invalid_field", "token_budget"),
    _put("a budget as a fraction", {"token_budget": 1000.0}, "invalid_field", "token_budget"),
    _put("a budget as true", {"token_budget": True}, "invalid_field", "token_budget"),
    _put("a reserve below 0", {"reserve_tokens": -1}, "invalid_field", "reserve_tokens"),
    _put("a trigger of 0", {"trigger_ratio": 0}, "invalid_field", "trigger_ratio"),
    _put("a trigger over 1", {"trigger_ratio": 1.1}, "invalid_field", "trigger_ratio"),
    _put("a trigger as text", {"trigger_ratio": "0.5"}, "invalid_field", "trigger_ratio"),
    _put("metadata as a list", {"metadata": []}, "invalid_field", "metadata"),
    _put("17 KiB of metadata", {"metadata": {"a": "x" * 17_000}}, "invalid_field", "metadata"),
    _put("a number as model", {"model": 5}, "invalid_field", "model"),
    _put("an empty model", {"model": ""}, "invalid_field", "model"),
    _put("an unknown tokenizer", {"tokenizer": "morse"}, "unknown_tokenizer", "morse"),
    _put("an unknown field", {"tokenbudget": 5}, "unknown_field", "tokenbudget"),
    _put("a list", [], "invalid_field", "array"),
    _put("a policy as text", {"policy": "last_n"}, "invalid_field", "policy"),
    _put("a policy without strategy", {"policy": {}}, "missing_field", "policy.strategy"),
    _put("an unknown strategy", {"policy": {"strategy": "magic"}}, "unknown_strategy", "magic"),
    _put("an unknown policy field", {"policy": {"strategy": "budget", "x": 1}}, "unknown_field", "policy.x"),
    _policy("an unknown key", {"limit": 5, "limt": 5}, "unknown_policy_key", "limt"),
    _policy("no limit", {}, "missing_field", "limit"),
    _policy("a limit of 0", {"limit": 0}, "invalid_field", "limit"),
    _policy("a limit as text", {"limit": "5"}, "invalid_field", "limit"),
    _policy("a config as a list", [], "invalid_field", "policy.config"),
    _policy("a target over 1", {"limit": 5, "target_ratio": 2}, "invalid_field", "target_ratio"),
    _policy("an unknown overflow", {"limit": 5, "overflow": "spill"}, "invalid_field", "overflow"),
    _put("a tombstoned context", {"token_budget": 5000}, "tombstoned", "", 409, "/v1/contexts/gone"),
    _put("another if_version", {"token_budget": 5000, "if_version": 99}, "version_conflict", "99", 409),
    _put("an id of 256 bytes", {}, "invalid_field", "id", path="/v1/contexts/" + "a" * 256),
]

CHANGES: Final = [
    _compact("no replacement", {}, "missing_field", "replacement"),
    _compact("a number", {"replacement": 1}, "invalid_field", "replacement"),
    _compact("an item that is no object", {"replacement": [1]}, "invalid_field", "replacement[0]"),
    _compact("from_seq alone", {"from_seq": 1, "replacement": USER}, "missing_field", "to_seq"),
    _compact("a range backwards", {"from_seq": 3, "to_seq": 2, "replacement": USER}, "invalid_range", "to_seq"),
    _compact("from_seq 0", {"from_seq": 0, "to_seq": 2, "replacement": USER}, "invalid_field", "from_seq"),
    _compact("an unknown range", {"from_seq": 90, "to_seq": 99, "replacement": USER}, "unknown_seq", "99"),
    _compact("a reference to nothing", {"replacement": [{"seq": 99}]}, "unknown_seq", "99"),
    _compact("a reference as text", {"replacement": [{"seq": "1"}]}, "invalid_field", "replacement[0].seq"),
    _compact("references that descend", {"replacement": [{"seq": 3}, {"seq": 1}]}, "invalid_range", "ascend"),
    _compact("messages in a range", {"from_seq": 1, "to_seq": 2, "messages": [USER]}, "invalid_field", "messages"),
    _compact("an unknown field", {"replacement": USER, "x": 1}, "unknown_field", "x"),
    _compact("nothing to keep", {"replacement": []}, "empty_replacement", "force", 422),
    _compact("a summary without text", {"replacement": USER | {"content": " "}}, "empty_replacement", "force", 422),
    _compact("force as text", {"replacement": USER, "force": "yes"}, "invalid_field", "force"),
    _rewind("no seq", {}, "missing_field", "to_seq"),
    _rewind("a seq below 0", {"to_seq": -1}, "invalid_field", "to_seq"),
    _rewind("a seq as text", {"to_seq": "2"}, "invalid_field", "to_seq"),
    _rewind("a seq to come", {"to_seq": 99}, "unknown_seq", "99"),
    _rewind("an unknown field", {"to_seq": 1, "x": 1}, "unknown_field", "x"),
    _patch("a list", [], "invalid_field", "array"),
    _patch("truncated", b'{"a": ', "invalid_json"),
    _patch("too much", {"a": "x" * 20_000}, "invalid_field", "metadata"),
    _patch("another if_version", {"metadata": {"a": 1}, "if_version": 99}, "version_conflict", "99", 409),
    Bad("delete: an unknown field", 400, "unknown_field", "x", "DELETE", CONTEXT, b'{"x": 1}'),
    Bad("delete: an unknown context", 404, "unknown_context", "", "DELETE", "/v1/contexts/none"),
    Bad("delete: another if_version", 409, "version_conflict", "99", "DELETE", f"{CONTEXT}?if_version=99"),
    Bad("delete: if_version twice", 400, "invalid_field", "if_version", "DELETE", f"{CONTEXT}?if_version=5", b"{}"),
]

QUERY: Final = [
    _get(f"{CONTEXT}/window?budget_tokens=0", "invalid_field", "budget_tokens"),
    _get(f"{CONTEXT}/window?budget_tokens=-1", "invalid_field", "budget_tokens"),
    _get(f"{CONTEXT}/window?budget_tokens=10000001", "invalid_field", "budget_tokens"),
    _get(f"{CONTEXT}/window?budget_tokens={10**50}", "invalid_field", "budget_tokens"),
    _get(f"{CONTEXT}/window?budget_tokens=1e3", "invalid_field", "budget_tokens"),
    _get(f"{CONTEXT}/window?budget_tokens=%2B5", "invalid_field", "budget_tokens"),
    _get(f"{CONTEXT}/window?budget_tokens=%D9%A5", "invalid_field", "budget_tokens"),
    _get(f"{CONTEXT}/window?budget_tokens=", "invalid_field", "budget_tokens"),
    _get(f"{CONTEXT}/window?budget_tokens", "invalid_field", "budget_tokens"),
    _get(f"{CONTEXT}/window?budget_tokens=5&budget_tokens=5", "duplicate_key", "budget_tokens"),
    _get(f"{CONTEXT}/window?budget_tokens=1", "budget_too_small", "needed", 422),
    _get(f"{CONTEXT}/window?fit=best", "invalid_field", "fit"),
    _get(f"{CONTEXT}/window?close=1", "invalid_field", "close"),
    _get(f"{CONTEXT}/window?format=telex", "unsupported_format", "format"),
    _get(f"{CONTEXT}/window?format=yaml", "unsupported_format", "format"),
    _get(f"{CONTEXT}/messages?format=", "unsupported_format", "format"),
    _get(f"{CONTEXT}/window?format=anthropic&cache=always", "invalid_field", "cache"),
    _get(f"{CONTEXT}/window?format=openai&cache=auto", "invalid_field", "cache"),
    _get(f"{CONTEXT}/window?cache=auto", "invalid_field", "cache"),
    _get(f"{CONTEXT}/tail?format=anthropic&cache=auto", "unknown_field", "cache"),
    _get(f"{CONTEXT}/tail?format=Parts", "unsupported_format", "format"),
    _get(f"{CONTEXT}/window?if_version=x", "invalid_field", "if_version"),
    _get(f"{CONTEXT}/window?min_version=99", "version_not_reached", "99", 503),
    _get(f"{CONTEXT}/context?limit=5", "unknown_field", "limit"),
    _get(f"{CONTEXT}/messages?limit=0", "invalid_field", "limit"),
    _get(f"{CONTEXT}/messages?limit=1001", "invalid_field", "limit"),
    _get(f"{CONTEXT}/messages?from_seq=0", "invalid_field", "from_seq"),
    _get(f"{CONTEXT}/messages?from_seq=first", "invalid_field", "from_seq"),
    _get(f"{CONTEXT}/messages?to_seq={10**19}", "invalid_field", "to_seq"),
    _get(f"{CONTEXT}/messages?cursor=-1", "invalid_field", "cursor"),
    _get(f"{CONTEXT}/messages?view=some", "invalid_field", "view"),
    _get(f"{CONTEXT}/tail?offset=-1", "invalid_field", "offset"),
    _get(f"{CONTEXT}/tail?from_seq=1", "unknown_field", "from_seq"),
    _get("/v1/contexts?needs_compaction=maybe", "invalid_field", "needs_compaction"),
    _get("/v1/contexts?prefix=%ff", "invalid_utf8", "prefix"),
    _get("/v1/contexts?prefix=%zz", "invalid_field", "prefix"),
    _get("/v1/contexts?pre%66ix=a&prefix=b", "duplicate_key", "prefix"),
    _get("/v1/contexts?purge=true", "unknown_field", "purge"),
    Bad("put with a query", 400, "unknown_field", "a", "PUT", f"{CONTEXT}?a=1"),
    Bad(
        "post with a query",
        400,
        "unknown_field",
        "dry",
        path=f"{CONTEXT}/messages?dry=1",
        body=_bytes({"message": USER}),
    ),
]

PATHS: Final = [
    _get("/", "unknown_path", "/", 404),
    _get("/v1", "unknown_path", "/v1", 404),
    _get("/v2/contexts", "unknown_path", "/v2", 404),
    _get(f"{CONTEXT}/nothing", "unknown_path", "nothing", 404),
    _get(f"{CONTEXT}/messages/1", "unknown_path", "messages/1", 404),
    _get(f"{CONTEXT}/compactions/3", "unknown_path", "compactions/3", 404),
    _get(f"{CONTEXT}/window/", "unknown_path", "window", 404),
    _get("/v1/contexts/", "invalid_field", "id"),
    _get("/v1/contexts/a%2Fb", "invalid_field", "id"),
    _get("/v1/contexts/a%2fb/window", "invalid_field", "id"),
    _get("/v1/contexts/%00", "invalid_field", "id"),
    _get("/v1/contexts/a%0Ab/messages", "invalid_field", "id"),
    _get("/v1/contexts/%C2%85", "invalid_field", "id"),
    _get("/v1/contexts/%FF", "invalid_utf8", "id"),
    _get("/v1/contexts/%ED%A0%80", "invalid_utf8", "id"),
    _get("/v1/contexts/%C3", "invalid_utf8", "id"),
    _get("/v1/contexts/100%", "invalid_field", "id"),
    _get("/v1/contexts/%u0041", "invalid_field", "id"),
    _get("/v1/contexts/" + "%C3%A9" * 128, "invalid_field", "id"),
    _get("/v1/contexts/none", "unknown_context", "context", 404),
    _get("/v1/contexts/none/window", "unknown_context", "context", 404),
    _get("/v1/contexts/none/messages", "unknown_context", "context", 404),
    _get("/v1/contexts/none/tail", "unknown_context", "context", 404),
    Bad("post to a context", 405, "method_not_allowed", "POST", path=CONTEXT, body=b"{}"),
    Bad("put messages", 405, "method_not_allowed", "PUT", "PUT", f"{CONTEXT}/messages", b"{}"),
    Bad("delete a window", 405, "method_not_allowed", "DELETE", "DELETE", f"{CONTEXT}/window"),
    Bad("get compact", 405, "method_not_allowed", "GET", "GET", f"{CONTEXT}/compact"),
    Bad("trace", 405, "method_not_allowed", "TRACE", "TRACE", CONTEXT),
    Bad("purge", 405, "method_not_allowed", "PURGE", "PURGE", CONTEXT),
    Bad("post to health", 405, "method_not_allowed", "POST", path="/health/live"),
]


def _revert(name: str, version: str, code: str, names: str, status: int = 400, body: Any = b"") -> Bad:
    path = f"{CONTEXT}/compactions/{version}/revert"
    return Bad(f"revert: {name}", status, code, names, path=path, body=_bytes(body))


def _lease(name: str, body: Any, code: str, names: str, status: int = 400, **more: Any) -> Bad:
    return Bad(f"lease: {name}", status, code, names, **{"path": LEASE, "body": _bytes(body), **more})


LEASE: Final = f"{CONTEXT}/compactions/lease"
HISTORY: Final = [
    _get(f"{CONTEXT}/window?at_version=-1", "invalid_field", "at_version"),
    _get(f"{CONTEXT}/window?at_version=x", "invalid_field", "at_version"),
    _get(f"{CONTEXT}/window?at_version=1&at_version=1", "duplicate_key", "at_version"),
    _get(f"{CONTEXT}/window?at_version=99", "version_not_reached", "99", 503),
    _get(f"{CONTEXT}/window?at_version=3&budget_tokens=1", "budget_too_small", "1", 422),
    _get(f"{CONTEXT}/window?explain=1", "invalid_field", "explain"),
    _get(f"{CONTEXT}/window?explain=true&explain=true", "duplicate_key", "explain"),
    _get("/v1/contexts/none/window?explain=true", "unknown_context", "context", 404),
    _get("/v1/contexts/none/window?at_version=0", "unknown_context", "context", 404),
    _get("/v1/contexts/none/compactions", "unknown_context", "context", 404),
    _get(f"{CONTEXT}/compactions?cursor=x", "invalid_field", "cursor"),
    _get(f"{CONTEXT}/compactions?limit=0", "invalid_field", "limit"),
    _get(f"{CONTEXT}/compactions?offset=1", "unknown_field", "offset"),
    _revert("the creation", "0", "unknown_compaction", "0", 404),
    _revert("a message", "3", "unknown_compaction", "3", 404),
    _revert("a version to come", "99", "unknown_compaction", "99", 404),
    _revert("a word", "last", "invalid_field", "version"),
    _revert("a number below 0", "-1", "invalid_field", "version"),
    _revert("more than 64 bits", "18446744073709551616", "invalid_field", "version"),
    _revert("an unknown field", "3", "unknown_field", "x", body={"x": 1}),
    _revert("a version in the body", "3", "duplicate_key", "version", body={"version": 3}),
    _revert("a list", "3", "invalid_field", "object", body=[]),
    _revert("no JSON", "3", "invalid_json", "", body=b"{"),
    _revert("another version", "3", "version_conflict", "99", 409, {"if_version": 99}),
    _lease("an unknown field", {"ttl": 5}, "unknown_field", "ttl"),
    _lease("no time", {"seconds": 0}, "invalid_field", "seconds"),
    _lease("too much time", {"seconds": 3601}, "invalid_field", "seconds"),
    _lease("time as text", {"seconds": "60"}, "invalid_field", "seconds"),
    _lease("true seconds", {"seconds": True}, "invalid_field", "seconds"),
    _lease("half a second", {"seconds": 1.5}, "invalid_field", "seconds"),
    _lease("a holder without a name", {"holder": ""}, "invalid_field", "holder"),
    _lease("a holder with a long name", {"holder": "h" * 256}, "invalid_field", "holder"),
    _lease("a number as holder", {"holder": 7}, "invalid_field", "holder"),
    _lease("half a character", b'{"holder": "\\ud800"}', "invalid_utf8", "holder"),
    _lease("twice the same", b'{"seconds": 5, "seconds": 6}', "duplicate_key", "seconds"),
    _lease("a list", [], "invalid_field", "object"),
    _lease("no JSON", b"{", "invalid_json", ""),
    _lease("NaN", b'{"seconds": NaN}', "invalid_json", ""),
    _lease("not UTF-8", b'{"holder": "\xff"}', "invalid_utf8", "UTF-8"),
    _lease("nested deep", b"[" * 100_000, "nesting_too_deep", "deep"),
    _lease("a token that is no more", {"token": "t"}, "lease_lost", "lease", 409),
    _lease("a query", {}, "unknown_field", "seconds", path=f"{LEASE}?seconds=5"),
    _lease("of nothing", {}, "unknown_context", "context", 404, path="/v1/contexts/none/compactions/lease"),
    _lease("of a deleted one", {}, "tombstoned", "deleted", 409, path="/v1/contexts/gone/compactions/lease"),
    _lease("back without a token", {}, "missing_field", "token", method="DELETE"),
    _lease("back with a number", {"token": 1}, "invalid_field", "token", method="DELETE"),
    _lease(
        "back of nothing",
        {"token": "t"},
        "unknown_context",
        "context",
        404,
        method="DELETE",
        path="/v1/contexts/none/compactions/lease",
    ),
]

_OK: Final = _bytes({"message": USER})
HEADERS: Final = [
    _append("a form", b"a=1", "unsupported_media_type", "Content-Type", 415, headers={"content-type": "text/plain"}),
    _append("no JSON", _OK, "unsupported_media_type", "xml", 415, headers={"content-type": "application/xml"}),
    _append(
        "latin-1",
        _OK,
        "unsupported_media_type",
        "latin",
        415,
        headers={"content-type": "application/json; charset=latin-1"},
    ),
    _append("an empty key header", _OK, "invalid_field", "idempotency_key", headers={"idempotency-key": ""}),
    _append("a long key header", _OK, "invalid_field", "idempotency_key", headers={"idempotency-key": "k" * 256}),
    _append(
        "two keys",
        {"message": USER, "idempotency_key": "a"},
        "invalid_field",
        "idempotency_key",
        headers={"idempotency-key": "b"},
    ),
    _append("too much", b" " * (BODY_BYTES_MAX + 1), "body_too_large", str(BODY_BYTES_MAX), 413),
    _append(
        "too much in chunks", b" " * (BODY_BYTES_MAX + 1), "body_too_large", str(BODY_BYTES_MAX), 413, chunked=True
    ),
]

ALL: Final = [*JSON, *APPEND, *MESSAGE, *CONFIGURE, *CHANGES, *QUERY, *PATHS, *HISTORY, *HEADERS]
