"""Makes the blocking half of the Python interface of its asynchronous half: each `sync*.py` of its `aio*.py`.

`--check` only compares.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "python" / "fastpaca"
SOURCES = sorted(PACKAGE.rglob("aio*.py"))
RULES = (
    (r"The interface of an event loop: `open_async\(path\)` gives", "The blocking interface: `open(path)` gives"),
    (
        r", for an event loop: the transport that `connect_async` gives",
        ", blocking: the transport that `connect` gives",
    ),
    (
        r", for an event loop: the transport behind the `AsyncStore` of `open_async`",
        ", blocking: the transport behind the `Store` of `open`",
    ),
    (r", on an event loop", ", blocking"),
    (
        r"`(sync\w*\.py)` is made of this file by `tools/make_sync\.py`; change this one\.",
        lambda found: f"Made of `{found[1].replace('sync', 'aio', 1)}` by `tools/make_sync.py`; change that one.",
    ),
    (r"\basync (def|with|for)\b", r"\1"),
    (r"\bawait ", ""),
    (r"\bAsync(Iterator|Generator)\b", r"\1"),
    (
        r"\bAsync((?:Http|Local)?(?:Store|Context|Lease|Transport|Subscription|Frames|Connection|EventStream|Client))\b",
        r"\1",
    ),
    (
        r"\bAsync(Turn|Source|Drafting|Pump|Job|Signal|Mailbox|Summaries|AutoCompaction|CompactionWorker)\b",
        r"\1",
    ),
    (r"__a(enter|exit|iter|next)__", r"__\1__"),
    (r"\b(aclose|acalled|aevents|anext|asettled|ainterrupt|aiter_bytes)\b", lambda found: found[1].removeprefix("a")),
    (r"\bStopAsyncIteration\b", "StopIteration"),
    (r"\basyncio\.sleep\b", "time.sleep"),
    (r"\basyncio\.Event\b", "threading.Event"),
    (r"\basyncio\.get_running_loop\(\)", "None"),
    (r"\basyncio\.to_thread\(\s*([\w.]+)(?:,\s*)?", r"\1("),
    (r"\bengine\.a(read|write)\b", r"engine.\1"),
    (r"\bfastpaca((?:\.\w+)*)\.aio", r"fastpaca\1.sync"),
)
MODULES = ("time", "threading")
"""What stands for `asyncio`, each where it is used."""


def made(source: Path) -> str:
    """The text that the blocking twin should have."""
    text = source.read_text()
    for pattern, replacement in RULES:
        text = re.sub(pattern, replacement, text)
    used = [f"import {name}\n" for name in MODULES if f"{name}." in text and f"import {name}\n" not in text]
    text = text.replace("import asyncio\n", "".join(used))
    for step in (["check", "--fix-only", "--quiet", "--select", "I"], ["format"]):
        command = [sys.executable, "-m", "ruff", *step, "--stdin-filename", str(twin(source)), "-"]
        text = subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout
    return text


def twin(source: Path) -> Path:
    """The file that is made of a source."""
    return source.with_name(source.name.replace("aio", "sync", 1))


def main() -> int:
    """Writes the files, or compares them."""
    stale = False
    for source in SOURCES:
        text = made(source)
        if "--check" not in sys.argv:
            twin(source).write_text(text)
        elif not twin(source).exists() or twin(source).read_text() != text:
            print(
                f"{twin(source).relative_to(PACKAGE.parent.parent)} is stale: run tools/make_sync.py", file=sys.stderr
            )
            stale = True
    return int(stale)


if __name__ == "__main__":
    sys.exit(main())
