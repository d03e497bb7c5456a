"""A small chat: answers stream, the page can be reloaded in the middle of one, and the model's window is in sight.

The page holds no state. It reads the history, then follows the context's stream, in which an unfinished answer comes
as a draft from its start. `POST` only begins an answer, which goes on when the page is closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import model
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, StreamingResponse
from starlette.routing import Route

import fastpaca
from fastpaca.errors import FastpacaError, InvalidError

SYSTEM = {"role": "system", "content": "You are a helpful assistant."}
BUDGET = int(os.environ.get("CHAT_BUDGET", "8000"))
"""Tokens that the model may see. Few, so that the meter moves."""
PAGE = Path(__file__).with_name("index.html")
logger = logging.getLogger("chat")


@contextlib.asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """Opens the store: a server's where FASTPACA_URL is set, else one in this process."""
    url = os.environ.get("FASTPACA_URL")
    opened = fastpaca.connect_async(url) if url else fastpaca.open_async(os.environ.get("FASTPACA_DATA_DIR", "data"))
    async with opened as store, fastpaca.compaction_worker(store, model.summary, format="openai"):
        app.state.store, app.state.answers = store, {}
        yield
        unfinished = list(app.state.answers.values())
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)


async def page(_request: Request) -> FileResponse:
    """The page."""
    return FileResponse(PAGE)


async def read(request: Request) -> JSONResponse:
    """The history, and the version from which `events` goes on. What comes in between comes twice, under one id."""
    chat = await request.app.state.store.context(request.path_params["id"], budget=BUDGET)
    info = await chat.info()
    state = {"version": info.version, "used_tokens": info.used_tokens, "token_budget": info.token_budget}
    return JSONResponse({**state, "messages": await chat.tail(200)})


async def send(request: Request) -> JSONResponse:
    """Appends what the user says, under its own id, and has it answered. 202 as soon as the answer has begun."""
    chat_id, answers = request.path_params["id"], request.app.state.answers
    said = await request.json()
    if not (isinstance(said, dict) and isinstance(said.get("id"), str) and isinstance(said.get("content"), str)):
        return JSONResponse({"message": "expected the strings `id` and `content`"}, 400)
    if chat_id in answers:
        return JSONResponse({"message": "the last answer is not finished yet"}, 409)
    begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    answers[chat_id] = asyncio.create_task(answer(request.app, chat_id, said, begun))
    answers[chat_id].add_done_callback(lambda _task: answers.pop(chat_id))
    try:
        await begun
    except FastpacaError:
        raise
    except Exception as error:
        logger.exception("the model failed")
        return JSONResponse({"message": f"the model failed: {error}"}, 502)
    return JSONResponse({}, 202)


async def answer(app: Starlette, chat_id: str, said: dict[str, Any], begun: asyncio.Future[None]) -> None:
    """One turn. What fails before the first word is the sender's to know; later, what has come is kept."""
    try:
        chat = await app.state.store.context(chat_id, budget=BUDGET)
        if not (await chat.info()).last_seq:
            await chat.append(SYSTEM, idempotency_key="system")
        message = {"role": "user", "id": said["id"], "content": said["content"]}
        appended = await chat.append(message, idempotency_key=said["id"])
        if appended.replayed and (await chat.info()).last_seq > appended.seq:
            return  # sent again, and answered already
        turn = chat.stream(model.answer, format="openai", message_id=f"answer-{appended.seq}", keep_partial=True)
        async with turn:
            async for _chunk in turn:
                if not begun.done():
                    begun.set_result(None)
    except Exception as error:
        if begun.done():
            logger.exception("the answer broke off")
        else:
            begun.set_exception(error)
    finally:
        if not begun.done():
            begun.set_result(None)


async def events(request: Request) -> StreamingResponse:
    """What happens in a chat, from a version on: messages, and drafts of those to come."""
    cursor = request.headers.get("last-event-id") or request.query_params.get("cursor", "")
    if not cursor.isdecimal():
        return JSONResponse({"message": "cursor: expected a version"}, 400)
    chat = await request.app.state.store.context(request.path_params["id"])

    async def lines() -> AsyncIterator[bytes]:
        async with chat.subscribe(cursor=int(cursor)) as frames:
            async for frame in frames:
                place = b"" if frame.cursor is None else b"id: %d\n" % frame.cursor
                yield b"%sevent: %s\ndata: %s\n\n" % (place, frame.type.encode(), frame.data)

    return StreamingResponse(lines(), media_type="text/event-stream", headers={"cache-control": "no-store"})


async def refused(_request: Request, error: Exception) -> JSONResponse:
    """What Fastpaca refuses, as it says it."""
    status = 400 if isinstance(error, InvalidError | json.JSONDecodeError) else 502
    return JSONResponse({"message": str(error)}, status)


app = Starlette(
    routes=[
        Route("/", page),
        Route("/chats/{id}", read),
        Route("/chats/{id}/messages", send, methods=["POST"]),
        Route("/chats/{id}/events", events),
    ],
    exception_handlers={FastpacaError: refused, json.JSONDecodeError: refused},
    lifespan=lifespan,
)

if __name__ == "__main__":
    # Streams stay open; they are cut when the server stops.
    uvicorn.run(app, port=int(os.environ.get("PORT", "8000")), timeout_graceful_shutdown=1)
