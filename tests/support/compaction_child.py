"""A worker process: compacts what a server flags, with a slow summariser that writes down what it does.

python -m tests.support.compaction_child URL LOG SECONDS LEASE_SECONDS
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import fastpaca


def main(url: str, log: str, seconds: str, lease_seconds: str) -> None:
    def note(what: str, first: Any) -> None:
        with Path(log).open("a") as file:
            file.write(f"{time.time()} {os.getpid()} {what} {first}\n")

    def summarise(messages: Any) -> str:
        # Every context begins with a message that says which one it is.
        context = messages[0]["parts"][0]["text"].split()[0]
        note("begin", context)
        time.sleep(float(seconds))
        note("end", context)
        return f"{context} in short"

    with fastpaca.connect(url) as store:
        worker = fastpaca.compaction_worker(store, summarise, concurrency=2, lease_seconds=int(lease_seconds))
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        note("ready", "-")
        worker.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
