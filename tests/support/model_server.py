"""A provider on the loopback interface: answers every request with the bytes of a stream, as they were recorded."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from tests.support.patience import PATIENCE_S


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that closes its connection is none."""


class ModelServer:
    """Serves what `answers` holds, the first first, and notes the `requests`. An answer is a list of pieces that are
    sent one by one. `None` waits for `go`, and a number of seconds at most; `...` breaks the connection.
    """

    def __init__(self, *answers: Sequence[Any]) -> None:
        self.answers = list(answers)
        self.requests: list[dict[str, Any]] = []
        self.go = threading.Event()
        self.gone = threading.Event()
        """A client has closed its connection before the end."""
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                owner.requests.append(json.loads(body))
                self.send_response(200)
                self.send_header("content-type", "text/event-stream")
                self.send_header("transfer-encoding", "chunked")
                self.end_headers()
                owner._send(self, owner.answers.pop(0))

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing."""

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def _send(self, handler: BaseHTTPRequestHandler, pieces: Iterable[Any]) -> None:
        try:
            for piece in pieces:
                if piece is None:
                    self.go.wait(PATIENCE_S)
                elif piece is ...:
                    handler.close_connection = True
                    handler.connection.close()
                    return
                else:
                    handler.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            handler.wfile.write(b"0\r\n\r\n")
        except OSError:
            self.gone.set()
            handler.close_connection = True

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.go.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def sse(*events: dict[str, Any], named: bool = True) -> list[bytes]:
    """Events as they come over the wire, each a piece; with their type as name, as Anthropic and the responses have."""
    return [
        (f"event: {event['type']}\n" if named and "type" in event else "").encode()
        + b"data: "
        + json.dumps(event).encode()
        + b"\n\n"
        for event in events
    ]
