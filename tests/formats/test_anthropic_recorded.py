"""`anthropic`: recorded conversations and calls come back."""

from __future__ import annotations

import json
from itertools import groupby

from fastpaca import _core
from tests.formats.blocks import Json, text
from tests.formats.valid import fetched, violations
from tests.support.data import DATA, lines, native_conversations, needs_data
from tests.support.memory import append, memory_engine, write


def comparable(message: Json) -> tuple[str, list[Json]]:
    content = message["content"]
    blocks = [text(content)] if isinstance(content, str) else content
    kept = [plain(block) for block in blocks if not (block["type"] == "text" and not block["text"].strip())]
    return message["role"], kept


def plain(block: Json) -> Json:
    found = {name: value for name, value in block.items() if name != "cache_control"}
    if isinstance(found.get("content"), list):
        inner = [plain(each) for each in found["content"]]
        found["content"] = [each for each in inner if each["type"] != "text" or each["text"].strip()] or ""
    return found


def joined(messages: list[Json]) -> list[tuple[str, list[Json]]]:
    """Runs of one role as single messages, results first, none that ends in thinking."""
    found: list[tuple[str, list[Json]]] = []
    for role, run in groupby(map(comparable, messages), key=lambda pair: pair[0]):
        blocks = [block for _, blocks in run for block in blocks]
        blocks.sort(key=lambda block: role == "user" and block["type"] != "tool_result")
        while blocks and blocks[-1]["type"] in {"thinking", "redacted_thinking"}:
            blocks.pop()
        if found and found[-1][0] == role:
            found[-1][1].extend(blocks)
        elif blocks:
            found.append((role, blocks))
    return found


@needs_data
def test_real_native_conversations_come_back() -> None:
    native = [each for each in native_conversations() if each.source == "anthropic"]
    same = 0
    for conversation in native:
        if violations("anthropic", {"messages": conversation.messages}, None):
            continue
        engine = memory_engine()
        write(engine, "c", "configure", token_budget=_core.TOKEN_BUDGET_MAX)
        append(engine, "c", conversation.messages)
        reply = json.loads(fetched(engine, format="anthropic"))
        engine.close()
        before = joined(conversation.messages)
        after = joined(reply["request"]["messages"])
        assert (before if before[0][0] == "user" else [*after[:1], *before]) == after, conversation.id
        same += 1
    assert same >= len(native) // 2


@needs_data
def test_recorded_calls() -> None:
    """Requests that providers took, appended and asked for again, are what the client library and the rules take."""
    fields = {"openai.responses": "input", "openai.chat": "messages", "anthropic.messages": "messages"}
    seen = 0
    engine = memory_engine()
    for number, call in enumerate(lines(DATA / "provider_calls.jsonl.gz")):
        messages = call["request"].get(fields.get(call["api"], ""))
        native = call["api"] == "anthropic.messages"
        if not isinstance(messages, list) or number % (2 if native else 9):
            continue
        write(engine, call["id"], "configure", token_budget=_core.TOKEN_BUDGET_MAX)
        append(engine, call["id"], messages)
        reply = fetched(engine, call["id"], format="anthropic", close=True, cache="auto")
        found = json.loads(reply)["request"]
        faults = violations("anthropic", found, None)
        # The client library has no request types for betas.
        if native and violations("anthropic", {"messages": messages}, None):
            faults = [fault for fault in faults if not fault.startswith("anthropic: ")]
        assert faults == [], call["id"]
        seen += 1
    engine.close()
    assert seen > 50
