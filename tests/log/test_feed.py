"""Values of the feed: written by the core, read here. And what else the core tells the log of a commit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fastpaca.engine import Engine
from fastpaca.errors import StoreCorruptError, StoreFormatError
from fastpaca.log.base import bytes_of
from fastpaca.log.feed import decode_entry, encode_entry
from fastpaca.log.memory import MemoryLog
from tests.support.memory import append, write

if TYPE_CHECKING:
    from fastpaca.log.base import Pending

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


def test_a_commit_says_what_it_is_and_how_large() -> None:
    engine = Engine(MemoryLog())
    commits: list[Pending] = []
    engine.observe(commits.extend)
    write(engine, "chat", "configure", key="k")
    append(engine, "chat", [{"role": "user", "content": "x" * size} for size in (1, 10, 10_000)])
    engine.close()
    # A batch is one record: the feed names the last of its versions.
    assert [decode_entry(commit.feed_entry) for commit in commits] == [(0, "chat"), (3, "chat")]
    assert [commit.puts_bytes for commit in commits] == [bytes_of(commit.puts) for commit in commits]
    assert commits[1].puts_bytes > 10_000
