"""Drafts: messages that are still being written. Held in memory alone, and gone once they are appended, or idle."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Final

from fastpaca.errors import DraftConflictError, InvalidError, UnavailableError
from fastpaca.streams.frames import Frame, made

IDLE_S: Final = 120.0
"""A draft that nothing was added to for so long is dropped."""
CHARACTERS_MAX: Final = 8 * 1024 * 1024
"""Of all drafts together."""


@dataclass(slots=True)
class Draft:
    """The deltas so far. Lengths are counted in Unicode code points."""

    deltas: list[str] = field(default_factory=list)
    length: int = 0
    touched: float = 0.0

    def text(self) -> str:
        """The whole of it."""
        if len(self.deltas) > 1:
            self.deltas = ["".join(self.deltas)]
        return self.deltas[0] if self.deltas else ""


class Drafts:
    """Every draft of this process. The hub calls it under its lock."""

    def __init__(self) -> None:
        self._drafts: dict[str, dict[str, Draft]] = {}
        self._characters = 0

    def add(self, context_id: str, message_id: str, offset: int, delta: str) -> tuple[int, Frame | None]:
        """Continues a draft, or begins it with offset 0. Gives its length and, where something is new, the frame.

        What was sent before may be sent again. Raises `DraftConflictError`, and `UnavailableError` when drafts take too
        much memory.
        """
        draft = self._drafts.get(context_id, {}).get(message_id) or Draft()
        if offset > draft.length:
            raise _conflict(f"offset {offset} lies behind the draft, which has {draft.length} characters", draft)
        known = draft.length - offset
        if known and draft.text()[offset : offset + len(delta)] != delta[:known]:
            raise _conflict(f"the draft goes on differently at offset {offset}", draft)
        new = delta[known:]
        if self._characters + len(new) > CHARACTERS_MAX:
            raise UnavailableError("the drafts of this server take too much memory", code="drafts_full")
        draft.touched = time.monotonic()
        if not new and draft.length:
            return draft.length, None
        self._drafts.setdefault(context_id, {})[message_id] = draft
        draft.deltas.append(new)
        frame = made("draft", message_id=message_id, offset=draft.length, delta=new)
        draft.length += len(new)
        self._characters += len(new)
        return draft.length, frame

    def has(self, context_id: str) -> bool:
        """Whether a message of the context is being written."""
        return context_id in self._drafts

    def drop(self, context_id: str, message_id: str) -> bool:
        """Forgets a draft, and tells whether there was one."""
        drafts = self._drafts.get(context_id, {})
        draft = drafts.pop(message_id, None)
        if draft is None:
            return False
        self._characters -= draft.length
        if not drafts:
            del self._drafts[context_id]
        return True

    def whole(self, context_id: str) -> list[Frame]:
        """A frame for each draft of a context, from its start."""
        drafts = self._drafts.get(context_id, {})
        return [made("draft", message_id=name, offset=0, delta=draft.text()) for name, draft in drafts.items()]

    def idle(self) -> list[tuple[str, str]]:
        """Context and message of each draft that has been idle for too long."""
        before = time.monotonic() - IDLE_S
        return [
            (context_id, message_id)
            for context_id, drafts in self._drafts.items()
            for message_id, draft in drafts.items()
            if draft.touched < before
        ]


def _conflict(message: str, draft: Draft) -> DraftConflictError:
    return DraftConflictError(f"offset: {message}", details={"field": "offset", "length": draft.length})


def check_delta(offset: object, delta: object) -> tuple[int, str]:
    """Checks the fields of a request. Raises `InvalidError` that names the one at fault."""
    if isinstance(offset, bool) or not isinstance(offset, int) or offset < 0:
        raise InvalidError("offset: expected an integer of at least 0", details={"field": "offset"})
    if not isinstance(delta, str):
        raise InvalidError("delta: expected a string", details={"field": "delta"})
    try:
        delta.encode()
    except UnicodeEncodeError:
        message = "delta: holds a lone surrogate, which is no valid Unicode"
        raise InvalidError(message, code="invalid_utf8", details={"field": "delta"}) from None
    return offset, delta
