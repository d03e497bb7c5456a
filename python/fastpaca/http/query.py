"""Query parameters: each route names its own, with their kinds; any other, a repeated or an ill-formed one is a 400."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.parse import unquote_to_bytes

from fastpaca._core import CONTEXT_ID_BYTES_MAX, FORMATS, PAGE_MESSAGES_DEFAULT, PAGE_MESSAGES_MAX, TOKEN_BUDGET_MAX
from fastpaca.fields import refuse

_NUMBER: Final = re.compile(r"0|-?[1-9][0-9]{0,19}")
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_I64_MAX: Final = (1 << 63) - 1
_U64_MAX: Final = (1 << 64) - 1


class Kind(Protocol):
    """What a parameter may be, and how its text reads."""

    def read(self, name: str, text: str) -> Any:
        """The value. Raises `InvalidError` that names the parameter."""
        ...

    def schema(self) -> dict[str, Any]:
        """The same for OpenAPI."""
        ...


@dataclass(frozen=True, slots=True)
class Integer:
    """An integer within bounds."""

    least: int
    most: int
    default: int | None = None

    def read(self, name: str, text: str) -> int:
        """The number."""
        if _NUMBER.fullmatch(text) is None or not self.least <= int(text) <= self.most:
            bounds = f"of at least {self.least}" if self.most >= _I64_MAX else f"from {self.least} to {self.most}"
            if self.least < 0:
                bounds = "(negative ones count from the end)"
            refuse("invalid_field", name, f"expected an integer {bounds}, got {text[:40]!r}")
        return int(text)

    def schema(self) -> dict[str, Any]:
        """With its bounds, where they are not those of the number's size."""
        found: dict[str, Any] = {"type": "integer"}
        if self.least > -_I64_MAX:
            found["minimum"] = self.least
        if self.most < _I64_MAX:
            found["maximum"] = self.most
        if self.default is not None:
            found["default"] = self.default
        return found


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some words, which stand for values."""

    values: Mapping[str, Any]

    def read(self, name: str, text: str) -> Any:
        """The value."""
        if text not in self.values:
            refuse("invalid_field", name, f"expected {' or '.join(self.values)}, got {text[:40]!r}")
        return self.values[text]

    def schema(self) -> dict[str, Any]:
        """The words."""
        return {"type": "string", "enum": list(self.values)}


@dataclass(frozen=True, slots=True)
class Text:
    """Any text of the length of an id."""

    def read(self, name: str, text: str) -> str:
        """The text."""
        if len(text.encode()) > CONTEXT_ID_BYTES_MAX:
            refuse("invalid_field", name, f"has more than {CONTEXT_ID_BYTES_MAX} bytes")
        return text

    def schema(self) -> dict[str, Any]:
        """A string."""
        return {"type": "string", "maxLength": CONTEXT_ID_BYTES_MAX}


@dataclass(frozen=True, slots=True)
class Format:
    """A format in which messages are given."""

    def read(self, name: str, text: str) -> str:
        """The name."""
        if text not in FORMATS:
            refuse("unsupported_format", name, f"{text[:40]!r} is no format; known are {', '.join(FORMATS)}")
        return text

    def schema(self) -> dict[str, Any]:
        """The names."""
        return {"type": "string", "enum": list(FORMATS), "default": FORMATS[0]}


Known = Mapping[str, Kind]
NONE: Final[Known] = {}

LIMIT: Final = Integer(1, PAGE_MESSAGES_MAX, PAGE_MESSAGES_DEFAULT)
BUDGET: Final = Integer(1, TOKEN_BUDGET_MAX)
VERSION: Final = Integer(0, _U64_MAX)
POSITION: Final = Integer(0, _I64_MAX)
SEQ: Final = Integer(-_I64_MAX, _I64_MAX)
FORMAT: Final = Format()
FLAG: Final = Choice({"true": True, "false": False})


def read(query: str, known: Known) -> dict[str, Any]:
    """The parameters of a query string. Raises `InvalidError` that names the one at fault."""
    found: dict[str, Any] = {}
    for pair in query.split("&"):
        if not pair:
            continue
        raw_name, _, raw_text = pair.partition("=")
        name = _decoded(raw_name, "query")
        kind = known.get(name)
        if kind is None:
            known_names = ", ".join(known) or "none"
            refuse("unknown_field", name[:80], f"is no query parameter of this path; known are {known_names}")
        if name in found:
            refuse("duplicate_key", name, "is given twice")
        found[name] = kind.read(name, _decoded(raw_text, name))
    return found


def _decoded(raw: str, name: str) -> str:
    if "%" not in raw and "+" not in raw:
        return raw
    return percent_decoded(raw.replace("+", " "), name)


def percent_decoded(raw: str, field: str) -> str:
    """Text without percent escapes. Raises `InvalidError` for a broken escape, and for bytes that are not UTF-8."""
    if _BAD_ESCAPE.search(raw):
        refuse("invalid_field", field, "has a % without two hexadecimal digits after it")
    try:
        return unquote_to_bytes(raw).decode()
    except UnicodeDecodeError:
        refuse("invalid_utf8", field, "is not valid UTF-8")
