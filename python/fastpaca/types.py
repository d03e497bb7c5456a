"""What the Python interface takes and gives back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeVar

from fastpaca import _core
from fastpaca.errors import InvalidError, MalformedReplyError, from_code

_T = TypeVar("_T")
SEQ_MAX = (1 << 63) - 1

Message = Mapping[str, Any]
"""A message as its provider shapes it, or as `{"role": ..., "parts": [...]}`."""

Format = Literal["openai", "openai-responses", "anthropic", "ai-sdk", "ai-sdk-ui"]
"""What a window can be converted to: the arguments of a provider's call. docs/formats.md says what each gives."""

Cache = Literal["auto"]
"""How breakpoints for the provider's prompt cache are set."""

Fit = Literal["steps", "largest"]
"""How a window that doesn't fit is cut: in steps that keep provider caches warm, or as late as possible."""


@dataclass(frozen=True, slots=True)
class Appended:
    """What an append comes to. `token_estimate` is the sum over the batch, `used_tokens` counts all that is kept."""

    seq: int
    first_seq: int
    version: int
    token_estimate: int
    used_tokens: int
    needs_compaction: bool
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Compacted:
    """What a compaction comes to, in kept tokens."""

    version: int
    tokens_before: int
    tokens_after: int
    used_tokens: int
    needs_compaction: bool
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Compaction:
    """One of a context's compactions, or a revert of one.

    `by` is caller, policy (then `strategy` names it) or repair (a late result took the place of one that was made up).
    `reverts` is the version that this one undid, `reverted_by` the version that undid this one. `reason` says why it is
    not `revertible`: not_by_caller, reverted, changed (a later rewrite touched what it left) or tombstoned.
    """

    version: int
    by: str
    strategy: str | None
    from_seq: int
    to_seq: int
    up_to_version: int | None
    tokens_before: int
    tokens_after: int
    created_at: str
    reverts: int | None
    reverted_by: int | None
    revertible: bool
    reason: str | None


@dataclass(frozen=True, slots=True)
class Rewound:
    """What a rewind comes to. `to_seq` is the last message that stays."""

    version: int
    to_seq: int
    used_tokens: int
    needs_compaction: bool
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class ContextInfo:
    """A context as it stands."""

    id: str
    token_budget: int
    reserve_tokens: int
    trigger_ratio: float
    policy: dict[str, Any]
    model: str | None
    tokenizer: str | None
    metadata: dict[str, Any]
    status: str
    version: int
    last_seq: int
    used_tokens: int
    needs_compaction: bool
    created_at: str
    updated_at: str

    @classmethod
    def of(cls, body: bytes) -> ContextInfo:
        """Reads a context's JSON."""
        return read(cls, decode(body))


class Window:
    """The window: what to send to the model. `raw` is the reply as it came, decoded when first asked for."""

    def __init__(self, raw: bytes, *, model: str | None = None) -> None:
        self.raw = raw
        self._model = model
        self._formats: dict[tuple[str, str | None, str | None], dict[str, Any]] = {}

    @cached_property
    def _fields(self) -> dict[str, Any]:
        return decode(self.raw)

    @property
    def version(self) -> int:
        """The context's version that this is the window of."""
        return int(self._fields["version"])

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages, with `seq`, `token_count` and `inserted_at`."""
        messages: list[dict[str, Any]] = self._fields["messages"]
        return messages

    def to(self, format: Format, *, model: str | None = None, cache: Cache | None = None) -> dict[str, Any]:
        """The arguments of a provider's call, of this very window: `create(model=..., **window.to("openai"))`.

        `model` is the one that it goes to where that is not the context's, for the few rules that depend on it
        (docs/formats.md); `cache="auto"` sets the breakpoints of a provider's prompt cache. Raises `InvalidError` for a
        format that is not known, for `parts`, and for `cache` where the format has no breakpoints.
        """
        request: dict[str, Any] = self._converted(format, model, cache)["request"]
        return request

    def omitted_reasoning(self, format: Format, *, model: str | None = None) -> list[int]:
        """The `seq` of each message whose reasoning `to(format)` leaves out: the format has no place for it, only the
        provider that made it can read it, or its signature is stale.
        """
        omitted: list[int] = self._converted(format, model, None).get("omitted_reasoning", [])
        return omitted

    def _converted(self, format: Format, model: str | None, cache: Cache | None) -> dict[str, Any]:
        model = self._model if model is None else model
        found = self._formats.get((format, model, cache))
        if found is None:
            found = self._formats[format, model, cache] = convert([self.raw], format, model=model, cache=cache)
        return found

    @property
    def used_tokens(self) -> int:
        """Tokens of this window."""
        return int(self._fields["used_tokens"])

    @property
    def needs_compaction(self) -> bool:
        """Whether what is kept is over the context's trigger."""
        return bool(self._fields["needs_compaction"])

    @property
    def truncated(self) -> bool:
        """Whether messages that are kept are not shown for want of budget."""
        return bool(self._fields["truncated"])

    @property
    def segments(self) -> list[dict[str, Any]]:
        """Runs of the log, in order: `{type: live | summary | dropped, from_seq, to_seq}`."""
        segments: list[dict[str, Any]] = self._fields["segments"]
        return segments

    @property
    def prefix(self) -> str:
        """Equal tokens mean that one window is a prefix of the other."""
        return str(self._fields["prefix"])

    @property
    def ends_with(self) -> str | None:
        """Role of the last message."""
        role: str | None = self._fields["ends_with"]
        return role

    @property
    def open_calls(self) -> list[str]:
        """Ids of the tool calls at the end that wait for results."""
        calls: list[str] = self._fields["open_calls"]
        return calls

    @property
    def suggested_range(self) -> tuple[int, int] | None:
        """First and last message worth summarising, when the context needs compaction."""
        suggested = self._fields.get("suggested_range")
        return None if suggested is None else (suggested["from_seq"], suggested["to_seq"])

    @property
    def explanation(self) -> dict[str, Any] | None:
        """What became of each run of the log and why, where it was asked for: `runs`, `tokens`, `budget`."""
        found: dict[str, Any] | None = self._fields.get("explanation")
        return found

    def __repr__(self) -> str:
        return f"<Window version={self.version} messages={len(self.messages)} used_tokens={self.used_tokens}>"


