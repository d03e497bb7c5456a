"""Whom to trust over TLS."""

from __future__ import annotations

import functools
import ssl

import httpx


@functools.cache
def trusted() -> ssl.SSLContext:
    """The certificates of the environment. Reading them takes longer than many a call, so it is done once."""
    return httpx.create_ssl_context()
