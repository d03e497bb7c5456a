"""How policies and prices are written on a command line."""

from __future__ import annotations

from typing import Any

import pytest

from fastpaca.simulate import Policy, Price, SettingError
from fastpaca.simulate.settings import usual_policies


@pytest.mark.parametrize(
    ("text", "strategy", "config"),
    [
        ("budget", "budget", {}),
        ("last_n:limit=40", "last_n", {"limit": 40}),
        ("last_n:limit=40,chunk=10,keep_system=false", "last_n", {"limit": 40, "chunk": 10, "keep_system": False}),
        ("x:target_ratio=0.5,overflow=flag", "x", {"target_ratio": 0.5, "overflow": "flag"}),
        ('x:tools=["a","b"],n=1', "x", {"tools": ["a", "b"], "n": 1}),
        ('last_n:{"limit": 40}', "last_n", {"limit": 40}),
        ("time_aware:max_age=1h", "time_aware", {"max_age": "1h"}),
    ],
)
def test_policies(text: str, strategy: str, config: dict[str, Any]) -> None:
    policy = Policy.parse(text)
    assert (policy.strategy, policy.config, policy.label) == (strategy, config, text)


@pytest.mark.parametrize("text", ["", ":limit=3", "last_n:limit", "last_n:=3", "last_n:{", "last_n:[1]", "a b"])
def test_policies_that_are_none(text: str) -> None:
    with pytest.raises(SettingError, match="policy"):
        Policy.parse(text)


def test_a_policy_is_labelled_by_its_keys() -> None:
    assert Policy("last_n", {"limit": 3, "overflow": "flag"}).label == "last_n:limit=3,overflow=flag"
    assert Policy("budget").label == "budget"


def test_a_target_does_not_override_a_policys_own() -> None:
    assert Policy("budget").with_target(0.4).config == {"target_ratio": 0.4}
    own = Policy("budget", {"target_ratio": 0.2})
    assert own.with_target(0.4) is own
    assert own.with_target(None) is own


def test_prices() -> None:
    price = Price.parse("2.5,0.25,10")
    assert price == Price(2.5, 0.25, 10)
    assert price.of(1_000_000, 2_000_000, 100_000) == pytest.approx(4.0)


@pytest.mark.parametrize("text", ["", "1,2", "1,2,3,4", "a,b,c", "1,-2,3", "1,nan,3", "1,inf,3"])
def test_prices_that_are_none(text: str) -> None:
    with pytest.raises(SettingError, match="price"):
        Price.parse(text)


def test_the_usual_policies_are_all_that_there_are() -> None:
    names = [policy.strategy for policy in usual_policies()]
    assert "budget" in names
    assert "last_n" in names
    assert len(names) == len(set(names))
