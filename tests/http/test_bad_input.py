"""Bad requests are refused with a stable code that names the culprit, change nothing, and never end in a 500."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING, Any

import pytest

from fastpaca.engine import Engine
from fastpaca.errors import FastpacaError
from fastpaca.http.errors import status_of
from fastpaca.log import MemoryLog
from tests.http.bad_requests import ALL, BODY_BYTES_MAX, CONTEXT, Bad

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from tests.support.server import Server

IN_PROCESS = [bad for bad in ALL if bad.route is not None and bad.code != "unknown_path"]
MESSAGES = [
    {"role": "system", "content": "be brief"},
    {"role": "user", "content": "one"},
    {"role": "assistant", "content": "two"},
    {"role": "user", "content": "three"},
    {"role": "assistant", "content": "four", "id": "newest"},
]


@pytest.fixture(scope="module")
def kept(http: httpx.Client) -> dict[str, Any]:
    http.put(CONTEXT, json={"token_budget": 5000}).raise_for_status()
    http.post(f"{CONTEXT}/messages", json={"messages": MESSAGES}).raise_for_status()
    http.put("/v1/contexts/gone", json={}).raise_for_status()
    http.post("/v1/contexts/gone/messages", json={"messages": MESSAGES}).raise_for_status()
    http.delete("/v1/contexts/gone").raise_for_status()
    return state(http)


def state(client: httpx.Client) -> dict[str, Any]:
    """All that a refused request could have changed."""
    paths = (CONTEXT, f"{CONTEXT}/window", f"{CONTEXT}/messages?view=all", "/v1/contexts/gone")
    found = {path: client.get(path).raise_for_status().json() for path in paths}
    ids = [each["id"] for each in client.get("/v1/contexts?limit=1000").json()["contexts"]]
    return found | {"unknown": [each for each in ids if each == "none" or len(each) > 200]}


def send(server: Server, bad: Bad) -> tuple[int, dict[str, str], bytes]:
    """Sends it as it stands: an HTTP library would mend some of them."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        body: Any = bad.body or None
        if bad.chunked:
            body = (bad.body[at : at + 65536] for at in range(0, len(bad.body), 65536))
        connection.request(bad.method, bad.path, body, bad.headers, encode_chunked=bad.chunked)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def test_the_table_is_large_and_names_are_unique() -> None:
    assert len(ALL) >= 150
    assert len({bad.name for bad in ALL}) == len(ALL)


@pytest.mark.parametrize("bad", ALL, ids=lambda bad: bad.name[:60])
def test_refused_over_http(server: Server, http: httpx.Client, kept: dict[str, Any], bad: Bad) -> None:
    status, headers, body = send(server, bad)
    assert headers["content-type"] == "application/json", body
    answer = json.loads(body)
    assert (status, answer["error"]) == (bad.status, bad.code), answer
    assert answer["message"]
    assert bad.names in answer["message"] or bad.names in answer.get("field", ""), answer
    assert "Traceback" not in body.decode()
    assert ("retry-after" in headers) == (status == 503)
    assert ("allow" in headers) == (status == 405)
    assert state(http) == kept


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = Engine(MemoryLog())
    for context_id in ("kept", "gone"):
        engine.write(context_id, "configure", b'{"token_budget": 5000}')
        engine.write(context_id, "append", json.dumps({"messages": MESSAGES}).encode())
    engine.write("gone", "tombstone", b"")
    yield engine
    engine.close()


@pytest.mark.parametrize("bad", IN_PROCESS, ids=lambda bad: bad.name[:60])
def test_refused_in_process(engine: Engine, bad: Bad) -> None:
    before = engine.read("kept", lambda context, _: context.describe())
    assert bad.route is not None
    with pytest.raises(FastpacaError) as refused:
        engine.write(bad.context_id, bad.route, bad.body)
    assert (refused.value.code, status_of(refused.value)) == (bad.code, bad.status)
    assert bad.names in str(refused.value) or bad.names in str(refused.value.details.get("field"))
    assert engine.read("kept", lambda context, _: context.describe()) == before


def test_most_are_refused_in_process_too() -> None:
    assert len(IN_PROCESS) >= 100


def test_a_body_at_the_limit_is_read(http: httpx.Client) -> None:
    http.put("/v1/contexts/limit", json={})
    message = b'{"message": {"role": "user", "content": "hi"}}'
    answer = http.post("/v1/contexts/limit/messages", content=message.ljust(BODY_BYTES_MAX))
    assert answer.status_code == 201


def test_every_method_on_every_bad_path(server: Server) -> None:
    for method in ("GET", "PUT", "POST", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "LOCK"):
        for path in ("/nothing", "/v1/contexts/%FF", "/v1/contexts/%2F/messages", "/v1/contexts//messages", "*"):
            status, _, body = send(server, Bad("", 0, "", method=method, path=path))
            assert 400 <= status < 500 or method == "OPTIONS", (method, path, status)
            assert status == 200 or json.loads(body)["error"]
