"""Hypothesis tries the same cases in each run."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.cases import EXAMPLES


def drawn() -> list[int]:
    found: list[int] = []

    @settings(max_examples=300)
    @given(st.integers(0, 10**9))
    def draw(number: int) -> None:
        found.append(number)

    draw()
    return found


@pytest.mark.skipif(EXAMPLES > 0, reason="FASTPACA_EXAMPLES asks for others")
def test_cases_do_not_depend_on_what_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = drawn()
    (tmp_path / "constants.py").write_text(f"NUMBERS = {list(range(10**6, 10**6 + 500))}\n")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("constants")
    assert len(before) == 300
    assert drawn() == before
