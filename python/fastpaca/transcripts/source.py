"""From a file to the JSON values in it, with their lines: JSON lines as they are asked for, else one document."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

from fastpaca.transcripts.conversation import OnProblem, Problem, TranscriptError

_GZIP: Final = b"\x1f\x8b"
_DOCUMENT_BYTES: Final = 64 << 20
"""What is larger, and looks like JSON lines, is not held to see whether it is one document."""


@dataclass(frozen=True, slots=True)
class Value:
    """A JSON value, and the line that it begins on."""

    line: int
    value: Any


def values(path: Path, on_problem: OnProblem, on_read: Callable[[int], None] = lambda _: None) -> Iterator[Value]:
    """The JSON values of a file. Lines that hold none go to `on_problem`; `on_read` is told the bytes of each line.

    Raises `TranscriptError` where the file can't be opened or read, or is one damaged document.
    """
    with _open(path) as file:
        lines = _lines(path, file, on_read)
        first = next(lines, None)
        if first is None:
            return
        number, text = first
        try:
            value = _decode(text)
        except ValueError:
            yield from _whole(path, chain([first], lines), on_problem)
            return
        yield Value(number, value)
        yield from _each(path, lines, on_problem)


@contextmanager
def _open(path: Path) -> Iterator[BinaryIO]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise TranscriptError(Problem(path, 0, f"can't be opened: {error.strerror}")) from None
    with file:
        try:
            # `peek` moves nothing, so pipes do as well.
            start = file.peek(2)[:2]
        except OSError as error:
            raise TranscriptError(Problem(path, 0, f"can't be read: {error.strerror}")) from None
        # typeshed has no common type for the two.
        yield cast("BinaryIO", gzip.GzipFile(fileobj=file)) if start == _GZIP else file


def _lines(path: Path, file: BinaryIO, on_read: Callable[[int], None]) -> Iterator[tuple[int, bytes]]:
    """Lines that are not blank, and their numbers."""
    number = 0
    try:
        for number, line in enumerate(file, 1):
            on_read(len(line))
            if not line.isspace():
                yield number, line
    except (OSError, EOFError, zlib.error) as error:
        raise TranscriptError(Problem(path, number + 1, f"can't be read from here on: {error}")) from None


def _decode(text: bytes) -> Any:
    """Raises `ValueError`."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("is nested too deep") from None


def _each(path: Path, lines: Iterable[tuple[int, bytes]], on_problem: OnProblem) -> Iterator[Value]:
    for number, text in lines:
        try:
            yield Value(number, _decode(text))
        except ValueError as error:
            on_problem(Problem(path, number, f"no valid JSON: {error}"))


def _whole(path: Path, lines: Iterable[tuple[int, bytes]], on_problem: OnProblem) -> Iterator[Value]:
    """The first line is no JSON by itself: a document over many lines, or JSON lines that begin with a damaged one."""
    held, size = [], 0
    rest = iter(lines)
    for line in rest:
        held.append(line)
        size += len(line[1])
        if size > _DOCUMENT_BYTES and _is_jsonl(held):
            yield from _each(path, chain(held, rest), on_problem)
            return
    try:
        yield Value(held[0][0], _decode(b"".join(text for _, text in held)))
    except ValueError as error:
        if not _is_jsonl(held):
            at, why = (error.lineno, error.msg) if isinstance(error, json.JSONDecodeError) else (1, str(error))
            number, _ = held[min(at, len(held)) - 1]
            raise TranscriptError(Problem(path, number, f"no valid JSON: {why}")) from None
    else:
        return
    yield from _each(path, held, on_problem)


def _is_jsonl(held: list[tuple[int, bytes]]) -> bool:
    return any(_is_object(text) for _, text in held[1:3])


def _is_object(text: bytes) -> bool:
    try:
        return bool(_decode(text)) and text.lstrip().startswith(b"{")
    except ValueError:
        return False
