"""What is refused of a policy's configuration, and which field is named."""

from __future__ import annotations

from typing import Any

import pytest

from fastpaca import _core
from fastpaca.errors import InvalidError
from tests.support.chat import Chat

BAD: list[tuple[str, dict[str, Any], str, str]] = [
    ("last_n", {}, "limit", "missing_field"),
    ("last_n", {"limit": 0}, "limit", "invalid_field"),
    ("last_n", {"limit": 5, "chunk": 6}, "chunk", "invalid_field"),
    ("last_n", {"limit": 5, "kinds": ["tool"]}, "kinds", "unknown_policy_key"),
    ("budget", {"limit": 5}, "limit", "unknown_policy_key"),
    ("strip_tool_results", {"keep_last": -1}, "keep_last", "invalid_field"),
    ("strip_tool_results", {"keep_last": 2.5}, "keep_last", "invalid_field"),
    ("strip_tool_results", {"keep_tokens": "10%"}, "keep_tokens", "invalid_field"),
    ("strip_tool_results", {"clear_at_least": -0.1}, "clear_at_least", "invalid_field"),
    ("strip_tool_results", {"clear_at_least": 1.5}, "clear_at_least", "invalid_field"),
    ("strip_tool_results", {"clear_at_least": "a lot"}, "clear_at_least", "invalid_field"),
    ("strip_tool_results", {"exclude_tools": "read"}, "exclude_tools", "invalid_field"),
    ("strip_tool_results", {"exclude_tools": ["read", 1]}, "exclude_tools", "invalid_field"),
    ("strip_tool_results", {"limit": True}, "limit", "invalid_field"),
    ("strip_tool_results", {"placeholder": " "}, "placeholder", "invalid_field"),
    ("strip_tool_results", {"placeholder": "x" * 1001}, "placeholder", "invalid_field"),
    ("strip_tool_results", {"chunk": 1}, "chunk", "unknown_policy_key"),
    ("skip_parts", {"kinds": []}, "kinds", "invalid_field"),
    ("skip_parts", {"kinds": [""]}, "kinds", "invalid_field"),
    ("skip_parts", {"kinds": "tool"}, "kinds", "invalid_field"),
    ("skip_parts", {"placeholder": "x"}, "placeholder", "unknown_policy_key"),
    ("time_aware", {"max_age": 0}, "max_age", "invalid_field"),
    ("time_aware", {"max_age": "30"}, "max_age", "invalid_field"),
    ("time_aware", {"max_age": "30 years"}, "max_age", "invalid_field"),
    ("time_aware", {"max_age": "1e3s"}, "max_age", "invalid_field"),
    ("time_aware", {"max_age": "99999999w"}, "max_age", "invalid_field"),
    ("time_aware", {"session_gap": [1]}, "session_gap", "invalid_field"),
    ("time_aware", {"min_messages": "4"}, "min_messages", "invalid_field"),
    ("time_aware", {"limit": 4}, "limit", "unknown_policy_key"),
    ("time_aware", {"overflow": "keep"}, "overflow", "invalid_field"),
    ("skip_parts", {"trigger_ratio": 0.5, "target_ratio": 0.6}, "target_ratio", "invalid_field"),
    ("skip_parts", {"keep_system": 1}, "keep_system", "invalid_field"),
    ("skip_parts", {"max_tokens": 0}, "max_tokens", "invalid_field"),
]


@pytest.mark.parametrize(("strategy", "config", "key", "code"), BAD, ids=str)
def test_a_bad_key_is_named(strategy: str, config: dict[str, Any], key: str, code: str) -> None:
    with pytest.raises(InvalidError) as caught:
        Chat().configure(strategy, **config)
    assert (caught.value.details["field"], caught.value.code) == (f"policy.config.{key}", code)


GOOD: list[tuple[str, dict[str, Any]]] = [
    ("strip_tool_results", {"clear_at_least": 0, "keep_last": 0, "keep_tokens": 0, "exclude_tools": []}),
    ("strip_tool_results", {"clear_at_least": 5000, "limit": None}),
    ("strip_tool_results", {"clear_at_least": 1}),
    ("skip_parts", {"kinds": ["tool", "reasoning", "image"], "limit": 9}),
    ("time_aware", {"max_age": 90, "session_gap": 0.5}),
    ("time_aware", {"max_age": "7d", "session_gap": "1.5 h", "min_messages": 0}),
    ("time_aware", {}),
]


@pytest.mark.parametrize(("strategy", "config"), GOOD, ids=str)
def test_a_good_key_is_taken(strategy: str, config: dict[str, Any]) -> None:
    Chat().configure(strategy, **config)


def test_an_unknown_strategy_names_the_known_ones() -> None:
    with pytest.raises(InvalidError, match="last_n, strip_tool_results, skip_parts, time_aware") as caught:
        Chat().configure("keep_best")
    assert (caught.value.details["field"], caught.value.code) == ("policy.strategy", "unknown_strategy")


@pytest.mark.parametrize(("name", "keys"), [(name, keys) for name, keys, _ in _core.POLICIES], ids=str)
def test_every_listed_key_is_known_and_no_other(name: str, keys: list[str]) -> None:
    required: dict[str, Any] = {"limit": 4} if name == "last_n" else {}
    for key in {*keys, *_core.POLICY_KEYS}:
        with pytest.raises(InvalidError) as caught:
            Chat().configure(name, **required | {key: {}})
        assert (caught.value.details["field"], caught.value.code) == (f"policy.config.{key}", "invalid_field")
    others = {key for _, each, _ in _core.POLICIES for key in each} - set(keys)
    for key in others:
        with pytest.raises(InvalidError) as caught:
            Chat().configure(name, **required | {key: {}})
        assert caught.value.code == "unknown_policy_key"


def test_the_listing_is_that_of_the_strategies() -> None:
    assert tuple(name for name, _, _ in _core.POLICIES) == _core.STRATEGIES
