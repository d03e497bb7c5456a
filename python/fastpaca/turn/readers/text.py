"""Plain text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastpaca.turn.readers.base import Json, Text, unknown


class TextReader:
    """Pieces of text, which end when the iterator does."""

    def __init__(self, message_id: str) -> None:
        self.input_tokens: int | None = None
        self.output_tokens: int | None = None
        self.is_complete = False
        self.has_end = False
        self.failure: str | None = None
        self._message_id = message_id
        self._texts: list[str] = []

    def feed(self, chunk: Any) -> Iterable[Text]:
        """Takes a piece."""
        if not isinstance(chunk, str):
            raise unknown(chunk, "text (str), as before")
        self._texts.append(chunk)
        return (Text(self._message_id, chunk),)

    def messages(self) -> list[Json]:
        """One message."""
        text = "".join(self._texts)
        if not text and not self.is_complete:
            return []
        return [{"role": "assistant", "id": self._message_id, "content": text}]
