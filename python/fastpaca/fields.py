"""Small request bodies that the core has no part in: one object of known fields, read strictly."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from fastpaca.errors import InvalidError


def read_object(body: bytes, known: frozenset[str]) -> dict[str, Any]:
    """The object that a body holds; nothing at all is an empty one. Raises `InvalidError` that names what is wrong."""
    if not body:
        return {}
    try:
        found = json.loads(body.decode(), object_pairs_hook=_object, parse_constant=_constant)
    except UnicodeDecodeError:
        refuse("invalid_utf8", "", "the body is not valid UTF-8")
    except RecursionError:
        refuse("nesting_too_deep", "", "the body is nested too deep")
    except json.JSONDecodeError as error:
        refuse("invalid_json", "", str(error))
    if not isinstance(found, dict):
        refuse("invalid_field", "", f"the body must be an object, not {type(found).__name__}")
    for name in found.keys() - known:
        refuse("unknown_field", name[:80], f"is not a field of this request; known are {', '.join(sorted(known))}")
    return found


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        refuse("duplicate_key", twice[:80], "is given twice")
    return found


def _constant(text: str) -> NoReturn:
    refuse("invalid_json", "", f"{text} is no JSON")


def text(field: str, value: object, bytes_max: int | None = None) -> str:
    """A string of valid Unicode, of 1 to `bytes_max` bytes where that is given. Raises `InvalidError`."""
    if not isinstance(value, str):
        refuse("invalid_field", field, f"expected a string, got {type(value).__name__}")
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        refuse("invalid_utf8", field, "holds a lone surrogate, which is no valid Unicode")
    if bytes_max is not None and not 1 <= size <= bytes_max:
        refuse("invalid_field", field, f"must have 1 to {bytes_max} bytes")
    return value


def refuse(code: str, field: str, message: str) -> NoReturn:
    """Raises `InvalidError` that names the field."""
    raise InvalidError(f"{field}: {message}" if field else message, code=code, details={"field": field})
