"""`/health/live`, `/health/ready`, `/metrics` and `/openapi.json`: for operators and tools."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastpaca.http import query
from fastpaca.http.errors import RequestError

if TYPE_CHECKING:
    from falcon.asgi import Response

    from fastpaca.http.request import Request
    from fastpaca.http.service import Service
    from fastpaca.metrics import Metrics


def _check(service: Service) -> None:
    if not service.is_open:
        raise RequestError(503, "closed", "the store is not open")
    if service.engine.log.poisoned:
        raise RequestError(503, "poisoned", "a write or sync failed: restart the server")


class Live:
    """`/health/live`: fails when only a restart helps."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def on_get(self, req: Request, resp: Response) -> None:
        """200, or 503 once the log is poisoned."""
        query.read(req.query_string, query.NONE)
        _check(self._service)
        resp.data = b'{"status":"live"}'

    on_head = on_get


class Ready:
    """`/health/ready`: whether requests may be sent here."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def on_get(self, req: Request, resp: Response) -> None:
        """200 once the store is open, with the position of its newest record."""
        query.read(req.query_string, query.NONE)
        _check(self._service)
        resp.data = b'{"status":"ready","position":%d}' % self._service.engine.log.position

    on_head = on_get


class MetricsPage:
    """`/metrics`, for Prometheus."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def on_get(self, req: Request, resp: Response) -> None:
        """All of them, as text."""
        query.read(req.query_string, query.NONE)
        resp.content_type, resp.data = self._metrics.page()

    on_head = on_get


class OpenApi:
    """`/openapi.json`."""

    def __init__(self, document: bytes) -> None:
        self._document = document

    async def on_get(self, req: Request, resp: Response) -> None:
        """The document."""
        query.read(req.query_string, query.NONE)
        resp.data = self._document

    on_head = on_get
