"""`/v1/contexts/{context_id}/compact` and `/rewind`: change what is kept. The log stays as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastpaca.http.write import Writer

if TYPE_CHECKING:
    from falcon.asgi import Response

    from fastpaca.http.request import Request


class Compact(Writer):
    """`/v1/contexts/{context_id}/compact`."""

    async def on_post(self, req: Request, resp: Response, context_id: str) -> None:
        """Replaces a range, or everything, by summaries and references."""
        await self.write(req, resp, context_id, "compact")


class Rewind(Writer):
    """`/v1/contexts/{context_id}/rewind`."""

    async def on_post(self, req: Request, resp: Response, context_id: str) -> None:
        """Takes the messages after a seq out of window and replay."""
        await self.write(req, resp, context_id, "rewind")
