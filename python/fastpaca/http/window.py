"""`/v1/contexts/{context_id}/window`: what a model gets. Also at `/context`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from fastpaca.engine import at_version
from fastpaca.http import query

if TYPE_CHECKING:
    from falcon.asgi import Response

    from fastpaca import _core
    from fastpaca.http.request import Request
    from fastpaca.http.service import Service

QUERY: Final[query.Known] = {
    "budget_tokens": query.BUDGET,
    "fit": query.Choice({"steps": "steps", "largest": "largest"}),
    "close": query.FLAG,
    "if_version": query.VERSION,
    "min_version": query.VERSION,
    "at_version": query.VERSION,
    "explain": query.FLAG,
    "format": query.FORMAT,
    "cache": query.Choice({"auto": "auto"}),
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A window request. Called with a context, it gives tag, body, and the context's model.

    There is no body where the caller has it already.
    """

    options: dict[str, Any]
    if_version: int | None = None
    min_version: int | None = None
    known_tags: frozenset[str] = frozenset()

    def __call__(self, context: _core.Context, fetched: _core.Fetched) -> tuple[str, bytes | None, str | None]:
        """Runs on the visible state."""
        at_version(context, self.min_version)
        at_version(context, self.options.get("at_version"))
        tag = context.window_tag(**self.options)
        if self.if_version is not None and self.if_version == self.options.get("at_version", context.version):
            return tag, None, context.model
        if tag in self.known_tags or "*" in self.known_tags:
            return tag, None, context.model
        return tag, context.window(fetched, **self.options), context.model


_DEFAULT: Final = Wanted({})


class Window:
    """`/v1/contexts/{context_id}/window`."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def on_get(self, req: Request, resp: Response, context_id: str) -> None:
        """The window, or 304."""
        tags = req.get_header("if-none-match")
        wanted = _wanted(req.query_string, tags) if tags or req.query_string else _DEFAULT
        tag, body, model = await self._service.engine.aread(context_id, wanted)
        resp.set_header("etag", tag)
        if model is not None:
            # Whoever converts the window goes by it. Headers hold ASCII.
            resp.set_header("fastpaca-model", quote(model))
        if body is None:
            resp.status = 304
        else:
            resp.data = body

    on_head = on_get


def _wanted(query_string: str, tags: str | None) -> Wanted:
    options = query.read(query_string, QUERY)
    if_version, min_version = options.pop("if_version", None), options.pop("min_version", None)
    return Wanted(options, if_version, min_version, _tags(tags or ""))


def _tags(header: str) -> frozenset[str]:
    """The entity tags of `If-None-Match`, which are compared weakly. Ours hold no comma."""
    return frozenset(tag.strip().removeprefix("W/") for tag in header.split(","))
