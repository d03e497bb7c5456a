"""Errors as replies: `{"error": code, "message": text, ...data}`. Bad input is never a 500, a traceback never sent."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import falcon

from fastpaca import errors
from fastpaca.errors import FastpacaError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from falcon.asgi import App, Response, WebSocket

    from fastpaca.http.request import Request

_logger = logging.getLogger("fastpaca.http")

RETRY_AFTER_S: Final = 1
SEND: Final = "fastpaca.send"
"""Key of an ASGI scope: what sends to a WebSocket that Falcon has not accepted."""
_CLOSED_BY_ERROR: Final = 1008
_CLOSED_BY_SERVER: Final = 1011
_INTERNAL: Final = 500
_UNAVAILABLE: Final = 503

STATUS: Final[Mapping[type[FastpacaError], int]] = {
    errors.InvalidError: 400,
    errors.NotFoundError: 404,
    errors.ConflictError: 409,
    errors.UnprocessableError: 422,
    errors.UnavailableError: 503,
    errors.NotYetError: 503,
    errors.ClosedError: 503,
    errors.StoreError: 500,
    errors.DataError: 500,
    FastpacaError: 500,
}
"""Status of each kind; the nearest base counts."""


class RequestError(FastpacaError):
    """A request that HTTP alone can get wrong, with the status of its answer."""

    def __init__(self, status: int, code: str, message: str, **details: int | str | None) -> None:
        super().__init__(message, code=code, details=details)
        self.status = status


_FALCON: Final[Mapping[int, tuple[str, str]]] = {
    400: ("invalid_request", "the request is malformed"),
    404: ("unknown_path", "there is nothing at this path"),
    405: ("method_not_allowed", "this path does not take this method"),
    413: ("body_too_large", "the body is too large"),
    415: ("unsupported_media_type", "the body must be application/json"),
}


def add_handlers(app: App[Request, Response]) -> None:
    """Makes the application answer with these errors."""
    app.add_error_handler(FastpacaError, _refused)
    app.add_error_handler(falcon.HTTPError, _falcon_refused)
    app.add_error_handler(Exception, _failed)


def status_of(error: FastpacaError) -> int:
    """The status of an error's reply."""
    if isinstance(error, RequestError):
        return error.status
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def body_of(code: str, message: str, details: Mapping[str, Any] | None = None) -> bytes:
    """The body of an error's reply."""
    return json.dumps({"error": code, "message": message, **(details or {})}, ensure_ascii=False).encode()


class Refusal(NamedTuple):
    """An error as it is answered."""

    status: int
    body: bytes

    def __call__(self, resp: Response) -> None:
        """Fills in a response."""
        resp.status = self.status
        resp.content_type = falcon.MEDIA_JSON
        resp.data = self.body
        if self.status == _UNAVAILABLE:
            resp.set_header("retry-after", str(RETRY_AFTER_S))

    async def websocket(self, req: Request, ws: WebSocket) -> None:
        """Refuses a WebSocket with the status, or closes one that was accepted."""
        send = req.scope[SEND]
        extensions = req.scope.get("extensions") or {}
        if not ws.unaccepted:
            await ws.close(_CLOSED_BY_ERROR if self.status < _INTERNAL else _CLOSED_BY_SERVER)
        elif "websocket.http.response" in extensions:
            headers = [(b"content-type", b"application/json"), (b"content-length", str(len(self.body)).encode())]
            if self.status == _UNAVAILABLE:
                headers.append((b"retry-after", str(RETRY_AFTER_S).encode()))
            await send({"type": "websocket.http.response.start", "status": self.status, "headers": headers})
            await send({"type": "websocket.http.response.body", "body": self.body})
        else:
            await ws.close()


async def _answer(refusal: Refusal, req: Request, resp: Response | None, ws: WebSocket | None) -> None:
    if resp is not None:
        refusal(resp)
    elif ws is not None:
        await refusal.websocket(req, ws)


async def _refused(
    req: Request, resp: Response | None, error: FastpacaError, _params: dict[str, Any], ws: WebSocket | None = None
) -> None:
    status = status_of(error)
    if status >= _INTERNAL:
        facts = {"code": error.code, "method": req.method, "path": req.path}
        _logger.log(logging.ERROR if status == _INTERNAL else logging.WARNING, "%s", error, extra=facts)
    await _answer(Refusal(status, body_of(error.code, str(error), error.details)), req, resp, ws)


async def _falcon_refused(
    req: Request, resp: Response | None, error: falcon.HTTPError, _params: dict[str, Any], ws: WebSocket | None = None
) -> None:
    """What Falcon itself refuses: paths without a route, methods without a responder."""
    code, message = _FALCON.get(error.status_code, ("invalid_request", "the request is refused"))
    if error.headers is not None and resp is not None:
        resp.set_headers(error.headers)
    if error.status_code in {404, 405}:
        message = f"{message}: {req.method} {req.path}"
    await _answer(Refusal(error.status_code, body_of(code, message)), req, resp, ws)


async def _failed(
    req: Request, resp: Response | None, error: Exception, _params: dict[str, Any], ws: WebSocket | None = None
) -> None:
    facts = {"method": req.method, "path": req.path}
    _logger.error("an unexpected error while answering a request", exc_info=error, extra=facts)
    body = body_of("internal", "an unexpected error; the server's log has it")
    await _answer(Refusal(_INTERNAL, body), req, resp, ws)
