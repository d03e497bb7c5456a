"""A conversation to render."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import fastpaca


@pytest.fixture
def chat(tmp_path: Path) -> Iterator[fastpaca.Context]:
    with fastpaca.open(tmp_path / "data") as store:
        yield store.context("chat", budget=1_000_000)
