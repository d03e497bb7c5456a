"""The application: which resource answers which path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import falcon.asgi

from fastpaca.http import compact, compactions, contexts, drafts, errors, health, messages, openapi, stream, window
from fastpaca.http.lifespan import Lifespan
from fastpaca.http.request import Request
from fastpaca.http.router import RawPathRouter
from fastpaca.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from falcon._typing import AsgiReceive, AsgiSend

    from fastpaca.config import Config
    from fastpaca.http.service import Service

CONTEXT: Final = "/v1/contexts/{context_id}"


class App(falcon.asgi.App[Request, falcon.asgi.Response]):
    """Falcon's, which can refuse a WebSocket with a status."""

    # Its base is an application of WSGI as well, which mypy goes by. No coroutine of its own: each request would pay.
    def __call__(  # type: ignore[override]
        self, scope: dict[str, Any], receive: AsgiReceive, send: AsgiSend
    ) -> Coroutine[Any, Any, None]:
        """Answers one request, or serves one WebSocket."""
        if scope["type"] == "websocket":
            scope[errors.SEND] = send
        return super().__call__(scope, receive, send)


def create_app(config: Config, service: Service) -> App:
    """Wires resources to a service, which the application opens when it starts."""
    metrics = Metrics(service)
    app = App(request_type=Request, router=RawPathRouter(), middleware=[Lifespan(service)])
    app.add_middleware(metrics)
    # Streams read all the time; a queue and a task of its own for each connection would be for nothing.
    app.ws_options.max_receive_queue = 0
    errors.add_handlers(app)
    app.add_route("/v1/contexts", contexts.Contexts(service))
    app.add_route(CONTEXT, contexts.Context(service))
    app.add_route(f"{CONTEXT}/metadata", contexts.Metadata(service))
    app.add_route(f"{CONTEXT}/messages", messages.Messages(service))
    app.add_route(f"{CONTEXT}/tail", messages.Tail(service))
    windows = window.Window(service)
    app.add_route(f"{CONTEXT}/window", windows)
    app.add_route(f"{CONTEXT}/context", windows)
    app.add_route(f"{CONTEXT}/compact", compact.Compact(service))
    app.add_route(f"{CONTEXT}/compactions", compactions.Compactions(service))
    app.add_route(f"{CONTEXT}/compactions/lease", compactions.Lease(service))
    app.add_route(f"{CONTEXT}/compactions/{{version}}/revert", compactions.Revert(service))
    app.add_route(f"{CONTEXT}/rewind", compact.Rewind(service))
    streams = stream.Streams(service)
    app.add_route(f"{CONTEXT}/stream", stream.Stream(streams, stream.CONTEXT_QUERY))
    app.add_route("/v1/stream", stream.Stream(streams, stream.GLOBAL_QUERY))
    app.add_route(f"{CONTEXT}/drafts/{{message_id}}", drafts.Drafts(service))
    app.add_route("/health/live", health.Live(service))
    app.add_route("/health/ready", health.Ready(service))
    app.add_route("/metrics", health.MetricsPage(metrics))
    app.add_route("/openapi.json", health.OpenApi(openapi.document(config)))
    return app
