"""The page at ``/media`` and its files."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from plugin_sdk import NotFound, Response

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


def page() -> Response:
    html = (_FOLDER / "index.html").read_text(encoding="utf-8")
    return Response.html(html, headers=_HEADERS)


def page_file(name: str) -> Response:
    """Raises NotFound for what the page does not need."""
    if name not in _FILES:
        raise NotFound
    return Response.file(_FOLDER / name, content_type=_FILES[name], headers=_HEADERS)
