"""Rules and what they find."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, TypeVar

T = TypeVar("T")
Json = dict[str, Any]

Found = Iterator[tuple[str, str]]
"""Pairs of path and message."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing in a request for which the provider answers 400."""

    rule: str
    """A stable code."""
    message: str
    path: str
    """Where, such as `messages[3].tool_calls[0].id`."""
    source: str
    """The page that says so: the provider's documentation, or a thread that quotes the error."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request, and the model that it goes to where that is known."""

    value: Json
    model: str | None
    read: dict[str, Any] = field(default_factory=dict)
    """What has been read of it, by the name of what reads: see `once`."""

    @classmethod
    def of(cls, value: object, model: str | None) -> Request:
        """What isn't an object has no fields, which the rules report."""
        fields = value if isinstance(value, dict) else {}
        own = fields.get("model")
        return cls(fields, model or (own if isinstance(own, str) else None))


def once(reads: Callable[[Request], T]) -> Callable[[Request], T]:
    """Reads a request for the first rule that asks; the others get the same."""
    name = f"{reads.__module__}.{reads.__name__}"

    @wraps(reads)
    def found(request: Request) -> T:
        if name not in request.read:
            request.read[name] = reads(request)
        known: T = request.read[name]
        return known

    return found


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a provider. `strict` ones are not enforced by every model and host."""

    code: str
    source: str
    strict: bool
    find: Callable[[Request], Found]

    @property
    def summary(self) -> str:
        """What a request has to do, in one line."""
        return (self.find.__doc__ or "").partition("\n")[0]

    def check(self, request: Request) -> list[Violation]:
        """Where the request breaks this rule."""
        return [Violation(self.code, message, path, self.source) for path, message in self.find(request)]


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one format, in the order in which they are checked."""

    all: list[Rule] = field(default_factory=list)

    def add(
        self, code: str, source: str, *, strict: bool = False
    ) -> Callable[[Callable[[Request], Found]], Callable[[Request], Found]]:
        """Registers the decorated function; its docstring's first line becomes the summary."""

        def register(find: Callable[[Request], Found]) -> Callable[[Request], Found]:
            self.all.append(Rule(code, source, strict, find))
            return find

        return register


def objects(value: object, path: str) -> Iterator[tuple[str, Json]]:
    """The objects of a list, each with its path. What isn't a list has none."""
    for place, item in enumerate(value if isinstance(value, list) else []):
        if isinstance(item, dict):
            yield f"{path}[{place}]", item


def text_of(value: Json, name: str) -> str | None:
    """A field's string, or none where it isn't one."""
    found = value.get(name)
    return found if isinstance(found, str) else None


def shown(value: object) -> str:
    """A value in a message, cut to what fits a line."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."  # noqa: PLR2004
