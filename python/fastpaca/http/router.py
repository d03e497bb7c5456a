"""Routes by the path as it was sent. In the decoded one an id's `%2F` looks like the slash between segments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from falcon.routing import CompiledRouter

from fastpaca.http.query import percent_decoded

if TYPE_CHECKING:
    import falcon

_Methods = dict[str, Any]


class RawPathRouter(CompiledRouter):
    """Falcon's router on raw paths; the fields that it finds are percent-decoded."""

    def find(
        self, uri: str, req: falcon.Request | None = None
    ) -> tuple[object, _Methods, dict[str, Any], str | None] | None:
        """Resource, methods, fields and template. Raises `InvalidError` for a field that can't be decoded."""
        raw: bytes = b"" if req is None else req.scope.get("raw_path", b"")  # type: ignore[attr-defined]
        if b"%" not in raw:
            return CompiledRouter.find(self, uri, req)
        found = super().find(raw.decode("latin-1"), req)
        if found is not None:
            fields = found[2]
            for name, value in fields.items():
                fields[name] = percent_decoded(value, "id" if name == "context_id" else name)
        return found

    def map_http_methods(self, resource: object, **kwargs: Any) -> _Methods:
        """As Falcon, but a method that it has never heard of is a 405 as well."""
        return _Responders(super().map_http_methods(resource, **kwargs))


class _Responders(_Methods):
    def __missing__(self, method: str) -> Any:
        if method == "WEBSOCKET" or "TRACE" not in self:
            raise KeyError(method)
        # TRACE is implemented nowhere: Falcon has put its 405 there.
        return self["TRACE"]
