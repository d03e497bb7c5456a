"""What an import is asked to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from fastpaca import _core
from fastpaca.transcripts import Format

_EXPORTED: Final = (
    "token_budget",
    "reserve_tokens",
    "trigger_ratio",
    "policy",
    "model",
    "tokenizer",
    "metadata",
)
"""Fields of an exported context that make it anew."""
_NEVER_RUNS: Final = ("budget", "manual")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What an import is asked to do."""

    format: Format | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Fields of a context's configuration: token_budget, policy, model. They win over those of an export."""
    context: str | None = None
    """The id of the context, instead of those in the files."""
    prefix: str = ""
    """Stands before each id."""
    dry_run: bool = False

    @property
    def counts_anew(self) -> bool:
        """Token counts in the files are another model's."""
        return not {"model", "tokenizer"}.isdisjoint(self.settings)

    def id_of(self, given: str) -> str:
        """The context that a conversation goes into."""
        return self.prefix + (given if self.context is None else self.context)

    def configuration(self, exported: Mapping[str, Any] | None, *, is_last: bool) -> dict[str, Any]:
        """Configuration of a context while it is filled, or before its last batch, after which its policy runs."""
        fields = {name: exported[name] for name in _EXPORTED if name in exported} if exported else {}
        fields |= self.settings
        policy = fields.get("policy")
        if isinstance(policy, Mapping) and not is_last and policy.get("strategy") not in _NEVER_RUNS:
            fields["policy"] = waiting(policy)
        return fields


def waiting(policy: Mapping[str, Any]) -> dict[str, Any]:
    """A policy that never runs, with the keys that hold for every policy: what is done on append stays the same."""
    config = policy.get("config")
    given = config if isinstance(config, Mapping) else {}
    return {"strategy": "budget", "config": {key: given[key] for key in _core.POLICY_KEYS if key in given}}
