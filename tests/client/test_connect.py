"""Connecting: what is sent, and what is refused before anything is."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import fastpaca
from fastpaca import errors
from tests.client.conftest import Connect
from tests.support.proxy import Proxy

SECRET = "fp_secret"  # not a real one


def test_the_api_key_is_sent_and_never_shown(connect: Connect, proxy: Proxy, name: str) -> None:
    with connect(api_key=SECRET) as store:
        store.context(name, budget=1000)
        sent = proxy.requests[-1].replace(b"Authorization", b"authorization")
        assert f"authorization: Bearer {SECRET}".encode() in sent
    transport = fastpaca.connect(proxy.url, SECRET)._transport
    assert SECRET not in repr(transport)
    assert SECRET not in repr(transport._connection.options)  # type: ignore[attr-defined]


BAD: list[tuple[dict[str, Any], str]] = [
    ({"url": "127.0.0.1:4000"}, "url"),
    ({"url": "ftp://host"}, "url"),
    ({"url": "http://"}, "url"),
    ({"url": "http://host:port"}, "url"),
    ({"url": "http://host:99999"}, "url"),
    ({"url": "http://me:secret@host"}, "url"),
    ({"url": "http://host?x=1"}, "url"),
    ({"url": "http://host/a b"}, "url"),
    ({"url": None}, "url"),
    ({"url": Path("data")}, "url"),
    ({"api_key": "a b"}, "api_key"),
    ({"api_key": ""}, "api_key"),
    ({"api_key": "é"}, "api_key"),
    ({"api_key": 5}, "api_key"),
    ({"timeout": 0}, "timeout"),
    ({"timeout": float("nan")}, "timeout"),
    ({"timeout": "1"}, "timeout"),
    ({"retries": -1}, "retries"),
    ({"retries": 1.5}, "retries"),
    ({"retries": True}, "retries"),
    ({"deadline": float("inf")}, "deadline"),
]


@pytest.mark.parametrize(("options", "field"), BAD, ids=range(len(BAD)))
def test_bad_options_name_the_field(options: dict[str, Any], field: str) -> None:
    for connecting in (fastpaca.connect, fastpaca.connect_async):
        with pytest.raises(errors.InvalidError) as raised:
            connecting(**{"url": "http://127.0.0.1:1", **options})
        assert raised.value.field == field
        assert "secret" not in str(raised.value)


def test_a_path_before_ours(proxy: Proxy) -> None:
    with fastpaca.connect(f"{proxy.url}/some/where/") as store, pytest.raises(errors.TransportError):
        store.context("c", budget=100)
    assert proxy.requests[-1].startswith(b"PUT /some/where/v1/contexts/c ")


def test_ids_that_no_path_can_hold(connect: Connect, proxy: Proxy, name: str) -> None:
    with connect() as store:
        for bad in (".", ".."):
            with pytest.raises(errors.InvalidError) as raised:
                store.context(bad, budget=1000)
            assert raised.value.field == "id"
            with pytest.raises(errors.InvalidError) as raised:
                store.context(name).draft(bad, 0, "x")
            assert raised.value.field == "message_id"
        assert proxy.requests == []
        for odd in ("...", "%2e%2e", "a b+c?d#e", "é\u2028", "%"):
            chat = store.context(name + odd, budget=1000)
            assert chat.info().id == name + odd


def test_where_httpx_is_missing() -> None:
    program = "import sys; sys.modules['httpx'] = None; import fastpaca; fastpaca.connect('http://127.0.0.1:1')"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "ImportError: fastpaca.connect needs httpx: pip install 'fastpaca[client]'" in ran.stderr


def test_a_forked_child_does_not_share_the_connections(proxy: Proxy, name: str) -> None:
    store = fastpaca.connect(proxy.url)
    chat = store.context(name, budget=1000)
    child = os.fork()
    if child == 0:
        try:
            chat.info()
        except errors.ForkedError:
            os._exit(7)
        os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 7
    assert chat.info().version == 0
    store.close()


@pytest.mark.slow
def test_many_calls_and_streams_at_once(proxy: Proxy, name: str) -> None:
    async def run() -> None:
        async with fastpaca.connect_async(proxy.url) as store:
            chat = await store.context(name, budget=10**6)
            streams = [chat.subscribe(cursor=0) for _ in range(30)]
            for frames in streams:
                await frames.__aenter__()
            results = await asyncio.gather(*(chat.append({"role": "user", "content": "x"}) for _ in range(100)))
            assert sorted(each.seq for each in results) == list(range(1, 101))
            for frames in streams:
                versions = [(await anext(frames)).version for _ in range(200)]
                assert versions == sorted([*range(1, 101), *range(1, 101)])
                await frames.aclose()

    asyncio.run(run())
