"""What a page is told of an answer, as server-sent events."""

from __future__ import annotations

import json
from typing import NamedTuple

from fastpaca.errors import AnswerError, FastpacaError
from fastpaca.types import Appended


class Event(NamedTuple):
    """A server-sent event; one without a type is a comment, which keeps proxies from giving up."""

    type: str | None = None
    data: str = ""

    def encode(self) -> bytes:
        """As it goes over the wire."""
        return f"event: {self.type}\ndata: {self.data}\n\n".encode() if self.type else b": ping\n\n"


def said(message_id: str, offset: int, delta: str) -> Event:
    """A piece of the answer, in the form that drafts have on streams. Offsets count Unicode code points."""
    return _event("draft", message_id=message_id, offset=offset, delta=delta)


def ended(message_id: str, appended: Appended | None) -> Event:
    """The answer is complete. Without `seq` where nothing was appended."""
    if appended is None:
        return _event("end", message_id=message_id)
    return _event(
        "end",
        message_id=message_id,
        seq=appended.seq,
        version=appended.version,
        used_tokens=appended.used_tokens,
        needs_compaction=appended.needs_compaction,
    )


def failed(error: Exception) -> Event:
    """It ends with an error. What a model or its library says of one may be nothing for a page."""
    if isinstance(error, FastpacaError) and not isinstance(error, AnswerError):
        return _event("error", error=error.code, message=str(error))
    return _event("error", error="answer_failed", message="the answer could not be completed")


def _event(kind: str, **fields: object) -> Event:
    # A lone surrogate has no place in UTF-8; escaped it does no harm.
    return Event(kind, json.dumps({"type": kind, **fields}, separators=(",", ":")))
