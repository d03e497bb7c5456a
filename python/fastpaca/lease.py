"""Leases: a worker says that it is summarising a context, so that no other starts the same. Writes ignore them.

A lease lives in the memory of one process and is gone when that ends. Nothing is lost with it: two summaries of the
same messages meet in `up_to_version`, and the second gets `CompactionConflictError`.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from fastpaca.errors import LeaseHeldError, LeaseLostError
from fastpaca.fields import read_object, refuse, text

SECONDS_DEFAULT: Final = 60
SECONDS_MAX: Final = 3600
HOLDER_BYTES_MAX: Final = 255
_SWEEP: Final = 1024
"""Leases from which on those that ended are looked for."""
_TAKE_KEYS: Final = frozenset({"holder", "seconds", "token"})
_RELEASE_KEYS: Final = frozenset({"token"})


@dataclass(slots=True)
class _Lease:
    token: str
    holder: str | None
    ends: float
    """On the clock that never goes back."""
    expires_at: str


class Leases:
    """The leases of one store. Any thread may call any method."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._leases: dict[str, _Lease] = {}

    def take(self, context_id: str, body: bytes) -> bytes:
        """Takes a lease, or renews the one whose `token` is given. `body` is `{holder?, seconds?, token?}`.

        Gives `{token, holder, expires_at}` as JSON. Raises `InvalidError`, `LeaseHeldError`, or `LeaseLostError` where
        the token's lease ended or was never there.
        """
        fields = read_object(body, _TAKE_KEYS)
        holder, seconds = _holder(fields), _seconds(fields)
        token = _token(fields)
        with self._lock:
            held = self._held(context_id)
            if held is not None and held.token != token:
                details = {"holder": held.holder, "expires_at": held.expires_at}
                who = "another worker" if held.holder is None else repr(held.holder)
                raise LeaseHeldError(f"{who} holds the lease until {held.expires_at}", details=details)
            if held is None and token is not None:
                raise LeaseLostError("the lease has ended: take a new one")
            if held is not None and holder is None:
                holder = held.holder
            until = datetime.fromtimestamp(time.time() + seconds, UTC).isoformat(timespec="milliseconds")
            lease = _Lease(
                token or secrets.token_hex(16), holder, self._clock() + seconds, until.replace("+00:00", "Z")
            )
            self._leases[context_id] = lease
        found = {"token": lease.token, "holder": lease.holder, "expires_at": lease.expires_at}
        return json.dumps(found, ensure_ascii=False).encode()

    def release(self, context_id: str, body: bytes) -> None:
        """Ends the lease that `{token}` names. One that has ended, or that another holds by now, is left alone."""
        fields = read_object(body, _RELEASE_KEYS)
        token = _token(fields)
        if token is None:
            refuse("missing_field", "token", "is required")
        with self._lock:
            held = self._held(context_id)
            if held is not None and held.token == token:
                del self._leases[context_id]

    def _held(self, context_id: str) -> _Lease | None:
        now = self._clock()
        if len(self._leases) >= _SWEEP:
            self._leases = {name: lease for name, lease in self._leases.items() if lease.ends > now}
        lease = self._leases.get(context_id)
        return lease if lease is not None and lease.ends > now else None


def _seconds(fields: dict[str, Any]) -> int:
    seconds = fields.get("seconds", SECONDS_DEFAULT)
    if not isinstance(seconds, int) or isinstance(seconds, bool) or not 1 <= seconds <= SECONDS_MAX:
        refuse("invalid_field", "seconds", f"expected an integer from 1 to {SECONDS_MAX}")
    return seconds


def _holder(fields: dict[str, Any]) -> str | None:
    holder = fields.get("holder")
    return None if holder is None else text("holder", holder, HOLDER_BYTES_MAX)


def _token(fields: dict[str, Any]) -> str | None:
    token = fields.get("token")
    return None if token is None else text("token", token)
