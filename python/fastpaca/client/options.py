"""Where a client connects to, and how patient it is."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from fastpaca.errors import InvalidError

TIMEOUT_S: Final = 20.0
RETRIES: Final = 5
DEADLINE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Options:
    """Checked: `url` has a scheme and a host, and no slash at its end."""

    url: str
    api_key: str | None = field(repr=False)
    timeout_s: float
    retries: int
    deadline_s: float

    @classmethod
    def checked(cls, url: object, api_key: object, *, timeout: object, retries: object, deadline: object) -> Options:
        """Raises `InvalidError` that names what is wrong."""
        if isinstance(retries, bool) or not isinstance(retries, int) or retries < 0:
            raise _invalid("retries", f"expected an integer of at least 0, got {retries!r}")
        return cls(_url(url), _api_key(api_key), _seconds("timeout", timeout), retries, _seconds("deadline", deadline))


def _url(url: object) -> str:
    if not isinstance(url, str):
        raise _invalid("url", f"expected a string, not {type(url).__name__}")
    try:
        parts = urlsplit(url)
        known = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError as error:
        raise _invalid("url", str(error)) from None
    if not known or any(c.isspace() or not c.isprintable() for c in url):
        raise _invalid("url", f"expected http://host:port or https://host, got {url[:80]!r}")
    if parts.username is not None or parts.password is not None:
        raise _invalid("url", "credentials do not belong into it: use api_key")
    if parts.query or parts.fragment:
        raise _invalid("url", "must have no query and no fragment")
    return url.rstrip("/?#")


def _api_key(key: object) -> str | None:
    if key is None:
        return None
    # The key is never shown, also not in part.
    if not isinstance(key, str) or not key or not all("!" <= c <= "~" for c in key):
        raise _invalid("api_key", "expected printable ASCII without white space")
    return key


def _seconds(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not (math.isfinite(value) and value > 0):
        raise _invalid(name, f"expected seconds above 0, got {value!r}")
    return float(value)


def _invalid(field: str, message: str) -> InvalidError:
    return InvalidError(f"{field}: {message}", details={"field": field})
