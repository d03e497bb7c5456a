"""The providers' client libraries parse the requests that keep the rules, and refuse what their types can refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.providers import cases_anthropic, cases_openai, cases_openai_responses
from tests.providers.case import Case
from tests.providers.clients import langchain_roundtrip, parse_anthropic, parse_openai, parse_responses
from tests.support.data import DATA, lines, needs_data

Parse = Callable[[dict[str, Any]], dict[str, Any]]

CASES: list[tuple[Parse, list[Case]]] = [
    (parse_openai, cases_openai.CASES),
    (parse_responses, cases_openai_responses.CASES),
    (parse_anthropic, cases_anthropic.CASES),
]
REFUSED = {
    "openai": {"role_unknown", "tool_call_shape", "function_call_shape"},
    "openai-responses": {"item_kind", "item_field", "role_unknown", "reasoning_shape"},
    "anthropic": {"role_unknown", "message_field", "content_shape", "block_field", "system_shape", "tool_result_shape"},
}


@pytest.mark.parametrize(("parse", "cases"), CASES)
def test_types_parse_what_keeps_the_rules(parse: Parse, cases: list[Case]) -> None:
    for case in cases:
        parsed = parse(case.good)
        assert {name: parsed[name] for name in case.good} == case.good


@pytest.mark.parametrize(
    ("parse", "cases", "refused"), [(*pair, codes) for pair, codes in zip(CASES, REFUSED.values(), strict=True)]
)
def test_types_refuse_extra_keys_and_wrong_parts(parse: Parse, cases: list[Case], refused: set[str]) -> None:
    for case in cases:
        if case.rule in refused:
            with pytest.raises((ValueError, TypeError)):
                parse(case.bad)


@pytest.mark.parametrize(
    ("parse", "request_"),
    [
        (parse_openai, cases_openai.chat({"role": "user", "content": [{"type": "text", "text": "Hi", "seq": 1}]})),
        (parse_openai, {**cases_openai.CALLED, "system": "Be brief"}),
        (parse_openai, cases_openai.chat(cases_openai.asks({**cases_openai.call(), "index": 0}))),
        (parse_responses, cases_openai_responses.asks({"role": "user", "content": [{"type": "text", "text": "Hi"}]})),
        (parse_responses, cases_openai_responses.asks(cases_openai_responses.calls(arguments={}))),
        (parse_anthropic, cases_anthropic.chat(cases_anthropic.user(cases_anthropic.text(7)))),
        (parse_anthropic, cases_anthropic.chat(cases_anthropic.assistant(cases_anthropic.use(input="{}")))),
        (parse_anthropic, cases_anthropic.chat(cases_anthropic.assistant(cases_anthropic.thinking(seq=1)))),
    ],
)
def test_what_stands_inside_iterables_is_validated(parse: Parse, request_: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError)):
        parse(request_)


@needs_data
def test_types_parse_nearly_all_recorded_requests() -> None:
    by_api = {"openai.chat": parse_openai, "openai.responses": parse_responses, "anthropic.messages": parse_anthropic}
    hosts = {"api.openai.com", "api.anthropic.com"}
    calls = [c for c in lines(DATA / "provider_calls.jsonl.gz") if c["api"] in by_api and c["host"] in hosts]
    parsed = sum(_parses(by_api[call["api"]], call["request"]) for call in calls)
    # The rest use betas, which have types of their own.
    assert parsed > 0.94 * len(calls)


def _parses(parse: Parse, recorded: dict[str, Any]) -> bool:
    names = ("system", "messages", "instructions", "input")
    try:
        parse({name: recorded[name] for name in names if name in recorded})
    except (ValueError, TypeError):
        return False
    return True


PAIRING = {"role_unknown", "tool_calls_unanswered", "tool_message_orphan", "tool_message_repeated"}


@pytest.mark.parametrize("case", [case for case in cases_openai.CASES if case.rule in PAIRING])
def test_langchain_gives_back_what_it_took(case: Case) -> None:
    back = langchain_roundtrip(case.good)
    assert [_seen(message) for message in back] == [_seen(message) for message in case.good["messages"]]


def _seen(message: dict[str, Any]) -> tuple[Any, ...]:
    calls = [(call["id"], call["function"]["name"]) for call in message.get("tool_calls") or []]
    return message["role"], message.get("tool_call_id"), calls, message.get("content") or ""
