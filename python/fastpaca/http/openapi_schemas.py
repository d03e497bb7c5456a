"""Schemas of bodies, for the OpenAPI document. The core alone decides what it takes; this page describes it."""

from __future__ import annotations

from typing import Any, Final

from fastpaca import lease
from fastpaca._core import BATCH_MESSAGES_MAX, FRAMES, KEY_BYTES_MAX, STRATEGIES, TOKEN_BUDGET_MAX

Schema = dict[str, Any]


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _list(of: Schema, **more: Any) -> Schema:
    return {"type": "array", "items": of, **more}


def _object(properties: dict[str, Schema], *, required: tuple[str, ...] = (), more: bool = False) -> Schema:
    found: Schema = {"type": "object", "properties": properties, "additionalProperties": more}
    if required:
        found["required"] = list(required)
    return found


def _reply(properties: dict[str, Schema]) -> Schema:
    """A reply has all its fields; later releases may add some."""
    return _object(properties, required=tuple(properties), more=True)


_TEXT: Final[Schema] = {"type": "string"}
_FLAG: Final[Schema] = {"type": "boolean"}
_ANY: Final[Schema] = {"type": "object"}
_NUMBER: Final[Schema] = {"type": "integer", "minimum": 0}
_SEQ: Final[Schema] = {"type": "integer", "minimum": 1}
_TIME: Final[Schema] = {"type": "string", "format": "date-time"}
_RATIO: Final[Schema] = {"type": "number", "exclusiveMinimum": 0, "maximum": 1}
_BUDGET: Final[Schema] = {"type": "integer", "minimum": 1, "maximum": TOKEN_BUDGET_MAX}
_RESERVE: Final[Schema] = {"type": "integer", "minimum": 0, "maximum": TOKEN_BUDGET_MAX}
_TEXT_OR_NULL: Final[Schema] = {"type": ["string", "null"]}
_NUMBER_OR_NULL: Final[Schema] = {"type": ["integer", "null"]}

_REQUEST: Final[Schema] = _object({}, more=True) | {
    "description": "The arguments of a provider's call, where `format` names one, in place of `messages`."
}
_OMITTED: Final[Schema] = _list(_SEQ) | {"description": "Messages whose reasoning `request` does not carry."}
_SIGNED: Final[Schema] = _object({"from_seq": _NUMBER, "loop_from_seq": _NUMBER}, more=True) | {
    "description": "From which message on signed thinking stays, where a rewrite or a cut has changed what stood "
    "before it; the second where a model demands the thinking of an open tool loop."
}


def _formatted(message: Schema, properties: dict[str, Schema]) -> Schema:
    """A reply with messages, or with the request made of them."""
    found = _reply(properties)
    found["properties"] |= {"messages": _list(message), "request": _REQUEST, "omitted_reasoning": _OMITTED}
    found["oneOf"] = [{"required": ["messages"]}, {"required": ["request"]}]
    return found


_WRITE: Final[dict[str, Schema]] = {
    "if_version": _NUMBER,
    "idempotency_key": {"type": "string", "minLength": 1, "maxLength": KEY_BYTES_MAX},
}
_POLICY: Final[Schema] = _object(
    {
        "strategy": {
            "type": "string",
            "description": f"One of {', '.join(STRATEGIES)}, or a policy that is registered on the server.",
            "examples": list(STRATEGIES),
        },
        "config": _ANY,
        "trigger_ratio": _RATIO,
    },
    required=("strategy",),
)
_STATE: Final[dict[str, Schema]] = {"version": _NUMBER, "used_tokens": _NUMBER, "needs_compaction": _FLAG}
_SEGMENT: Final[Schema] = _object(
    {"type": {"type": "string", "enum": ["summary", "live", "dropped"]}, "from_seq": _SEQ, "to_seq": _SEQ}, more=True
)
_REPLACEMENT: Final[Schema] = {
    "oneOf": [_ref("Message"), _list({"oneOf": [_ref("Message"), _ref("Seq"), _ref("Range")]})],
    "description": "Items in order: live references by seq or range, and new messages.",
}

