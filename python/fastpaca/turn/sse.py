"""An answer as the response of a web framework: server-sent events of type `draft`, and an `end` or an `error`.

    from fastpaca.turn.sse import sse_response

    @app.post("/chat")
    async def chat(request):
        return sse_response(chat.stream(ask, format="openai"))

The data of `draft` is what the streams of a context have: `{message_id, offset, delta}`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from fastpaca.turn.aio import AsyncTurn
from fastpaca.turn.aio_events import aevents
from fastpaca.turn.sync import Turn
from fastpaca.turn.sync_events import events

if TYPE_CHECKING:
    import falcon
    import falcon.asgi
    from starlette.responses import StreamingResponse

_TYPE: Final = "text/event-stream"
_HEADERS: Final = {"cache-control": "no-store", "x-accel-buffering": "no"}


def encoded(turn: AsyncTurn | Turn, *, finish: bool = False) -> AsyncIterator[bytes] | Iterator[bytes]:
    """The body of a response, for any other framework. Nothing happens before it is iterated."""
    if isinstance(turn, AsyncTurn):
        return (event.encode() async for event in aevents(turn, finish=finish))
    return (event.encode() for event in events(turn, finish=finish))


def sse_response(
    turn: AsyncTurn | Turn, *, finish: bool = False, headers: Mapping[str, str] | None = None
) -> StreamingResponse:
    """A response of Starlette and FastAPI. A page that leaves interrupts the answer, unless `finish` says that it is to
    be completed all the same.
    """
    from starlette.responses import StreamingResponse  # noqa: PLC0415 - the caller's, no dependency

    return StreamingResponse(encoded(turn, finish=finish), media_type=_TYPE, headers={**_HEADERS, **(headers or {})})


def falcon_sse(resp: falcon.Response | falcon.asgi.Response, turn: AsyncTurn | Turn, *, finish: bool = False) -> None:
    """Makes a response of Falcon, ASGI or WSGI, give the answer. See `sse_response`."""
    for name, value in _HEADERS.items():
        resp.set_header(name, value)
    if isinstance(turn, AsyncTurn):
        resp.sse = _falcon_events(turn, finish=finish)  # type: ignore[union-attr]
    else:
        resp.content_type = _TYPE
        resp.stream = encoded(turn, finish=finish)


async def _falcon_events(turn: AsyncTurn, *, finish: bool) -> AsyncIterator[Any]:
    from falcon.asgi import SSEvent  # noqa: PLC0415 - the caller's, no dependency

    async for event in aevents(turn, finish=finish):
        yield SSEvent(event=event.type, text=event.data) if event.type else SSEvent(comment="ping")
