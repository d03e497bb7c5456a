"""Which contexts are to be summarised, and when. Any thread may call any method. No I/O."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from fastpaca.compaction.summary import Outcome, Pauses


class Due:
    """Contexts that are flagged. Each is taken by one at a time, and left alone for a while after a failure."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._due: dict[str, float] = {}
        self._busy: set[str] = set()
        self._again: set[str] = set()
        self._pauses: dict[str, Pauses] = {}

    def flag(self, context_id: str) -> None:
        """It needs compaction. One that waits after a failure goes on waiting."""
        with self._lock:
            if context_id in self._busy:
                self._again.add(context_id)
            else:
                self._due.setdefault(context_id, self._clock())

    def take(self) -> str | None:
        """The one that has waited longest, if there is one whose time has come."""
        with self._lock:
            context_id = min(self._due, key=self._due.__getitem__, default=None)
            if context_id is None or self._due[context_id] > self._clock():
                return None
            del self._due[context_id]
            self._busy.add(context_id)
            return context_id

    def done(self, context_id: str, outcome: Outcome) -> None:
        """What came of one that was taken."""
        with self._lock:
            self._busy.discard(context_id)
            again = context_id in self._again or (outcome.compacted is not None and outcome.compacted.needs_compaction)
            self._again.discard(context_id)
            pause_s = self._pauses.setdefault(context_id, Pauses()).after(outcome)
            if outcome.error is None:
                del self._pauses[context_id]
            if outcome.held_s is not None:
                pause_s = outcome.held_s
            if again or pause_s:
                self._due[context_id] = self._clock() + pause_s

    def wait_s(self) -> float | None:
        """Seconds until the next one's time comes; None while there is none."""
        with self._lock:
            return max(min(self._due.values()) - self._clock(), 0.0) if self._due else None

    @property
    def busy(self) -> int:
        """How many are taken."""
        return len(self._busy)
