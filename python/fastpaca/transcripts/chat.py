"""Conversations that are lists of messages: our own parts, OpenAI, Anthropic, ai-sdk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from fastpaca.transcripts import fields
from fastpaca.transcripts.conversation import OnProblem, Passage, Problem, Recorded, TranscriptError
from fastpaca.transcripts.detect import Format, evident, is_log_line
from fastpaca.transcripts.source import Value

_LISTS: Final = ("messages", "history")
_IDS: Final = ("id", "context_id", "conversation_id", "session_id", "thread_id")
_OWNERS: Final = _IDS[1:]
_EXPECTED: Final = "no conversation: expected an object with `messages`, a message with a role, or a list of those"


class _Line(NamedTuple):
    """A line that holds one message, or a context's settings as `fastpaca export` writes them."""

    owner: str | None
    message: dict[str, Any] | None = None
    settings: Mapping[str, Any] | None = None


def passages(values: Iterable[Value], path: Path, format: Format | None, on_problem: OnProblem) -> Iterator[Passage]:
    """The passages of a file. Messages a line follow one another; `context_id` and the like part them."""
    return _Reader(path, format, on_problem, iter(values)).passages()


@dataclass(slots=True)
class _Reader:
    """Reads the values of one file."""

    path: Path
    format: Format | None
    on_problem: OnProblem
    values: Iterator[Value]
    nameless: int = 0
    put_back: Value | None = None

    def _next(self) -> Value | None:
        """The next value; one that was put back comes again."""
        found, self.put_back = self.put_back, None
        return found or next(self.values, None)

    def passages(self) -> Iterator[Passage]:
        while (each := self._next()) is not None:
            line = _of_line(each.value)
            if line is None:
                yield from self._nested(each.line, each.value)
                continue
            passage = Passage(
                self._name(line.owner),
                self.path,
                each.line,
                self._following(each.line, line),
                self.format,
                is_whole=line.owner is None or line.settings is not None,
                settings=line.settings,
            )
            yield passage
            for _ in passage.messages:
                # The taker wanted no more of it.
                pass

    def _following(self, number: int, line: _Line) -> Iterator[Recorded]:
        """The messages of a line and of those behind it that go on with its conversation."""
        owner = line.owner
        while True:
            if line.message is not None:
                yield self._recorded(line.message, number, 0)
            if (following := self._go_on(owner)) is None:
                return
            number, line = following

    def _go_on(self, owner: str | None) -> tuple[int, _Line] | None:
        """The next line of the conversation; what is none at all is passed over."""
        while (each := self._next()) is not None:
            found = _of_line(each.value)
            if found is not None and found.owner == owner and found.settings is None:
                return each.line, found
            if found is not None or _is_nested(each.value):
                self.put_back = each
                return None
            self.on_problem(Problem(self.path, each.line, _EXPECTED))
        return None

    def _name(self, given: str | None) -> str:
        """The id of a conversation: its own, else that of the file, numbered from the second on."""
        if given is not None:
            return given
        self.nameless += 1
        stem = self.path.name.split(".")[0] or self.path.name
        return stem if self.nameless == 1 else f"{stem}-{self.nameless}"

    def _nested(self, line: int, value: object) -> Iterator[Passage]:
        """The conversations in one value."""
        if isinstance(value, dict) and (messages := _list_of(value)) is not None:
            yield self._conversation(line, _id(value, _IDS), messages, value.get("system"))
        elif isinstance(value, list) and any(is_message(each) for each in value):
            yield self._conversation(line, None, value)
        elif isinstance(value, list) and value:
            for each in value:
                yield from self._nested(line, each)
        else:
            self.on_problem(Problem(self.path, line, _EXPECTED))

    def _conversation(self, line: int, id: str | None, messages: list[Any], system: object = None) -> Passage:
        has_system = system not in (None, "", [])
        prompt = [{"role": "system", "content": system}] if has_system else []
        recorded = self._listed(line, prompt, messages)
        return Passage(self._name(id), self.path, line, recorded, self.format, has_system=has_system)

    def _listed(self, line: int, prompt: list[dict[str, Any]], messages: list[Any]) -> Iterator[Recorded]:
        """The messages of a list; what is none is left out."""
        for message in prompt:
            yield self._recorded(message, line, 0)
        for number, message in enumerate(messages, 1):
            if is_message(message):
                yield self._recorded(message, line, number)
            else:
                text = f"message {number}: expected an object with a role, got {message!r:.60}"
                self.on_problem(Problem(self.path, line, text))

    def _recorded(self, message: dict[str, Any], line: int, number: int) -> Recorded:
        """A message with its time under the name that the append API knows. Raises `TranscriptError`."""
        looks = evident(message)
        if self.format not in (None, "parts", looks) and looks is not None:
            raise TranscriptError(Problem(self.path, line, f"looks like {looks}, not {self.format}"))
        taken = dict(message)
        try:
            created_at = fields.created_at(message)
        except ValueError as error:
            which = f"message {number}: " if number else ""
            self.on_problem(Problem(self.path, line, f"{which}its time can't be read and is left out: {error}"))
            created_at = None
        if created_at is None:
            taken.pop("created_at", None)
        else:
            taken["created_at"] = created_at
        if isinstance(message.get("id"), int) and not isinstance(message["id"], bool):
            taken["id"] = str(message["id"])
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
            known.get("is_compact_summary") is True,
            line,
            number,
        )


def is_message(value: object) -> bool:
    """An object with a role, or an item of OpenAI's Responses, which has none."""
    if not isinstance(value, dict):
        return False
    if isinstance(value.get("role"), str):
        return True
    kind = value.get("type")
    is_item = isinstance(kind, str) and (kind == "reasoning" or kind.endswith(("_call", "_call_output")))
    return is_item and not any(isinstance(value.get(name), list) for name in _LISTS)


def _of_line(value: object) -> _Line | None:
    if not isinstance(value, dict) or is_log_line(value):
        return None
    if is_message(value):
        name = _owner(value)
        return _Line(None, value) if name is None else _Line(_id(value, (name,)), _without(value, name))
    owner, message, settings = _id(value, _OWNERS), value.get("message"), value.get("context")
    if owner is not None and isinstance(settings, dict):
        return _Line(owner, settings=settings)
    if is_message(message):
        # What left by a rewind was exported to be seen; it is no part of the conversation.
        return _Line(owner, None if value.get("rewound") is True else message)
    return None


def _is_nested(value: object) -> bool:
    """Whether a value holds conversations, or a list of what might be some."""
    if isinstance(value, list):
        return any(isinstance(each, dict | list) for each in value)
    return isinstance(value, dict) and _list_of(value) is not None


def _list_of(value: dict[str, Any]) -> list[Any] | None:
    return next((value[name] for name in _LISTS if isinstance(value.get(name), list)), None)


def _owner(line: dict[str, Any]) -> str | None:
    """The field that names the conversation of a message."""
    return next((name for name in _OWNERS if _id(line, (name,)) is not None), None)


def _without(line: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in line.items() if key != name}


def _id(value: dict[str, Any], names: tuple[str, ...]) -> str | None:
    for name in names:
        found = value.get(name)
        if isinstance(found, str) and found:
            return found
        if isinstance(found, int) and not isinstance(found, bool):
            return str(found)
    return None
