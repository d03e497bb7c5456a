"""A program to kill: threads append through an engine as fast as they can, and say what was acknowledged.

    python crash_engine.py DIRECTORY ROUND WRITERS CONTEXTS

Each line on standard output is `context version seq message-id`, written after the append was acknowledged.
"""

from __future__ import annotations

import json
import os
import sys
import threading

from fastpaca.local import open_engine


def main() -> None:
    """Runs until it is killed."""
    path, turn, writers, contexts = sys.argv[1], *map(int, sys.argv[2:5])
    engine = open_engine(path)
    for number in range(contexts):
        engine.write(f"c{number}", "configure", b"{}")
    os.write(1, b"ready\n")

    def work(writer: int) -> None:
        context_id, number = f"c{writer % contexts}", 0
        while True:
            ids = [f"{turn}-{writer}-{number}-{n}" for n in range(1 + number % 3)]
            messages = [{"role": "user", "content": f"{name} " * 40, "id": name} for name in ids]
            body = json.dumps({"messages": messages}).encode()
            reply = json.loads(engine.write(context_id, "append", body, key=f"key {ids[0]}").body)
            lines = [f"{context_id} {reply['version']} {reply['first_seq'] + n} {name}" for n, name in enumerate(ids)]
            os.write(1, ("\n".join(lines) + "\n").encode())
            number += 1

    for writer in range(writers):
        threading.Thread(target=work, args=(writer,), daemon=True).start()
    threading.Event().wait()


if __name__ == "__main__":
    main()
