"""Requests that a provider accepted break no rule."""

from __future__ import annotations

import pytest

from fastpaca.providers import FORMATS, check
from tests.support.data import DATA, lines, native_conversations, needs_data

API = {"openai": "openai.chat", "openai-responses": "openai.responses", "anthropic": "anthropic.messages"}
FIRST_PARTY = {"api.openai.com", "x.openai.azure.com", "api.anthropic.com"}
"""Other hosts speak dialects of their own, such as a list of no calls."""


@needs_data
@pytest.mark.parametrize("name", FORMATS)
def test_no_rule_is_broken_by_an_accepted_request(name: str) -> None:
    calls = [call for call in lines(DATA / "provider_calls.jsonl.gz") if call["api"] == API[name]]
    accepted = [call for call in calls if call["host"] in FIRST_PARTY]
    assert len(accepted) > 150
    broken = {call["id"]: found for call in accepted if (found := check(name, call["request"], model=call["model"]))}
    assert broken == {}


@needs_data
def test_conversations_with_openai_break_no_rule() -> None:
    conversations = [each for each in native_conversations() if each.source == "openai"]
    assert len(conversations) > 100
    assert {each.id: found for each in conversations if (found := check("openai", {"messages": each.messages}))} == {}


@needs_data
def test_in_logs_of_anthropic_only_interrupted_calls_break_a_rule() -> None:
    conversations = [each for each in native_conversations() if each.source == "anthropic"]
    found = [violation for each in conversations for violation in check("anthropic", {"messages": each.messages})]
    assert {violation.rule for violation in found} == {"tool_use_unanswered", "tool_result_orphan"}
    assert len(found) < 10
