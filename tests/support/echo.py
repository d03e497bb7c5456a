"""The server's own stack with one route more, which sends each WebSocket message back: what conformance suites ask.

python -m tests.support.echo PORT DIRECTORY
"""

from __future__ import annotations

import sys
from pathlib import Path

import falcon
import uvicorn
from falcon.asgi import WebSocket

from fastpaca.config import Config
from fastpaca.http.app import create_app
from fastpaca.http.request import Request
from fastpaca.http.service import Service
from fastpaca.http.worker import Worker


class Echo:
    """`/echo`."""

    async def on_websocket(self, req: Request, ws: WebSocket) -> None:
        """Until the peer closes it."""
        await ws.accept()
        try:
            while True:
                event = await ws._receive()
                if event["type"] == "websocket.disconnect":
                    return
                text = event.get("text")
                await (ws.send_text(text) if text is not None else ws.send_data(event["bytes"]))
        except falcon.WebSocketDisconnected:
            pass


def main() -> None:
    """Serves until it is killed."""
    config = Config(data_dir=Path(sys.argv[2]), port=int(sys.argv[1]))
    app = create_app(config, Service(config))
    app.add_route("/echo", Echo())
    uvicorn.run(app, host="127.0.0.1", port=config.port, log_level="warning", **Worker.CONFIG_KWARGS)


if __name__ == "__main__":
    main()
