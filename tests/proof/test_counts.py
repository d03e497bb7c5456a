"""Counts beside what providers reported, and beside counts by other implementations."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from fastpaca import _core
from tests.support.data import DATA, lines, needs_data
from tests.support.memory import append, describe, memory_engine, write

REPLY_TOKENS = 3
"""What OpenAI adds for the beginning of the reply."""
DIFFERENT = {
    "gpt-5": -1,  # with gpt-5-mini and gpt-5-nano: a token less a call
    "o3-mini": -1,
    "o1-mini": 7,
}
"""Models that count in another way: what they report beyond OpenAI's published rule. See the data's README."""
HOSTS = ("api.openai.com", ".openai.azure.com")
PLAIN = {"messages", "model", "n", "stream", "user", "stop", "temperature", "max_tokens", "max_completion_tokens"} | {
    f"{name}_penalty" for name in ("presence", "frequency")
}
PLAIN |= {"top_p", "seed", "stream_options", "logprobs", "top_logprobs", "store", "service_tier", "metadata"}


def is_plain(call: dict[str, Any]) -> bool:
    """A call of OpenAI's own with nothing but texts."""
    request = call["request"]
    texts = all(
        isinstance(m.get("content"), str) and set(m) <= {"role", "content", "name"} for m in request["messages"]
    )
    return call["host"].endswith(HOSTS) and not call["has_tools"] and set(request) <= PLAIN and texts


def plain_calls() -> list[dict[str, Any]]:
    calls = lines(DATA / "provider_calls.jsonl.gz")
    return [call for call in calls if call["api"] == "openai.chat" and is_plain(call)]


def by_rule(call: dict[str, Any], counting: _core.Counting) -> int:
    """OpenAI's published rule."""
    fields = ("role", "content", "name")
    messages = call["request"]["messages"]
    return REPLY_TOKENS + sum(3 + sum(counting.count(m.get(f) or "") for f in fields) for m in messages)


def family(model: str) -> str | None:
    return next((name for name in DIFFERENT if model.startswith(name)), None)


@needs_data
def test_plain_openai_calls_are_counted_exactly() -> None:
    exact, off = Counter[str](), defaultdict[str, list[int]](list)
    for call in plain_calls():
        counted = by_rule(call, _core.Counting(model=call["model"]))
        if counted == call["input_tokens"]:
            exact[call["model"]] += 1
        else:
            off[call["model"]].append(call["input_tokens"] - counted)
    print(f"exact on {sum(exact.values())} of {sum(exact.values()) + sum(map(len, off.values()))} calls;", dict(off))
    assert sum(exact.values()) >= 45
    assert not any(family(model) for model in exact)
    for model, differences in off.items():
        name = family(model)
        assert name is not None, model
        assert set(differences) == {DIFFERENT[name]}, model


@needs_data
def test_a_context_of_the_same_messages_reports_the_same() -> None:
    engine, checked = memory_engine(), 0
    for call in plain_calls():
        if family(call["model"]) or any("name" in message for message in call["request"]["messages"]):
            continue
        write(engine, call["id"], "configure", model=call["model"], token_budget=1_000_000)
        reply = append(engine, call["id"], call["request"]["messages"])
        used = describe(engine, call["id"])["used_tokens"]
        assert used == reply["token_estimate"] == call["input_tokens"] - REPLY_TOKENS, call["id"]
        checked += 1
    print(f"{checked} contexts report what OpenAI counted, less the {REPLY_TOKENS} of the reply")
    assert checked >= 40
    engine.close()


@needs_data
def test_texts_of_all_scripts_are_counted_as_others_count_them() -> None:
    encoders = {name: _core.Counting(tokenizer=name) for name in _core.ENCODINGS}
    languages, checked = set(), 0
    for text in lines(DATA / "texts_multilingual.jsonl.gz"):
        for name, counting in encoders.items():
            assert counting.count(text["text"]) == text[f"n_{name}"], (text["id"], name)
            checked += 1
        languages.add(text["lang"])
    print(f"{checked} counts in {len(languages)} languages equal to bpe-openai and js-tiktoken")
    assert checked > 1_000
