"""Answers of the site, from our own pages or from the folder that the operator names."""

from __future__ import annotations

import hashlib
import io
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from builtin_plugins.api_docs.site.folder import Folder
from plugin_sdk import BlobInfo, Response, Settings

if TYPE_CHECKING:
    from builtin_plugins.api_docs.site.pages import Pages

__all__ = ["Site"]

# The word of the contract, for sites that others have built; our own pages have nothing inline.
_POLICY: Final = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:"
)
_HEADERS: Final = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"}
_TYPES: Final = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "json": "application/json",
}
_NOTHING: Final = "<!doctype html><title>Not found · Stagebox</title><p>There is no such page.</p>"


class _Rendered:
    """Bytes at hand in the form of a stored file, for ranges and conditional requests."""

    def __init__(self, name: str, content: bytes) -> None:
        etag = hashlib.sha256(content).hexdigest()[:16]
        self._content = content
        self.info = BlobInfo(name, len(content), etag, 0.0, _TYPES[name.rpartition(".")[2]])

    def open(self, start: int = 0, length: int | None = None) -> BinaryIO:
        end = None if length is None else start + length
        return io.BytesIO(self._content[start:end])

    def url(self, expires: int = 300) -> str | None:
        return None


class Site:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @cached_property
    def _pages(self) -> Pages:
        # A host that nobody asks for its pages need not load what renders them.
        from builtin_plugins.api_docs.site.pages import Pages, find_sources

        return Pages(find_sources())

    def response(self, path: str) -> Response:
        """What a path below ``/docusaurus/`` gives; an unknown one, the site's own page with
        status 404. Raises NotFound (DOCS_NOT_BUILT)."""
        folder: str = self._settings["docusaurusDir"]
        return self._foreign(Path(folder), path) if folder else self._own(path)

    def _own(self, path: str) -> Response:
        found = self._pages.find(path)
        if found is None:
            page = self._pages.missing().decode()
            return Response.html(page, 404, _HEADERS)
        return Response.file(_Rendered(*found), headers=_HEADERS)

    def _foreign(self, root: Path, path: str) -> Response:
        folder = Folder(root)
        folder.check()
        found = folder.response(path, _HEADERS) or folder.missing(_HEADERS)
        if found is None:
            return Response.html(_NOTHING, 404, _HEADERS)
        return found
