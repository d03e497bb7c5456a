"""What a format costs beside `parts`: pages of the log, rendered anew each time, and windows, which are rendered once;
in process and over HTTP. `python benches/formats.py`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import corpus
import stores
from fastpaca import _core
from http_load import free_port, started
from report import columns, interleaved, machine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from fastpaca.engine import Engine, Operation
    from http_load import Server

MESSAGES = 200
CONFIG: Final = {"token_budget": 1_000_000}
SHOWN: Final = {"page": _core.FORMATS, "window": _core.FORMATS[:4]}
"""A context keeps its last four windows."""


def texts() -> list[dict[str, Any]]:
    """Of 400 characters each."""
    return corpus.messages(MESSAGES, token_count=True)


def agent() -> list[dict[str, Any]]:
    """Of a coding agent, as Anthropic's blocks: a text and a call, then 1 500 characters of output."""
    found = corpus.messages(1, token_count=True)
    for n in range(1, MESSAGES // 2 + 1):
        call = {"type": "tool_use", "id": f"toolu_{n}", "name": "Bash", "input": {"command": "rg -n 'fn main' src"}}
        output = f'src/main.rs:{n}:    let found = open("a.txt");\n' * 30
        result = {"type": "tool_result", "tool_use_id": f"toolu_{n}", "content": output}
        text = {"type": "text", "text": "Let me look at it."}
        found.append({"role": "assistant", "token_count": 100, "content": [text, call]})
        found.append({"role": "user", "token_count": 400, "content": [result]})
    return found


KINDS: Final = {"texts": texts, "an agent's": agent}


def measure(engine: Engine, server: Server, rounds: int) -> Iterator[tuple[str, ...]]:
    """A line for each way, kind and format."""
    for kind, messages in KINDS.items():
        batch = {"messages": messages()}
        engine.write(kind, "configure", json.dumps(CONFIG).encode())
        engine.write(kind, "append", json.dumps(batch).encode())
        for what, formats in SHOWN.items():
            runs = {each: _in_process(engine, kind, READS[what](each)) for each in formats}
            yield from _compared(f"{kind}, {what}", runs, rounds)
        path = f"/v1/contexts/{quote(kind)}"
        server.must("PUT", path, CONFIG)
        server.must("POST", f"{path}/messages", batch)
        with closing(HTTPConnection("127.0.0.1", server.port)) as http:
            for what, formats in SHOWN.items():
                url = f"{path}/messages?limit={MESSAGES}&" if what == "page" else f"{path}/window?"
                runs = {each: _over_http(http, f"{url}format={each}") for each in formats}
                yield from _compared(f"{kind}, {what} over HTTP", runs, rounds)


def _compared(what: str, runs: Mapping[str, Callable[[], float]], rounds: int) -> list[tuple[str, ...]]:
    """The median, the fastest, and their ratios to those of `parts`."""
    found = interleaved(runs, rounds)
    parts = found["parts"]
    return [
        (
            what,
            each,
            f"{median(took) * 1e6:.0f} us",
            f"{min(took) * 1e6:.0f} us",
            f"{median(took) / median(parts):.2f}",
            f"{min(took) / min(parts):.2f}",
        )
        for each, took in found.items()
    ]


def _page(format: str) -> Operation[bytes]:
    return lambda context, fetched: context.replay(fetched, limit=MESSAGES, format=format)


def _window(format: str) -> Operation[bytes]:
    return lambda context, fetched: context.window(fetched, format=format)


READS: Final = {"page": _page, "window": _window}


def _in_process(engine: Engine, name: str, operation: Operation[bytes]) -> Callable[[], float]:
    def run() -> float:
        began = time.perf_counter()
        engine.read(name, operation)
        return time.perf_counter() - began

    return run


def _over_http(http: HTTPConnection, path: str) -> Callable[[], float]:
    def run() -> float:
        began = time.perf_counter()
        http.request("GET", path)
        http.getresponse().read()
        return time.perf_counter() - began

    return run


@contextmanager
def served(folder: Path) -> Iterator[Server]:
    """A server of its own data directory."""
    port = free_port()
    command = [sys.executable, "-m", "fastpaca.cli", "serve", "--port", str(port), "--data-dir", str(folder / "served")]
    with started([*command, "--log-level", "warning"], port, folder / "served.log") as server:
        yield server


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=300)
    given = parser.parse_args()
    head = (f"{MESSAGES} messages", "format", "median", "fastest", "to parts", "fastest to fastest")
    with stores.folder() as path, stores.opened(Path(path, "data"), sync=False) as engine, served(Path(path)) as server:
        rows = [head, *measure(engine, server, given.rounds)]
    print(f"text: {corpus.describe()}", columns(rows), machine(), sep="\n\n")


if __name__ == "__main__":
    main()
