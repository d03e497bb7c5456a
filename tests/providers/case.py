"""A minimal pair of requests about one rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Case:
    rule: str
    good: dict[str, Any]
    bad: dict[str, Any]
    path: str
    model: str | None = None