SCHEMAS: Final[dict[str, Schema]] = {
    "Error": _object({"error": _TEXT, "message": _TEXT, "field": _TEXT}, required=("error", "message"), more=True),
    "Message": _object(
        {
            "role": _TEXT,
            "content": {},
            "parts": _list(_object({"type": _TEXT}, required=("type",), more=True)),
            "id": _TEXT,
            "token_count": _NUMBER,
            "usage": _ANY,
            "metadata": _ANY,
            "created_at": _TIME,
        },
        more=True,
    ),
    "StoredMessage": {
        "allOf": [_ref("Message")],
        "properties": {"seq": _SEQ, "token_count": _NUMBER, "inserted_at": _TIME},
    },
    "Seq": _object({"seq": _SEQ}, required=("seq",)),
    "Range": _object({"from_seq": _SEQ, "to_seq": _SEQ}, required=("from_seq", "to_seq")),
    "WriteOptions": _object(_WRITE),
    "Configure": _object(
        {
            "token_budget": _BUDGET,
            "reserve_tokens": _RESERVE,
            "trigger_ratio": _RATIO,
            "policy": _POLICY,
            "model": _TEXT_OR_NULL,
            "tokenizer": _TEXT_OR_NULL,
            "metadata": _ANY,
            **_WRITE,
        }
    ),
    "Metadata": {"description": "A patch, or `{metadata: patch}` with the fields of every write.", "type": "object"},
    "Append": _object(
        {
            "message": _ref("Message"),
            "messages": _list(_ref("Message"), minItems=1, maxItems=BATCH_MESSAGES_MAX),
            "replace": _FLAG,
            **_WRITE,
        }
    ),
    "Rewind": _object({"to_seq": _NUMBER, **_WRITE}, required=("to_seq",)),
    "Compact": _object(
        {
            "from_seq": _SEQ,
            "to_seq": _SEQ,
            "replacement": _REPLACEMENT,
            "messages": _REPLACEMENT,
            "up_to_version": _NUMBER,
            "force": _FLAG,
            **_WRITE,
        }
    ),
    "Context": _object(
        {
            "id": _TEXT,
            "token_budget": _BUDGET,
            "reserve_tokens": _RESERVE,
            "trigger_ratio": _RATIO,
            "policy": _POLICY,
            "model": _TEXT_OR_NULL,
            "tokenizer": _TEXT_OR_NULL,
            "metadata": _ANY,
            "status": _TEXT,
            "last_seq": _NUMBER,
            "created_at": _TIME,
            "updated_at": _TIME,
            **_STATE,
        },
        more=True,
    ),
    "Contexts": _reply({"contexts": _list(_ref("Context")), "next_cursor": _TEXT_OR_NULL}),
    "Appended": _reply({"seq": _SEQ, "first_seq": _SEQ, "token_estimate": _NUMBER, **_STATE}),
    "Changed": _object(_STATE, more=True),
    "Compactions": _reply({"compactions": _list(_ref("Compaction")), "next_cursor": _NUMBER_OR_NULL}),
    "Compaction": _reply(
        {
            "version": _NUMBER,
            "by": {"type": "string", "enum": ["caller", "policy", "repair"]},
            "strategy": _TEXT_OR_NULL,
            "from_seq": _NUMBER,
            "to_seq": _NUMBER,
            "up_to_version": _NUMBER_OR_NULL,
            "tokens_before": _NUMBER,
            "tokens_after": _NUMBER,
            "created_at": _TIME,
            "reverts": _NUMBER_OR_NULL,
            "reverted_by": _NUMBER_OR_NULL,
            "revertible": _FLAG,
            "reason": _TEXT_OR_NULL,
        }
    ),
    "TakeLease": _object(
        {
            "holder": {"type": "string", "minLength": 1, "maxLength": lease.HOLDER_BYTES_MAX},
            "seconds": {
                "type": "integer",
                "minimum": 1,
                "maximum": lease.SECONDS_MAX,
                "default": lease.SECONDS_DEFAULT,
            },
            "token": {"type": "string", "description": "Renews the lease that it names."},
        }
    ),
    "ReleaseLease": _object({"token": _TEXT}, required=("token",)),
    "Lease": _reply({"token": _TEXT, "holder": _TEXT_OR_NULL, "expires_at": _TIME}),
    "Messages": _formatted(_ref("StoredMessage"), {"next_cursor": _NUMBER_OR_NULL}),
    "Tail": _formatted(_ref("StoredMessage"), {"next_offset": _NUMBER_OR_NULL}),
    "Window": _formatted(
        _ref("Message"),
        {
            **_STATE,
            "truncated": _FLAG,
            "segments": _list(_SEGMENT),
            "prefix": _TEXT,
            "ends_with": _TEXT_OR_NULL,
            "open_calls": _list({}),
        },
    ),
    "Frame": _object(
        {
            "type": {"type": "string", "enum": [*FRAMES, "draft", "gap", "ping"]},
            "version": _NUMBER,
            "context_id": _TEXT,
        },
        required=("type",),
        more=True,
    ),
    "Draft": _object({"offset": _NUMBER, "delta": _TEXT}, required=("offset", "delta")),
    "Drafted": _reply({"length": _NUMBER}),
    "Health": _object({"status": _TEXT, "position": _NUMBER}, required=("status",), more=True),
    "Document": _ANY,
}
SCHEMAS["Window"]["properties"]["signed_thinking"] = _SIGNED
