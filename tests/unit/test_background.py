"""What runs beside its caller."""

from __future__ import annotations

import asyncio

import pytest

from fastpaca.background import asettled


def test_settled_work_goes_on_behind_a_cancelled_caller() -> None:
    async def run() -> None:
        began, go_on, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def work() -> None:
            began.set()
            await go_on.wait()
            ended.set()

        caller = asyncio.create_task(asettled(work))
        await began.wait()
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        go_on.set()
        await asyncio.wait_for(ended.wait(), 10)

    asyncio.run(run())
