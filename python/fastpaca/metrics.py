"""Metrics for Prometheus. A request costs one addition to a dict; the rest is read when the page is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from falcon.asgi import Response

    from fastpaca.http.request import Request
    from fastpaca.http.service import Service

_APPEND = ("POST", "/v1/contexts/{context_id}/messages", 201)


class Metrics:
    """Counts as a Falcon middleware, and collects for a registry of its own."""

    def __init__(self, service: Service) -> None:
        self._service = service
        # By method, route and status: a small, fixed number of keys. The event loop's thread alone counts.
        self._requests: dict[tuple[str, str | None, int], int] = {}
        self.registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.registry.register(self)

    async def process_response(self, req: Request, resp: Response, _resource: object, _succeeded: Any) -> None:
        """Counts one answer."""
        key = (req.method, req.uri_template, resp.status_code)
        requests = self._requests
        requests[key] = requests.get(key, 0) + 1

    def page(self) -> tuple[str, bytes]:
        """Content type and body of the page."""
        return CONTENT_TYPE_LATEST, generate_latest(self.registry)

    def collect(self) -> Iterator[Metric]:
        """What Prometheus gets."""
        requests = CounterMetricFamily("fastpaca_requests", "Answered requests.", labels=("method", "route", "status"))
        for (method, route, status), count in sorted(self._requests.items(), key=str):
            requests.add_metric((method, route or "unknown", str(status)), count)
        yield requests
        appends = self._requests.get(_APPEND, 0)
        yield CounterMetricFamily("fastpaca_appends", "Appends accepted over HTTP; a batch is one.", appends)
        if self._service.is_open:
            yield from self._collect_engine()

    def _collect_engine(self) -> Iterator[Metric]:
        engine = self._service.engine
        for name, means, value in (
            ("fastpaca_log_position", "Feed position of the newest durable record.", engine.log.position),
            ("fastpaca_log_poisoned", "1 after a failed write or sync, until restart.", int(engine.log.poisoned)),
            ("fastpaca_streams", "Open subscriptions.", len(engine.hub)),
            ("fastpaca_drafts", "Messages that are being written.", len(engine.hub.drafts)),
            ("fastpaca_contexts_loaded", "Contexts held in memory.", engine.loaded_contexts),
            ("fastpaca_contexts_resident_bytes", "Bytes that they hold, roughly.", engine.resident_bytes),
        ):
            yield GaugeMetricFamily(name, means, value)
        errors = CounterMetricFamily("fastpaca_policy_errors", "Custom policies that failed.", labels=("strategy",))
        for strategy, count in sorted(engine.policy_errors.items()):
            errors.add_metric((strategy,), count)
        yield errors
        groups = self._service.groups
        yield CounterMetricFamily("fastpaca_commit_groups", "Groups of commits; each is one sync.", groups.groups)
        yield CounterMetricFamily("fastpaca_commits", "Records committed.", groups.commits)
