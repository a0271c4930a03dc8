"""The page at ``/media`` and its files."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from plugin_sdk import NotFound, Request, Response

__all__ = ["page", "page_file"]

_FOLDER: Final = Path(__file__).parent / "page"
_FILES: Final = {
    "media.css": "text/css; charset=utf-8",
    "media.js": "text/javascript; charset=utf-8",
    "api.js": "text/javascript; charset=utf-8",
    "metadata.js": "text/javascript; charset=utf-8",
    "player.js": "text/javascript; charset=utf-8",
    "scans.js": "text/javascript; charset=utf-8",
    "shelf.js": "text/javascript; charset=utf-8",
}
_HEADERS: Final = {"Cache-Control": "no-cache"}


_SOCKETS: Final = '<meta name="sockets" content="">'
_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,253}|[0-9a-f:.]{2,45}")
_POLICY: Final = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'; "
    "object-src 'none'; img-src 'self' data:; connect-src 'self' "
)


def page(request: Request, sockets: str | None) -> Response:
    """``sockets`` is where WebSockets are when that is another port than this page's: then the
    page is told, and may connect there."""
    html = (_FOLDER / "index.html").read_text(encoding="utf-8")
    address = None if sockets is None else _as_reached(request, sockets)
    if address is None:
        return Response.html(html, headers=_HEADERS)
    html = html.replace(_SOCKETS, _SOCKETS.replace('""', f'"{escape(address)}"'))
    return Response.html(html, headers={**_HEADERS, "Content-Security-Policy": _POLICY + address})


def _as_reached(request: Request, sockets: str) -> str | None:
    """The address under the name by which the browser reached this page: both ports are of the
    same interfaces."""
    try:
        name, port = urlsplit(f"//{request.host}").hostname or "", urlsplit(sockets).port
    except ValueError:
        return None
    if _NAME.fullmatch(name) is None or port is None:
        return None
    scheme = "wss" if request.scheme == "https" else "ws"
    return f"{scheme}://[{name}]:{port}" if ":" in name else f"{scheme}://{name}:{port}"


def page_file(name: str) -> Response:
    """Raises NotFound for what the page does not need."""
    if name not in _FILES:
        raise NotFound
    return Response.file(_FOLDER / name, content_type=_FILES[name], headers=_HEADERS)
