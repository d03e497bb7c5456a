"""Values of the feed: written by the core, read here."""

from __future__ import annotations

import pytest

from fastpaca.errors import StoreCorruptError, StoreFormatError
from fastpaca.log.feed import decode_entry, encode_entry

WRITTEN = bytes.fromhex("0100000000000003e963686174c3a97bb202ce")
"""Of version 1001 of `chat\u00e9`, as the first release wrote it."""


def test_the_layout_stays() -> None:
    assert encode_entry(1001, "chat\u00e9") == WRITTEN
    assert decode_entry(WRITTEN) == (1001, "chat\u00e9")


@pytest.mark.parametrize(("version", "context_id"), [(0, "a"), (2**64 - 1, "\U0001f600" * 63)])
def test_what_is_written_is_read(version: int, context_id: str) -> None:
    assert decode_entry(encode_entry(version, context_id)) == (version, context_id)


@pytest.mark.parametrize("place", range(len(WRITTEN)))
def test_a_changed_byte_is_noticed(place: int) -> None:
    with pytest.raises((StoreCorruptError, StoreFormatError)):
        decode_entry(WRITTEN[:place] + bytes([WRITTEN[place] ^ 1]) + WRITTEN[place + 1 :])
