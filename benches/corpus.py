"""Text to measure with: real conversations where there are some, else text found on this machine or made up.

The folder of real conversations is named by FASTPACA_DATA (default: `../shared/data` beside the repository). Nothing of
it is kept here.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import random
import re
import sysconfig
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("FASTPACA_DATA") or ROOT.parent / "shared" / "data")
MESSAGE_CHARACTERS = 400
KIND_BYTES = 2_000_000

_PROSE_SETS = ("beam", "locomo", "mtbench_reasoning_en", "chitchat")
_CODE_SETS = ("claude_code_entire", "swe_agent", "openhands", "pi_large_session")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_SCRIPTS = {
    "CJK": (("cmn_hans", "cmn_hant", "jpn", "kor"), (0x4E00, 0x6E00)),
    "Cyrillic": (("rus", "ukr", "bul"), (0x0430, 0x044F)),
    "Arabic": (("arb", "urd", "pes_1"), (0x0627, 0x064A)),
    "Hindi": (("hin",), (0x0905, 0x0939)),
}


def is_real() -> bool:
    """Whether real conversations are there."""
    return (DATA / "beam.jsonl.gz").exists()


def describe() -> str:
    """Where the text comes from, for the head of a report."""
    if is_real():
        return "real conversations (FASTPACA_DATA)"
    return "Python's standard library and made-up words (FASTPACA_DATA names no conversations)"


def _lines(name: str) -> Iterator[dict[str, Any]]:
    path = DATA / f"{name}.jsonl.gz"
    if path.exists():
        with gzip.open(path, "rt", encoding="utf-8") as file:
            yield from map(json.loads, file)


def _parts(name: str) -> Iterator[dict[str, Any]]:
    return (part for line in _lines(name) for message in line["messages"] for part in message["parts"])


def _fair(streams: list[Iterator[str]]) -> Iterator[str]:
    """One of each in turn, so that no set fills the whole corpus."""
    while streams:
        for stream in list(streams):
            text = next(stream, None)
            if text is None:
                streams.remove(stream)
            else:
                yield text


def _sources() -> Iterator[str]:
    library = Path(sysconfig.get_paths()["stdlib"])
    for path in sorted(library.glob("*.py")):
        yield path.read_text(encoding="utf-8", errors="replace")


def _prose() -> Iterator[str]:
    if is_real():
        return _fair([(part["text"] for part in _parts(name) if part["type"] == "text") for name in _PROSE_SETS])
    return (text for source in _sources() for text in source.split('"""')[1::2] if "    >>>" not in text)


def _code() -> Iterator[str]:
    if not is_real():
        return _sources()
    return _fair([(part["content"] for part in _parts(name) if _is_text_result(part)) for name in _CODE_SETS])


def _is_text_result(part: dict[str, Any]) -> bool:
    return part["type"] == "tool_result" and isinstance(part["content"], str)


def _json() -> Iterator[str]:
    if is_real():
        calls = [(part["payload"] for part in _parts(name) if part["type"] == "tool_call") for name in _CODE_SETS]
        return _fair([(json.dumps(payload, ensure_ascii=False) for payload in each) for each in calls])
    chosen = random.Random(3)
    words = " ".join(islice(_prose(), 200)).split()
    return (
        json.dumps(
            {"id": n, "path": chosen.choice(words), "score": chosen.random(), "tags": chosen.choices(words, k=8)}
        )
        for n in range(20_000)
    )


def _script(languages: tuple[str, ...], letters: tuple[int, int]) -> Iterator[str]:
    texts = [line["text"] for line in _lines("texts_multilingual") if line["lang"] in languages]
    if "jpn" in languages:
        chats = (
            part["text"] for name in ("moss_zh_en", "mtbench_ja") for part in _parts(name) if part["type"] == "text"
        )
        texts += [text for text in chats if sum(letter > "\u2e80" for letter in text) * 2 > len(text)]
    if texts:
        return iter(texts)
    chosen = random.Random(4)
    words = ["".join(chr(chosen.randint(*letters)) for _ in range(chosen.randint(1, 8))) for _ in range(2_000)]
    weights = [1 / (rank + 1) for rank in range(len(words))]
    return (" ".join(chosen.choices(words, weights, k=60)) for _ in range(400))


def _emoji() -> Iterator[str]:
    chosen = random.Random(5)
    emoji = [chr(code) for start, stop in ((0x1F300, 0x1F64F), (0x1F680, 0x1F6FF)) for code in range(start, stop)]
    emoji += ["👩\u200d👩\u200d👧", "👍🏽", "❤\ufe0f", "🇫🇷", "1\ufe0f\u20e3"]
    return ("".join(chosen.choices(emoji, k=chosen.randint(1, 40))) + " " for _ in range(4_000))


def _base64() -> Iterator[str]:
    chosen = random.Random(6)
    return (base64.b64encode(chosen.randbytes(3_000)).decode() for _ in range(200))


def _pieces(texts: Iterator[str]) -> list[str]:
    """Texts of exactly `MESSAGE_CHARACTERS`, all different, cut out of longer runs."""
    stream: list[str] = []
    pieces: set[str] = set()
    total = length = 0
    for text in texts:
        stream.append(text)
        length += len(text) + 1
        if length < MESSAGE_CHARACTERS:
            continue
        run = "\n".join(stream)
        whole = len(run) - len(run) % MESSAGE_CHARACTERS
        cut = [run[at : at + MESSAGE_CHARACTERS] for at in range(0, whole, MESSAGE_CHARACTERS)]
        new = {piece for piece in cut if _LONE_SURROGATE.search(piece) is None} - pieces
        pieces |= new
        total += sum(len(piece.encode()) for piece in new)
        stream, length = [run[whole:]], len(run) - whole
        if total >= KIND_BYTES:
            break
    found = sorted(pieces)
    random.Random(7).shuffle(found)
    return found


@cache
def texts(kind: str) -> list[str]:
    """Different texts of 400 characters of a kind, up to 2 MB, in a fixed random order."""
    if kind in _SCRIPTS:
        return _pieces(_script(*_SCRIPTS[kind]))
    makers = {"prose": _prose, "code": _code, "JSON": _json, "emoji": _emoji, "base64": _base64}
    return _pieces(makers[kind]())


KINDS = ("prose", "code", "JSON", *_SCRIPTS, "emoji", "base64")


@cache
def mixed() -> list[str]:
    """What chats are made of: three texts of prose for each one of code."""
    prose, code = texts("prose"), texts("code")
    count = min(len(prose) // 3, len(code))
    found = prose[: count * 3] + code[:count]
    random.Random(8).shuffle(found)
    return found


def messages(count: int, *, token_count: bool, start: int = 0) -> list[dict[str, Any]]:
    """Messages of user and assistant in turn, each with a text of its own; beyond the corpus they repeat."""
    pool = mixed()
    found: list[dict[str, Any]] = []
    for n in range(start, start + count):
        message: dict[str, Any] = {"role": "assistant" if n % 2 else "user", "content": pool[n % len(pool)]}
        if token_count:
            message["token_count"] = MESSAGE_CHARACTERS // 4
        found.append(message)
    return found
