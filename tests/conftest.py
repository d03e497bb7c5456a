"""Fixtures for all tests."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import httpx
import pytest

from tests.providers.ai_sdk import AiSdk, missing
from tests.support import cases
from tests.support.server import Server

cases.load()
# Collecting makes objects that stay. `pytest_collection_finish` turns it on again.
gc.disable()


def pytest_collection_finish() -> None:
    """What was imported is left out for good: else each test that makes many objects has all of it walked again."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`fastpaca serve` on a free port, for tests whose contexts have names of their own and that leave it as it is."""
    with Server(tmp_path_factory.mktemp("served") / "data") as server:
        yield server


@pytest.fixture(scope="session")
def http(server: Server) -> Iterator[httpx.Client]:
    """A client of it."""
    with httpx.Client(base_url=server.url, timeout=30) as client:
        yield client


@pytest.fixture(scope="session")
def ai_sdk() -> Iterator[AiSdk]:
    """The Vercel AI SDK in a node process; skips where node is missing."""
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    with AiSdk() as sdk:
        yield sdk
