"""The real conversations beside the project (`FASTPACA_DATA`, or `../shared/data`)."""

from __future__ import annotations

import gzip
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

DATA = Path(os.environ.get("FASTPACA_DATA", Path(__file__).parents[3] / "shared" / "data"))

needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"set FASTPACA_DATA to recorded conversations: no {DATA}")


@dataclass(frozen=True)
class Conversation:
    """One conversation, in the canonical shape or in its provider's."""

    id: str
    source: str
    messages: list[dict[str, Any]]


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a gzipped JSONL file."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def canonical_sets() -> list[Path]:
    """The sets of conversations in the canonical shape."""
    other = {"provider_calls", "texts_multilingual"}
    return [path for path in sorted(DATA.glob("*.jsonl.gz")) if path.name.split(".")[0] not in other]


def conversations(path: Path) -> Iterator[Conversation]:
    """The conversations of one canonical set."""
    for number, line in enumerate(lines(path)):
        yield Conversation(f"{number}-{line['id']}".replace("/", "_")[:200], path.name, line["messages"])


def native_conversations() -> Iterator[Conversation]:
    """Conversations in the shapes of Anthropic, OpenAI chat, OpenAI's old functions, and the ai-sdk."""
    raw = DATA / "raw"
    for line in lines(raw / "anthropic_messages" / "claude_code_as_anthropic_messages.jsonl.gz"):
        yield Conversation(f"anthropic-{line['id']}".replace("/", "_"), "anthropic", line["messages"])
    for number, line in enumerate(lines(raw / "openai_chat" / "tau_bench_gpt4o_airline.jsonl.gz")):
        yield Conversation(f"openai-{number}", "openai", line.get("messages") or line["traj"])
    for path in sorted((raw / "openai_legacy_functions").glob("*.json.gz")):
        messages = _longest_list(json.loads(gzip.decompress(path.read_bytes())))
        yield Conversation(f"functions-{path.name}", "openai functions", messages)
    ui = [message for line in lines(raw / "ai_sdk_uimessages" / "uimessages.jsonl.gz") for message in line["messages"]]
    turns = [turn for message in ui for turn in ({"role": "user", "content": "Go on."}, message)]
    yield Conversation("ai-sdk-ui", "ai-sdk", turns)
    for call in lines(DATA / "provider_calls.jsonl.gz"):
        field = {"openai.responses": "input"}.get(call["api"], "messages")
        messages = call["request"].get(field)
        if call["api"] in {"openai.chat", "openai.responses", "anthropic.messages"} and isinstance(messages, list):
            yield Conversation(call["id"], call["api"], messages)


def _longest_list(value: Any) -> list[dict[str, Any]]:
    """The longest list of messages anywhere inside."""
    best: list[dict[str, Any]] = []
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, list):
            if each and all(isinstance(m, dict) and "role" in m for m in each) and len(each) > len(best):
                best = each
            waiting += each
        elif isinstance(each, dict):
            waiting += each.values()
    return best
