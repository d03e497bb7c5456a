"""An answer as events for a page, on an event loop.

`sync_events.py` is made of this file by `tools/make_sync.py`; change this one.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from typing import Final

from fastpaca.background import AsyncJob, AsyncMailbox
from fastpaca.turn.aio import AsyncTurn
from fastpaca.turn.event import Event, ended, failed, said

PING_S: Final = 15.0
_logger = logging.getLogger("fastpaca.turn")


async def aevents(turn: AsyncTurn, *, finish: bool = False) -> AsyncGenerator[Event, None]:
    """The events of an answer, with a comment where none comes for a while. The last one is `end`, or `error`.

    Whoever closes it in the middle interrupts the answer; with `finish` that goes on to its end all the same.
    """
    pump = AsyncPump(turn)
    try:
        while True:
            try:
                event = await pump.events.get(PING_S)
            except TimeoutError:
                event = Event()
            if event is None:
                return
            yield event
    finally:
        if not finish:
            pump.leave()


class AsyncPump:
    """Reads an answer beside whoever takes the events of it."""

    def __init__(self, turn: AsyncTurn) -> None:
        self.events = AsyncMailbox()
        self._turn = turn
        self._left = False
        self._job = AsyncJob(self._run, f"fastpaca-answer-{turn.message_id}")

    def leave(self) -> None:
        """Nobody wants the rest. A thread sees it with the next chunk."""
        self._left = True
        self._job.cancel()

    async def _run(self) -> None:
        try:
            await self._read()
        except Exception as error:
            _logger.exception("the answer %s was interrupted", self._turn.message_id)
            self.events.put(failed(error))
        finally:
            self.events.put(None)

    async def _read(self) -> None:
        lengths: dict[str, int] = {}
        async with self._turn:
            async for _ in self._turn:
                for message_id, delta in self._turn.texts:
                    offset = lengths.get(message_id, 0)
                    self.events.put(said(message_id, offset, delta))
                    lengths[message_id] = offset + len(delta)
                if self._left:
                    return
        self.events.put(ended(self._turn.message_id, self._turn.appended))
