"""The page at ``/songs`` and its files."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from plugin_sdk import NotFound, Response

__all__ = ["page", "page_file"]

_FOLDER: Final = Path(__file__).parent / "page"
_SCRIPT: Final = "text/javascript; charset=utf-8"
_FILES: Final = {
    "songs.css": "text/css; charset=utf-8",
    "songs.js": _SCRIPT,
    "api.js": _SCRIPT,
    "highway.js": _SCRIPT,
    "list.js": _SCRIPT,
    "player.js": _SCRIPT,
    "scan.js": _SCRIPT,
}
_HEADERS: Final = {"Cache-Control": "no-cache"}


def page(profile_id: int | None) -> Response:
    """``profile_id`` is the visitor's, whose favourites and loops the page offers."""
    html = (_FOLDER / "index.html").read_text(encoding="utf-8")
    mine = "" if profile_id is None else str(profile_id)
    html = html.replace("<body>", f'<body data-profile="{mine}">', 1)
    return Response.html(html, headers=_HEADERS)


def page_file(name: str) -> Response:
    """Raises NotFound for what the page does not need."""
    if name not in _FILES:
        raise NotFound("The page has no such file.")
    return Response.file(_FOLDER / name, content_type=_FILES[name], headers=_HEADERS)
