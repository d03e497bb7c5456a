"""Replies that are lost, late, cut, foreign or malformed: nothing is doubled, and every error has a type."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from fastpaca import errors
from fastpaca.client import attempts
from fastpaca.client.answers import Failure
from fastpaca.client.options import Options
from tests.client.conftest import Connect
from tests.support import proxy as faults
from tests.support.proxy import Proxy, answer

MESSAGE = {"role": "user", "content": "hi"}
UNKNOWN = answer(503, b'{"error":"outcome_unknown","message":"the sync failed"}')
BUSY = answer(503, b'{"error":"unavailable","message":"not now"}')


def keys(proxy: Proxy) -> list[bytes]:
    """The idempotency key of each request that was sent to change something."""
    found = [re.search(rb'(?i)idempotency[-_]key"?: ?"?(\w+)', each) for each in proxy.requests if each[:3] != b"GET"]
    return [key[1] for key in found if key is not None]


PASSING = {
    "lost request": faults.lost_request,
    "lost reply": faults.lost_reply,
    "cut reply": faults.cut_reply,
    "reset": faults.reset,
    "silent": faults.silent,
    "503": BUSY,
    "outcome unknown": UNKNOWN,
    "429": answer(429, b'{"error":"too_many_requests","message":"slow down"}', "retry-after: 0"),
    "502 of a proxy": answer(502, b"<html>Bad Gateway</html>", kind="text/html"),
    "504 of a proxy": answer(504, b""),
}


FAULTS = [
    pytest.param(fault, id=called, marks=[pytest.mark.slow] if called == "silent" else [])
    for called, fault in PASSING.items()
]


@pytest.mark.parametrize("fault", FAULTS)
def test_each_write_is_made_once(connect: Connect, proxy: Proxy, name: str, fault: Any) -> None:
    with connect(timeout=0.5) as store:
        chat = store.context(name, budget=1000)
        writes: list[Callable[[], Any]] = [
            lambda: chat.append(MESSAGE),
            lambda: chat.append([MESSAGE, MESSAGE]),
            lambda: chat.compact({"role": "assistant", "content": "So far."}, to_seq=1, from_seq=1),
            lambda: chat.metadata(a=1),
            lambda: chat.rewind(2),
        ]
        versions = [1, 3, 4, 5, 6]
        for write, version in zip(writes, versions, strict=True):
            proxy.requests.clear()
            proxy.faults.append(fault)
            result = write()
            assert result == {"a": 1} or (result.version, result.replayed) == (version, False)
            first, second = keys(proxy)
            assert first == second
        assert chat.info().version == 6
        proxy.faults.append(fault)
        chat.delete()
        assert chat.info().version == 7


@pytest.mark.parametrize("fault", FAULTS)
def test_reads_are_tried_again(connect: Connect, proxy: Proxy, name: str, fault: Any) -> None:
    with connect(timeout=0.5) as store:
        chat = store.context(name, budget=1000)
        chat.append(MESSAGE)
        for read in (chat.info, chat.window, chat.tail, lambda: list(chat.messages()), lambda: list(store.contexts())):
            proxy.faults.append(fault)
            assert read()


@pytest.mark.slow
def test_retry_after_is_honoured(connect: Connect, proxy: Proxy, name: str) -> None:
    with connect() as store:
        proxy.faults.append(answer(503, b'{"error":"unavailable","message":"not now"}', "retry-after: 1"))
        began = time.monotonic()
        store.context(name, budget=1000)
        assert time.monotonic() - began >= 1


def test_who_has_to_wait_too_long_is_told_at_once(connect: Connect, proxy: Proxy, name: str) -> None:
    later = "retry-after: Wed, 01 Jan 2100 00:00:00 GMT"
    with connect(deadline=5) as store:
        proxy.faults.append(answer(503, b'{"error":"unavailable","message":"not now"}', later))
        began = time.monotonic()
        with pytest.raises(errors.UnavailableError):
            store.context(name, budget=1000)
        assert time.monotonic() - began < 4


def test_pauses_grow_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "FIRST_PAUSE_S", 0.25)
    monkeypatch.setattr("random.uniform", lambda _, longest: longest)
    options = Options.checked("http://host", None, timeout=1, retries=8, deadline=10**6)
    patience = attempts.Attempts(options)
    failure = Failure(errors.TransportError("gone"), again=True, after_s=1.0)
    assert [patience.pause_s(failure) for _ in range(8)] == [1.25, 1.5, 2.0, 3.0, 5.0, 9.0, 9.0, 9.0]
    with pytest.raises(errors.TransportError):
        patience.pause_s(failure)


def test_the_deadline_ends_it(connect: Connect, proxy: Proxy, name: str) -> None:
    proxy.otherwise = BUSY
    with connect(retries=10**6, deadline=0.3) as store:
        began = time.monotonic()
        with pytest.raises(errors.UnavailableError):
            store.context(name, budget=1000)
        assert time.monotonic() - began < 10
    assert len(proxy.requests) > 2


def test_retries_are_counted(connect: Connect, proxy: Proxy, name: str) -> None:
    proxy.otherwise = BUSY
    for retries in (0, 2):
        proxy.requests.clear()
        with connect(retries=retries) as store, pytest.raises(errors.UnavailableError):
            store.context(name, budget=1000)
        assert len(proxy.requests) == retries + 1


REFUSED: list[tuple[Any, type[errors.FastpacaError], str]] = [
    (answer(400, b'{"error":"new_code","message":"no"}'), errors.InvalidError, "new_code"),
    (answer(401, b'{"error":"unauthenticated","message":"no"}'), errors.AuthenticationError, "unauthenticated"),
    (answer(401, b"who are you?", kind="text/plain"), errors.AuthenticationError, "unauthenticated"),
    (answer(403, b'{"error":"read_only","message":"no"}'), errors.PermissionDeniedError, "read_only"),
    (answer(404, b'{"error":"unknown_path","message":"no"}'), errors.TransportError, "unknown_path"),
    (answer(404, b'{"detail":"Not Found"}'), errors.TransportError, "transport"),
    (answer(409, b'{"error":"version_conflict","message":"no"}'), errors.VersionConflictError, "version_conflict"),
    (answer(413, b'{"error":"body_too_large","message":"no"}'), errors.InvalidError, "body_too_large"),
    (answer(422, b'{"error":"budget_too_small","message":"no"}'), errors.BudgetTooSmallError, "budget_too_small"),
    (answer(500, b'{"error":"internal","message":"no"}'), errors.FastpacaError, "internal"),
    (answer(500, b'{"error":"corrupt","message":"no"}'), errors.DataError, "corrupt"),
    (answer(500, b"<html>", kind="text/html"), errors.TransportError, "transport"),
    (answer(301, b"", "location: http://127.0.0.1:9/"), errors.TransportError, "transport"),
    (answer(200, b"<html>Log in</html>", kind="text/html"), errors.TransportError, "transport"),
    (answer(200, b""), errors.TransportError, "transport"),
    (answer(200, b'{"version": }'), errors.MalformedReplyError, "malformed_reply"),
    (answer(200, b'{"version": "1"}'), errors.MalformedReplyError, "malformed_reply"),
    (answer(200, b"{}"), errors.MalformedReplyError, "malformed_reply"),
    (answer(200, b'{"version": 1}'), errors.MalformedReplyError, "malformed_reply"),
    (answer(200, b'{"version": 1, "\xff": 1}'), errors.MalformedReplyError, "malformed_reply"),
]


@pytest.mark.parametrize(("fault", "kind", "code"), REFUSED, ids=range(len(REFUSED)))
def test_a_refusal_is_final_and_typed(
    connect: Connect, proxy: Proxy, name: str, fault: Any, kind: type[errors.FastpacaError], code: str
) -> None:
    with connect() as store:
        chat = store.context(name, budget=1000)
        proxy.requests.clear()
        proxy.faults.append(fault)
        with pytest.raises(kind) as raised:
            chat.append(MESSAGE)
    assert (type(raised.value), raised.value.code) == (kind, code)
    assert len(proxy.requests) == 1


def test_malformed_reads_are_typed(connect: Connect, proxy: Proxy, name: str) -> None:
    with connect() as store:
        chat = store.context(name, budget=1000)
        for read in (chat.info, chat.window, chat.tail, lambda: list(chat.messages()), lambda: list(store.contexts())):
            proxy.faults.append(answer(200, b'{"messages": ]}'))
            with pytest.raises(errors.MalformedReplyError):
                read()


def test_what_a_newer_server_adds_is_left_out(connect: Connect, proxy: Proxy, name: str) -> None:
    body = (
        b'{"seq":1,"first_seq":1,"version":1,"token_estimate":1,"used_tokens":1,"needs_compaction":false,"shiny":true}'
    )
    with connect() as store:
        chat = store.context(name, budget=1000)
        proxy.faults.append(answer(201, body))
        assert chat.append(MESSAGE).seq == 1


def test_the_key_of_an_error_settles_the_write(connect: Connect, proxy: Proxy, name: str) -> None:
    with connect(retries=0) as store:
        chat = store.context(name, budget=1000)
        proxy.faults.append(faults.lost_reply)
        with pytest.raises(errors.TransportError) as raised:
            chat.append(MESSAGE)
        assert isinstance(raised.value.__cause__, httpx.HTTPError)
        settled = chat.append(MESSAGE, idempotency_key=raised.value.idempotency_key)
        assert (settled.seq, settled.replayed) == (1, True)
        assert len(list(chat.messages())) == 1


def test_a_write_that_may_be_there_is_not_called_refused(connect: Connect, proxy: Proxy, name: str) -> None:
    with connect(retries=2) as store:
        chat = store.context(name, budget=1000)
        proxy.faults.extend([UNKNOWN, BUSY, BUSY])
        with pytest.raises(errors.OutcomeUnknownError) as raised:
            chat.append(MESSAGE, idempotency_key="mine")
        assert raised.value.idempotency_key == "mine"
        proxy.faults.extend([BUSY, faults.lost_reply, BUSY])
        with pytest.raises(errors.TransportError):
            chat.append(MESSAGE)
        proxy.faults.extend([BUSY, BUSY, BUSY])
        with pytest.raises(errors.UnavailableError) as refused:
            chat.append(MESSAGE)
        assert refused.value.code == "unavailable"
        assert len(list(chat.messages())) == 1


@pytest.mark.parametrize(
    "fault",
    [pytest.param(faults.silent, id="silent"), pytest.param(faults.dripping, id="dripping", marks=pytest.mark.slow)],
)
def test_timeouts(connect: Connect, proxy: Proxy, name: str, fault: Any) -> None:
    with connect(timeout=0.3, retries=0) as store:
        chat = store.context(name, budget=1000)
        chat.append({"role": "user", "content": "word " * 200})
        for call in (lambda: chat.append(MESSAGE), chat.window):
            proxy.faults.append(fault)
            began = time.monotonic()
            with pytest.raises(errors.TimedOutError) as raised:
                call()
            assert time.monotonic() - began < 10
            assert isinstance(raised.value, TimeoutError)


def test_nobody_listens(connect: Connect, proxy: Proxy, name: str) -> None:
    proxy.shutdown()
    proxy.socket.close()
    with connect(retries=1) as store:
        with pytest.raises(errors.TransportError) as raised:
            store.context(name, budget=1000)
        assert proxy.url in str(raised.value)
        assert isinstance(raised.value.__cause__, httpx.ConnectError)
        with pytest.raises(errors.TransportError), store.subscribe() as frames:
            next(frames)
