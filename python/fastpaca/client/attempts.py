"""How often, and how long apart, a call is tried."""

from __future__ import annotations

import logging
import random
import time
from typing import TYPE_CHECKING, Final

from fastpaca.errors import FastpacaError, UnavailableError

if TYPE_CHECKING:
    from fastpaca.client.answers import Failure
    from fastpaca.client.options import Options

FIRST_PAUSE_S: Final = 0.25
LONGEST_PAUSE_S: Final = 8.0
_LEAST_S: Final = 0.001

_logger = logging.getLogger("fastpaca.client")


class Attempts:
    """The attempts of one call. Pauses grow exponentially and are drawn from the whole of that ("full jitter")."""

    def __init__(self, options: Options, *, key: str | None = None, endless: bool = False) -> None:
        self._options = options
        self._key = key
        self._endless = endless
        self._made = 0
        self._doubt: FastpacaError | None = None
        self._ends = 0.0
        self.begin()

    def begin(self) -> None:
        """Counts the deadline from now."""
        self._ends = time.monotonic() + self._options.deadline_s

    def timeout_s(self) -> float:
        """What the next attempt may take."""
        return max(min(self._options.timeout_s, self._ends - time.monotonic()), _LEAST_S)

    def pause_s(self, failure: Failure) -> float:
        """Seconds to wait before the next attempt. Raises the error when there is to be none."""
        if failure.in_doubt and self._doubt is None:
            self._doubt = failure.error
        longest = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(self._made, 16))
        pause = failure.after_s + random.uniform(0, longest)  # noqa: S311 - no secret
        left = self._endless or self._made < self._options.retries
        if not failure.again or not left or time.monotonic() + pause >= self._ends:
            raise self._given_up(failure)
        self._made += 1
        _logger.info("trying again in %.2f s: %s", pause, failure.error)
        return pause

    def _given_up(self, failure: Failure) -> FastpacaError:
        """The error to raise. "Not taken" would be wrong where an earlier attempt may have been: that one counts."""
        error = failure.error
        if self._key is not None and isinstance(error, UnavailableError):
            error = self._doubt or error
            error.details = {**error.details, "idempotency_key": self._key}
        return error
