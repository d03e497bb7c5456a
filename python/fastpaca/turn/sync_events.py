"""An answer as events for a page, blocking.

Made of `aio_events.py` by `tools/make_sync.py`; change that one.
"""

from __future__ import annotations

import logging
from collections.abc import Generator
from typing import Final

from fastpaca.background import Job, Mailbox
from fastpaca.turn.event import Event, ended, failed, said
from fastpaca.turn.sync import Turn

PING_S: Final = 15.0
_logger = logging.getLogger("fastpaca.turn")


def events(turn: Turn, *, finish: bool = False) -> Generator[Event, None]:
    """The events of an answer, with a comment where none comes for a while. The last one is `end`, or `error`.

    Whoever closes it in the middle interrupts the answer; with `finish` that goes on to its end all the same.
    """
    pump = Pump(turn)
    try:
        while True:
            try:
                event = pump.events.get(PING_S)
            except TimeoutError:
                event = Event()
            if event is None:
                return
            yield event
    finally:
        if not finish:
            pump.leave()


class Pump:
    """Reads an answer beside whoever takes the events of it."""

    def __init__(self, turn: Turn) -> None:
        self.events = Mailbox()
        self._turn = turn
        self._left = False
        self._job = Job(self._run, f"fastpaca-answer-{turn.message_id}")

    def leave(self) -> None:
        """Nobody wants the rest. A thread sees it with the next chunk."""
        self._left = True
        self._job.cancel()

    def _run(self) -> None:
        try:
            self._read()
        except Exception as error:
            _logger.exception("the answer %s was interrupted", self._turn.message_id)
            self.events.put(failed(error))
        finally:
            self.events.put(None)

    def _read(self) -> None:
        lengths: dict[str, int] = {}
        with self._turn:
            for _ in self._turn:
                for message_id, delta in self._turn.texts:
                    offset = lengths.get(message_id, 0)
                    self.events.put(said(message_id, offset, delta))
                    lengths[message_id] = offset + len(delta)
                if self._left:
                    return
        self.events.put(ended(self._turn.message_id, self._turn.appended))
