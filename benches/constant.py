"""The counterpart of rows 1 and 2: a Falcon handler that reads the body and answers constant bytes, on the stack of
`fastpaca serve`: its gunicorn settings and its worker. `python benches/constant.py PORT APPENDED WINDOW`, two files.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import falcon
import falcon.asgi

from fastpaca import logging as json_logging
from fastpaca.config import Config
from fastpaca.http.server import Application, listen

if TYPE_CHECKING:
    import socket

CONTEXT = "/v1/contexts/{context_id}"


class Appended:
    """Answers an append."""

    def __init__(self, reply: bytes) -> None:
        self._reply = reply

    async def on_post(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, context_id: str) -> None:  # noqa: ARG002
        await req.stream.read()
        resp.status = 201
        resp.content_type = falcon.MEDIA_JSON
        resp.data = self._reply


class Window:
    """Answers a window request."""

    def __init__(self, reply: bytes) -> None:
        self._reply = reply

    async def on_get(self, _req: falcon.asgi.Request, resp: falcon.asgi.Response, context_id: str = "") -> None:  # noqa: ARG002
        resp.content_type = falcon.MEDIA_JSON
        resp.data = self._reply


class Constant(Application):
    """`fastpaca serve` with another application."""

    def __init__(self, config: Config, listener: socket.socket, appended: bytes, window: bytes) -> None:
        self._replies = appended, window
        super().__init__(config, listener)

    def load(self) -> falcon.asgi.App[Any, Any]:
        appended, window = self._replies
        app = falcon.asgi.App()
        app.add_route(f"{CONTEXT}/messages", Appended(appended))
        app.add_route(f"{CONTEXT}/window", Window(window))
        app.add_route("/health/ready", Window(b"{}"))
        return app


def main() -> None:
    port, appended, window = sys.argv[1:]
    config = Config(port=int(port), log_level="warning")
    json_logging.set_up(config.log_level)
    Constant(config, listen(config), Path(appended).read_bytes(), Path(window).read_bytes()).run()


if __name__ == "__main__":
    main()
