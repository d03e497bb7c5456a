"""Events of OpenAI's responses: a list of items, each a message of its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from fastpaca.turn.readers.base import Json, Text, get, plain, reason, tokens, unknown

_DELTAS: Final = {"response.output_text.delta": "output_text", "response.refusal.delta": "refusal"}
_ENDS: Final = frozenset({"response.completed", "response.incomplete"})
_FAILURES: Final = frozenset({"response.failed", "response.cancelled", "error"})


def is_responses(kind: Any) -> bool:
    """Whether an event of this type is one of a response; an `error` is one of several providers."""
    return isinstance(kind, str) and (kind.startswith("response.") or kind == "keepalive")


class ResponsesReader:
    """Items as they are done, byte for byte; of an item that is under way, its text."""

    def __init__(self, message_id: str) -> None:
        self.input_tokens: int | None = None
        self.output_tokens: int | None = None
        self.is_complete = False
        self.has_end = True
        self.failure: str | None = None
        self._message_id = message_id
        self._items: dict[int, Json] = {}
        self._texts: dict[int, dict[int, tuple[str, list[str]]]] = {}
        self._ids: dict[int, str] = {}

    def feed(self, chunk: Any) -> Iterable[Text]:
        """Takes an event. Types that are not known here are passed over: the API adds some now and then."""
        kind = get(chunk, "type")
        if not is_responses(kind) and kind != "error":
            raise unknown(chunk, "an event of a response, as before")
        if kind in _DELTAS:
            return self._text(chunk, _DELTAS[kind])
        if kind == "response.output_item.done":
            self._items[get(chunk, "output_index")] = plain(get(chunk, "item"))
        elif kind in _ENDS:
            self._end(get(chunk, "response"))
        elif kind in _FAILURES:
            self.failure = reason(chunk)
        return ()

    def _text(self, event: Any, kind: str) -> Iterable[Text]:
        at, part, delta = get(event, "output_index"), get(event, "content_index"), get(event, "delta")
        message_id = self._ids.setdefault(at, get(event, "item_id") or self._message_id)
        self._texts.setdefault(at, {}).setdefault(part, (kind, []))[1].append(delta)
        return (Text(message_id, delta),)

    def _end(self, response: Any) -> None:
        self.is_complete = True
        usage = get(response, "usage")
        self.input_tokens = tokens(get(usage, "input_tokens"))
        self.output_tokens = tokens(get(usage, "output_tokens"))
        for at, item in enumerate(get(response, "output") or ()):
            self._items.setdefault(at, plain(item))

    def messages(self) -> list[Json]:
        """One message for each item."""
        partial = {at: self._partial(at) for at in self._texts if at not in self._items}
        items = [item for _, item in sorted({**self._items, **partial}.items())]
        if not self.is_complete:
            items = _said(items)
        if not items and self.is_complete:
            return [{"role": "assistant", "id": self._message_id, "content": ""}]
        return items

    def _partial(self, at: int) -> Json:
        names = {"output_text": "text", "refusal": "refusal"}
        content = [
            {"type": kind, names[kind]: "".join(deltas), **({"annotations": []} if kind == "output_text" else {})}
            for _, (kind, deltas) in sorted(self._texts[at].items())
        ]
        message_id = self._ids[at]
        return {"type": "message", "id": message_id, "role": "assistant", "status": "incomplete", "content": content}


def _said(items: list[Json]) -> list[Json]:
    """Without reasoning at the end, which belongs to an item that did not come."""
    while items and items[-1].get("type") == "reasoning":
        items = items[:-1]
    return items
