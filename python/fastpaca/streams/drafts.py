"""Drafts: messages that are still being written. Held in memory alone, and gone once they are appended, or idle."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass, field
from io import StringIO
from typing import Final

from fastpaca._core import CONTEXT_ID_BYTES_MAX
from fastpaca.errors import DraftConflictError, UnavailableError
from fastpaca.fields import refuse, text
from fastpaca.streams.frames import Frame, made

IDLE_S: Final = 120.0
"""A draft that nothing was added to for so long is dropped."""
CHARACTERS_MAX: Final = 8 * 1024 * 1024
"""Of all drafts together."""
OVERHEAD_CHARACTERS: Final = 512
"""What a draft counts beside its text: an empty one takes memory as well."""

_Name = tuple[str, str]
"""A draft's context and message."""


@dataclass(slots=True)
class Draft:
    """The text so far. Lengths are counted in Unicode code points."""

    # Deltas are a few characters each: kept apart, they would take many times their size.
    written: StringIO = field(default_factory=StringIO)
    length: int = 0
    touched: float = 0.0


class Drafts:
    """Every draft of this process. The hub calls it under its lock."""

    def __init__(self) -> None:
        # The one that was continued last stands last.
        self._drafts: OrderedDict[_Name, Draft] = OrderedDict()
        self._by_context: dict[str, dict[str, Draft]] = {}
        self._characters = 0

    def add(self, context_id: str, message_id: str, offset: int, delta: str) -> tuple[int, Frame | None]:
        """Continues a draft, or begins it with offset 0. Gives its length and, where something is new, the frame.

        What was sent before may be sent again. Raises `DraftConflictError`, and `UnavailableError` when drafts take too
        much memory.
        """
        name = (context_id, message_id)
        begun = self._drafts.get(name)
        draft = begun or Draft()
        if offset > draft.length:
            raise _conflict(f"offset {offset} lies behind the draft, which has {draft.length} characters", draft)
        known = draft.length - offset
        if known and draft.written.getvalue()[offset : offset + len(delta)] != delta[:known]:
            raise _conflict(f"the draft goes on differently at offset {offset}", draft)
        new = delta[known:]
        needed = len(new) + (OVERHEAD_CHARACTERS if begun is None else 0)
        if needed and self._characters + needed > CHARACTERS_MAX:
            raise UnavailableError("the drafts of this server take too much memory", code="drafts_full")
        self._drafts[name] = self._by_context.setdefault(context_id, {})[message_id] = draft
        self._drafts.move_to_end(name)
        draft.touched = time.monotonic()
        if not needed:
            return draft.length, None
        frame = made("draft", message_id=message_id, offset=draft.length, delta=new)
        draft.written.write(new)
        draft.length += len(new)
        self._characters += needed
        return draft.length, frame

    def __len__(self) -> int:
        return len(self._drafts)

    def of(self, context_id: str) -> list[str]:
        """The messages of a context that are being written."""
        return list(self._by_context.get(context_id, ()))

    def drop(self, context_id: str, message_id: str) -> bool:
        """Forgets a draft, and tells whether there was one."""
        draft = self._drafts.pop((context_id, message_id), None)
        if draft is None:
            return False
        self._characters -= draft.length + OVERHEAD_CHARACTERS
        beside = self._by_context[context_id]
        del beside[message_id]
        if not beside:
            del self._by_context[context_id]
        return True

    def whole(self, context_id: str) -> list[Frame]:
        """A frame for each draft of a context, from its start."""
        drafts = self._by_context.get(context_id, {})
        return [
            made("draft", message_id=name, offset=0, delta=draft.written.getvalue()) for name, draft in drafts.items()
        ]

    def idle(self) -> list[_Name]:
        """Those that have been idle for too long."""
        before = time.monotonic() - IDLE_S
        found = []
        for name, draft in self._drafts.items():
            if draft.touched >= before:
                break
            found.append(name)
        return found


def _conflict(message: str, draft: Draft) -> DraftConflictError:
    return DraftConflictError(f"offset: {message}", details={"field": "offset", "length": draft.length})


def check_delta(message_id: object, offset: object, delta: object) -> tuple[int, str]:
    """Offset and text of a delta. Raises `InvalidError` that names what is wrong."""
    text("message_id", message_id, CONTEXT_ID_BYTES_MAX)
    if isinstance(offset, bool) or not isinstance(offset, int) or offset < 0:
        refuse("invalid_field", "offset", "expected an integer of at least 0")
    return offset, text("delta", delta)
