"""Row 4: counting tokens, against tiktoken on the same text, one thread. `python benches/tokens.py`.

tiktoken downloads its vocabularies; here its Encoding is built from the ranks that the tiktoken-rs crate carries, the
same crate that the core is built from.
"""

from __future__ import annotations

import argparse
import base64
import json
import random
import string
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import corpus
from report import Row, at_least, interleaved, machine, number, ratios, table

from fastpaca import _core

LONG_CHARACTERS = 100_000
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
    command = ["cargo", "metadata", "--format-version", "1", "--offline", "--manifest-path", corpus.ROOT / "Cargo.toml"]
    try:
        done = subprocess.run(command, capture_output=True, check=True, text=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        raise NotAvailableError(f"cargo does not say where the crate tiktoken-rs is: {error}") from None
    packages = json.loads(done.stdout)["packages"]
    found = next((each["manifest_path"] for each in packages if each["name"] == "tiktoken-rs"), None)
    if found is None:
        raise NotAvailableError("the crate tiktoken-rs is not among the dependencies")
    return Path(found).parent / "assets"


def _passes(count: Callable[[str], Any], texts: Sequence[str], seconds: float, forget: Callable[[], None]) -> float:
    """Seconds that one pass over the texts takes, over at least so many seconds."""
    passes, spent = 0, 0.0
    while spent < seconds:
        forget()
        began = time.perf_counter()
        for text in texts:
            count(text)
        spent += time.perf_counter() - began
        passes += 1
    return spent / passes


def _forgetter(count: Callable[[str], int]) -> Callable[[], None]:
    """The core remembers the counts of pieces that it met lately. Without this, a corpus smaller than that memory would
    only be looked up from its second pass on.
    """
    chosen = random.Random(1)
    words = " ".join("".join(chosen.choices(string.ascii_letters, k=7)) for _ in range(40_000))
    return lambda: (count(words), None)[1]


def rows(*, rounds: int = 3, seconds: float = 0.3, name: str = "o200k_base") -> list[Row]:
    """Messages of 400 characters of each kind, and long texts."""
    theirs = encoding(name)
    ours = _core.Counting(tokenizer=name)
    forget = _forgetter(ours.count)
    found = []
    for kind in corpus.KINDS:
        short = corpus.texts(kind)
        joined = "\n".join(short)
        long = [joined[at : at + LONG_CHARACTERS] for at in range(0, len(joined), LONG_CHARACTERS)]
        for text in short[:50]:
            assert ours.count(text) == len(theirs.encode_ordinary(text)), text
        for texts, shape in ((short, "400 characters"), (long, f"{LONG_CHARACTERS // 1000} 000 characters")):
            found.append(_row(ours, theirs, forget, kind, texts, shape, rounds, seconds))
    return found


def _row(
    ours: _core.Counting,
    theirs: Any,
    forget: Callable[[], None],
    kind: str,
    texts: Sequence[str],
    shape: str,
    rounds: int,
    seconds: float,
) -> Row:
    runs = {
        "ours": lambda: _passes(ours.count, texts, seconds, forget),
        "tiktoken": lambda: _passes(theirs.encode_ordinary, texts, seconds, lambda: None),
    }
    size_bytes = sum(len(text.encode()) for text in texts)
    took = interleaved(runs, rounds)

    def shown(name: str) -> str:
        best = min(took[name])
        speed = f"{number(size_bytes / best / 1e6)} MB/s"
        return f"{best / len(texts) * 1e6:.2f} us, {speed}" if shape.startswith("400") else speed

    least = LEAST.get(kind, LEAST_OTHERS)
    return at_least(
        "4", f"{kind}, {shape}", shown("ours"), shown("tiktoken"), ratios(took["tiktoken"], took["ours"]), least
    )


def main() -> None:
    """Prints row 4."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.3, help="at least, for each measurement")
    parser.add_argument("--encoding", default="o200k_base", choices=_core.ENCODINGS)
    options = parser.parse_args()
    print(f"{machine()}\ntext: {corpus.describe()}\nencoding: {options.encoding}; times of the best round\n")
    try:
        print(table(rows(rounds=options.rounds, seconds=options.seconds, name=options.encoding)))
    except NotAvailableError as reason:
        sys.exit(f"row 4 is skipped: {reason}")


if __name__ == "__main__":
    main()
