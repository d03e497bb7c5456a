"""The blocking interface: `open(path)` gives an `Store`, which gives an `Context`.

Made of `aio.py` by `tools/make_sync.py`; change that one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Self, TypeVar, get_args

from fastpaca import types
from fastpaca._core import PAGE_MESSAGES_MAX, TOKEN_BUDGET_MAX
from fastpaca.compaction.options import LEASE_S, OnError
from fastpaca.compaction.options import Options as CompactionOptions
from fastpaca.compaction.sync import AutoCompaction
from fastpaca.fields import text
from fastpaca.streams.frames import check_cursor
from fastpaca.ticket import Reply
from fastpaca.transport.sync import Subscription, Transport
from fastpaca.turn.options import Options
from fastpaca.turn.sync import Turn
from fastpaca.types import Appended, Cache, Compacted, Compaction, ContextInfo, Fit, Format, Message, Rewound, Window

_PAGE = 200
_Told = TypeVar("_Told", Appended, Compacted, Rewound, ContextInfo, Window)


class Context:
    """One conversation: its log, and the window of it. Cheap to make; it holds no messages."""

    def __init__(self, transport: Transport, context_id: str) -> None:
        self.id = context_id
        self._transport = transport
        self._pending: dict[str, object] = {}
        self._window_version: int | None = None
        self._version = 0
        self._auto: AutoCompaction | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id!r}>"

    # Configuration. The chain is written with the next operation.

    def budget(self, tokens: int) -> Self:
        """Tokens that a window may have."""
        self._pending["token_budget"] = tokens
        return self

    def reserve(self, tokens: int) -> Self:
        """Tokens kept back for tools, prompts outside the log, and output."""
        self._pending["reserve_tokens"] = tokens
        return self

    def trigger(self, ratio: float) -> Self:
        """Share of the budget above which the context needs compaction, in (0, 1]."""
        self._pending["trigger_ratio"] = ratio
        return self

    def policy(self, strategy: str, **config: Any) -> Self:
        """The compaction policy, with its keys."""
        self._pending["policy"] = {"strategy": strategy, "config": config}
        return self

    def model(self, name: str | None) -> Self:
        """The model that the window goes to."""
        self._pending["model"] = name
        return self

    def configure(self, **fields: object) -> ContextInfo:
        """Creates the context, or changes the fields given: token_budget, reserve_tokens, trigger_ratio, policy, model,
        tokenizer, metadata. What is the same already changes nothing.
        """
        self._pending.update(fields)
        return self._told(ContextInfo.of((self._write_pending()).body))

    def _write_pending(self) -> Reply:
        pending, self._pending = self._pending, {}
        try:
            reply = self._transport.write(self.id, "configure", types.encode(pending, "body"), key=None)
        except BaseException:
            self._pending = pending
            raise
        self._version = max(self._version, reply.version)
        return reply

    def _write(self, route: str, key: str | None, **fields: object) -> Reply:
        if self._pending:
            self._write_pending()
        reply = self._transport.write(self.id, route, types.envelope(**fields), key=types.key_of(key))
        self._version = max(self._version, reply.version)
        return reply

    def _twin(self) -> Self:
        """The same context, not older, for what goes on beside the caller and must not touch what it has seen."""
        twin = type(self)(self._transport, self.id)
        twin._version = self._version  # noqa: SLF001
        return twin

    def _told(self, reply: _Told) -> _Told:
        """Passes a reply on; one that asks for a compaction sets off that of `auto_compact`."""
        if self._auto is not None and reply.needs_compaction:
            self._auto.begin()
        return reply

    # Operations

    def append(
        self,
        messages: Message | Iterable[Message],
        *,
        replace: bool = False,
        if_version: int | None = None,
        idempotency_key: str | None = None,
    ) -> Appended:
        """Appends a message or a batch, all or none, and waits until it is durable.

        `replace` supersedes the newest message, whose `id` the new one has. `if_version` is the version expected.
        The same `idempotency_key` again gives the first reply. Raises a `FastpacaError`.
        """
        fields = types.one_or_many(messages)
        reply = self._write("append", idempotency_key, replace=replace or None, if_version=if_version, **fields)
        return self._told(types.read(Appended, types.decode(reply.body), replayed=reply.replayed))

    def window(
        self,
        *,
        budget: int | None = None,
        fit: Fit = "steps",
        close: bool = False,
        at_version: int | None = None,
        explain: bool = False,
    ) -> Window:
        """The messages to send to the model.

        `budget` overrides the context's for this call; `close` answers calls that still wait with a repair;
        `at_version` gives the window as it was then; `explain` adds its `explanation`. Raises `BudgetTooSmallError`
        when no valid window fits, and `NotYetError` for a version that is not there yet.
        """
        window = self._view(budget=budget, fit=fit, close=close, at_version=at_version, explain=explain)
        if at_version is None:
            self._window_version = window.version
        return window

    def _view(
        self,
        *,
        budget: int | None = None,
        fit: Fit = "steps",
        close: bool = False,
        at_version: int | None = None,
        explain: bool = False,
    ) -> Window:
        """A window that the caller does not see: `compact` goes by the one that it has seen."""
        types.one_of("fit", fit, get_args(Fit))
        types.integer("budget_tokens", budget, 1, TOKEN_BUDGET_MAX)
        types.integer("at_version", at_version, 0)
        if self._pending:
            self._write_pending()
        raw, model = self._transport.window(
            self.id,
            budget_tokens=budget,
            fit=fit,
            close=close,
            at_version=at_version,
            min_version=self._version,
            explain=explain,
        )
        return self._told(Window(raw, model=model))

    def stream(
        self,
        fn: Callable[..., Any],
        *,
        format: Format | None = None,
        cache: Cache | None = None,
        budget: int | None = None,
        close: bool = False,
        message_id: str | None = None,
        auto_append: bool = True,
        keep_partial: bool = False,
        drafts: bool = True,
    ) -> Turn:
        """Calls a model with the window, gives its chunks as they come, and appends the finished answer, once.

        `fn` gets the window as the arguments of its library's call (`format`; None: `messages` as they are stored), and
        gives chunks of text, or of OpenAI, Anthropic, LangChain or pydantic-ai. `keep_partial` appends what has come of
        an answer that is interrupted. `drafts` shows it to subscribers while it comes. docs/turns.md says more.
        """
        options = Options.checked(
            fn,
            format=format,
            cache=cache,
            budget=budget,
            close=close,
            message_id=message_id,
            auto_append=auto_append,
            keep_partial=keep_partial,
            drafts=drafts,
        )
        return Turn(self, options)

    def messages(
        self, *, from_seq: int | None = None, to_seq: int | None = None, all: bool = False
    ) -> Iterator[dict[str, Any]]:
        """Every message, oldest first, fetched in pages as they are asked for. Negative numbers count from the end;
        `all` includes what left by a rewind.
        """
        for _, page in self._pages(_PAGE, from_seq, to_seq, all):
            for message in page["messages"]:
                yield message

    def replay(
        self, format: Format, *, from_seq: int | None = None, to_seq: int | None = None, all: bool = False
    ) -> dict[str, Any]:
        """What `messages` gives, as the arguments of one provider's call, as `Window.to`. Nothing is repaired: a call
        without a result stays one.
        """
        info = self.info()
        pages = [raw for raw, _ in self._pages(PAGE_MESSAGES_MAX, from_seq, to_seq, all)]
        request: dict[str, Any] = types.convert(pages, format, model=info.model)["request"]
        return request

    def _pages(
        self, limit: int, from_seq: int | None, to_seq: int | None, all: bool
    ) -> Iterator[tuple[bytes, dict[str, Any]]]:
        types.integer("from_seq", from_seq, -types.SEQ_MAX)
        types.integer("to_seq", to_seq, -types.SEQ_MAX)
        cursor: int | None = None
        while True:
            raw = self._transport.replay(
                self.id,
                from_seq=from_seq,
                to_seq=to_seq,
                cursor=cursor,
                limit=limit,
                all=all,
                min_version=self._version,
            )
            page = types.decode(raw)
            yield raw, page
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def tail(self, limit: int = 50, *, offset: int = 0) -> list[dict[str, Any]]:
        """The newest messages in log order, less the `offset` newest of all."""
        types.integer("limit", limit, 1, PAGE_MESSAGES_MAX)
        types.integer("offset", offset, 0)
        page = types.decode(self._transport.tail(self.id, offset=offset, limit=limit, min_version=self._version))
        messages: list[dict[str, Any]] = page["messages"]
        return messages

    def compact(
        self,
        replacement: Message | Sequence[Message],
        *,
        from_seq: int | None = None,
        to_seq: int | None = None,
        up_to_version: int | None = None,
        if_version: int | None = None,
        force: bool = False,
        idempotency_key: str | None = None,
    ) -> Compacted:
        """Puts a replacement in the place of messages `from_seq` to `to_seq`, or of all that was read.

        Items are messages, or `{"seq": n}` and `{"from_seq": a, "to_seq": b}` for messages that stay. Without a range,
        it covers the messages of the window that was fetched last through this object (or `up_to_version`): a message
        that came meanwhile is never lost. The log keeps everything.
        """
        if from_seq is None and if_version is None and up_to_version is None:
            up_to_version = self._window_version
        reply = self._write(
            "compact",
            idempotency_key,
            replacement=types.replacement_items(replacement),
            from_seq=from_seq,
            to_seq=to_seq,
            up_to_version=up_to_version,
            if_version=if_version,
            force=force or None,
        )
        return self._told(types.read(Compacted, types.decode(reply.body), replayed=reply.replayed))

    def auto_compact(
        self,
        fn: Callable[..., Any],
        *,
        format: Format | None = None,
        lease_seconds: int = LEASE_S,
        on_error: OnError | None = None,
    ) -> AutoCompaction:
        """Has the suggested range summarised, beside the caller, when a reply to this object says `needs_compaction`.

        `fn` gets its messages as the arguments of a call (`format`; None: `messages` as they are stored), and gives a
        text, a message or several. A summary that fails, or that is not smaller, changes nothing, is logged, and told
        to `on_error`. One worker at a time is at a context: docs/turns.md says more.
        """
        options = CompactionOptions.checked(fn, format=format, lease_seconds=lease_seconds, on_error=on_error)
        self._auto = AutoCompaction(self, options)
        return self._auto

    def compactions(self) -> Iterator[Compaction]:
        """Every compaction and revert, newest first, fetched in pages as they are asked for."""
        cursor: int | None = None
        while True:
            page = types.decode(
                self._transport.compactions(self.id, cursor=cursor, limit=_PAGE, min_version=self._version)
            )
            for found in page["compactions"]:
                yield types.read(Compaction, found)
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def revert(self, version: int, *, if_version: int | None = None, idempotency_key: str | None = None) -> Compacted:
        """Undoes the compaction that a caller made at `version`: what it covered comes back as it was shown then, and
        all that came after stays. Raises `UnknownCompactionError`, and `RevertConflictError` where a later rewrite
        touched what it left.
        """
        reply = self._write("revert", idempotency_key, version=version, if_version=if_version)
        return self._told(types.read(Compacted, types.decode(reply.body), replayed=reply.replayed))

    def lease(self, *, seconds: int = 60, holder: str | None = None) -> Lease:
        """The right to compact this context, for a while, used in a `with` statement. Advisory: it keeps two workers
        from summarising the same messages, and holds no write back.
        """
        return Lease(self._transport, self.id, seconds, holder)

    def rewind(self, to_seq: int, *, if_version: int | None = None, idempotency_key: str | None = None) -> Rewound:
        """Goes back: messages after `to_seq` leave the window and the default replay; 0 leaves none."""
        reply = self._write("rewind", idempotency_key, to_seq=to_seq, if_version=if_version)
        return self._told(types.read(Rewound, types.decode(reply.body), replayed=reply.replayed))

    def metadata(self, changes: Mapping[str, Any] | None = None, **fields: object) -> dict[str, Any]:
        """The metadata; with arguments, merges them into it first (None removes a key)."""
        merged = {**types.mapping("metadata", changes), **fields}
        if not merged:
            return (self.info()).metadata
        return self._told(ContextInfo.of((self._write("metadata", None, metadata=merged)).body)).metadata

    def info(self) -> ContextInfo:
        """The context as it stands. Raises `NotFoundError` for one that does not exist."""
        if self._pending:
            self._write_pending()
        return self._told(ContextInfo.of(self._transport.describe(self.id, min_version=self._version)))

    def subscribe(self, *, cursor: int | None = None, include_messages: bool = True) -> Subscription:
        """What happens in the context, as frames: `message`, `compaction`, `config` and so on, one for each entry.

        Begins behind version `cursor`, with nothing skipped and nothing twice; without it, with what comes from now on.
        """
        check_cursor(cursor, of_all=False)
        return self._transport.subscribe(self.id, cursor=cursor, include_messages=include_messages)

    def draft(self, message_id: str, offset: int, delta: str) -> int:
        """Tells subscribers how a message that is being written goes on at `offset`; gives its length.

        Held in memory, and gone once a message with this id is appended, or after two minutes without a delta. Lengths
        count Unicode code points. Raises `DraftConflictError` where the offset does not continue it.
        """
        return self._transport.draft(self.id, message_id, offset, delta)

    def drop_draft(self, message_id: str) -> None:
        """Drops a draft whose message will not be appended."""
        self._transport.drop_draft(self.id, message_id)

    def delete(self, *, if_version: int | None = None, idempotency_key: str | None = None) -> None:
        """Tombstones the context: it takes no more writes, reads go on."""
        self._write("tombstone", idempotency_key, if_version=if_version)


class Lease:
    """A lease on compacting one context: taken on entering, given back on leaving."""

    def __init__(self, transport: Transport, context_id: str, seconds: int, holder: str | None) -> None:
        self.seconds = seconds
        self.holder = holder
        self.token: str | None = None
        self.expires_at: str | None = None
        self._transport = transport
        self._id = context_id

    def renew(self) -> None:
        """Holds it for its `seconds` from now on; the first time, takes it. Raises `LeaseHeldError`, which says who
        holds it and until when, or `LeaseLostError` where it ended meanwhile.
        """
        body = types.envelope(seconds=self.seconds, holder=self.holder, token=self.token)
        taken = types.decode(self._transport.lease(self._id, body))
        self.token, self.expires_at = taken["token"], taken["expires_at"]

    def release(self) -> None:
        """Gives it back. One that has ended is no error."""
        if self.token is not None:
            token, self.token = self.token, None
            self._transport.release(self._id, types.envelope(token=token))

    def __enter__(self) -> Self:
        self.renew()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.release()


class Store:
    """The contexts of one data directory, or of one server."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def context(
        self,
        context_id: str,
        *,
        budget: int | None = None,
        trigger: float | None = None,
        policy: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        model: str | None = None,
        tokenizer: str | None = None,
        reserve: int | None = None,
    ) -> Context:
        """A context. With options it is created, or brought to them; without, no write is made.

        `policy` is `{"strategy": ..., "config": {...}}`. Raises `InvalidError` that names what is wrong.
        """
        options = {
            "token_budget": budget,
            "trigger_ratio": trigger,
            "policy": policy,
            "metadata": metadata,
            "model": model,
            "tokenizer": tokenizer,
            "reserve_tokens": reserve,
        }
        given = {name: value for name, value in options.items() if value is not None}
        context = Context(self._transport, context_id)
        if given:
            context.configure(**given)
        return context

    def contexts(self, *, prefix: str = "", needs_compaction: bool | None = None) -> Iterator[ContextInfo]:
        """Every live context in the order of ids, fetched in pages; `needs_compaction` keeps those that do, or not."""
        text("prefix", prefix)
        cursor: str | None = None
        while True:
            page = types.decode(
                self._transport.contexts(prefix=prefix, needs_compaction=needs_compaction, cursor=cursor, limit=_PAGE)
            )
            for described in page["contexts"]:
                yield types.read(ContextInfo, described)
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def subscribe(
        self, context_id: str | None = None, *, cursor: int | str | None = None, include_messages: bool = True
    ) -> Subscription:
        """What happens in all contexts, or in one, as frames. Those of all carry `context_id`, and an opaque cursor."""
        check_cursor(cursor, of_all=context_id is None)
        return self._transport.subscribe(context_id, cursor=cursor, include_messages=include_messages)

    def close(self) -> None:
        """Writes what is under way and releases the store. Again: does nothing. Later use raises `ClosedError`."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()
