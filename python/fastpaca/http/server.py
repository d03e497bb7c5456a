"""Starts gunicorn with one worker, in this process."""

from __future__ import annotations

import argparse
import logging
import os
import shlex
import socket
import time
from typing import TYPE_CHECKING, Any, Final

from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
from gunicorn.glogging import Logger  # type: ignore[import-untyped]

from fastpaca import logging as json_logging
from fastpaca.errors import StoreLockedError
from fastpaca.http.app import create_app
from fastpaca.http.service import Service
from fastpaca.http.worker import OneWorkerArbiter, Worker
from fastpaca.log import rocks_store
from fastpaca.log.owner import Owner

if TYPE_CHECKING:
    from collections.abc import Mapping

    import falcon.asgi

    from fastpaca.config import Config

_CLOSE_S: Final = 10
"""What closing the store may take after the last request, before gunicorn kills the worker."""


_logger = logging.getLogger("fastpaca.http")


class ServerError(Exception):
    """The server can't start; the message says why."""


def refuse_workers(environ: Mapping[str, str], flag: int | None) -> None:
    """Raises `ServerError` where somebody asks gunicorn for more than one worker."""
    parser = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    parser.add_argument("-w", "--workers", default="1")
    try:
        given, _ = parser.parse_known_args(shlex.split(environ.get("GUNICORN_CMD_ARGS", "")))
        in_arguments = given.workers
    except (argparse.ArgumentError, ValueError):
        in_arguments = "1"
    asked = {
        "--workers": str(1 if flag is None else flag),
        "WEB_CONCURRENCY": environ.get("WEB_CONCURRENCY", "1"),
        "GUNICORN_CMD_ARGS": in_arguments,
    }
    for name, workers in asked.items():
        if workers.strip() not in {"", "1"}:
            raise ServerError(
                f"{name} asks for {workers} workers, but one process owns a data directory: fastpaca serve runs "
                "exactly one, which answers requests concurrently"
            )


def listen(config: Config) -> socket.socket:
    """The socket to serve on. Raises `ServerError` that names host and port."""
    try:
        found = socket.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(2048)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ServerError(f"can't listen on {config.host}:{config.port}: {reason}") from error
    return listener


def wait_for_owner(config: Config) -> None:
    """Makes sure that the data directory is free before a worker is started for it. Raises a `StoreError`."""
    rocks_store.make_directory(config.data_dir)
    try:
        _try_owner(config, 0.0)
    except StoreLockedError as error:
        if not config.lock_wait_s:
            raise
        _logger.warning("waiting up to %g s for the data directory: %s", config.lock_wait_s, error)
        _try_owner(config, config.lock_wait_s)


def _try_owner(config: Config, wait_s: float) -> None:
    Owner.acquire(config.data_dir, purpose="fastpaca serve", deadline=time.monotonic() + wait_s).release()


class GunicornLogger(Logger):  # type: ignore[misc]
    """gunicorn's log lines, through the handlers of this process."""

    def setup(self, cfg: Any) -> None:
        """Hands its records, and with them uvicorn's, to the handlers that `logging.set_up` made."""
        self.cfg = cfg
        self.error_log.handlers = list(logging.getLogger().handlers)
        self.error_log.propagate = False
        self._access_log_enabled = False


class Application(BaseApplication):  # type: ignore[misc]
    """gunicorn's settings, and the application of the worker."""

    def __init__(self, config: Config, listener: socket.socket) -> None:
        self._config = config
        # From here on gunicorn owns the socket.
        self._descriptor = listener.detach()
        super().__init__()

    def load_config(self) -> None:
        """Called by gunicorn; its own variables and files are not read."""
        config = self._config
        settings = {
            "bind": f"fd://{self._descriptor}",
            "workers": 1,
            "worker_class": _worker_class(config),
            "logger_class": GunicornLogger,
            "loglevel": config.log_level,
            "keepalive": config.keep_alive_s,
            "graceful_timeout": config.graceful_timeout_s + _CLOSE_S,
            # A store that recovers or syncs for long is not to be killed for it.
            "timeout": 0,
            "proc_name": "fastpaca",
        }
        # Some releases have no such socket. Whatever else one does not have fails here, before anything is served.
        if "control_socket_disable" in self.cfg.settings:
            settings["control_socket_disable"] = True
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> falcon.asgi.App[Any, Any]:
        """Called in the worker, after the fork."""
        return create_app(self._config, Service(self._config))

    def run(self) -> None:
        """Serves until a signal ends it."""
        OneWorkerArbiter(self).run()


def _worker_class(config: Config) -> type[Worker]:
    """The worker, which has to end before gunicorn loses patience with it."""
    kwargs = Worker.CONFIG_KWARGS | {"timeout_graceful_shutdown": config.graceful_timeout_s}
    return type("Worker", (Worker,), {"CONFIG_KWARGS": kwargs})


def run(config: Config, *, workers: int | None = None) -> None:
    """Serves until a signal ends it. Raises `ServerError` or a `StoreError` when it can't start."""
    refuse_workers(os.environ, workers)
    json_logging.set_up(config.log_level)
    listener = listen(config)
    wait_for_owner(config)
    Application(config, listener).run()
