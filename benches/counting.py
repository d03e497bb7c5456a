"""Counting tokens beside tiktoken and tiktoken-rs: kinds of text, tiny messages, one message of 10 MB; one thread and
two. `python benches/counting.py [--quick]`.

Elapsed time. Each side is asked as its users ask it: `Counting.count` against `Encoding.encode_ordinary` in Python, and
the core against tiktoken-rs in Rust, in a program of its own (`rust/benches/tokens.rs`). What the core remembers of
pieces is displaced before each pass, which is not timed.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import statistics
import string
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import corpus
from fastpaca import _core
from report import Figures, columns, interleaved, machine, number
from tokens import NotAvailableError, encoding

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROOT = Path(__file__).resolve().parent.parent
TEXTS = 1_000
LARGE_BYTES = 10_000_000
KINDS = ("prose", "code", "JSON", "CJK", "emoji", "base64")


def texts() -> dict[str, list[str]]:
    """By kind. `other` is counted before each pass."""
    found = {kind: corpus.texts(kind)[:TEXTS] for kind in KINDS}
    chosen = random.Random(1)
    words = " ".join(corpus.mixed()[:200]).split()
    found["tiny"] = [" ".join(chosen.choices(words, k=chosen.randint(1, 3))) for _ in range(TEXTS)]
    prose = "\n".join(corpus.texts("prose"))
    repeated = prose * (LARGE_BYTES // len(prose.encode()) + 1)
    found["10 MB"] = [repeated.encode()[:LARGE_BYTES].decode(errors="ignore")]
    found["other"] = [" ".join("".join(chosen.choices(string.ascii_letters, k=7)) for _ in range(40_000))]
    return found


def _pass(count: Callable[[str], object], given: Sequence[str], other: str, threads: int) -> float:
    """Seconds until the last thread is done."""
    begin = threading.Barrier(threads)
    spans: list[tuple[float, float]] = []

    def run(own: int) -> None:
        count(other)
        mine = given[own::threads]
        begin.wait()
        began = time.perf_counter()
        for text in mine:
            count(text)
        spans.append((began, time.perf_counter()))

    running = [threading.Thread(target=run, args=(own,)) for own in range(threads)]
    for each in running:
        each.start()
    for each in running:
        each.join()
    if len(spans) != threads:
        raise RuntimeError("a counting thread has failed")
    return max(end for _, end in spans) - min(began for began, _ in spans)


def _figures(kind: str, subject: str, seconds: Sequence[float], given: Sequence[str]) -> Figures:
    size_bytes = sum(len(text.encode()) for text in given)
    rates = [size_bytes / each / 1e6 for each in seconds]
    each_us = [taken / len(given) * 1e6 for taken in seconds]
    return Figures("tokens", kind, subject, {"mb_per_s": rates, "us_a_text": each_us})


def _threads(threads: int) -> str:
    return "one thread" if threads == 1 else "two threads"


def in_python(given: dict[str, list[str]], rounds: int) -> list[Figures]:
    """Raises `NotAvailableError` where tiktoken is not here."""
    counts = {
        "fastpaca": _core.Counting(tokenizer="o200k_base").count,
        "tiktoken": encoding("o200k_base").encode_ordinary,
    }
    other = given["other"][0]
    found = []
    for kind, mine in given.items():
        if kind == "other":
            continue
        for threads in (1, 2) if len(mine) > 1 else (1,):
            runs = {name: partial(_pass, count, mine, other, threads) for name, count in counts.items()}
            for name, took in interleaved(runs, rounds).items():
                found.append(_figures(kind, f"{name}, Python, {_threads(threads)}", took, mine))
    return found


def in_rust(given: dict[str, list[str]], rounds: int) -> list[Figures]:
    """Raises `NotAvailableError` where cargo is not here."""
    if shutil.which("cargo") is None:
        raise NotAvailableError("cargo is not here, which builds the comparison with tiktoken-rs")
    with tempfile.TemporaryDirectory(prefix="fastpaca-tokens-") as folder:
        file = Path(folder, "texts.json")
        file.write_text(json.dumps(given), encoding="utf-8")
        command = ["cargo", "bench", "--quiet", "--package", "fastpaca-core", "--bench", "tokens", "--"]
        done = subprocess.run(
            [*command, str(file), str(rounds)], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
        )
    found = []
    for line in map(json.loads, done.stdout.splitlines()):
        for side, name in (("ours", "fastpaca"), ("theirs", "tiktoken-rs")):
            subject = f"{name}, Rust, {_threads(line['threads'])}"
            found.append(_figures(line["kind"], subject, line[side], given[line["kind"]]))
    return found


def measure(*, quick: bool) -> tuple[list[Figures], list[str]]:
    """Everything of this file, and what was not there."""
    given = texts()
    rounds = 1 if quick else 7
    found: list[Figures] = []
    skipped = []
    for name, part in (("tiktoken", in_python), ("tiktoken-rs", in_rust)):
        try:
            found += part(given, rounds)
        except NotAvailableError as reason:
            skipped.append(f"{name}: skipped, {reason}")
    return sorted(found, key=lambda each: list(given).index(each.operation)), skipped


def text(found: list[Figures]) -> str:
    """For people."""
    lines = [("text", "by", "speed", "rounds", "a text")]
    for each in found:
        rates = each.values["mb_per_s"]
        spread = f"{number(min(rates))} to {number(max(rates))}" if len(rates) > 1 else ""
        took = f"{number(statistics.median(each.values['us_a_text']))} us"
        lines.append((each.operation, each.subject, f"{number(statistics.median(rates))} MB/s", spread, took))
    return columns(lines)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one round: to see that it works")
    found, skipped = measure(quick=parser.parse_args().quick)
    if not found:
        sys.exit("\n".join(skipped))
    print(f"{machine()}\ntext: {corpus.describe()}\n", text(found), *skipped, sep="\n")


if __name__ == "__main__":
    main()
