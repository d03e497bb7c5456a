"""The application in this process, over a log in memory that can be told to fail."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from falcon import testing
from falcon.inspect import inspect_app, inspect_compiled_router, register_router

from fastpaca import errors
from fastpaca.config import Config
from fastpaca.http.app import create_app
from fastpaca.http.errors import STATUS, status_of
from fastpaca.http.router import RawPathRouter
from fastpaca.http.service import Service
from fastpaca.log import Log, MemoryLog
from tests.support.faulty_log import Faults, FaultyMemoryLog

if TYPE_CHECKING:
    import pytest

CHAT = "/v1/contexts/chat"
BODY = json.dumps({"message": {"role": "user", "content": "hi"}})
DOCS = Path(__file__).parent.parent.parent / "docs"

register_router(RawPathRouter)(inspect_compiled_router)
Scenario = Callable[[testing.ASGIConductor, Service], Awaitable[None]]


def run(scenario: Scenario, log: Log | None = None, config: Config | None = None) -> None:
    """Runs requests against an application that is started before and shut down after."""

    async def inside() -> None:
        service = Service(config or Config(), lambda _: log or MemoryLog())
        async with testing.ASGIConductor(create_app(service.config, service)) as conductor:
            await scenario(conductor, service)
        assert not service.is_open

    asyncio.run(inside())


def test_a_failed_sync_poisons() -> None:
    async def scenario(http: testing.ASGIConductor, _service: Service) -> None:
        assert (await http.simulate_put(CHAT)).status_code == 201
        assert (await http.simulate_get("/health/ready")).status_code == 200
        failed = await http.simulate_post(f"{CHAT}/messages", body=BODY)
        assert (failed.status_code, failed.json["error"]) == (503, "outcome_unknown")
        assert failed.headers["retry-after"] == "1"
        refused = await http.simulate_post(f"{CHAT}/messages", body=BODY)
        assert (refused.status_code, refused.json["error"]) == (503, "poisoned")
        for path in ("/health/live", "/health/ready"):
            dead = await http.simulate_get(path)
            assert (dead.status_code, dead.json["error"]) == (503, "poisoned")
        assert (await http.simulate_get(f"{CHAT}/window")).json["version"] == 0
        assert b"fastpaca_log_poisoned 1.0" in (await http.simulate_get("/metrics")).content

    run(scenario, FaultyMemoryLog(faults=Faults(fail_sync=2)))


def test_an_unexpected_error_is_logged_and_says_nothing(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(http: testing.ASGIConductor, service: Service) -> None:
        async def fail(*_args: Any) -> None:
            raise ZeroDivisionError("secret detail")

        monkeypatch.setattr(service.engine, "aread", fail)
        answer = await http.simulate_get(CHAT)
        assert (answer.status_code, answer.json["error"]) == (500, "internal")
        assert "secret" not in answer.text

    run(scenario)
    assert [record.exc_info is not None for record in caplog.records if "unexpected" in record.message] == [True]


def test_damaged_data_is_a_logged_500(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(http: testing.ASGIConductor, service: Service) -> None:
        async def fail(*_args: Any) -> None:
            raise errors.DataError("stored data is damaged: a chain is broken")

        monkeypatch.setattr(service.engine, "aread", fail)
        answer = await http.simulate_get(CHAT)
        assert (answer.status_code, answer.json["error"]) == (500, "corrupt")

    run(scenario)
    assert [record.levelname for record in caplog.records if "damaged" in record.message] == ["ERROR"]


def test_every_error_has_a_status() -> None:
    kinds = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.FastpacaError)
    ]
    assert len(kinds) > 15
    for kind in kinds:
        assert status_of(kind("text")) in STATUS.values()
    assert status_of(errors.TombstonedError("text")) == 409
    assert status_of(errors.PoisonedError("text")) == 503


def test_another_body_limit() -> None:
    async def scenario(http: testing.ASGIConductor, _service: Service) -> None:
        assert (await http.simulate_put(CHAT)).status_code == 201
        assert (await http.simulate_post(f"{CHAT}/messages", body=BODY.ljust(1024))).status_code == 201
        large = await http.simulate_post(f"{CHAT}/messages", body=BODY.ljust(1025))
        assert (large.status_code, large.json["limit_bytes"]) == (413, 1024)

    run(scenario, config=Config(body_bytes_max=1024))


def document() -> dict[str, Any]:
    found: dict[str, Any] = {}

    async def scenario(http: testing.ASGIConductor, _service: Service) -> None:
        found.update((await http.simulate_get("/openapi.json")).json)

    run(scenario)
    return found


def test_the_document_describes_every_route() -> None:
    served: dict[str, set[str]] = {}
    for route in inspect_app(create_app(Config(), Service(Config()))).routes:
        # A WebSocket is an upgrade of GET, which the document describes there.
        internal = {"OPTIONS", "WEBSOCKET", *(method.method for method in route.methods if method.internal)}
        served[route.path] = {method.method.lower() for method in route.methods if method.method not in internal}
    described = {
        path: {name for name in operations if name != "parameters"} for path, operations in document()["paths"].items()
    }
    assert described == served


def test_the_document_holds_together() -> None:
    whole = document()
    assert whole["openapi"].startswith("3.1")
    text = json.dumps(whole)
    for kind, name in re.findall(r'"#/components/(\w+)/(\w+)"', text):
        assert name in whole["components"][kind]
    used = {name for _, name in re.findall(r'"#/components/(schemas)/(\w+)"', text)}
    assert used == set(whole["components"]["schemas"])
    operations = [each for path in whole["paths"].values() for name, each in path.items() if name != "parameters"]
    ids = [operation["operationId"] for operation in operations]
    assert len(set(ids)) == len(ids)
    for path, operations_of in whole["paths"].items():
        names = [each["name"] for each in operations_of.get("parameters", [])]
        assert names == re.findall(r"{(\w+)}", path)


def test_replies_have_the_fields_that_the_document_says() -> None:
    schemas = document()["components"]["schemas"]

    async def scenario(http: testing.ASGIConductor, _service: Service) -> None:
        made = (await http.simulate_put(CHAT)).json
        assert set(made) == set(schemas["Context"]["properties"])
        appended = (await http.simulate_post(f"{CHAT}/messages", body=BODY)).json
        assert set(appended) == set(schemas["Appended"]["properties"])
        for path, schema in (("window", "Window"), ("messages", "Messages"), ("tail", "Tail")):
            fields = set(schemas[schema]["properties"]) - {"omitted_reasoning", "signed_thinking"}
            assert set((await http.simulate_get(f"{CHAT}/{path}")).json) == fields - {"request"}
            asked = {"format": "openai"}
            assert set((await http.simulate_get(f"{CHAT}/{path}", params=asked)).json) == fields - {"messages"}
        assert set((await http.simulate_get("/v1/contexts")).json) == set(schemas["Contexts"]["properties"])

    run(scenario)


def test_the_page_about_http_names_every_route_and_code() -> None:
    page = (DOCS / "http.md").read_text()
    for path in document()["paths"]:
        assert path in page
    for code in ("body_too_large", "unsupported_format", "method_not_allowed", *errors.BY_CODE):
        assert f"`{code}`" in page, code
