"""Data directories of every format that was ever released open, and read as they did then."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import fastpaca
from tests.frozen.make import FOLDER, copied, reads

FORMATS = sorted(int(path.stem.split("-")[1]) for path in FOLDER.glob("format-*.json"))


def test_there_is_one() -> None:
    assert FORMATS


def known(found: Any, expected: Any) -> Any:
    """What was found, less fields of a window's reply that later releases added."""
    for name, context in expected.items():
        for window, then in zip(found[name]["windows"], context["windows"], strict=True):
            for field in window.keys() - then.keys():
                del window[field]
    return found


@pytest.mark.parametrize("number", FORMATS)
def test_it_reads_as_it_did(number: int, tmp_path: Path) -> None:
    expected = json.loads((FOLDER / f"format-{number}.json").read_text())
    with fastpaca.open(copied(number, tmp_path / "data")) as store:
        assert known(reads(store), expected) == expected


@pytest.mark.parametrize("number", FORMATS)
def test_it_goes_on(number: int, tmp_path: Path) -> None:
    data = copied(number, tmp_path / "data")
    with fastpaca.open(data) as store:
        chat = store.context("chat")
        last = chat.info().last_seq
        assert chat.append({"role": "system", "content": "Be brief.", "id": "s"}, idempotency_key="first").seq == 1
        assert chat.append({"role": "user", "content": "again"}).seq == last + 1
    with fastpaca.open(data) as store:
        assert store.context("chat").info().last_seq == last + 1
