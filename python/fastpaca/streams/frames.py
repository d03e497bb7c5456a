"""Frames, and the cursors that resume a stream behind them."""

from __future__ import annotations

import base64
import binascii
import json
import struct
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from fastpaca.errors import InvalidError
from fastpaca.fields import refuse
from fastpaca.types import integer

_CURSOR: Final = struct.Struct(">BQQ")
_CURSOR_FORMAT: Final = 1
_VERSION_MAX: Final = (1 << 64) - 1


class Cursor(NamedTuple):
    """A place in the global stream: behind version `version` of the record at feed position `position`."""

    position: int
    version: int

    def __str__(self) -> str:
        """Opaque text."""
        return base64.urlsafe_b64encode(_CURSOR.pack(_CURSOR_FORMAT, *self)).decode().rstrip("=")

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """Reads the text. Raises `InvalidError` for what this never wrote."""
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            cursor_format, position, version = _CURSOR.unpack(raw)
        except (binascii.Error, struct.error, ValueError):
            cursor_format = -1
        if cursor_format != _CURSOR_FORMAT:
            message = f"cursor: {text[:40]!r} is no cursor of the global stream"
            raise InvalidError(message, details={"field": "cursor"})
        return cls(position, version)


def check_cursor(cursor: object, *, of_all: bool) -> None:
    """Raises `InvalidError` for what can be no cursor. Whether something has reached it is for its stream to say."""
    if not of_all:
        integer("cursor", cursor, 0, _VERSION_MAX)
    elif cursor is not None and not (isinstance(cursor, str) and cursor.isascii()):
        refuse("invalid_field", "cursor", f"expected the opaque text of a frame's cursor, got {cursor!r:.80}")


@dataclass(frozen=True, slots=True)
class Frame:
    """What a subscriber is told. `data` is its JSON object.

    `cursor` resumes the stream behind it: a version on the stream of one context, opaque text on the global one, None
    for what no resumption brings back (drafts, pings).
    """

    type: str
    data: bytes
    version: int | None = None
    cursor: int | str | None = None

    @property
    def fields(self) -> dict[str, Any]:
        """The JSON object, decoded each time."""
        fields: dict[str, Any] = json.loads(self.data)
        return fields


def made(kind: str, **fields: object) -> Frame:
    """A frame that stands for no entry."""
    text = json.dumps({"type": kind, **fields}, ensure_ascii=False, separators=(",", ":"))
    return Frame(kind, text.encode())
