"""One answer of a model: the window to it, its chunks to the caller, and the answer to the log, blocking.

Made of `aio.py` by `tools/make_sync.py`; change that one.
"""

from __future__ import annotations

import logging
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Self

from fastpaca.background import settled
from fastpaca.turn.answer import Answer
from fastpaca.turn.options import Options
from fastpaca.turn.readers import Json, Text
from fastpaca.turn.source import Source
from fastpaca.turn.sync_drafting import Drafting
from fastpaca.types import Appended, Window

if TYPE_CHECKING:
    from fastpaca.sync import Context

_logger = logging.getLogger("fastpaca.turn")


class Turn:
    """The chunks of one answer, as they come: `for chunk in turn`. Nothing happens before the first is asked for.

    Behind the last one the answer is appended. Used in a `with` statement it ends there, wherever the loop was left.
    """

    def __init__(self, context: Context, options: Options) -> None:
        self._run = _Run(context, options)
        # The generator knows the run alone: whoever drops the turn in the middle closes the generator, and so ends it.
        self._chunks = _relay(self._run)

    @property
    def message_id(self) -> str:
        """The id of the draft and of the message. OpenAI's responses are several messages, with the ids they came with;
        so are the later steps of a run of pydantic-ai's agents.
        """
        return self._run.options.message_id

    @property
    def text(self) -> str:
        """What the answer says so far."""
        return self._run.answer.text

    @property
    def texts(self) -> list[Text]:
        """What the chunk that came last says: pairs of message id and text."""
        return self._run.texts

    @property
    def window(self) -> Window | None:
        """The window that the model got; None before it is asked for."""
        return self._run.window

    @property
    def messages(self) -> list[Json]:
        """The answer as messages to append, with `metadata.status` "interrupted" while it is not complete."""
        return self._run.messages()

    @property
    def appended(self) -> Appended | None:
        """What the append came to, once it is made."""
        return self._run.appended

    @property
    def draft_error(self) -> Exception | None:
        """Why drafts of this answer are not sent any more."""
        return None if self._run.drafting is None else self._run.drafting.error

    def append(self) -> Appended | None:
        """Appends `messages`, if there are any: for `auto_append=False`, and for another try where it failed. An answer
        that is still coming ends here. However often it is called, they are there once. Raises a `FastpacaError`.
        """
        self.close()
        return self._run.append()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        return next(self._chunks)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends it. An answer that is not complete by now is an interrupted one. Again: does nothing."""
        self._chunks.close()


class _Run:
    """What a turn is about."""

    def __init__(self, context: Context, options: Options) -> None:
        self.options = options
        self.answer = Answer(options.message_id)
        self.texts: list[Text] = []
        self.window: Window | None = None
        self.appended: Appended | None = None
        self.drafting: Drafting | None = None
        self.source = Source(options.fn)
        self._context = context

    def begin(self) -> None:
        """Asks the model. Raises what the function raises, and a `FastpacaError` where there is no window."""
        options = self.options
        self.window = window = self._context._view(budget=options.budget, close=options.close)  # noqa: SLF001
        if options.drafts:
            self.drafting = Drafting(self._context._transport, self._context.id)  # noqa: SLF001
        if options.format is None:
            self.source.open({"messages": window.messages})
        else:
            self.source.open(window.to(options.format, cache=options.cache))

    def take(self, chunk: Any) -> None:
        """Notes a chunk. Raises `UnknownChunkError`."""
        self.texts = list(self.answer.feed(chunk))
        if self.drafting is not None:
            for message_id, delta in self.texts:
                self.drafting.add(message_id, delta)

    def messages(self) -> list[Json]:
        """The answer as it stands. A window with overrides is not the one that calibration knows."""
        options = self.options
        is_default = self.window is not None and options.budget is None and not options.close
        return self.answer.messages(self.window.version if self.window is not None and is_default else None)

    def append(self) -> Appended | None:
        """Appends it, once."""
        messages = self.messages()
        if self.appended is None and messages:
            self.appended = self._context.append(messages, idempotency_key=self.options.message_id)
        return self.appended

    def finish(self) -> None:
        """The answer is complete. Raises a `FastpacaError` where it can't be appended."""
        if self.drafting is not None:
            self.drafting.end()
        try:
            if self.options.auto_append:
                self.append()
        finally:
            self._end_drafts()

    def give_up(self) -> None:
        """It ends with an error, or the caller has enough: an error here would hide why. What the provider has finished
        is appended all the same where the caller has enough; behind an error it may be asked for again.
        """
        if self.drafting is not None:
            self.drafting.end()
        try:
            if self.options.keep_partial or (self.answer.is_complete and self.options.auto_append):
                self.append()
        except Exception:
            _logger.exception("context %r: the answer could not be appended", self._context.id)
        finally:
            self._end_drafts()

    def _end_drafts(self) -> None:
        if self.drafting is not None:
            messages = self.messages() if self.appended is not None else []
            ids = {str(message["id"]) for message in messages if message.get("id")}
            self.drafting.drop(ids)


def _relay(run: _Run) -> Generator[Any, None]:
    try:
        try:
            run.begin()
            for chunk in run.source:
                run.take(chunk)
                yield chunk
                run.answer.check()
            run.answer.end()
        finally:
            run.source.close()
    except BaseException as error:
        run.answer.is_broken = isinstance(error, Exception)
        settled(run.give_up)
        raise
    settled(run.finish)
