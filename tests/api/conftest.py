"""Every face of the Python interface. Those over HTTP share one real server, so each test has names of its own."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.faces import FACES, opened
from tests.support.server import Server


@pytest.fixture(params=FACES)
def store(request: pytest.FixtureRequest, tmp_path: Path, server: Server) -> Iterator[Any]:
    with opened(request.param, tmp_path / "data", server.url) as store:
        yield store


@pytest.fixture
def name() -> str:
    """The beginning of the ids that a test uses. Nothing in it is safe in a URL."""
    return f"{uuid.uuid4().hex}: ü?#%2F&+"
