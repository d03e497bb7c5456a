"""An engine in memory with one context."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fastpaca.engine import Engine
from tests.support.memory import memory_engine, write


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = memory_engine()
    write(engine, "chat", "configure", token_budget=1000)
    yield engine
    engine.close()
