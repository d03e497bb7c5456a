"""The Python client of a server: the interface of `fastpaca.open`, over HTTP. Needs `fastpaca[client]`.

`aio*.py` are the source of `sync*.py` (`tools/make_sync.py`); the other modules do no I/O and serve both.
"""

from __future__ import annotations

from fastpaca.aio import AsyncStore
from fastpaca.client.options import DEADLINE_S, RETRIES, TIMEOUT_S, Options
from fastpaca.sync import Store

_MISSING = "fastpaca.connect needs httpx: pip install 'fastpaca[client]'"


def connect(
    url: str,
    api_key: str | None = None,
    *,
    timeout: float = TIMEOUT_S,
    retries: int = RETRIES,
    deadline: float = DEADLINE_S,
) -> Store:
    """The contexts of the server at `url`, with the interface of `open`. Nothing is sent yet. Threads may share it.

    `timeout` is how many seconds one attempt may take, `retries` how often a call is tried again after it (connections
    that fail, timeouts, 429, 502, 503, 504), `deadline` the seconds for all of that. Writes are retried under one
    idempotency key, so none is made twice. `api_key` is sent as `Authorization: Bearer`. Raises `InvalidError`, and
    `ImportError` where httpx is missing.
    """
    options = Options.checked(url, api_key, timeout=timeout, retries=retries, deadline=deadline)
    try:
        from fastpaca.client.sync import HttpTransport  # noqa: PLC0415 - httpx is an extra
    except ModuleNotFoundError as error:
        raise ImportError(_MISSING) from error
    return Store(HttpTransport(options))


def connect_async(
    url: str,
    api_key: str | None = None,
    *,
    timeout: float = TIMEOUT_S,
    retries: int = RETRIES,
    deadline: float = DEADLINE_S,
) -> AsyncStore:
    """As `connect`, for an event loop, and for one only."""
    options = Options.checked(url, api_key, timeout=timeout, retries=retries, deadline=deadline)
    try:
        from fastpaca.client.aio import AsyncHttpTransport  # noqa: PLC0415 - httpx is an extra
    except ModuleNotFoundError as error:
        raise ImportError(_MISSING) from error
    return AsyncStore(AsyncHttpTransport(options))
