"""A real server, and a misbehaving proxy in front of it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from fastpaca.client import attempts
from tests.support.faces import opened
from tests.support.proxy import Proxy
from tests.support.server import Server

Connect = Callable[..., AbstractContextManager[Any]]


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "FIRST_PAUSE_S", 0.005)


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    with Proxy(server.port) as proxy:
        yield proxy


@pytest.fixture(params=["http-blocking", "http-async"])
def connect(request: pytest.FixtureRequest, proxy: Proxy, tmp_path: Path) -> Connect:
    """Opens a client of the proxy."""
    return lambda **options: opened(request.param, tmp_path, proxy.url, **options)


@pytest.fixture
def name() -> str:
    return uuid.uuid4().hex
