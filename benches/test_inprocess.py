"""Single operations in process, for a close look at one of them: `pytest benches`. The ratios are in `inprocess.py`."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

import corpus
import fastpaca
import stores
from fastpaca.local import open_engine
from stores import CONTEXT

if TYPE_CHECKING:
    from pathlib import Path

Benchmark = Callable[..., Any]

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[fastpaca.Store]:
    with fastpaca.open(tmp_path / "data") as opened:
        yield opened


@pytest.fixture(scope="session", params=[1_000, 100_000], ids=["1e3 messages", "1e5 messages"])
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one context of so many messages."""
    path = tmp_path_factory.mktemp("filled") / "data"
    with stores.opened(path, sync=False) as engine:
        stores.fill(engine, request.param)
    return path


@pytest.mark.parametrize("given", [True, False], ids=["token_count given", "counting"])
def test_append_one(benchmark: Benchmark, store: fastpaca.Store, given: bool) -> None:
    context = store.context("one", budget=1_000_000)
    messages = itertools.cycle(corpus.messages(4096, token_count=given))
    benchmark(lambda: context.append(next(messages)))


@pytest.mark.parametrize("given", [True, False], ids=["token_count given", "counting"])
def test_append_100(benchmark: Benchmark, store: fastpaca.Store, given: bool) -> None:
    context = store.context("batch", budget=1_000_000)
    messages = corpus.messages(4000, token_count=given)
    batches = itertools.cycle([messages[at : at + 100] for at in range(0, len(messages), 100)])
    benchmark(lambda: context.append(next(batches)))


def test_window_of_200_hot(benchmark: Benchmark, store: fastpaca.Store) -> None:
    context = store.context("hot", budget=1_000_000)
    context.append(corpus.messages(200, token_count=True))
    window = benchmark(context.window)
    assert len(window.messages) == 200


def test_window_after_an_append(benchmark: Benchmark, store: fastpaca.Store) -> None:
    context = store.context("extended", budget=10_000_000)
    context.append(corpus.messages(200, token_count=True))
    message = corpus.messages(1, token_count=True)[0]

    def append() -> tuple[tuple[()], dict[str, Any]]:
        context.append(message)
        return (), {}

    benchmark.pedantic(context.window, setup=append, rounds=200)  # type: ignore[attr-defined]


def test_append_without_sync(benchmark: Benchmark, filled: Path) -> None:
    body = stores.batch(corpus.messages(1, token_count=True))
    with stores.opened(filled, sync=False) as engine:
        benchmark(lambda: engine.write(CONTEXT, "append", body))


def test_window_hot(benchmark: Benchmark, filled: Path) -> None:
    with stores.opened(filled, sync=False) as engine:
        benchmark(lambda: engine.read(CONTEXT, stores.window))


def test_window_of_another_budget(benchmark: Benchmark, filled: Path) -> None:
    budgets = itertools.cycle(range(2_000, stores.WINDOW_TOKENS, 130))
    with stores.opened(filled, sync=False) as engine:

        def select() -> bytes:
            budget = next(budgets)
            return engine.read(CONTEXT, lambda context, fetched: context.window(fetched, budget_tokens=budget))

        benchmark(select)


def test_window_cold(benchmark: Benchmark, filled: Path) -> None:
    """The store is opened again each time, which is not timed; then snapshot, columns and bodies are read."""
    with stores.opened(filled, sync=False) as first:
        engines = [first]

        def reopen() -> tuple[tuple[()], dict[str, Any]]:
            engines.pop().close()
            engines.append(open_engine(filled, sync=False))
            return (), {}

        run = lambda: engines[0].read(CONTEXT, stores.window)  # noqa: E731
        benchmark.pedantic(run, setup=reopen, rounds=20)  # type: ignore[attr-defined]
        engines.pop().close()


def test_open(benchmark: Benchmark, filled: Path) -> None:
    """Opening and closing."""

    def reopen() -> None:
        with stores.opened(filled):
            pass

    benchmark.pedantic(reopen, rounds=10)  # type: ignore[attr-defined]
