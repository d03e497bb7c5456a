"""What the readers give."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastpaca.transcripts.detect import Format


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that a provider counted for one call. `input_tokens` includes those read from and written to its cache."""

    input_tokens: int
    cached_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class Recorded:
    """One message, as the append API takes it; `created_at` stands in it where the time is known."""

    message: dict[str, Any]
    usage: Usage | None = None
    """What the provider counted for the call that made this message."""
    call: str | None = None
    """The provider's id of that call: messages that share it came from one response."""
    is_summary: bool = False
    """The recording application compacted here: this message stood for all before it from then on."""
    line: int = 0
    """The line that it begins on, from 1."""
    number: int = 0
    """Which message of a list on that line it is, from 1; 0 where the line holds no list."""

    @property
    def place(self) -> str:
        """Where it stands in its file, for people."""
        return f"{self.line}: message {self.number}" if self.number else str(self.line)


@dataclass(frozen=True, slots=True)
class Passage:
    """Messages of one conversation that stand together in a file. Take them before the next passage is asked for."""

    id: str
    path: Path
    line: int
    messages: Iterator[Recorded]
    format: Format | None = None
    """None where the messages alone tell it."""
    is_whole: bool = True
    """It is the whole conversation. Else it goes on where an earlier passage of the same file and id has ended."""
    has_system: bool = False
    """The first message stood beside the others, as Anthropic's `system` does."""
    settings: Mapping[str, Any] | None = None
    """The context that it was exported from, as `GET /v1/contexts/{id}` describes it."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """One conversation. `line` is where it begins in its file, from 1."""

    id: str
    format: Format
    path: Path
    line: int
    messages: tuple[Recorded, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a file that can't be read, and where. `line` is 0 where it is about the file as a whole."""

    path: Path
    line: int
    text: str

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}" if self.line else str(self.path)
        return f"{place}: {self.text}"


class TranscriptError(Exception):
    """A file that can't be read, or a damaged line where nobody takes care of problems."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


OnProblem = Callable[[Problem], None]


def fail(problem: Problem) -> None:
    """What is done about a problem unless the caller says otherwise. Raises `TranscriptError`."""
    raise TranscriptError(problem)
