"""Static files of plugins, by allow-list (sections 10.5 and 10.6 of the plugin contract)."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from unicodedata import category

from plugin_sdk import Manifest, NotFound, Response
from plugin_sdk.management import PluginEntry

__all__ = ["AssetServer", "is_served"]

_TYPES: Final[Mapping[str, str]] = {
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".ico": "image/x-icon",
    ".wasm": "application/wasm",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
    ".md": "text/plain; charset=utf-8",
    ".vue": "text/plain; charset=utf-8",
    ".ogg": "audio/ogg",
}
_NEVER: Final = (".py", ".pyc", ".so", ".pyd", ".db", ".db-wal", ".db-shm", ".db-journal")
_SANDBOX: Final = "sandbox allow-scripts allow-forms"
_MAX_REMEMBERED: Final = 4096


def is_served(manifest: Manifest, path: str) -> bool:
    """Whether the plugin gives this path away: named in the manifest, or below ``static/``."""
    parts = path.split("/")
    if any(part in ("", ".", "..") or part.startswith(".") for part in parts):
        return False
    if any(char == "\\" or category(char) == "Cc" for char in path):
        return False
    if path.lower().endswith(_NEVER):
        return False
    named = {*manifest.scripts, *manifest.styles, *(page.path for page in manifest.pages)}
    if manifest.settings_html is not None:
        named.add(manifest.settings_html)
    return path in named or (parts[0] == "static" and len(parts) > 1)


class AssetServer:
    """Finds files, and remembers the hash of each as long as the file stays the same."""

    def __init__(self) -> None:
        self._etags: dict[Path, tuple[int, int, str]] = {}

    def file(self, entry: PluginEntry, path: str, version: str | None) -> Response:
        """Raises NotFound for all that is not given away, without a hint why."""
        manifest = entry.manifest
        if entry.state != "active" or manifest is None or not is_served(manifest, path):
            raise NotFound
        found, etag = self._find(entry, path)
        suffix = found.suffix.lower()
        fresh = version is not None and version == manifest.version
        headers = {
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "public, max-age=31536000, immutable" if fresh else "no-cache",
        }
        if suffix in (".html", ".svg"):
            headers["Content-Security-Policy"] = _SANDBOX
        content_type = _TYPES.get(suffix, "application/octet-stream")
        return Response.file(found, content_type=content_type, etag=etag, headers=headers)

    def settings_page(self, entry: PluginEntry) -> Response:
        """The bytes of the file that ``settingsHtml`` names; raises NotFound."""
        manifest = entry.manifest
        if entry.state != "active" or manifest is None or manifest.settings_html is None:
            raise NotFound
        found, etag = self._find(entry, manifest.settings_html)
        headers = {
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-cache",
            "Content-Security-Policy": _SANDBOX,
        }
        return Response.file(
            found, content_type="text/html; charset=utf-8", etag=etag, headers=headers
        )

    def _find(self, entry: PluginEntry, path: str) -> tuple[Path, str]:
        """The regular file that no symbolic link leads to, with a strong ETag of its content."""
        if entry.folder is None:
            raise NotFound
        found = entry.folder
        try:
            for part in path.split("/"):
                found = found / part
                status = found.lstat()
                if stat.S_ISLNK(status.st_mode):
                    raise NotFound
            if not stat.S_ISREG(status.st_mode):
                raise NotFound
            return found, self._etag(found, status.st_mtime_ns, status.st_size)
        except (OSError, ValueError):
            raise NotFound from None

    def _etag(self, path: Path, modified: int, size: int) -> str:
        known = self._etags.get(path)
        if known is not None and known[:2] == (modified, size):
            return known[2]
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()[:32]
        if len(self._etags) >= _MAX_REMEMBERED:
            self._etags.clear()
        self._etags[path] = (modified, size, digest)
        return digest