def convert(
    replies: Sequence[bytes], format: Format, *, model: str | None = None, cache: Cache | None = None
) -> dict[str, Any]:
    """The messages of replies as one request: `{"request": ..., "omitted_reasoning": ...}`. Raises `InvalidError`."""
    try:
        converted: dict[str, Any] = json.loads(_core.convert(replies, format, model=model, cache=cache))
    except _core.CoreError as error:
        raise from_code(*error.args) from None
    return converted


def decode(body: bytes) -> dict[str, Any]:
    """The object of a reply. Raises `MalformedReplyError`, which only a server's can cause."""
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MalformedReplyError(f"the reply is not valid JSON: {error}") from None
    if not isinstance(fields, dict):
        raise MalformedReplyError("the reply is no object")
    return fields


def read(kind: type[_T], fields: dict[str, Any], **more: Any) -> _T:
    """A result of a reply's fields. Those that a newer server added are left out."""
    try:
        return kind(**fields, **more)
    except TypeError:
        known: Mapping[str, Any] = kind.__dataclass_fields__  # type: ignore[attr-defined]
    try:
        return kind(**{name: value for name, value in fields.items() if name in known}, **more)
    except TypeError as error:
        raise MalformedReplyError(f"the reply is no {kind.__name__}: {error}") from None


def encode(value: object, field: str = "") -> bytes:
    """The JSON text of a value. Raises `InvalidError` for what JSON or UTF-8 can't hold."""
    encoded = _core.encode(value)
    if encoded is not None:
        return encoded
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        message = "holds a lone surrogate, which is no valid Unicode"
        raise InvalidError(f"{field}: {message}", code="invalid_utf8", details={"field": field}) from None
    except RecursionError:
        message = "is nested too deep or holds itself"
        raise InvalidError(f"{field}: {message}", code="nesting_too_deep", details={"field": field}) from None
    except (TypeError, ValueError) as error:
        raise InvalidError(f"{field}: {error}", details={"field": field}) from None


def key_of(key: object) -> str | None:
    """An idempotency key. Raises `InvalidError` for what is no text; the core knows what it may hold."""
    if key is not None and not isinstance(key, str):
        message = f"idempotency_key: expected a string, not {type(key).__name__}"
        raise InvalidError(message, details={"field": "idempotency_key"})
    if key is not None:
        encode(key, "idempotency_key")
    return key


def integer(field: str, value: object, least: int, most: int = SEQ_MAX) -> None:
    """Raises `InvalidError` for what is no integer within bounds. None is none given."""
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and least <= value <= most):
        return
    bounds = f"from {least} to {most}" if most < SEQ_MAX else f"of at least {least}" if least > -SEQ_MAX else ""
    raise InvalidError(f"{field}: expected an integer {bounds}".rstrip() + f", got {value!r}", details={"field": field})


def mapping(field: str, value: object) -> Mapping[str, Any]:
    """A mapping; None is an empty one. Raises `InvalidError`."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        message = f"{field}: expected a mapping such as a dict, got {type(value).__name__}"
        raise InvalidError(message, details={"field": field})
    return value


def one_of(field: str, value: object, words: Sequence[str]) -> None:
    """Raises `InvalidError` for what is none of the words."""
    if value not in words:
        message = f"{field}: expected {' or '.join(words)}, got {value!r}"
        raise InvalidError(message, details={"field": field})


def envelope(**fields: object) -> bytes:
    """A request body of the fields that are given, those not None."""
    return encode({name: value for name, value in fields.items() if value is not None}, "body")


def one_or_many(messages: object) -> dict[str, object]:
    """The field that an append sends: `message` for one, `messages` for several."""
    if isinstance(messages, Mapping):
        return {"message": messages}
    return {"messages": _many(messages, "message")}


def replacement_items(replacement: object) -> object:
    """A replacement as it is sent: a message, or a list of items."""
    return replacement if isinstance(replacement, Mapping) else _many(replacement, "replacement")


def _many(items: object, field: str) -> list[object]:
    if isinstance(items, (str, bytes)) or not isinstance(items, Iterable):
        found = type(items).__name__
        message = f"{field}: a message is a mapping such as a dict, not {found}"
        raise InvalidError(message, details={"field": field})
    return list(items)
