"""Conversations that are lists of messages: canonical, OpenAI, Anthropic, ai-sdk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from fastpaca.transcripts import fields
from fastpaca.transcripts.conversation import Conversation, OnProblem, Problem, Recorded
from fastpaca.transcripts.detect import Format, format_of
from fastpaca.transcripts.source import Value

_LISTS: Final = ("messages", "history")
_IDS: Final = ("id", "context_id", "conversation_id", "session_id", "thread_id")
_OWNERS: Final = _IDS[1:]
_EXPECTED: Final = "no conversation: expected an object with `messages`, a message with a role, or a list of those"


@dataclass(slots=True)
class _Reader:
    """Reads the values of one file."""

    path: Path
    format: Format | None
    on_problem: OnProblem
    nameless: int = 0

    def problem(self, line: int, text: str) -> None:
        self.on_problem(Problem(self.path, line, text))

    def name(self, given: str | None) -> str:
        """The id of a conversation: its own, else that of the file, numbered from the second on."""
        if given is not None:
            return given
        self.nameless += 1
        stem = self.path.name.split(".")[0] or self.path.name
        return stem if self.nameless == 1 else f"{stem}-{self.nameless}"

    def conversation(self, line: int, id: str | None, messages: list[Any], system: object = None) -> Conversation:
        """A conversation of messages, those that can't be read left out."""
        prompt = [] if system in (None, "", []) else [{"role": "system", "content": system}]
        given = list(self._objects(line, messages))
        found = self.format or format_of(given, has_system=bool(prompt))
        recorded = tuple(_recorded(message, self._at(line, number)) for number, message in enumerate(prompt + given))
        return Conversation(self.name(id), found, self.path, line, recorded)

    def _objects(self, line: int, messages: list[Any]) -> Iterator[dict[str, Any]]:
        for number, message in enumerate(messages, 1):
            if is_message(message):
                yield message
            else:
                self.problem(line, f"message {number}: expected an object with a role, got {message!r:.60}")

    def _at(self, line: int, number: int) -> Callable[[str], None]:
        return lambda text: self.problem(line, f"message {number + 1}: {text}")


@dataclass(slots=True)
class _Open:
    """A conversation that is one message a line."""

    line: int
    id: str | None
    messages: list[Any] = field(default_factory=list)


def conversations(
    values: Iterable[Value], path: Path, format: Format | None, on_problem: OnProblem
) -> Iterator[Conversation]:
    """The conversations of a file. Messages a line follow one another; `context_id` and the like part them."""
    reader = _Reader(path, format, on_problem)
    current: _Open | None = None
    for each in values:
        if is_message(each.value):
            owner = _id(each.value, _OWNERS)
            if current is not None and owner != current.id:
                yield reader.conversation(current.line, current.id, current.messages)
                current = None
            current = current or _Open(each.line, owner)
            current.messages.append(each.value)
            continue
        yield from _nested(reader, each)
    if current is not None:
        yield reader.conversation(current.line, current.id, current.messages)


def _nested(reader: _Reader, found: Value) -> Iterator[Conversation]:
    """The conversations in one value."""
    value = found.value
    if isinstance(value, dict):
        messages = next((value[name] for name in _LISTS if isinstance(value.get(name), list)), None)
        if messages is not None:
            yield reader.conversation(found.line, _id(value, _IDS), messages, value.get("system"))
            return
    elif isinstance(value, list) and value:
        if any(is_message(each) for each in value):
            yield reader.conversation(found.line, None, value)
        else:
            for each in value:
                yield from _nested(reader, Value(found.line, each))
        return
    reader.problem(found.line, _EXPECTED)


def is_message(value: object) -> bool:
    """An object with a role, or an item of OpenAI's Responses, which has none."""
    if not isinstance(value, dict):
        return False
    if isinstance(value.get("role"), str):
        return True
    kind = value.get("type")
    is_item = isinstance(kind, str) and (kind == "reasoning" or kind.endswith(("_call", "_call_output")))
    return is_item and not any(isinstance(value.get(name), list) for name in _LISTS)


def _id(value: dict[str, Any], names: tuple[str, ...]) -> str | None:
    for name in names:
        found = value.get(name)
        if isinstance(found, str) and found:
            return found
        if isinstance(found, int) and not isinstance(found, bool):
            return str(found)
    return None


def _recorded(message: dict[str, Any], problem: Callable[[str], None]) -> Recorded:
    """A message with its time under the name that the append API knows."""
    taken = dict(message)
    try:
        created_at = fields.created_at(message)
    except ValueError as error:
        problem(f"its time can't be read and is left out: {error}")
        created_at = None
    if created_at is None:
        taken.pop("created_at", None)
    else:
        taken["created_at"] = created_at
    counted = taken.get("usage")
    if isinstance(counted, dict) and "window_version" in counted:
        # It speaks of a window of the context that the message was exported from.
        del taken["usage"]
    metadata = message.get("metadata")
    known = metadata if isinstance(metadata, dict) else {}
    call = known.get("message_id")
    return Recorded(
        taken,
        fields.usage(message),
        call if isinstance(call, str) else None,
        is_summary=known.get("is_compact_summary") is True,
    )
