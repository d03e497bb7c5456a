"""Times and token counts, which every tool writes in its own way."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from fastpaca.transcripts.conversation import Usage

_TIMES: Final = ("created_at", "createdAt", "timestamp", "inserted_at")
_RFC_3339: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)?")
_MS_FROM: Final = 10_000_000_000
"""Numbers from here on are milliseconds: as seconds they would lie beyond the year 2286."""

_INPUT: Final = ("input_tokens", "prompt_tokens", "inputTokens", "promptTokens", "input")
_OUTPUT: Final = ("output_tokens", "completion_tokens", "outputTokens", "completionTokens", "output")
_CACHED: Final = ("cache_read_input_tokens", "cachedInputTokens", "cacheRead")
_DETAILS: Final = ("prompt_tokens_details", "input_tokens_details")
_BESIDE: Final = ("cache_read_input_tokens", "cache_creation_input_tokens", "cacheRead", "cacheWrite")
"""Tokens that are not part of the input count beside them."""


def created_at(message: Mapping[str, Any]) -> str | None:
    """The time of a message in RFC 3339, or None. Raises `ValueError` for one that can't be read."""
    for name in _TIMES:
        value = message.get(name)
        if value is not None:
            return _time(value)
    return None


def _time(value: object) -> str:
    if isinstance(value, str):
        if _RFC_3339.fullmatch(value):
            return value
        found = datetime.fromisoformat(value)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).isoformat()
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = value / 1000 if value >= _MS_FROM else value
        try:
            return datetime.fromtimestamp(seconds, UTC).isoformat()
        except (OverflowError, OSError) as error:
            raise ValueError(str(error)) from None
    raise ValueError(f"neither a text nor a number: {value!r:.40}")


def usage(message: Mapping[str, Any]) -> Usage | None:
    """What the provider counted, from the message itself or its metadata; None where that says nothing."""
    metadata = message.get("metadata")
    for holder in (message, metadata if isinstance(metadata, Mapping) else {}):
        found = holder.get("usage")
        if isinstance(found, Mapping):
            counted = usage_of(found)
            if counted is not None:
                return counted
    return None


def usage_of(counts: Mapping[str, Any]) -> Usage | None:
    """A provider's usage object; None for one without counts, or of zeros, as aborted calls have."""
    given = _first(counts, _INPUT)
    if given is None:
        return None
    cached = _first(counts, _CACHED) or 0
    for name in _DETAILS:
        details = counts.get(name)
        if isinstance(details, Mapping):
            cached = _first(details, ("cached_tokens",)) or cached
    total = given + sum(_first(counts, (name,)) or 0 for name in _BESIDE)
    output = _first(counts, _OUTPUT) or 0
    return Usage(total, cached, output) if total else None


def _first(counts: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    for name in names:
        value = counts.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
    return None
