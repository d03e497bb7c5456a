"""Messages as an import compares and checks them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from fastpaca import _core
from fastpaca.handles import raised
from fastpaca.types import encode

_ADDED: Final = frozenset({"seq", "token_count", "inserted_at", "from_seq", "to_seq", "edited", "repair"})
"""Fields that a context adds to what it shows, and takes out of what comes in."""


def checked(message: Mapping[str, Any]) -> tuple[bytes, _core.Request]:
    """The body that appends a message, and what the core reads in it. Raises `InvalidError` for one that no context
    takes; counts no tokens.
    """
    body = encode({"message": {"token_count": 0, **message}}, "message")
    try:
        return body, _core.parse("append", body)
    except _core.CoreError as error:
        raise raised(error) from None


def is_same(message: Mapping[str, Any], stored: Mapping[str, Any]) -> bool:
    """Whether a message of a log is this one. Times count where both have one: a log need not have the file's."""
    given, held = _plain(message), _plain(stored)
    times = given.pop("created_at", None), held.pop("created_at", None)
    return (None in times or times[0] == times[1]) and _text(given) == _text(held)


def _plain(message: Mapping[str, Any]) -> dict[str, Any]:
    """A message as it is stored, less what speaks of the context that it stood in."""
    fields = {name: value for name, value in message.items() if name not in _ADDED}
    if isinstance(fields.get("content"), str):
        fields["parts"] = [{"type": "text", "text": fields.pop("content")}]
    counted = fields.get("usage")
    if isinstance(counted, dict) and "window_version" in counted:
        del fields["usage"]
    return fields


def _text(fields: dict[str, Any]) -> str:
    # Python holds 1, 1.0 and True to be equal; their texts are not.
    return json.dumps(fields, sort_keys=True)
