"""Makes the frozen data directory of the current format: `python -m tests.frozen.make`. Never over an existing one.

It holds every kind of entry that this release writes, a snapshot with index chunks, and idempotency keys. Beside it
stand the bytes that reads must give for ever.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import fastpaca

FOLDER = Path(__file__).parent
FORMAT = 1


def fill(store: fastpaca.Store) -> None:
    chat = store.context("chat", budget=2000, trigger=0.6, metadata={"tenant": "a"}, model="gpt-4o")
    chat.append({"role": "system", "content": "Be brief.", "id": "s"}, idempotency_key="first")
    chat.append({"role": "user", "content": "Straße, 日本語, 👩‍💻 \u0001", "metadata": {"pinned": True}})
    call = {"type": "tool_call", "call_id": "c1", "name": "look", "payload": {"at": 1e5}}
    chat.append({"role": "assistant", "parts": [{"type": "reasoning", "text": "hm"}, call]})
    chat.append({"role": "user", "content": "never mind"})
    chat.append({"role": "tool", "parts": [{"type": "tool_result", "call_id": "c1", "content": "late"}]})
    chat.append({"role": "tool", "parts": [{"type": "tool_result", "call_id": "gone", "content": "orphan"}]})
    version = chat.window().version
    usage = {"input_tokens": 500, "window_version": version}
    chat.append({"role": "assistant", "content": "fine", "id": "a1", "usage": usage})
    chat.append({"role": "assistant", "content": "better", "id": "a1"}, replace=True, idempotency_key="replaced")
    chat.compact({"role": "assistant", "content": "They asked; nothing came of it."}, from_seq=4, to_seq=5)
    chat.append([{"role": "user", "content": f"more {n}"} for n in range(5)])
    chat.rewind(10)
    chat.metadata({"tenant": None, "plan": "pro"})
    chat.configure(token_budget=3000)
    long = store.context("long", budget=1500, policy={"strategy": "last_n", "config": {"limit": 20}})
    for n in range(400):
        role = ("user", "assistant")[n % 2]
        long.append({"role": role, "content": f"message {n}", "created_at": "2026-01-01T00:00:00Z"})
    gone = store.context("gone", budget=10)
    gone.append({"role": "user", "content": "x"})
    gone.delete()


def reads(store: fastpaca.Store) -> dict[str, object]:
    """What a reader of the directory gets."""
    shown: dict[str, object] = {}
    for name in ("chat", "long", "gone"):
        context = store.context(name)
        windows = [json.loads(context.window(budget=budget, close=True).raw) for budget in (None, 1000, 10_000)]
        info = context.info()
        shown[name] = {
            "windows": windows,
            "log": list(context.messages(all=True)),
            "replay": [m["seq"] for m in context.messages()],
            "info": {name: getattr(info, name) for name in info.__slots__},
        }
    return shown


def main() -> int:
    target = FOLDER / f"format-{FORMAT}"
    if target.exists():
        print(f"{target} is there: a frozen directory is never made again", file=sys.stderr)
        return 1
    with fastpaca.open(target) as store:
        fill(store)
        expected = reads(store)
    for junk in [*target.glob("LOG*"), *target.glob("OWNER*"), *target.glob("LOCK")]:
        junk.unlink()
    (FOLDER / f"format-{FORMAT}.json").write_text(json.dumps(expected, indent=1, ensure_ascii=False))
    print(sum(f.stat().st_size for f in target.iterdir()), "bytes")
    return 0


def copied(number: int, to: Path) -> Path:
    """A copy of a frozen directory that may be opened."""
    shutil.copytree(FOLDER / f"format-{number}", to)
    return to


if __name__ == "__main__":
    sys.exit(main())
