"""Pictures by their first bytes."""

from __future__ import annotations

from typing import Final

__all__ = ["HEAD", "MAX_PICTURE", "picture_type"]

MAX_PICTURE: Final = 32 * 1024 * 1024
HEAD: Final = 16
"""As many bytes as `picture_type` looks at."""


def picture_type(head: bytes) -> str | None:
    """The media type of PNG, JPEG and WebP; None for everything else."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return None
