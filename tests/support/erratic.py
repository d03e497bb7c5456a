"""A custom policy that drops and strips at random, what is there and what is not."""

from __future__ import annotations

import random
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fastpaca import policies
from fastpaca.policies import Decision, KeptList

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "erratic"


def decide(kept: KeptList) -> Decision:
    """By chance, but the same for the same list."""
    chance = random.Random(kept.used_tokens * 1_000_003 + len(kept))
    seqs = [*kept.seq, 0, 10**6]
    share = chance.random()
    drop = [seq for seq in seqs if chance.random() < share]
    return Decision(drop=drop, strip=[seq for seq in seqs if chance.random() < 0.3])


@contextmanager
def registered() -> Iterator[None]:
    """It is a policy of this process meanwhile."""
    policies.register(NAME, decide)
    try:
        yield
    finally:
        policies.unregister(NAME)
