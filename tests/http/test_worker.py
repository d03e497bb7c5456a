"""What the worker overrides and reads inside uvicorn and gunicorn is there, in the version that is installed."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from fastpaca.http import worker

OWN = {"_refuse", "_end_streams"}
"""Methods that stand for none of theirs."""
OVERRIDING = [worker.CutsOff, worker.WebSocketProtocol, worker.Protocol, worker.Worker, worker.OneWorkerArbiter]
READ: dict[type[Any], set[str]] = {
    worker.Protocol: {"parser", "scope", "transport"},
    worker.WebSocketProtocol: {"close_sent", "conn", "curr_msg_data_type", "frames", "read_paused", "transport"},
}


@pytest.mark.parametrize("kind", OVERRIDING)
def test_what_is_overridden_exists(kind: type[Any]) -> None:
    theirs = {name for base in kind.__mro__ if base.__module__ != worker.__name__ for name in vars(base)}
    ours = {name for name, _ in inspect.getmembers_static(kind, inspect.isfunction) if name in vars(kind)} - OWN
    assert ours
    assert ours - theirs == set()


def test_what_is_read_exists() -> None:
    async def run() -> None:
        config = uvicorn.Config(lambda *_: None, **worker.Worker.CONFIG_KWARGS)
        for kind, names in READ.items():
            protocol = kind(config, ServerState(), {})
            assert {name for name in names if not hasattr(protocol, name)} == set()
        assert callable(worker.WebSocketProtocol(config, ServerState(), {}).handle_parser_exception)

    asyncio.run(run())
