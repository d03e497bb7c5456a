"""Contexts as lines of JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from fastpaca.errors import NotFoundError
from fastpaca.types import encode

if TYPE_CHECKING:
    from fastpaca.sync import Context, Store
    from fastpaca.types import ContextInfo, Format


def dump(
    store: Store,
    contexts: Iterable[str] = (),
    *,
    prefix: str = "",
    format: Format | None = None,
    all: bool = False,
    progress: Callable[[], None] = lambda: None,
) -> Iterator[bytes]:
    """The lines of an export: of the contexts with these ids, or of every live one whose id begins with `prefix`.

    Each context begins with a line `{"context_id", "context"}`, its description; a line `{"context_id", "message"}` for
    each message follows, as a replay shows it. `all` has what left by a rewind too, marked `"rewound": true`. With a
    `format` a context is one line: `id`, and its log as the arguments of that provider's call, held in memory as a
    whole. Raises `NotFoundError` for an unknown context. `progress` is called for each line.
    """
    for context, info in _contexts(store, contexts, prefix):
        lines = _log(context, info, all=all) if format is None else [{"id": info.id, **context.replay(format, all=all)}]
        for line in lines:
            yield encode(line) + b"\n"
            progress()


def _contexts(store: Store, ids: Iterable[str], prefix: str) -> Iterator[tuple[Context, ContextInfo]]:
    named = [_described(store.context(context_id)) for context_id in ids]
    if named:
        yield from named
    else:
        yield from ((store.context(info.id), info) for info in store.contexts(prefix=prefix))


def _described(context: Context) -> tuple[Context, ContextInfo]:
    try:
        return context, context.info()
    except NotFoundError:
        raise NotFoundError(f"there is no context {context.id!r}") from None


def _log(context: Context, info: ContextInfo, *, all: bool) -> Iterator[dict[str, Any]]:
    """What was in the log when it was described, also if more comes meanwhile."""
    yield {"context_id": info.id, "context": asdict(info)}
    if info.last_seq == 0:
        return
    shown = context.messages(to_seq=info.last_seq)
    if not all:
        yield from ({"context_id": info.id, "message": message} for message in shown)
        return
    following = next(shown, None)
    for message in context.messages(to_seq=info.last_seq, all=True):
        if following is not None and following["seq"] == message["seq"]:
            following = next(shown, None)
            yield {"context_id": info.id, "message": message}
        else:
            yield {"context_id": info.id, "rewound": True, "message": message}
