"""A program to kill: threads commit as fast as they can, and say on standard output what was acknowledged.

    python crash_child.py DIRECTORY FIRST_VERSION

Each line is `thread version position`, written after `done` reported success.
"""

from __future__ import annotations

import os
import sys
import threading
from itertools import count

from fastpaca.log import Commit, Family, RocksLog

THREADS = 6


def _work(log: RocksLog, thread: int, first: int) -> None:
    key = f"chat{thread}".encode() + b"\x00"
    for version in count(first):
        ended = threading.Event()
        number = version.to_bytes(8, "big")
        puts = [
            (Family.RECORDS, key + number, os.urandom(300) + number),
            (Family.KEYS, key + b"k" + number, number),
            (Family.STATE, b"c" + key, number),
        ]
        commit = Commit(f"chat{thread}", version, puts, lambda _error, ended=ended: ended.set())  # type: ignore[misc]
        log.submit(commit)
        ended.wait()
        os.write(1, b"%d %d %d\n" % (thread, version, commit.position))


def main() -> None:
    """Runs until it is killed."""
    log = RocksLog(sys.argv[1], purpose="crash test")
    for thread in range(THREADS):
        threading.Thread(target=_work, args=(log, thread, int(sys.argv[2])), daemon=True).start()
    threading.Event().wait()


if __name__ == "__main__":
    main()
