"""Files and artwork as bytes (media contract, 5.7). Ranges are the host's."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from builtin_plugins.media.artwork import FORMATS, IMAGE_NAME
from builtin_plugins.media.items import Items
from plugin_sdk import Blobs, NotFound, Response, Row

__all__ = ["image", "stream"]

_TYPES: Final = {
    "mp4": "video/mp4",
    "mkv": "video/x-matroska",
    "avi": "video/x-msvideo",
    "mov": "video/quicktime",
    "wmv": "video/x-ms-wmv",
    "m4v": "video/x-m4v",
    "webm": "video/webm",
    "flv": "video/x-flv",
    "ogv": "video/ogg",
    "ts": "video/mp2t",
    "m2ts": "video/mp2t",
    "mpg": "video/mpeg",
    "mpeg": "video/mpeg",
}
_STREAM_HEADERS: Final = {"Cache-Control": "private, no-cache"}
_IMAGE_HEADERS: Final = {"Cache-Control": "public, max-age=31536000, immutable"}


def stream(items: Items, stream_id: str) -> Response:
    """A film or an episode; raises NotFound for one that is not what the scan saw there."""
    row = items.stream(stream_id)
    if row is None:
        raise _missing(stream_id)
    try:
        facts = os.stat(row["resolved"])  # noqa: PTH116 - thousands a second
        moved = os.path.realpath(row["path"]) != row["resolved"]
    except (OSError, ValueError):
        raise _missing(stream_id) from None
    if moved or not stat.S_ISREG(facts.st_mode):
        raise _missing(stream_id)
    suffix = os.path.splitext(row["path"])[1]  # noqa: PTH122  # a link may have another name
    return Response.file(
        Path(row["resolved"]),
        content_type=_TYPES.get(suffix.lower()[1:], "application/octet-stream"),
        filename=_name(row) + suffix,
        etag=f"{stream_id}-{facts.st_mtime_ns:x}-{facts.st_size:x}",
        headers=_STREAM_HEADERS,
    )


def image(blobs: Blobs, name: str) -> Response:
    """Artwork that a scan stored; raises NotFound."""
    known = IMAGE_NAME.fullmatch(name)
    try:
        if known is None:
            raise NotFound
        blob = blobs.get(f"images/{name}")
    except NotFound:
        text = f"Image with identifier '{name}' not found"
        raise NotFound(text, code="RESOURCE") from None
    kind = FORMATS[known[1]]
    return Response.file(blob, content_type=kind, etag=name, headers=_IMAGE_HEADERS)


def _name(row: Row) -> str:
    if row.get("season") is None:
        return str(row["title"])
    return f"{row['title']} - S{row['season']:02d}E{row['episode']:02d}"


def _missing(stream_id: str) -> NotFound:
    return NotFound(f"Media file with identifier '{stream_id}' not found", code="RESOURCE")
