"""Which cases Hypothesis tries: the same ones each time, so that a new one that fails belongs to who looks for it.

With `FASTPACA_EXAMPLES=2000` in the environment it tries as many other ones, for as long as that takes.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings

EXAMPLES = int(os.environ.get("FASTPACA_EXAMPLES", "0"))


def load() -> None:
    """Makes this the default of all tests."""
    settings.register_profile(
        "fastpaca",
        max_examples=EXAMPLES or 100,
        derandomize=EXAMPLES == 0,
        database=None,
        # A busy machine fails no test.
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.load_profile("fastpaca")
    # Some values are drawn from the constants in the source of whatever has been imported by then: so cases would
    # differ from worker to worker, and change with code that they have nothing to do with. No setting leaves that out;
    # should this name change, tests/meta/test_cases.py tells.
    where = "hypothesis.internal.conjecture.providers.is_local_module_file"
    pytest.MonkeyPatch().setattr(where, lambda _path: False, raising=False)


def machine(examples: int, steps: int) -> settings:
    """So many runs of a state machine. Nothing is shrunk: it takes minutes."""
    return settings(
        max_examples=EXAMPLES or examples,
        stateful_step_count=steps,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate],
        report_multiple_bugs=False,
    )


def seeds(fast: int, of: int) -> list[Any]:
    """For a test over so many seeds of chance: all but the first few are slow."""
    return [pytest.param(seed, marks=[pytest.mark.slow] if seed >= fast else []) for seed in range(of)]


def limit(seconds: int) -> pytest.MarkDecorator:
    """The time limit of a test that tries these cases; none where others were asked for."""
    return pytest.mark.timeout(0 if EXAMPLES else seconds)
