"""Row 4: counting tokens, against tiktoken on the same text, one thread. `python benches/tokens.py`.

tiktoken downloads its vocabularies; here its Encoding is built from the ranks that the tiktoken-rs crate carries, the
same crate that the core is built from.
"""

from __future__ import annotations

import argparse
import base64
import os
import random
import string
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import corpus
from fastpaca import _core
from report import Row, at_least, interleaved, machine, number, ratios, table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LONG_CHARACTERS = 100_000
TEXTS_MAX = 10_000
LEAST = {"prose": 10.0, "code": 10.0}
LEAST_OTHERS = 3.0


class NotAvailableError(Exception):
    """tiktoken or its vocabulary is not on this machine."""


def encoding(name: str) -> Any:
    """tiktoken's Encoding of that name. Raises `NotAvailableError`."""
    try:
        import tiktoken  # noqa: PLC0415 - the only part that needs it
        from tiktoken_ext import openai_public  # noqa: PLC0415
    except ImportError:
        raise NotAvailableError("tiktoken is not installed: pip install --group bench") from None
    path = _assets() / f"{name}.tiktoken"
    lines = (line.split() for line in path.read_bytes().splitlines() if line)
    ranks = {base64.b64decode(token): int(rank) for token, rank in lines}
    openai_public.load_tiktoken_bpe = lambda *_args, **_hash: ranks
    return tiktoken.Encoding(**getattr(openai_public, name)())


def _assets() -> Path:
    """The vocabularies in the source of the tiktoken-rs crate, which cargo unpacked to build the core."""
    home = Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo")
    found = sorted(home.glob("registry/src/*/tiktoken-rs-*/assets"))
    if not found:
        raise NotAvailableError(f"the source of the crate tiktoken-rs is not in {home}: build the core here first")
    return found[-1]


def _passes(count: Callable[[str], Any], texts: Sequence[str], seconds: float, before: Sequence[str]) -> float:
    """Seconds of this thread's processor time that one pass over the texts takes, over at least so many seconds. Each
    begins after `before` was counted.
    """
    passes, spent = 0, 0.0
    while spent < seconds:
        for text in before:
            count(text)
        began = time.thread_time()
        for text in texts:
            count(text)
        spent += time.thread_time() - began
        passes += 1
    return spent / passes


def _made_up() -> str:
    """Words that displace all that the core remembers, and what was in the processor's caches."""
    chosen = random.Random(1)
    return " ".join("".join(chosen.choices(string.ascii_letters, k=7)) for _ in range(40_000))


def rows(*, rounds: int = 3, seconds: float = 0.3, name: str = "o200k_base") -> list[Row]:
    """Messages of 400 characters of each kind, and long texts."""
    theirs = encoding(name)
    ours = _core.Counting(tokenizer=name)
    found = []
    for kind in corpus.KINDS:
        texts = corpus.texts(kind)[:TEXTS_MAX]
        for text in texts[:50]:
            assert ours.count(text) == len(theirs.encode_ordinary(text)), text
        # The core remembers pieces that it met lately. So no text is counted in two passes without others in between:
        # those of its kind, as on a server in use, or made-up words, as where no text is of the kind of the one before.
        before, new = texts[::2], texts[1::2]
        joined = "\n".join(new)
        long = [joined[at : at + LONG_CHARACTERS] for at in range(0, len(joined), LONG_CHARACTERS)]
        measured = Measured(ours, theirs, kind, rounds, seconds)
        least = LEAST.get(kind, LEAST_OTHERS)
        found.append(measured.row(new, "400 characters", before, least))
        found.append(measured.row(long, f"{LONG_CHARACTERS // 1000} 000 characters", before, least))
        found.append(measured.row(new, "400 characters, after made-up words", [_made_up()], None))
    return found


@dataclass(frozen=True, slots=True)
class Measured:
    """One kind of text."""

    ours: _core.Counting
    theirs: Any
    kind: str
    rounds: int
    seconds: float

    def row(self, texts: Sequence[str], shape: str, before: Sequence[str], least: float | None) -> Row:
        """Time for a text where they are short, and megabytes a second."""
        counts = {"ours": self.ours.count, "tiktoken": self.theirs.encode_ordinary}
        runs = {name: partial(_passes, count, texts, self.seconds, before) for name, count in counts.items()}
        size_bytes = sum(len(text.encode()) for text in texts)
        took = interleaved(runs, self.rounds)

        def shown(name: str) -> str:
            typical = median(took[name])
            speed = f"{number(size_bytes / typical / 1e6)} MB/s"
            return f"{typical / len(texts) * 1e6:.1f} us, {speed}" if shape.startswith("400") else speed

        ratio = ratios(took["tiktoken"], took["ours"])
        return at_least("4", f"{self.kind}, {shape}", shown("ours"), shown("tiktoken"), ratio, least)


def main() -> None:
    """Prints row 4."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.2, help="at least, for each measurement")
    parser.add_argument("--encoding", default="o200k_base", choices=_core.ENCODINGS)
    options = parser.parse_args()
    print(f"{machine()}\ntext: {corpus.describe()}\nencoding: {options.encoding}; medians, processor time\n")
    try:
        print(table(rows(rounds=options.rounds, seconds=options.seconds, name=options.encoding)))
    except NotAvailableError as reason:
        sys.exit(f"row 4 is skipped: {reason}")


if __name__ == "__main__":
    main()
