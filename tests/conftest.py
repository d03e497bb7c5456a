"""Fixtures for all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.providers.ai_sdk import AiSdk, missing


@pytest.fixture(scope="session")
def ai_sdk() -> Iterator[AiSdk]:
    """The Vercel AI SDK in a node process; skips where node is missing."""
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    with AiSdk() as sdk:
        yield sdk
