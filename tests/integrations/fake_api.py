"""The APIs of OpenAI and Anthropic on loopback: scripted answers, and requests refused where the provider would."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self

from fastpaca import providers

Json = dict[str, Any]
FORMATS: Final[Mapping[str, str]] = {
    "/v1/chat/completions": "openai",
    "/v1/responses": "openai-responses",
    "/v1/messages": "anthropic",
}


class FakeApi(ThreadingHTTPServer):
    """Answers the requests of one conversation from a script, and keeps them."""

    daemon_threads = True

    def __init__(self, *script: Json) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[Json] = []
        self._script = list(script)

    @property
    def env(self) -> dict[str, str]:
        """The environment that sends the client libraries here."""
        url = f"http://127.0.0.1:{self.server_address[1]}"
        keys = {"OPENAI_API_KEY": "none", "ANTHROPIC_API_KEY": "none"}
        return {"OPENAI_BASE_URL": f"{url}/v1", "ANTHROPIC_BASE_URL": url, **keys}

    def answer(self, path: str, request: Json) -> tuple[int, Json]:
        """The next of the script, or what speaks against the request."""
        violations = providers.check(FORMATS[path], request)
        if violations:
            return 400, {"error": {"type": "invalid_request_error", "message": str(violations)}}
        self.requests.append(request)
        return 200, self._script[len(self.requests) - 1]

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: FakeApi

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        status, answer = self.server.answer(self.path, request)
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass
