"""Random messages in the shapes of every provider, for Hypothesis."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.support import erratic
from tests.support.native import CALL_FORMS, RESULT_FORMS, SINGLE, Spec
from tests.support.shapes import Ref

tokens = st.integers(0, 40)
refs = st.builds(Ref, st.sampled_from(["a", "b", "c", None]), st.sampled_from(["f", "g", None]))
pinned = st.sampled_from([False] * 7 + [True])
ids = st.sampled_from([None, None, "m1", "m2"])
roles = st.sampled_from(["user"] * 5 + ["assistant"] * 5 + ["system", "developer", "narrator"])
texts = st.builds(
    Spec, roles, text=st.sampled_from(["Hello.", "Grüße, 你好", ""]), tokens=tokens, pinned=pinned, id=ids
)
thinking = st.builds(Spec, st.just("assistant"), thinks=st.just(True), tokens=tokens)


@st.composite
def calling(draw: st.DrawFn) -> Spec:
    form = draw(st.sampled_from(CALL_FORMS))
    calls = draw(st.lists(refs, min_size=1, max_size=1 if form in SINGLE else 3))
    if form == "functions":
        calls = [Ref(None, calls[0].name)]
    if form == "responses":
        calls = [Ref(calls[0].id, calls[0].name or "function")]
    text = None if form in SINGLE else draw(st.sampled_from([None, "Let me see."]))
    return Spec("assistant", form, tuple(calls), text=text, tokens=draw(tokens), pinned=draw(pinned))


@st.composite
def resulting(draw: st.DrawFn) -> Spec:
    form = draw(st.sampled_from(RESULT_FORMS))
    one = form in SINGLE or form == "openai"
    results = draw(st.lists(refs, min_size=1, max_size=1 if one else 3))
    if form == "functions":
        results = [Ref(None, results[0].name)]
    text = draw(st.sampled_from([None, None, "And then?"])) if form == "anthropic" else None
    role = {"anthropic": "user", "functions": "function"}.get(form, "tool")
    return Spec(role, form, results=tuple(results), text=text, tokens=draw(tokens))


specs = st.one_of(texts, texts, calling(), resulting(), resulting(), thinking)

# What the naive model does not know: parts that hold call and output in one, reasoning with its call, long results.

names = st.sampled_from(["a", "b", "c", "d"])


def ui_part(call_id: str, state: str) -> dict[str, Any]:
    """A part of an ai-sdk UIMessage: a call, and its output once it is there."""
    output = {"output": {"found": 3}} if state == "output-available" else {}
    failed = {"errorText": "It failed."} if state == "output-error" else {}
    return {"type": "tool-f", "toolCallId": call_id, "state": state, "input": {}, **output, **failed}


ui_parts = st.builds(ui_part, names, st.sampled_from(["output-available", "output-error", "input-available"]))
ui_texts = st.just({"type": "text", "text": "One moment.", "state": "done"})
ui_messages = st.builds(
    lambda parts: {"role": "assistant", "parts": parts}, st.lists(st.one_of(ui_parts, ui_texts), min_size=1, max_size=4)
)
reasoning_items = st.builds(
    lambda unique: {"type": "reasoning", "id": f"rs_{unique}", "summary": [], "encrypted_content": "Z2liYmVyaXNo"},
    st.uuids(),
)
signed_calls = st.builds(
    lambda call_id: {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "I look it up.", "signature": "c2lnbmF0dXJl"},
            {"type": "tool_use", "id": call_id, "name": "f", "input": {"q": 1}},
        ],
    },
    names,
)
long_results = st.builds(
    lambda call_id, words: {"role": "tool", "tool_call_id": call_id, "content": "word " * words},
    names,
    st.integers(0, 400),
)
long_blocks = st.builds(
    lambda call_ids, words: {
        "role": "user",
        "content": [{"type": "tool_result", "tool_use_id": each, "content": "word " * words} for each in call_ids],
    },
    st.lists(names, min_size=1, max_size=3),
    st.integers(0, 200),
)
large_texts = st.builds(
    lambda role, size: {"role": role, "content": "A large one.", "token_count": size},
    st.sampled_from(["user", "assistant", "system"]),
    st.integers(100, 3000),
)
messages = st.one_of(
    specs.map(Spec.json),
    specs.map(Spec.json),
    specs.map(Spec.json),
    ui_messages,
    reasoning_items,
    signed_calls,
    long_results,
    long_blocks,
    large_texts,
)


def agent_run(calls: int, words: int, parallel: int = 1) -> list[dict[str, Any]]:
    """One turn: so many calls, each group with its results."""
    made: list[dict[str, Any]] = [{"role": "user", "content": "Do it all."}]
    for number in range(0, calls, parallel):
        found = [f"run{n}" for n in range(number, min(calls, number + parallel))]
        wanted = [
            {"id": each, "type": "function", "function": {"name": "f", "arguments": '{"n": 1}'}} for each in found
        ]
        made.append({"role": "assistant", "content": None, "tool_calls": wanted})
        made += [{"role": "tool", "tool_call_id": each, "content": "word " * words} for each in reversed(found)]
    return made


# Policies with random settings

ratios = st.sampled_from([0.1, 0.3, 0.7, 1])
common = {
    "trigger_ratio": ratios,
    "overflow": st.sampled_from(["drop", "flag"]),
    "max_result_tokens": st.sampled_from([5, 20, 10_000]),
    "max_tokens": st.sampled_from([100, 500]),
    "keep_system": st.booleans(),
}
limits = {"limit": st.integers(1, 9)}
OWN: dict[str, dict[str, Any]] = {
    "budget": {},
    "last_n": {},
    "strip_tool_results": {
        "keep_last": st.integers(0, 3),
        "keep_tokens": st.sampled_from([0, 50]),
        "clear_at_least": st.sampled_from([0, 10]),
        "exclude_tools": st.just(["g"]),
        "placeholder": st.just("Gone."),
        **limits,
    },
    "skip_parts": {
        "kinds": st.sampled_from([["tool"], ["reasoning"], ["text"], ["tool", "reasoning", "text", "media"]]),
        **limits,
    },
    "time_aware": {
        "max_age": st.sampled_from(["10m", "1h"]),
        "session_gap": st.sampled_from(["1m", "30m"]),
        "min_messages": st.integers(0, 4),
    },
    erratic.NAME: {},
}


@st.composite
def policies(draw: st.DrawFn) -> dict[str, Any]:
    strategy = draw(st.sampled_from(sorted(OWN)))
    required = limits if strategy == "last_n" else {}
    config = draw(st.fixed_dictionaries(required, optional={**common, **OWN[strategy]}))
    return {"strategy": strategy, "config": config}
