"""What a format costs beside `parts`: pages of the log in process, rendered anew each time.
`python benches/formats.py`.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import corpus
import stores
from fastpaca import _core
from report import columns, interleaved, machine

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastpaca.engine import Engine

MESSAGES = 200


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


def measure(engine: Engine, name: str, messages: list[dict[str, Any]], rounds: int) -> list[tuple[str, ...]]:
    """A line for each format: the median, the fastest, and their ratios to those of `parts`."""
    engine.write(name, "configure", b'{"token_budget":1000000}')
    engine.write(name, "append", json.dumps({"messages": messages}).encode())
    found = interleaved({each: _page(engine, name, each, len(messages)) for each in _core.FORMATS}, rounds)
    parts = found["parts"]
    return [
        (
            name,
            each,
            f"{median(took) * 1e6:.0f} us",
            f"{min(took) * 1e6:.0f} us",
            f"{median(took) / median(parts):.2f}",
            f"{min(took) / min(parts):.2f}",
        )
        for each, took in found.items()
    ]


def _page(engine: Engine, name: str, format: str, limit: int) -> Callable[[], float]:
    def read(context: _core.Context, fetched: _core.Fetched) -> bytes:
        return context.replay(fetched, limit=limit, format=format)

    def run() -> float:
        began = time.perf_counter()
        engine.read(name, read)
        return time.perf_counter() - began

    return run


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=300)
    given = parser.parse_args()
    rows: list[tuple[str, ...]] = [
        (f"{MESSAGES} messages", "format", "median", "fastest", "to parts", "fastest to fastest")
    ]
    with stores.folder() as path, stores.opened(Path(path, "data"), sync=False) as engine:
        rows += measure(engine, "texts", texts(), given.rounds)
        rows += measure(engine, "an agent's", agent(), given.rounds)
    print(f"text: {corpus.describe()}", columns(rows), machine(), sep="\n\n")


if __name__ == "__main__":
    main()
