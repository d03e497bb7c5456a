"""What the SDK costs a call, against raw httpx that sends the same request to the same server."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import httpx

import fastpaca

sys.path.insert(0, str(Path(__file__).parent.parent))
from tests.support.server import Server

TEXT = "word " * 80
Call = Callable[[], object]


def pairs(store: fastpaca.Store, http: httpx.Client) -> dict[str, tuple[Call, Call]]:
    """The calls that are compared: ours, and the same by hand."""
    chat = store.context("sdk", budget=1_000_000)
    other = store.context("raw", budget=1_000_000)
    chat.append([{"role": "user", "content": TEXT}] * 200)
    other.append([{"role": "user", "content": TEXT}] * 200)
    message = {"role": "user", "content": TEXT}
    shown = "/v1/contexts/raw/window?budget_tokens=17000"
    small = store.context("small", budget=1000)
    small.append(message)

    def append() -> object:
        body = json.dumps({"message": message, "idempotency_key": uuid.uuid4().hex}).encode()
        answer = http.post("/v1/contexts/raw/messages", content=body, headers={"content-type": "application/json"})
        return answer.raise_for_status().json()

    def get(path: str) -> Call:
        return lambda: http.get(path).raise_for_status().json()

    return {
        "append": (lambda: chat.append(message), append),
        "info": (small.info, get("/v1/contexts/small")),
        "window of 1 message": (lambda: small.window().messages, get("/v1/contexts/small/window")),
        "window of 200 messages": (
            lambda: other.window(budget=17_000).messages,
            get(shown),
        ),
    }


def measured(call: Call, calls: int) -> tuple[float, float]:
    """Microseconds a call: elapsed, median; and of this process's processor time."""
    elapsed = []
    began_cpu = time.process_time()
    for _ in range(calls):
        began = time.perf_counter()
        call()
        elapsed.append(time.perf_counter() - began)
    return statistics.median(elapsed) * 1e6, (time.process_time() - began_cpu) / calls * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--calls", type=int, default=100)
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        Server(Path(folder) / "data") as server,
        fastpaca.connect(server.url) as store,
        httpx.Client(base_url=server.url) as http,
    ):
        for name, (ours, raw) in pairs(store, http).items():
            compare(name, ours, raw, given.rounds, given.calls)


def compare(name: str, ours: Call, raw: Call, rounds: int, calls: int) -> None:
    """Rounds that take turns; medians over them."""
    found = []
    for turn in range(rounds):
        order = (ours, raw) if turn % 2 else (raw, ours)
        by_call = {call: measured(call, calls) for call in order}
        found.append((by_call[ours], by_call[raw]))
    elapsed, cpu = ([statistics.median(each[side][what] for each in found) for side in (0, 1)] for what in (0, 1))
    ratio = statistics.median(sdk[1] / by_hand[1] for sdk, by_hand in found)
    print(
        f"{name}: elapsed {elapsed[0]:.0f} us against {elapsed[1]:.0f} us; processor time of the client "
        f"{cpu[0]:.0f} us against {cpu[1]:.0f} us, ratio {ratio:.2f}"
    )


if __name__ == "__main__":
    main()
