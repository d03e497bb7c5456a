"""What a client gives as Python's values becomes the bytes that `json.dumps` makes of it, or its error."""

from __future__ import annotations

import enum
import json
from collections import OrderedDict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpaca import _core
from fastpaca.errors import InvalidError
from fastpaca.types import encode

TEXT = st.text(st.characters(codec="utf-8"))
PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 63) - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
)


def by_json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def nested(depth: int) -> Any:
    value: Any = 1
    for n in range(depth):
        value = [value] if n % 2 else {"a": value}
    return value


class Colour(enum.StrEnum):
    RED = "red"


class Number(enum.IntEnum):
    TWO = 2


@given(PLAIN)
def test_plain_values_are_encoded_as_json_does(value: object) -> None:
    assert _core.encode(value) == by_json(value)


def test_every_character_below_the_surrogates() -> None:
    text = "".join(map(chr, range(0xD800)))
    assert _core.encode({text: text}) == by_json({text: text})


@pytest.mark.parametrize(
    "value",
    [
        1 << 63,
        (1, ("a", [])),
        {2: "a", None: 2, True: 3, 1.5: 4},
        Colour.RED,
        [Number.TWO],
        OrderedDict(a=1),
        {Colour.RED: 1},
        nested(65),
    ],
    ids=repr,
)
def test_other_values_are_left_to_json(value: object) -> None:
    assert _core.encode(value) is None
    assert encode(value) == by_json(value)


def test_the_deepest_value_that_is_plain() -> None:
    assert _core.encode(nested(64)) == by_json(nested(64))


HOLDS_ITSELF: list[Any] = []
HOLDS_ITSELF.append(HOLDS_ITSELF)


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (float("nan"), "invalid_field"),
        ([float("inf")], "invalid_field"),
        ("\ud800", "invalid_utf8"),
        ({"\udfff": 1}, "invalid_utf8"),
        (HOLDS_ITSELF, "invalid_field"),
        (nested(100_000), "nesting_too_deep"),
        ({"a": object()}, "invalid_field"),
        (b"bytes", "invalid_field"),
    ],
    ids=["nan", "infinite", "surrogate", "surrogate in a key", "holds itself", "deep", "object", "bytes"],
)
def test_what_json_cannot_hold_is_refused(value: object, code: str) -> None:
    assert _core.encode(value) is None
    with pytest.raises(InvalidError, match=r"^messages: ") as refused:
        encode(value, "messages")
    assert (refused.value.code, refused.value.details) == (code, {"field": "messages"})
