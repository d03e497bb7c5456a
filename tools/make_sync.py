"""Makes `fastpaca/sync.py` of `fastpaca/aio.py`: one source for both interfaces. `--check` only compares."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "python" / "fastpaca"
RULES = (
    (r"The interface of an event loop: `open_async\(path\)` gives", "The blocking interface: `open(path)` gives"),
    (
        r"`sync\.py` is made of this file by `tools/make_sync\.py`; change this one\.",
        "Made of `aio.py` by `tools/make_sync.py`; change that one.",
    ),
    (r"\basync (def|with|for)\b", r"\1"),
    (r"\bawait ", ""),
    (r"\bAsyncIterator\b", "Iterator"),
    (r"\bAsync(Context|Lease|Store|Subscription|Transport)\b", r"\1"),
    (r"__aenter__", "__enter__"),
    (r"__aexit__", "__exit__"),
    (r"__aiter__", "__iter__"),
    (r"__anext__", "__next__"),
    (r"\baclose\b", "close"),
    (r"import Iterator, Iterable, Mapping, Sequence", "import Iterable, Iterator, Mapping, Sequence"),
)


def made() -> str:
    """The text that `sync.py` should have."""
    text = (PACKAGE / "aio.py").read_text()
    for pattern, replacement in RULES:
        text = re.sub(pattern, replacement, text)
    command = [sys.executable, "-m", "ruff", "format", "--stdin-filename", str(PACKAGE / "sync.py"), "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


def main() -> int:
    """Writes the file, or compares it."""
    target = PACKAGE / "sync.py"
    if "--check" in sys.argv:
        stale = target.read_text() != made()
        if stale:
            print("python/fastpaca/sync.py is stale: run tools/make_sync.py", file=sys.stderr)
        return int(stale)
    target.write_text(made())
    return 0


if __name__ == "__main__":
    sys.exit(main())
