"""API documentation: the OpenAPI document of everything that is active, two ways to look at it,
and the documentation site."""

from __future__ import annotations

import json
from pathlib import Path

from builtin_plugins.api_docs.described import Documents
from builtin_plugins.api_docs.reference import Reference
from builtin_plugins.api_docs.site.serving import Site
from builtin_plugins.api_docs.swagger import Swagger
from plugin_sdk import CommandIO, NotFound, Page, Plugin, Request, Response, command, route
from plugin_sdk.management import ApiCatalog

__all__ = ["ApiDocs", "plugin"]

_SWITCHES = {"/docs": "scalar", "/docusaurus": "docusaurus"}


class ApiDocs(Plugin):
    """Sections 8 and 9 of the local REST contract, 5.11 of the media contract."""

    def enable(self) -> None:
        context = self.context
        self._api: ApiCatalog = context.services.get("host.api")
        self._documents = Documents(context)
        prepared: Path = context.paths.data
        self._reference = Reference(prepared)
        self._swagger = Swagger(prepared)
        self._site = Site(context.settings)

    def guard(self, request: Request) -> None:
        """What is switched off is not there, whatever the method."""
        for path, setting in _SWITCHES.items():
            below = request.path == path or request.path.startswith(path + "/")
            if below and not self.context.settings[setting]:
                raise NotFound

    def pages(self) -> list[Page]:
        return [Page("/docs", "API reference", "📖", 900)]

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
        return self._documents.everything(f"{request.scheme}://{request.host}")

    @command("openapi", group="")
    def print_openapi(self, io: CommandIO) -> None:
        """Print the OpenAPI document of all active plugins."""
        document = json.loads(self._documents.text("/"))
        io.print(json.dumps(document, indent=2, ensure_ascii=False))

    # The reference: Scalar

    @route("GET", "/docs", access="open", documented=False)
    def reference(self, request: Request) -> Response:
        return self._reference.page(self._api.routes())

    @route("GET", "/docs/assets/{name}", access="open", documented=False)
    def reference_asset(self, request: Request) -> Response:
        return self._reference.asset(request.params["name"], request)

    # The media API: Swagger UI

    @route("GET", "/api/docs", access="open", documented=False)
    def media_reference(self, request: Request) -> Response:
        return self._swagger.page(self._documents.media_routes())

    @route("GET", "/api/docs/assets/{name}", access="open", documented=False)
    def media_asset(self, request: Request) -> Response:
        return self._swagger.asset(request.params["name"], request)

    @route("GET", "/api/docs.json", access="open", documented=False)
    @route("GET", "/api/docs/swagger.json", access="open", documented=False)
    def media_openapi(self, request: Request) -> Response:
        return self._documents.media(f"{request.scheme}://{request.host}")

    # The documentation site

    @route("GET", "/docusaurus", access="open", documented=False)
    def site_root(self, request: Request) -> Response:
        return Response.redirect("/docusaurus/", 302)

    @route("GET", "/docusaurus/{rest:path}", access="open", documented=False)
    def site(self, request: Request) -> Response:
        return self._site.response(request.params["rest"])


plugin = ApiDocs
