"""What applications keep conversations in today, in process: openai-agents SQLiteSession, LlamaIndex Memory, plain
sqlite3, and LangChain's `trim_messages`. `python benches/memories.py [--quick]`.

Every store is a file and syncs before an append returns: `synchronous` is FULL for each SQLite, by default or set here.
LlamaIndex' has a rollback journal, the others a WAL.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sqlite3
import statistics
import tempfile
import time
from contextlib import ExitStack, closing
from functools import partial
from importlib import util
from itertools import count, cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import corpus
import fastpaca
from report import Figures, columns, interleaved, machine, number, sync_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HELD = 400
"""Messages of a conversation before anything is measured, and those that are got."""
TRIM_BUDGET = 20_000
"""About 200 messages, each of which counts 100 tokens."""


def per_call(run: Callable[[], object], calls: int) -> float:
    """Seconds."""
    began = time.perf_counter()
    for _ in range(calls):
        run()
    return (time.perf_counter() - began) / calls


def _messages(*, given: bool = False) -> Iterator[dict[str, Any]]:
    return cycle(corpus.messages(2_000, token_count=given))


def _append_next(context: fastpaca.Context, messages: Iterator[dict[str, Any]]) -> None:
    context.append(next(messages))


class Peers:
    """Each peer's append and get, by name; those whose package is missing are named in `skipped`."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self._stack = stack
        self._folder = folder
        self.appends: dict[str, Callable[[], object]] = {}
        self.gets: dict[str, Callable[[], list[Any]]] = {}
        self.skipped: list[str] = []
        self._loop = asyncio.new_event_loop()
        stack.callback(self._loop.close)
        self._ours()
        self._sqlite()
        self._if_there("agents", "openai-agents", self._openai)
        self._if_there("llama_index.core.memory", "llama-index-core", self._llama)

    def _if_there(self, module: str, package: str, add: Callable[[], None]) -> None:
        try:
            there = util.find_spec(module) is not None
        except ModuleNotFoundError:
            there = False
        if there:
            add()
        else:
            self.skipped.append(f"{package}: skipped, not installed: pip install --group bench")

    def _ours(self) -> None:
        store = self._stack.enter_context(fastpaca.open(self._folder / "data"))
        for name, given in (("fastpaca", False), ("fastpaca, token_count given", True)):
            messages = _messages(given=given)
            context = store.context(name.replace(",", ""), budget=10_000_000)
            context.append([next(messages) for _ in range(HELD)])
            self.appends[name] = partial(_append_next, context, messages)
        # Of its own, so that appends do not lengthen it: 400 messages are asked for on every side.
        held = store.context("held", budget=10_000_000)
        held.append(corpus.messages(HELD, token_count=False))
        self.gets["fastpaca"] = lambda: held.window().messages

    def _sqlite(self) -> None:
        database = self._stack.enter_context(closing(sqlite3.connect(self._folder / "plain", isolation_level=None)))
        for line in ("pragma journal_mode = wal", "pragma synchronous = full"):
            database.execute(line)
        database.execute("create table messages (context text, seq integer, body text, primary key (context, seq))")
        messages = _messages()
        numbers = count(1)

        def append() -> None:
            body = json.dumps(next(messages), ensure_ascii=False, separators=(",", ":"))
            database.execute("insert into messages values ('chat', ?, ?)", (next(numbers), body))

        def get() -> list[Any]:
            rows = database.execute(
                "select body from messages where context = 'chat' order by seq desc limit ?", (HELD,)
            )
            return [json.loads(body) for (body,) in reversed(rows.fetchall())]

        database.execute("begin")
        for _ in range(HELD):
            append()
        database.execute("commit")
        self.appends["sqlite3"], self.gets["sqlite3"] = append, get

    def _openai(self) -> None:
        os.environ.setdefault("OPENAI_AGENTS_DISABLE_TRACING", "1")
        from agents import SQLiteSession  # noqa: PLC0415 - only where it is installed

        session = SQLiteSession("chat", self._folder / "agents")
        self._stack.callback(session.close)
        messages = _messages()
        run = self._loop.run_until_complete
        run(session.add_items([next(messages) for _ in range(HELD)]))  # type: ignore[misc]
        name = "openai-agents SQLiteSession"
        self.appends[name] = lambda: run(session.add_items([next(messages)]))  # type: ignore[list-item]
        self.gets[name] = lambda: run(session.get_items(limit=HELD))

    def _llama(self) -> None:
        from llama_index.core.llms import ChatMessage  # noqa: PLC0415 - only where it is installed
        from llama_index.core.memory import Memory  # noqa: PLC0415

        # Counts are known before (100 tokens each), and the limit is what 400 messages come to.
        memory = Memory.from_defaults(
            session_id="chat",
            token_limit=HELD * 100,
            chat_history_token_ratio=1.0,
            token_flush_size=100,
            tokenizer_fn=lambda _text: [0] * 100,
            async_database_uri=f"sqlite+aiosqlite:///{self._folder / 'llama'}",
        )
        texts = (ChatMessage(role=each["role"], content=each["content"]) for each in _messages())
        run = self._loop.run_until_complete
        run(memory.aput_messages([next(texts) for _ in range(HELD)]))
        self._stack.callback(lambda: run(memory.sql_store._async_engine.dispose()))  # noqa: SLF001 - it has no close
        name = "LlamaIndex Memory"
        self.appends[name] = lambda: run(memory.aput(next(texts)))
        self.gets[name] = lambda: run(memory.aget())


