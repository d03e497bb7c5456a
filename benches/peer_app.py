"""The HTTP peers of the chat load: a minimal Falcon application over Redis, over Postgres, or over nothing.

They run on the stack of `fastpaca serve`, its gunicorn settings and its worker, and do what an application does that
keeps its conversations itself: append a message durably, read the last ones, read a page.
`python benches/peer_app.py PORT redis SOCKET`, `... postgres DIRECTORY_OF_THE_SOCKET`, `... constant MESSAGE`.
"""

from __future__ import annotations

import json
import sys
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

import falcon
import falcon.asgi

from fastpaca import logging as json_logging
from fastpaca.config import Config
from fastpaca.http.server import Application, listen

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

CONTEXT = "/v1/contexts/{context_id}"
REDIS_CONNECTIONS = 512
"""One for each request that waits; Redis syncs once for all that have come in meanwhile."""
POSTGRES_CONNECTIONS = 32
"""Each is a process; commits that meet share a sync."""


class Log(Protocol):
    """What keeps the messages, each as JSON text."""

    async def open(self) -> None:
        """Called once, in the worker."""

    async def append(self, context_id: str, messages: Sequence[str]) -> int:
        """Returns the number of the last one, once all are durable."""

    async def last(self, context_id: str, count: int) -> Sequence[str]:
        """The newest ones, oldest first."""

    async def page(self, context_id: str, from_seq: int, limit: int) -> Sequence[str]:
        """From one on."""


class RedisLog:
    """A list for each context. The server syncs before it answers (`appendfsync always`)."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._redis: Any = None

    async def open(self) -> None:
        from redis.asyncio import Redis  # noqa: PLC0415 - each peer needs its own driver alone

        self._redis = Redis(unix_socket_path=self._path, decode_responses=True, max_connections=REDIS_CONNECTIONS)
        await self._redis.ping()

    async def append(self, context_id: str, messages: Sequence[str]) -> int:
        count: int = await self._redis.rpush(context_id, *messages)
        return count

    async def last(self, context_id: str, count: int) -> Sequence[str]:
        found: list[str] = await self._redis.lrange(context_id, -count, -1)
        return found

    async def page(self, context_id: str, from_seq: int, limit: int) -> Sequence[str]:
        found: list[str] = await self._redis.lrange(context_id, from_seq - 1, from_seq - 2 + limit)
        return found


class PostgresLog:
    """One table, with an index of context and number. A commit is durable: `fsync` and `synchronous_commit` are on."""

    SCHEMA = "create table if not exists messages (context text, seq bigserial, body text, primary key (context, seq))"
    APPEND = "insert into messages (context, body) values ($1, $2) returning seq"
    APPEND_MANY = (
        "with new as (insert into messages (context, body) select $1, unnest($2::text[]) returning seq) "
        "select max(seq) from new"
    )
    LAST = "select body from messages where context = $1 order by seq desc limit $2"
    PAGE = "select body from messages where context = $1 and seq >= $2 order by seq limit $3"

    def __init__(self, host: str) -> None:
        self._host = host
        self._pool: Any = None

    async def open(self) -> None:
        import asyncpg  # noqa: PLC0415 - each peer needs its own driver alone

        self._pool = await asyncpg.create_pool(
            host=self._host, user="postgres", database="postgres", min_size=1, max_size=POSTGRES_CONNECTIONS
        )
        await self._pool.execute(self.SCHEMA)

    async def append(self, context_id: str, messages: Sequence[str]) -> int:
        if len(messages) == 1:
            seq: int = await self._pool.fetchval(self.APPEND, context_id, messages[0])
        else:
            seq = await self._pool.fetchval(self.APPEND_MANY, context_id, messages)
        return seq

    async def last(self, context_id: str, count: int) -> Sequence[str]:
        found = await self._pool.fetch(self.LAST, context_id, count)
        return [row[0] for row in reversed(found)]

    async def page(self, context_id: str, from_seq: int, limit: int) -> Sequence[str]:
        return [row[0] for row in await self._pool.fetch(self.PAGE, context_id, from_seq, limit)]


def _answer(resp: falcon.asgi.Response, messages: Sequence[str]) -> None:
    resp.content_type = falcon.MEDIA_JSON
    resp.data = f'{{"messages":[{",".join(messages)}]}}'.encode()


class Messages:
    """Appends, and pages of the log."""

    def __init__(self, log: Log) -> None:
        self._log = log

    async def on_post(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, context_id: str) -> None:
        body = await req.get_media()
        given = body.get("messages") or [body["message"]]
        texts = [json.dumps(message, ensure_ascii=False, separators=(",", ":")) for message in given]
        resp.status = 201
        resp.content_type = falcon.MEDIA_JSON
        resp.data = b'{"seq":%d}' % await self._log.append(context_id, texts)

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, context_id: str) -> None:
        from_seq, limit = (req.get_param_as_int(name, required=True) for name in ("from_seq", "limit"))
        _answer(resp, await self._log.page(context_id, from_seq, limit))


class Last:
    """The newest messages: what is sent to a model, and what a page shows first."""

    def __init__(self, log: Log) -> None:
        self._log = log

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, context_id: str) -> None:
        _answer(resp, await self._log.last(context_id, req.get_param_as_int("limit", required=True)))


class Constant:
    """Reads the body, keeps nothing, answers with as many messages as are asked for: what the stack itself costs."""

    def __init__(self, message: str) -> None:
        self._replies = cache(lambda count: f'{{"messages":[{",".join([message] * count)}]}}'.encode())

    async def on_post(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, context_id: str) -> None:  # noqa: ARG002
        await req.stream.read()
        resp.status = 201
        resp.content_type = falcon.MEDIA_JSON
        resp.data = b'{"seq":1}'

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, context_id: str) -> None:  # noqa: ARG002
        resp.content_type = falcon.MEDIA_JSON
        resp.data = self._replies(req.get_param_as_int("limit", required=True))


class Ready:
    """Answers once the worker is up, which connects as it starts."""

    def __init__(self, log: Log | None) -> None:
        self._log = log

    async def process_startup(self, _scope: dict[str, Any], _event: dict[str, Any]) -> None:
        if self._log is not None:
            await self._log.open()

    async def on_get(self, _req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        resp.data = b"{}"


class Peer(Application):
    """`fastpaca serve` with another application."""

    def __init__(self, config: Config, listener: socket.socket, name: str, argument: str) -> None:
        self._peer = name, argument
        super().__init__(config, listener)

    def load(self) -> falcon.asgi.App[Any, Any]:
        name, argument = self._peer
        log = LOGS[name](argument) if name in LOGS else None
        ready = Ready(log)
        app: falcon.asgi.App[Any, Any] = falcon.asgi.App(middleware=[ready])  # type: ignore[arg-type]
        app.add_route(f"{CONTEXT}/messages", Messages(log) if log else Constant(argument))
        for path in ("window", "tail"):
            app.add_route(f"{CONTEXT}/{path}", Last(log) if log else Constant(argument))
        app.add_route("/health/ready", ready)
        return app


LOGS: dict[str, Callable[[str], Log]] = {"redis": RedisLog, "postgres": PostgresLog}


def main() -> None:
    port, name, argument = sys.argv[1:]
    config = Config(port=int(port), log_level="warning")
    json_logging.set_up(config.log_level)
    Peer(config, listen(config), name, argument).run()


if __name__ == "__main__":
    main()
