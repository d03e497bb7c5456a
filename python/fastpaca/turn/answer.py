"""An answer while it comes, and what is appended of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastpaca.errors import FailedAnswerError, IncompleteAnswerError, UnknownChunkError
from fastpaca.turn.readers import Json, Reader, Text, reader_of
from fastpaca.turn.readers.base import unknown

_MALFORMED = (AttributeError, IndexError, KeyError, TypeError, ValueError)


class Answer:
    """Takes chunks of whichever kind the first one is."""

    def __init__(self, message_id: str) -> None:
        self.message_id = message_id
        self.is_broken = False
        """It ended with an error: the caller may ask again, so it does not count as complete."""
        self._reader: Reader | None = None
        self._texts: list[str] = []

    @property
    def text(self) -> str:
        """What people see of it."""
        if len(self._texts) > 1:
            self._texts = ["".join(self._texts)]
        return self._texts[0] if self._texts else ""

    @property
    def is_complete(self) -> bool:
        """The provider said so; or the chunks have ended, where it never does."""
        return self._reader is not None and self._reader.is_complete and not self.is_broken

    def feed(self, chunk: Any) -> Iterable[Text]:
        """Takes a chunk; gives what it says. Raises `UnknownChunkError`."""
        if self._reader is None:
            self._reader = reader_of(chunk, self.message_id)
        try:
            texts = list(self._reader.feed(chunk))
            self._texts.append("".join(text.delta for text in texts))
        except UnknownChunkError:
            raise
        except _MALFORMED as error:
            raise unknown(chunk, f"a chunk as its library documents it ({error!r})") from error
        return [text for text in texts if text.delta]

    def check(self) -> None:
        """Raises `FailedAnswerError` once the provider said that it failed."""
        if self._reader is not None and self._reader.failure is not None:
            raise FailedAnswerError(f"the provider gave up: {self._reader.failure}")

    def end(self) -> None:
        """The chunks have ended. Raises `IncompleteAnswerError` where the provider would have said so."""
        if self._reader is None:
            raise IncompleteAnswerError("no chunk came at all")
        if self._reader.has_end and not self._reader.is_complete:
            raise IncompleteAnswerError("the chunks ended before the provider said that the answer is complete")
        self._reader.is_complete = True

    def messages(self, window_version: int | None) -> list[Json]:
        """The messages to append. `window_version` is that of the window that the provider counted."""
        if self._reader is None:
            return []
        messages = [dict(message) for message in self._reader.messages()]
        if not self.is_complete:
            for message in messages:
                message["metadata"] = {"status": "interrupted"}
        elif messages and window_version is not None and self._reader.input_tokens is not None:
            usage = {"input_tokens": self._reader.input_tokens, "window_version": window_version}
            if self._reader.output_tokens is not None:
                usage["output_tokens"] = self._reader.output_tokens
            messages[-1]["usage"] = usage
        return messages
