"""Tokens of a message's JSON, to weigh the messages of a request against each other."""

from __future__ import annotations

import re
from typing import Final

from fastpaca import _core

_UNCOUNTED: Final = re.compile(r'"(signature|data|url|encrypted_content|file_data)": ?"[^"]{64,}"')
"""Signatures and media: tokens of theirs are not those of their text."""


class Counter:
    """Counts each text once, as the core counts parts that are no text."""

    def __init__(self, model: str | None = None) -> None:
        self._counting = _core.Counting(model=model)
        self._known: dict[str, int] = {}

    def __call__(self, text: str) -> int:
        """Tokens of a message's JSON."""
        known = self._known.get(text)
        if known is None:
            known = self._known[text] = self._counting.count(_UNCOUNTED.sub("", text))
        return known
