"""API documentation: the OpenAPI document of everything that is active."""

from __future__ import annotations

import json

from builtin_plugins.api_docs.document import Described, build_document
from plugin_sdk import CommandIO, Plugin, Request, Response, command, route
from plugin_sdk.management import ApiCatalog, HostInfo

__all__ = ["ApiDocs", "plugin"]


class ApiDocs(Plugin):
    """Section 8 of the local REST contract. The document is rebuilt only when routes change."""

    def enable(self) -> None:
        self.api: ApiCatalog = self.context.services.get("host.api")
        self.info: HostInfo = self.context.services.get("host.info")
        self._described: Described | None = None

    @route(
        "GET",
        "/api/openapi.json",
        access="open",
        operation_id="getOpenApi",
        returns={"type": "object"},
        tags=("Host",),
    )
    def openapi(self, request: Request) -> Response:
        """The OpenAPI 3.1 document of this host"""
        return Response.json_text(self._current().text(f"{request.scheme}://{request.host}"))

    @command("openapi", group="")
    def print_openapi(self, io: CommandIO) -> None:
        """Print the OpenAPI document of all active plugins."""
        document = json.loads(self._current().text("/"))
        io.print(json.dumps(document, indent=2, ensure_ascii=False))

    def _current(self) -> Described:
        known, version = self._described, self.api.version
        if known is None or known.version != version:
            document = build_document(self.api.routes(), self.info.version)
            known = self._described = Described(version, document)
        return known


plugin = ApiDocs
