"""Drafts of an answer that is being written, sent beside it, on an event loop.

`sync_drafting.py` is made of this file by `tools/make_sync.py`; change this one.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Container
from typing import Final

from fastpaca.background import AsyncJob, AsyncSignal
from fastpaca.errors import DraftConflictError
from fastpaca.transport.aio import AsyncTransport

PAUSE_S: Final = 0.1
"""Between two deltas that are sent: all that came meanwhile is one."""
END_S: Final = 2.0
"""What the end of an answer waits for a delta, or for the end of the drafts. They go on beside it."""
_TRIES: Final = 3
_logger = logging.getLogger("fastpaca.turn")


class _Draft:
    """The texts of one message, and how much of them was sent. One adds to it while another sends."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.sent_texts = 0
        self.sent = 0
        """Characters, as drafts count them."""


class AsyncDrafting:
    """Publishes what an answer says. Nothing here makes the answer wait, and no error reaches it: `error` has the first
    one, behind which nothing more is sent.
    """

    def __init__(self, transport: AsyncTransport, context_id: str) -> None:
        self.error: Exception | None = None
        self._transport = transport
        self._context_id = context_id
        self._drafts: dict[str, _Draft] = {}
        self._job: AsyncJob | None = None
        self._more = AsyncSignal()
        self._stop = AsyncSignal()
        self._late = False

    def add(self, message_id: str, delta: str) -> None:
        """Takes a text. It is sent soon."""
        self._drafts.setdefault(message_id, _Draft()).texts.append(delta)
        if self._job is None:
            self._job = AsyncJob(self._publish, f"fastpaca-drafts-{self._context_id}")
        self._more.set()

    async def end(self) -> None:
        """Sends no more."""
        self._stop.set()
        self._more.set()
        if self._job is not None and not await self._job.join(END_S):
            self._late = True

    async def drop(self, appended: Container[str]) -> None:
        """Drops the drafts, except those that ended with the message that was appended. Does not wait for long."""
        left = [name for name in self._drafts if name not in appended or self._late or self.error]
        if left:
            job = AsyncJob(functools.partial(self._drop, left), f"fastpaca-drafts-{self._context_id}")
            await job.join(END_S)

    async def _drop(self, left: list[str]) -> None:
        for message_id in left:
            try:
                await self._transport.drop_draft(self._context_id, message_id)
            except Exception as error:  # noqa: BLE001 - a draft that stays ends by itself
                self._failed(error)

    async def _publish(self) -> None:
        try:
            while not self._stop.is_set:
                await self._more.wait()
                self._more.clear()
                for message_id, draft in list(self._drafts.items()):
                    await self._send(message_id, draft)
                await self._stop.wait(PAUSE_S)
        except Exception as error:  # noqa: BLE001 - whatever it is, the answer goes on
            self._failed(error)
        if self._late:
            # What was under way may have come after the message: then it began another draft.
            await self._drop(list(self._drafts))

    async def _send(self, message_id: str, draft: _Draft) -> None:
        for attempt in range(_TRIES):
            texts = draft.texts[draft.sent_texts :]
            if not texts or self._stop.is_set:
                return
            try:
                delta = "".join(texts)
                await self._transport.draft(self._context_id, message_id, draft.sent, delta)
            except DraftConflictError as conflict:
                if attempt == _TRIES - 1:
                    raise
                await self._agree(message_id, draft, conflict)
            else:
                draft.sent_texts += len(texts)
                draft.sent += len(delta)
                return

    async def _agree(self, message_id: str, draft: _Draft, conflict: DraftConflictError) -> None:
        """The server was started anew and has forgotten the draft, or somebody else's has the id: begins again."""
        if conflict.details.get("length"):
            await self._transport.drop_draft(self._context_id, message_id)
        draft.sent = draft.sent_texts = 0

    def _failed(self, error: Exception) -> None:
        if self.error is None:
            self.error = error
            _logger.warning("context %r: drafts of an answer were not sent: %s", self._context_id, error)
