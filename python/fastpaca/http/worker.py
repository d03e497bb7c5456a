"""gunicorn's worker: uvicorn's, with bounded heads, errors in our shape, and nothing that a request does not need."""

from __future__ import annotations

import asyncio
import base64
import gc
import os
import signal
from collections.abc import Callable
from typing import Any, Final

from gunicorn.arbiter import Arbiter  # type: ignore[import-untyped]
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn_worker import UvicornWorker  # type: ignore[import-untyped]

from fastpaca.http.errors import body_of
from fastpaca.http.stream import STREAM_ENDS

HEAD_BYTES_MAX: Final = 64 * 1024
"""Request line and headers together, and what comes between and behind pieces of a body; give or take one read."""
_PATH_BYTES_MAX: Final = 65535
_KEY_BYTES: Final = 16
_NO_UTF8: Final = 1007

_YOUNG_OBJECTS: Final = 20_000
"""New objects after which Python looks for cycles. Requests under way make thousands, and hardly a cycle: at the
default of 700 looking took a tenth of the event loop's time."""

STUCK_S: Final = 90.0
"""A peer that takes nothing of what waits for it for so long is cut off."""


class CutsOff(asyncio.Protocol):
    """Ends a connection whose peer has stopped reading."""

    _deadline: asyncio.TimerHandle | None = None
    transport: asyncio.Transport

    def pause_writing(self) -> None:
        """More waits than the transport wants to hold."""
        super().pause_writing()
        self._deadline = asyncio.get_running_loop().call_later(STUCK_S, self.transport.abort)

    def resume_writing(self) -> None:
        """The peer reads again."""
        super().resume_writing()
        if self._deadline is not None:
            self._deadline.cancel()


class WebSocketProtocol(CutsOff, WebSocketsSansIOProtocol):
    """uvicorn's. It pings, and closes what does not answer."""

    def pause_writing(self) -> None:
        """A peer that takes nothing is not listened to either: its pings would be answered into memory."""
        super().pause_writing()
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        """The peer reads again."""
        super().resume_writing()
        if not self.read_paused:
            self.transport.resume_reading()

    def send_receive_event_to_app(self) -> None:
        """A message is whole. For text that is no UTF-8 uvicorn would log a traceback."""
        if self.curr_msg_data_type == "text" and not self.close_sent:
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:
                self.conn.send_close(_NO_UTF8)
                self.handle_parser_exception()
                return
        super().send_receive_event_to_app()


