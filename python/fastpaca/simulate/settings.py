"""What a simulation is asked to do, and how it is written on a command line."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Final, Self

from fastpaca import _core

_NAME: Final = re.compile(r"[\w.-]+")


class SettingError(Exception):
    """A setting that can't be read, or that the engine refuses."""


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy to simulate: a strategy and its keys. `label` is what the results call it."""

    strategy: str
    config: dict[str, Any] = field(default_factory=dict)
    label: str = ""

    def __post_init__(self) -> None:
        if not self.label:
            keys = ",".join(f"{key}={_shown(value)}" for key, value in self.config.items())
            object.__setattr__(self, "label", f"{self.strategy}:{keys}" if keys else self.strategy)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads `NAME`, `NAME:key=value,...` or `NAME:{...}`; values are JSON, or else texts. Raises `SettingError`."""
        name, _, rest = text.partition(":")
        if not _NAME.fullmatch(name):
            raise SettingError(f"policy {text!r}: expected NAME, NAME:key=value,... or NAME:{{JSON}}")
        if rest.lstrip().startswith("{"):
            return cls(name, _object(text, rest), text)
        config: dict[str, Any] = {}
        for pair in _pairs(rest):
            key, equals, value = pair.partition("=")
            if not equals or not _NAME.fullmatch(key):
                raise SettingError(f"policy {text!r}: expected key=value, got {pair!r}")
            config[key] = _value(value)
        return cls(name, config, text)

    def with_target(self, target_ratio: float | None) -> Policy:
        """The same with a target, unless it has one of its own."""
        if target_ratio is None or "target_ratio" in self.config:
            return self
        return Policy(self.strategy, {**self.config, "target_ratio": target_ratio}, self.label)


@dataclass(frozen=True, slots=True)
class Price:
    """What a million tokens cost: new input, input that the provider has cached, output. In any currency."""

    input: float = 3.0
    cached: float = 0.3
    output: float = 15.0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads `input,cached,output`. Raises `SettingError`."""
        try:
            given = [float(number) for number in text.split(",")]
            new, cached, output = given
        except ValueError:
            raise SettingError(f"price {text!r}: expected three numbers such as 3,0.3,15") from None
        if not all(0 <= number < float("inf") for number in given):
            raise SettingError(f"price {text!r}: expected numbers of 0 or more")
        return cls(new, cached, output)

    def of(self, new_tokens: int, cached_tokens: int, output_tokens: int) -> float:
        """What one call costs."""
        return (new_tokens * self.input + cached_tokens * self.cached + output_tokens * self.output) / 1e6


_USUAL: Final[dict[str, dict[str, Any]]] = {"last_n": {"limit": 200}}
"""What the strategies that need a key get where nobody has said which policies to compare."""


def usual_policies() -> tuple[Policy, ...]:
    """The policies compared where none are given: every strategy of the core, once."""
    known = [name for name in _core.STRATEGIES if name not in {"manual", "custom"}]
    return tuple(Policy(name, dict(_USUAL.get(name, {}))) for name in known)


def _pairs(text: str) -> list[str]:
    """Splits at commas outside brackets."""
    pairs, depth, current = [], 0, ""
    for letter in text:
        depth += (letter in "[{") - (letter in "]}")
        if letter == "," and depth == 0:
            pairs.append(current)
            current = ""
        else:
            current += letter
    return [pair.strip() for pair in [*pairs, current] if pair.strip()]


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _object(text: str, rest: str) -> dict[str, Any]:
    try:
        config = json.loads(rest)
    except ValueError as error:
        raise SettingError(f"policy {text!r}: no valid JSON: {error}") from None
    if not isinstance(config, dict):
        raise SettingError(f"policy {text!r}: expected a JSON object")
    return config


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
