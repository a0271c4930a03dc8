"""The API reference at ``/docs``: Scalar, from its bundle or not at all (local REST, 9.1)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Final

from builtin_plugins.api_docs.assets import Asset, Assets, find_packaged
from plugin_sdk import NotFound, Request, Response, Route
from plugin_sdk.management import PublishedRoute

__all__ = ["Reference", "plain_list"]

_PACKAGE: Final = ("flask_openapi_scalar", "templates/scalar/js/scalar.standalone.js")
_CONFIGURATION: Final = {
    "url": "/api/openapi.json",
    "withDefaultFonts": False,
    "telemetry": False,
    "agent": {"disabled": True},
    "showDeveloperTools": "never",
}
# The bundle knows addresses of services for fonts, proxies, registries and sharing: this keeps
# them silent. Styles are made on the fly, so they are allowed inline; scripts are not.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; "
    "worker-src 'self' blob:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_HEADERS: Final = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"}
_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>API reference · Stagebox</title>
<link rel="icon" href="data:,">
</head>
<body>
<noscript><p>This page needs JavaScript.
<a href="/api/openapi.json">The same as JSON</a></p></noscript>
<script id="api-reference" data-configuration="{configuration}"></script>
<script src="/docs/assets/{name}"></script>
</body>
</html>
"""


class Reference:
    """``prepared``: a folder for the compressed bundle."""

    def __init__(self, prepared: Path) -> None:
        source = find_packaged(*_PACKAGE)
        self._asset = source and Asset(source, "text/javascript", prepared)
        self._assets = Assets([self._asset] if self._asset else [])

    def page(self, routes: Sequence[PublishedRoute]) -> Response:
        """Without the bundle, a plain list of the routes."""
        if not self._asset:
            return plain_list(routes, "/api/openapi.json", "API reference")
        configuration = escape(json.dumps(_CONFIGURATION), quote=True)
        page = _PAGE.format(configuration=configuration, name=self._asset.name)
        return Response.html(page, headers=_HEADERS)

    def asset(self, name: str, request: Request) -> Response:
        """Raises NotFound."""
        if not self._asset:
            raise NotFound("There is no such file.")
        return self._assets.response(name, request)


def plain_list(routes: Sequence[PublishedRoute], document: str, title: str) -> Response:
    """A page that needs no script: for when a bundle is not installed."""
    lines = "\n".join(
        f"<li><code>{each.route.method} {escape(each.path)}</code>"
        f" {escape(each.route.summary)}</li>"
        for each in sorted(routes, key=lambda each: each.path)
        if isinstance(each.route, Route) and each.route.documented
    )
    return Response.html(
        f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(title)} · Stagebox</title>
<link rel="icon" href="data:,">
</head>
<body>
<h1>{escape(title)}</h1>
<p>The interactive reference is not installed: <code>pip install "stagebox[docs]"</code> brings it.
<a href="{escape(document)}">The same as JSON</a></p>
<ul>
{lines}
</ul>
</body>
</html>
""",
        headers=_HEADERS,
    )
