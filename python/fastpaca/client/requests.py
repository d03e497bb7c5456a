"""Requests: paths, queries and bodies of the routes."""

from __future__ import annotations

import json
import uuid
from typing import Final, NamedTuple
from urllib.parse import quote, urlencode

from fastpaca.errors import InvalidError
from fastpaca.handles import check_id
from fastpaca.types import encode

_ROUTES: Final = {
    "configure": ("PUT", ""),
    "append": ("POST", "/messages"),
    "compact": ("POST", "/compact"),
    "rewind": ("POST", "/rewind"),
    "metadata": ("PATCH", "/metadata"),
}


class Write(NamedTuple):
    """A write as it is sent. `key` is its idempotency key, of the caller or made for this call."""

    method: str
    path: str
    body: bytes | None
    key: str
    headers: dict[bytes, bytes]


def write_of(context_id: str, route: str, body: bytes, key: str | None) -> Write:
    """The request of a write. Raises `InvalidError`."""
    path = context_path(context_id)
    key = uuid.uuid4().hex if key is None else key
    if route == "tombstone":
        return _tombstone(path, body, key)
    if route == "revert":
        fields = json.loads(body)
        version = fields.pop("version")
        path = f"{path}/compactions/{segment(str(version), 'version')}/revert"
        return Write("POST", path, _keyed(encode(fields), key), key, {})
    method, behind = _ROUTES[route]
    return Write(method, path + behind, _keyed(body, key), key, {})


def _keyed(body: bytes, key: str) -> bytes:
    """The body with the key in it, where it keeps every character. Bodies come from `types.envelope`: objects."""
    rest = body[1:]
    return b'{"idempotency_key":%b%b%b' % (encode(key, "idempotency_key"), b"" if rest == b"}" else b",", rest)


def _tombstone(path: str, body: bytes, key: str) -> Write:
    """Some proxies drop the body of a DELETE, so there is none."""
    if not isinstance(key, str) or not key.isprintable():
        message = "idempotency_key: must have 1 to 255 bytes and no control characters"
        raise InvalidError(message, details={"field": "idempotency_key"})
    encoded = key.encode()
    return Write("DELETE", path + query(**json.loads(body)), None, key, {b"idempotency-key": encoded})


def query(**parameters: object) -> str:
    """A query string of the parameters that are given, those not None, with its question mark."""
    given = {name: _text(value) for name, value in parameters.items() if value is not None}
    try:
        return f"?{urlencode(given)}" if given else ""
    except UnicodeEncodeError:
        raise InvalidError("query: holds a lone surrogate, which is no valid Unicode", code="invalid_utf8") from None


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def context_path(context_id: str) -> str:
    """The path of a context. Raises `InvalidError` as in process, and for ids that no path can hold."""
    check_id(context_id)
    return f"/v1/contexts/{segment(context_id, 'id')}"


def draft_path(context_id: str, message_id: str) -> str:
    """The path of a draft. Raises `InvalidError`."""
    return f"{context_path(context_id)}/drafts/{segment(message_id, 'message_id')}"


def segment(text: object, field: str) -> str:
    """Text as one segment of a path. Raises `InvalidError` that names the field."""
    if not isinstance(text, str) or text in {"", ".", ".."}:
        raise InvalidError(f"{field}: {text!r} can't stand in the path of a URL", details={"field": field})
    try:
        return quote(text, safe="")
    except UnicodeEncodeError:
        message = f"{field}: holds a lone surrogate, which is no valid Unicode"
        raise InvalidError(message, code="invalid_utf8", details={"field": field}) from None
