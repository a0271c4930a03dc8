"""Content types by extension: the lists of the contracts, not those of the machine."""

from __future__ import annotations

from pathlib import PurePath
from typing import Final

__all__ = ["OCTET_STREAM", "content_type_of"]

OCTET_STREAM: Final = "application/octet-stream"

_TYPES: Final = {
    # accounts-and-plugins, 10.5
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
    # media, 5.7
    ".mp4": "video/mp4",
    ".mkv": "video/x-matroska",
    ".avi": "video/x-msvideo",
    ".mov": "video/quicktime",
    ".wmv": "video/x-ms-wmv",
    ".m4v": "video/x-m4v",
    ".webm": "video/webm",
    ".flv": "video/x-flv",
    ".ogv": "video/ogg",
    ".ts": "video/mp2t",
    ".m2ts": "video/mp2t",
    ".mpg": "video/mpeg",
    ".mpeg": "video/mpeg",
    # songs, 5.3
    ".wav": "audio/wav",
    ".mp3": "audio/mpeg",
    ".flac": "audio/flac",
    ".opus": "audio/ogg",
    # what else a page loads
    ".htm": "text/html; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".avif": "image/avif",
    ".woff": "font/woff",
    ".ttf": "font/ttf",
    ".otf": "font/otf",
    ".xml": "application/xml",
    ".csv": "text/csv; charset=utf-8",
    ".pdf": "application/pdf",
    ".zip": "application/zip",
    ".m4a": "audio/mp4",
    ".vtt": "text/vtt; charset=utf-8",
}


def content_type_of(name: str | PurePath) -> str:
    """By the last extension, in any case; ``application/octet-stream`` for all others."""
    path = name if isinstance(name, PurePath) else PurePath(name)
    return _TYPES.get(path.suffix.lower(), OCTET_STREAM)
