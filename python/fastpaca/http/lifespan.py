"""Opens after the fork, closes when the last request has been answered."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from fastpaca.errors import FastpacaError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from falcon.asgi_spec import AsgiEvent

    from fastpaca.http.service import Service

_logger = logging.getLogger("fastpaca.http")


class StartupError(Exception):
    """The store can't be opened; what is wrong has been logged."""


class Lifespan:
    """Falcon calls it at both ends of the worker's life."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def process_startup(self, scope: Mapping[str, Any], event: AsgiEvent) -> None:  # noqa: ARG002
        """Opens the store. Nothing else runs yet, so it may take the loop's thread."""
        try:
            self._service.open()
        except FastpacaError as error:
            _logger.critical("the store can't be opened: %s", error, extra={"code": error.code})
            raise StartupError(str(error)) from None

    async def process_shutdown(self, scope: Mapping[str, Any], event: AsgiEvent) -> None:  # noqa: ARG002
        """Closes the store."""
        self._service.close()
