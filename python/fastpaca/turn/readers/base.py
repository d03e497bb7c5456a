"""What reads an answer: chunks in, messages out. No I/O, and none of the libraries whose chunks these are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple, Protocol

from fastpaca.errors import UnknownChunkError

Json = dict[str, Any]
_SHOWN: Final = 120


class Text(NamedTuple):
    """What a chunk adds to the text that people see, and the id of the message that it will stand in."""

    message_id: str
    delta: str


class Reader(Protocol):
    """Takes the chunks of one answer."""

    input_tokens: int | None
    """What the provider counted for the request, cached tokens included."""
    output_tokens: int | None
    is_complete: bool
    """The provider said that the answer is complete."""
    has_end: bool
    """Whether a provider of this kind says so at all. Else the answer is complete when the chunks end."""
    failure: str | None
    """What the provider said went wrong."""

    def feed(self, chunk: Any) -> Iterable[Text]:
        """Takes a chunk. Raises `UnknownChunkError` for one of another kind."""
        ...

    def messages(self) -> list[Json]:
        """What has come, as messages to append. Of an answer that is not complete: texts as far as they came, and of
        all else what the provider has finished. Empty when that says nothing.
        """
        ...


def get(value: Any, name: str) -> Any:
    """A field of an event, which is an object of a library or a plain mapping; None where there is none."""
    if isinstance(value, Mapping):
        return value.get(name)
    return getattr(value, name, None)


def plain(value: Any) -> Any:
    """A value as JSON has it: of a library's object, the fields that came over the wire and no others."""
    dump = getattr(value, "model_dump", None)
    if dump is not None:
        return dump(mode="json", by_alias=True, exclude_unset=True, warnings=False)
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def unknown(chunk: Any, expected: str) -> UnknownChunkError:
    """The error for a chunk that is none of those expected."""
    shown = repr(chunk)
    shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."
    kind = type(chunk)
    message = f"expected {expected}, got {kind.__module__}.{kind.__qualname__}: {shown}"
    return UnknownChunkError(message, details={"type": f"{kind.__module__}.{kind.__qualname__}"})


def tokens(value: Any) -> int | None:
    """A count of tokens; None for what is none, and for 0, which stands for not known."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def reason(event: Any) -> str:
    """What an event says of a failure."""
    response = get(event, "response")
    error = get(response, "error") or get(event, "error") or event
    said = [get(error, "code") or get(error, "type"), get(error, "message")]
    return ": ".join(str(part) for part in said if part) or str(get(response, "status"))