def sessions(*, rounds: int, calls: int) -> tuple[list[Figures], list[str]]:
    """Appending one message durably to a conversation of 400, and getting 400 as Python objects."""
    with tempfile.TemporaryDirectory(prefix="fastpaca-memories-") as folder, ExitStack() as stack:
        peers = Peers(stack, Path(folder))
        found = []
        for operation, runs in (("durable append", peers.appends), (f"get {HELD}", peers.gets)):
            for run in runs.values():
                run()
            timed = {name: lambda run=run: per_call(run, calls) for name, run in runs.items()}
            found += _figures(operation, interleaved(timed, rounds))
        for name, get in peers.gets.items():
            assert HELD - 1 <= len(get()) <= HELD, f"{name} got {len(get())} messages"
    return found, peers.skipped


def _figures(operation: str, took: dict[str, list[float]]) -> list[Figures]:
    found = []
    for name, seconds in took.items():
        found.append(Figures("in process", operation, name, {"us": [each * 1e6 for each in seconds]}))
    return found


def trimming(*, rounds: int, sizes: tuple[int, ...]) -> tuple[list[Figures], list[str]]:
    """The newest messages under a budget, as Python objects, out of conversations of so many. Counts are known."""
    if util.find_spec("langchain_core") is None:
        return [], ["langchain-core: skipped, not installed: pip install --group bench"]
    found = []
    with tempfile.TemporaryDirectory(prefix="fastpaca-trim-") as name, fastpaca.open(name) as store:
        for size in sizes:
            messages = corpus.messages(size, token_count=True)
            context = store.context(f"of-{size}", budget=10_000_000)
            for at in range(0, size, 1000):
                context.append(messages[at : at + 1000])
            # Another budget each time, so that nothing was selected or rendered before.
            budgets = cycle(range(TRIM_BUDGET, TRIM_BUDGET - 4_000, -7))
            ours = lambda context=context, budgets=budgets: context.window(budget=next(budgets)).messages  # noqa: E731
            runs = {"fastpaca": (ours, 20), "LangChain trim_messages": (_trim(messages), 3)}
            for run, _ in runs.values():
                run()
            timed = {name: lambda pair=pair: per_call(*pair) for name, pair in runs.items()}
            found += _figures(f"newest under a budget, of {size:,}", interleaved(timed, rounds))
    return found, []


def _trim(given: list[dict[str, Any]]) -> Callable[[], object]:
    from langchain_core.messages import convert_to_messages, trim_messages  # noqa: PLC0415 - only where installed

    bare = [{"role": each["role"], "content": each["content"], "id": str(n)} for n, each in enumerate(given)]
    messages = convert_to_messages(bare)
    tokens = {str(n): each["token_count"] for n, each in enumerate(given)}

    def run() -> list[Any]:
        kept: list[Any] = trim_messages(
            messages,
            max_tokens=TRIM_BUDGET,
            strategy="last",
            token_counter=lambda of: sum(tokens[each.id] for each in of),
            start_on="human",
        )
        assert 100 < len(kept) <= TRIM_BUDGET // 100, len(kept)
        return kept

    return run


def measure(*, quick: bool) -> tuple[list[Figures], list[str]]:
    """Everything of this file, and what was not there."""
    rounds = 1 if quick else 7
    found, skipped = sessions(rounds=rounds, calls=5 if quick else 50)
    trimmed, missing = trimming(rounds=rounds, sizes=(1_000, 10_000) if quick else (1_000, 10_000, 100_000))
    return found + trimmed, skipped + missing


def text(found: list[Figures]) -> str:
    """For people."""
    lines = [("operation", "with", "a call", "rounds")]
    for each in found:
        took = each.values["us"]
        spread = f"{number(min(took))} to {number(max(took))}"
        lines.append((each.operation, each.subject, f"{number(statistics.median(took))} us", spread))
    return columns(lines)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few rounds: to see that it works")
    found, skipped = measure(quick=parser.parse_args().quick)
    print(f"{machine()}\ntext: {corpus.describe()}; sync of 4 KB {sync_ms():.2f} ms\n")
    print(text(found), *skipped, sep="\n\n")


if __name__ == "__main__":
    main()
