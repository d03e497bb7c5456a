"""Reading a file of any format."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

from fastpaca.transcripts import chat, claude_code, source
from fastpaca.transcripts.conversation import Conversation, OnProblem, Passage, Problem, TranscriptError, fail
from fastpaca.transcripts.detect import FORMATS, Format, format_of, is_log_line

_LOG: Format = "claude-code"


def stream(
    path: str | os.PathLike[str],
    *,
    format: Format | None = None,
    on_problem: OnProblem = fail,
    on_read: Callable[[int], None] = lambda _: None,
) -> Iterator[Passage]:
    """The conversations of a file as they stand in it, message by message: one that is a message a line is never held
    whole.

    `format` is what the file must be. A damaged line, or a message that can't be read, goes to `on_problem` and is left
    out; unless one is given it raises `TranscriptError`, as does a file of another format, or one that can't be read at
    all. `on_read` is told how many bytes each line has.
    """
    place = Path(path)
    if format is not None and format not in FORMATS:
        raise ValueError(f"unknown format {format!r}: one of {', '.join(FORMATS)}")
    values = source.values(place, on_problem, on_read)
    first = next(values, None)
    if first is None:
        raise TranscriptError(Problem(place, 0, "holds no conversation"))
    looks_like_log = is_log_line(first.value)
    if format is not None and looks_like_log != (format == _LOG):
        looks = "looks like" if looks_like_log else "does not look like"
        hint = f", not {format}" if looks_like_log else ""
        raise TranscriptError(Problem(place, first.line, f"{looks} {_LOG}{hint}"))
    values = chain([first], values)
    if looks_like_log:
        for each in claude_code.conversations(values, place, on_problem):
            yield Passage(each.id, place, each.line, iter(each.messages), _LOG)
    else:
        yield from chat.passages(values, place, format, on_problem)


def read(
    path: str | os.PathLike[str], *, format: Format | None = None, on_problem: OnProblem = fail
) -> Iterator[Conversation]:
    """The conversations of a file, each whole, one after the other as they are asked for. See `stream`."""
    for passage in stream(path, format=format, on_problem=on_problem):
        messages = tuple(passage.messages)
        found = passage.format or format_of(
            (recorded.message for recorded in messages[passage.has_system :]), has_system=passage.has_system
        )
        yield Conversation(passage.id, found, passage.path, passage.line, messages)


def detect(path: str | os.PathLike[str]) -> Format:
    """The format of a file's first conversation. Raises `TranscriptError` where there is none."""
    for conversation in read(path, on_problem=lambda _: None):
        return conversation.format
    raise TranscriptError(Problem(Path(path), 0, "holds no conversation"))
