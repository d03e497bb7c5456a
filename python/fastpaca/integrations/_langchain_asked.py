"""What a model was given: between a middleware and the model, others may change the messages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import BaseMessage, SystemMessage
from langchain_core.tracers.context import register_configure_hook


class Asked(BaseCallbackHandler):
    """The newest call of a model."""

    run_inline = True

    def __init__(self) -> None:
        self._given: list[BaseMessage] = []

    def on_chat_model_start(self, serialized: dict[str, Any], messages: list[list[BaseMessage]], **_more: Any) -> None:  # noqa: ARG002
        """A model is called."""
        self._given = messages[0]

    def with_just(self, messages: Sequence[BaseMessage]) -> bool:
        """Whether the model got these messages as they are, behind system prompts perhaps."""
        more = len(self._given) - len(messages)
        if more < 0 or not all(isinstance(message, SystemMessage) for message in self._given[:more]):
            return False
        return all(map(_is_same, self._given[more:], messages))


def _is_same(given: BaseMessage, message: BaseMessage) -> bool:
    """Copies may be the same: LangChain tells of one where a message has media, and others make them."""
    return given is message or _said(given) == _said(message)


def _said(message: BaseMessage) -> tuple[str | None, str, Any]:
    return message.id, message.text, getattr(message, "tool_calls", None)


_asked: ContextVar[Asked | None] = ContextVar("fastpaca_asked", default=None)
register_configure_hook(_asked, inheritable=False)


@contextmanager
def asked() -> Iterator[Asked]:
    """Notes the calls of models inside."""
    found = Asked()
    token = _asked.set(found)
    try:
        yield found
    finally:
        _asked.reset(token)
