"""What the core enumerates, Python's tables repeat exactly."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from fastpaca import _core, errors, types
from fastpaca.log.base import Family

ROOT = Path(__file__).parent.parent.parent


def test_every_code_has_an_exception() -> None:
    for code in (*_core.CODES, *_core.INVALID_CODES):
        assert errors.from_code(code, "text", {}).code == code
        assert code in errors.BY_CODE


def test_families() -> None:
    assert tuple(family.name.lower() for family in Family) == _core.FAMILIES
    assert [family.value for family in Family] == list(range(len(_core.FAMILIES)))


def test_formats() -> None:
    assert ("parts", *get_args(types.Format)) == _core.FORMATS


@pytest.mark.slow  # A second, and `make check` asks the same.
def test_the_blocking_interface_is_fresh() -> None:
    ran = subprocess.run([sys.executable, "tools/make_sync.py", "--check"], cwd=ROOT, check=False, capture_output=True)
    assert ran.returncode == 0, ran.stderr.decode()


def test_an_error_carries_its_data() -> None:
    error = errors.from_code("budget_too_small", "text", {"needed_tokens": 7})
    assert isinstance(error, errors.BudgetTooSmallError)
    assert error.needed_tokens == 7
    assert str(error) == "text"