class Protocol(CutsOff, HttpToolsProtocol):
    """uvicorn holds heads and trailers of any size; here what has come of them is counted."""

    head_bytes = 0
    """What has come of a request that is not complete, since its last piece of body."""

    scope: Any
    """What the parser has made of the request so far. None before the first."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has come."""
        super().connection_made(transport)
        self.stream_ends: list[Callable[[], None]] = []
        # The state is copied into the scope of each request.
        self.app_state = {**self.app_state, STREAM_ENDS: self.stream_ends}

    def shutdown(self) -> None:
        """The server ends: a stream would not by itself."""
        self._end_streams()
        super().shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone: a stream would never notice, since uvicorn drops what is sent."""
        self._end_streams()
        super().connection_lost(exc)

    def _end_streams(self) -> None:
        for end in self.stream_ends:
            end()

    def data_received(self, data: bytes) -> None:
        """Feeds the parser."""
        self.head_bytes += len(data)
        super().data_received(data)
        if self.scope is None or ("path" in self.scope and not self.cycle.more_body):
            self.head_bytes = 0
        elif self.head_bytes > HEAD_BYTES_MAX and not self.transport.is_closing():
            message = f"request line and headers, or trailers, have more than {HEAD_BYTES_MAX} bytes"
            self._refuse(431, "headers_too_large", message)

    def on_body(self, body: bytes) -> None:
        """A piece of a body, which the application bounds."""
        self.head_bytes = 0
        super().on_body(body)

    def send_400_response(self, msg: str) -> None:
        """For what never becomes a request, since it can't be parsed."""
        # The parser of the request line takes no more than 64 KiB.
        if len(self.url or b"") > _PATH_BYTES_MAX:
            self._refuse(414, "path_too_long", f"the path has more than {_PATH_BYTES_MAX} bytes")
        else:
            self._refuse(400, "invalid_request", msg)

    def handle_websocket_upgrade(self) -> None:
        """A handshake."""
        headers = dict(self.scope["headers"])
        if self.scope["method"] != "GET":
            self._refuse(405, "method_not_allowed", "a WebSocket begins with a GET", b"allow: GET\r\n")
        elif self.parser.get_http_version() != "1.1":
            self._refuse(400, "invalid_handshake", "a WebSocket needs HTTP/1.1")
        elif headers.get(b"sec-websocket-version") != b"13":
            message = "Sec-WebSocket-Version: 13 is the one that this server speaks"
            self._refuse(426, "invalid_handshake", message, b"sec-websocket-version: 13\r\n")
        elif not _is_key(headers.get(b"sec-websocket-key", b"")):
            self._refuse(400, "invalid_handshake", f"Sec-WebSocket-Key: expected the base64 of {_KEY_BYTES} bytes")
        else:
            super().handle_websocket_upgrade()

    def _unsupported_upgrade_warning(self) -> None:
        """The request is answered without the upgrade; a line in the log for each would help nobody."""

    def _refuse(self, status: int, code: str, message: str, headers: bytes = b"") -> None:
        body = body_of(code, message)
        head = headers + b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(
            body
        )
        self.transport.write(STATUS_LINE[status] + head + body)
        self.transport.close()


def _is_key(text: bytes) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) == _KEY_BYTES
    except ValueError:
        return False


class Worker(UvicornWorker):  # type: ignore[misc]
    """One of these runs at a time."""

    CONFIG_KWARGS: dict[str, Any] = {  # noqa: RUF012
        "loop": "uvloop",
        "http": Protocol,
        "ws": WebSocketProtocol,
        "ws_max_size": 64 * 1024,
        # It doubles what an idle connection takes, and each subscriber's copy of a frame would be compressed anew.
        "ws_per_message_deflate": False,
        "ws_ping_interval": 30.0,
        "ws_ping_timeout": 60.0,
        "interface": "asgi3",
        "lifespan": "on",
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,
    }

    def load_wsgi(self) -> None:
        """Called once, after the fork. What is loaded by then stays: no search for cycles visits it again."""
        super().load_wsgi()
        gc.collect()
        gc.freeze()
        gc.set_threshold(_YOUNG_OBJECTS, *gc.get_threshold()[1:])

    async def callback_notify(self) -> None:
        """Called once a second. A worker whose master was killed ends: it would hold port and directory unseen."""
        if os.getppid() != self.ppid:
            signal.raise_signal(signal.SIGTERM)
        self.notify()


class OneWorkerArbiter(Arbiter):  # type: ignore[misc]
    """gunicorn's master, which never starts a second worker beside a living one."""

    def handle_int(self) -> None:
        """SIGINT. gunicorn would send the worker SIGQUIT, which uvicorn does not know."""
        self.handle_term()

    def handle_quit(self) -> None:
        """SIGQUIT."""
        self.handle_term()

    def handle_ttin(self) -> None:
        """SIGTTIN asks for one more."""
        self.log.warning("SIGTTIN is ignored: one worker owns the data directory")

    def handle_usr2(self) -> None:
        """SIGUSR2 asks for a second master."""
        self.log.warning("SIGUSR2 is ignored: one worker owns the data directory; stop the server and start it again")

    def handle_hup(self) -> None:
        """SIGHUP asks for a new worker before the old one has ended."""
        self.log.warning("SIGHUP is ignored: settings are read when the server starts")
