"""Swagger UI at ``/api/docs`` (media contract, 5.11)."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Final

from builtin_plugins.api_docs.assets import Asset, Assets, find_packaged
from builtin_plugins.api_docs.reference import plain_list
from plugin_sdk import Request, Response
from plugin_sdk.management import PublishedRoute

__all__ = ["Swagger"]

_PACKAGE: Final = "flask_swagger_ui"
_STATIC: Final = Path(__file__).parent / "static"
# Nothing inline: Swagger UI sets styles by script only, and its pictures are data in its CSS.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
_HEADERS: Final = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"}
_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Media API · Stagebox</title>
<link rel="icon" href="data:,">
{styles}
</head>
<body>
<main id="swagger-ui" data-url="/api/docs.json"></main>
<noscript><p>This page needs JavaScript.
<a href="/api/docs.json">The same as JSON</a></p></noscript>
{scripts}
</body>
</html>
"""


class Swagger:
    """``prepared``: a folder for compressed files."""

    def __init__(self, prepared: Path) -> None:
        bundle = find_packaged(_PACKAGE, "dist/swagger-ui-bundle.js")
        styles = find_packaged(_PACKAGE, "dist/swagger-ui.css")
        self._styles: list[Asset] = []
        self._scripts: list[Asset] = []
        if bundle and styles:
            self._styles = [
                Asset(styles, "text/css", prepared),
                Asset(_STATIC / "swagger.css", "text/css", prepared),
            ]
            self._scripts = [
                Asset(bundle, "text/javascript", prepared),
                Asset(_STATIC / "swagger.js", "text/javascript", prepared),
            ]
        self._assets = Assets([*self._styles, *self._scripts])

    def page(self, routes: Sequence[PublishedRoute]) -> Response:
        """Without the bundle, a plain list of the routes."""
        if not self._scripts:
            return plain_list(routes, "/api/docs.json", "Media API")
        page = _PAGE.format(
            styles="\n".join(
                f'<link rel="stylesheet" href="/api/docs/assets/{escape(each.name)}">'
                for each in self._styles
            ),
            scripts="\n".join(
                f'<script src="/api/docs/assets/{escape(each.name)}"></script>'
                for each in self._scripts
            ),
        )
        return Response.html(page, headers=_HEADERS)

    def asset(self, name: str, request: Request) -> Response:
        """Raises NotFound."""
        return self._assets.response(name, request)
