"""Each rule against a request that keeps it and one that breaks it; and that no request makes a rule raise."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastpaca.providers import FORMATS, Violation, check, rules
from tests.providers import cases_anthropic, cases_openai, cases_openai_responses
from tests.providers.case import Case
from tests.support.cases import EXAMPLES

CASES: dict[str, list[Case]] = {
    "openai": cases_openai.CASES,
    "openai-responses": cases_openai_responses.CASES,
    "anthropic": cases_anthropic.CASES,
}
PAIRS = [
    pytest.param(name, case, id=f"{name}-{case.rule}-{n}") for name, cs in CASES.items() for n, case in enumerate(cs)
]


@pytest.mark.parametrize(("name", "case"), PAIRS)
def test_a_rule_finds_what_breaks_it_and_nothing_else(name: str, case: Case) -> None:
    rule = next(rule for rule in rules(name) if rule.code == case.rule)
    assert check(name, case.good, model=case.model) == []
    assert not [v for v in check(name, case.good, model=case.model, strict=True) if v.rule == case.rule]
    found = [v for v in check(name, case.bad, model=case.model, strict=rule.strict) if v.rule == case.rule]
    assert [v.path for v in found][:1] == [case.path]
    assert found[0].message
    assert found[0].source.startswith("https://")


@pytest.mark.parametrize("name", FORMATS)
def test_every_rule_has_a_case_a_summary_and_a_source(name: str) -> None:
    assert {rule.code for rule in rules(name)} == {case.rule for case in CASES[name]}
    assert len({rule.code for rule in rules(name)}) == len(rules(name))
    for rule in rules(name):
        assert rule.summary.endswith(".")
        assert rule.source.startswith("https://")


@pytest.mark.parametrize("name", ["openai", "anthropic"])
def test_strict_rules_are_left_out_unless_asked_for(name: str) -> None:
    strict = {rule.code for rule in rules(name) if rule.strict}
    assert strict
    assert {rule.code for rule in rules(name, strict=False)} == {rule.code for rule in rules(name)} - strict
    for case in CASES[name]:
        if case.rule in strict:
            assert case.rule not in {v.rule for v in check(name, case.bad, model=case.model)}


def test_models_that_take_what_newer_or_older_ones_refuse() -> None:
    prefill = cases_anthropic.chat(cases_anthropic.user(), cases_anthropic.assistant())
    for model in ("claude-sonnet-4-5-20250929", "claude-opus-4-20250514", "claude-3-5-sonnet-20241022", "gpt-5", None):
        assert check("anthropic", prefill, model=model) == []
    told = cases_anthropic.chat(cases_anthropic.user(), cases_anthropic.system())
    for model in ("claude-opus-4-8", "claude-opus-5", "claude-fable-5", None):
        assert check("anthropic", told, model=model) == []


def test_the_model_of_the_request_counts_where_none_is_given() -> None:
    prefill = cases_anthropic.chat(cases_anthropic.user(), cases_anthropic.assistant(), model="claude-opus-4-8")
    assert [v.rule for v in check("anthropic", prefill)] == ["prefill_model"]
    assert check("anthropic", prefill, model="claude-haiku-4-5") == []


def test_an_unknown_format_is_named() -> None:
    with pytest.raises(ValueError, match="unknown format 'gemini'"):
        check("gemini", {})


def test_a_violation_is_a_value() -> None:
    (found,) = check("openai", cases_openai.chat())
    assert found == Violation(found.rule, found.message, found.path, found.source)
    assert hash(found)


WORDS = sorted(
    {"messages", "role", "content", "type", "text", "id", "tool_calls", "tool_call_id", "function", "name", "arguments"}
    | {
        "tool_use",
        "tool_result",
        "tool_use_id",
        "thinking",
        "signature",
        "cache_control",
        "ttl",
        "source",
        "media_type",
    }
    | {"user", "assistant", "system", "tool", "image", "base64", "ephemeral", "input", "is_error", "custom", "call_id"}
    | {"reasoning", "function_call", "function_call_output", "output", "summary", "instructions", "message"}
)
SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.sampled_from(WORDS)
JSON: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=5),
    max_leaves=20,
)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("count", [15, pytest.param(400, marks=pytest.mark.slow)])
def test_no_request_makes_a_rule_raise(name: str, count: int) -> None:
    tried: list[int] = []

    @settings(max_examples=EXAMPLES or count)
    @given(messages=st.lists(JSON, max_size=4), system=JSON)
    def check_any(messages: list[Any], system: Any) -> None:
        check_request(name, messages, system)
        tried.append(len(messages))

    check_any()
    assert len(tried) >= count
    assert max(tried) > 1


def check_request(name: str, messages: list[Any], system: Any) -> None:
    request = {"messages": messages, "input": messages, "system": system, "instructions": system, "tools": messages}
    check(name, request, model="claude-opus-4-8", strict=True)
    check(name, system, strict=True)
