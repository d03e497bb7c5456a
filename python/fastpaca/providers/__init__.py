"""What a provider would reject: a request checked against the provider's public rules, without calling it.

    from fastpaca.providers import check

    for violation in check("anthropic", {"system": "...", "messages": [...]}, model="claude-opus-4-8"):
        print(violation.path, violation.message, violation.source)

An empty list means that no rule known here is broken; the provider has the last word. The rules come from the
providers' documentation and from the texts of errors that they return; each violation names its source. Nothing here
knows how Fastpaca selects or renders a window, so that the one can be held against the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from fastpaca.providers import anthropic, openai_chat, openai_responses
from fastpaca.providers.base import Request, Rule, Rules, Violation

__all__ = ["FORMATS", "Rule", "Violation", "check", "rules"]

_RULES: Mapping[str, Rules] = MappingProxyType(
    {
        "openai": openai_chat.RULES,
        "openai-responses": openai_responses.RULES,
        "anthropic": anthropic.RULES,
    }
)

FORMATS = tuple(_RULES)
"""The request formats that `check` knows."""


def check(format: str, request: object, *, model: str | None = None, strict: bool = False) -> list[Violation]:
    """The rules of `format` that `request` breaks, in the order of the rules.

    `request` is the arguments of the provider's call as JSON values; fields that no rule speaks of may stand in it.
    `model` adds the rules of that model (default: the request's own `model`), such as whether the last message may be
    the assistant's. `strict` adds rules that the provider itself no longer enforces on every model, while other hosts
    of the same format, and its older models, do.

    Raises `ValueError` for an unknown format. Never raises for what stands in the request.
    """
    found = Request.of(request, model)
    return [violation for rule in rules(format, strict=strict) for violation in rule.check(found)]


def rules(format: str, *, strict: bool = True) -> tuple[Rule, ...]:
    """The rules of one format: code, one-line summary, source."""
    if format not in _RULES:
        raise ValueError(f"unknown format {format!r}; known are {', '.join(FORMATS)}")
    return tuple(rule for rule in _RULES[format].all if strict or not rule.strict)
