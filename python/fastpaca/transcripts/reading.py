"""Reading a file of any format."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from fastpaca.transcripts import chat, claude_code, source
from fastpaca.transcripts.conversation import Conversation, OnProblem, Problem, TranscriptError, fail
from fastpaca.transcripts.detect import FORMATS, Format, is_log_line


def read(
    path: str | os.PathLike[str], *, format: Format | None = None, on_problem: OnProblem = fail
) -> Iterator[Conversation]:
    """The conversations of a file, one after the other as they are asked for.

    `format` overrides what the file looks like. A damaged line, or a message that can't be read, goes to `on_problem`
    and is left out; unless one is given it raises `TranscriptError`, as does a file that can't be read at all.
    """
    place = Path(path)
    if format is not None and format not in FORMATS:
        raise ValueError(f"unknown format {format!r}: one of {', '.join(FORMATS)}")
    values = source.values(place, on_problem)
    first = next(values, None)
    if first is None:
        raise TranscriptError(Problem(place, 0, "holds no conversation"))
    values = chain([first], values)
    if format == "claude-code" or (format is None and is_log_line(first.value)):
        yield from claude_code.conversations(values, place, on_problem)
    else:
        yield from chat.conversations(values, place, format, on_problem)


def detect(path: str | os.PathLike[str]) -> Format:
    """The format of a file's first conversation. Raises `TranscriptError` where there is none."""
    for conversation in read(path, on_problem=lambda _: None):
        return conversation.format
    raise TranscriptError(Problem(Path(path), 0, "holds no conversation"))
