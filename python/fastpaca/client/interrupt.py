"""Ending a response while somebody reads it."""

from __future__ import annotations

import contextlib
import socket

import httpx


def interrupt(response: httpx.Response) -> None:
    """Makes the thread that reads it see its end. Closing the socket would leave that thread waiting."""
    stream = response.extensions.get("network_stream")
    found = None if stream is None else stream.get_extra_info("socket")
    if found is not None:
        with contextlib.suppress(OSError):
            found.shutdown(socket.SHUT_RDWR)


async def ainterrupt(response: httpx.Response) -> None:
    """Makes the task that reads it see its end."""
    await response.aclose()
