"""What a server can be told: one frozen `Config`, read from `FASTPACA_*` variables; flags of `fastpaca serve` override.

`docs/configuration.md` is generated from the fields below: `python -m fastpaca.config > docs/configuration.md`.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PREFIX: Final = "FASTPACA_"
LOG_LEVELS: Final = ("debug", "info", "warning", "error", "critical")


class ConfigError(ValueError):
    """A setting that can't be used; the message names the variable or the flag."""


def _setting(parse: Callable[[str], Any], means: str) -> dict[str, Any]:
    return {"parse": parse, "means": means}


def _integer(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit()) or not least <= int(text[:20]) <= most:
            raise ValueError(f"expected an integer from {least} to {most}")
        return int(text)

    return parse


def _seconds(most: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            seconds = float(text)
        except ValueError:
            seconds = -1.0
        if not 0.0 <= seconds <= most:
            raise ValueError(f"expected seconds, a number from 0 to {most:g}")
        return seconds

    return parse


def _switch(text: str) -> bool:
    if text not in {"on", "off"}:
        raise ValueError("expected on or off")
    return text == "on"


def _level(text: str) -> str:
    if text.lower() not in LOG_LEVELS:
        raise ValueError(f"expected one of {', '.join(LOG_LEVELS)}")
    return text.lower()


def _host(text: str) -> str:
    if not text or any(c.isspace() or c == "/" for c in text):
        raise ValueError("expected a host name or an address to listen on")
    return text.removeprefix("[").removesuffix("]")


def _directory(text: str) -> Path:
    if not text or "\0" in text:
        raise ValueError("expected the path of a directory")
    return Path(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Settings of a server. Fields are documented by `means`."""

    host: str = field(
        default="127.0.0.1",
        metadata=_setting(_host, "Address to listen on. There is no authentication yet: keep it private."),
    )
    port: int = field(
        default=4000, metadata=_setting(_integer(0, 65535), "Port to listen on; 0 takes a free one and logs it.")
    )
    data_dir: Path = field(
        default=Path("data"), metadata=_setting(_directory, "Directory of the store. One process owns it.")
    )
    log_level: str = field(
        default="info", metadata=_setting(_level, f"Least severe level that is logged: {', '.join(LOG_LEVELS)}.")
    )
    fsync: bool = field(
        default=True,
        metadata=_setting(
            _switch, "`off` acknowledges writes before they are on disk; a power cut loses them. For tests alone."
        ),
    )
    cache_bytes: int = field(
        default=256 << 20,
        metadata=_setting(_integer(1 << 20, 1 << 40), "Memory for loaded contexts and rendered windows."),
    )
    body_bytes_max: int = field(
        default=8 << 20, metadata=_setting(_integer(1 << 10, 1 << 30), "Largest request body; larger ones get 413.")
    )
    lock_wait_s: float = field(
        default=10.0,
        metadata=_setting(
            _seconds(3600), "How long a starting server waits for the data directory's present owner to end."
        ),
    )
    graceful_timeout_s: int = field(
        default=30,
        metadata=_setting(_integer(1, 3600), "On SIGTERM, how long requests that are under way may take to end."),
    )
    keep_alive_s: int = field(
        default=75, metadata=_setting(_integer(1, 3600), "How long an idle connection is kept open.")
    )
    streams_max: int = field(
        default=512, metadata=_setting(_integer(0, 1 << 20), "Streams that may be open at once; more get 503.")
    )

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] | None = None, **flags: str | None) -> Config:
        """Reads the environment; flags that are not None win. Raises `ConfigError`."""
        environ = os.environ if environ is None else environ
        values: dict[str, Any] = {}
        for setting in fields(cls):
            name = variable(setting.name)
            if (flag := flags.get(setting.name)) is not None:
                values[setting.name] = _parsed(f"--{setting.name.replace('_', '-')}", flag, setting.metadata["parse"])
            elif name in environ:
                values[setting.name] = _parsed(name, environ[name], setting.metadata["parse"])
        return cls(**values)


def variable(name: str) -> str:
    """The environment variable of a field."""
    return PREFIX + name.upper()


def _parsed(name: str, text: str, parse: Callable[[str], Any]) -> Any:
    try:
        return parse(text)
    except ValueError as error:
        hint = ""
        if text.startswith("tcp://"):
            hint = ". Kubernetes sets it for a service named fastpaca: rename that, or set enableServiceLinks: false"
        raise ConfigError(f"{name}: {error}, got {text!r}{hint}") from None


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)


def reference() -> str:
    """The page `docs/configuration.md`."""
    lines = [
        "# Configuration",
        "",
        "`fastpaca serve` reads these variables from its environment. A flag wins over its variable.",
        "This page is generated: `python -m fastpaca.config > docs/configuration.md`.",
        "",
        "| variable | flag | default | |",
        "|---|---|---|---|",
    ]
    for setting in fields(Config):
        flag = f"`--{setting.name.replace('_', '-')}`" if setting.name in FLAGS else ""
        default = f"`{_shown(setting.default)}`"
        lines.append(f"| `{variable(setting.name)}` | {flag} | {default} | {setting.metadata['means']} |")
    return "\n".join(lines) + "\n"


FLAGS: Final = ("host", "port", "data_dir", "log_level")
"""Fields that `fastpaca serve` takes as flags."""

if __name__ == "__main__":
    sys.stdout.write(reference())
