"""Judging and converting pictures (songs contract, 5.3 and 5.4)."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from typing import Any, Final

from PIL import Image

__all__ = ["MAX_BYTES", "MAX_SIDE", "as_png", "is_picture"]

MAX_BYTES: Final = 32 * 1024 * 1024
MAX_SIDE: Final = 8192
_CONVERTED_SIDE: Final = 1024
_FORMATS: Final = ("PNG", "JPEG", "WEBP")
_FAULTS: Final = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    MemoryError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)


def is_picture(content: bytes) -> bool:
    """Whether it is a PNG, JPEG or WebP that can be decoded and is of reasonable size."""
    return _opened(content, quick=True) is not None


def as_png(content: bytes) -> bytes | None:
    """A PNG byte for byte as it is; others converted, 1024 pixels at most on the longer side.
    None for what `is_picture` refuses."""
    image = _opened(content, quick=False)
    if image is None:
        return None
    with image:
        if image.format == "PNG":
            return content
        plain = image if image.mode in ("RGB", "RGBA", "L") else image.convert("RGBA")
        plain.thumbnail((_CONVERTED_SIDE, _CONVERTED_SIDE))
        result = io.BytesIO()
        plain.save(result, "PNG")
        return result.getvalue()


def _opened(content: bytes, *, quick: bool) -> Any:
    """The decoded image, None when it cannot be. ``quick``: smaller than it is, where that is
    quicker and nobody looks at it."""
    if len(content) > MAX_BYTES:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata, and large images: we have a limit
            image = Image.open(io.BytesIO(content), formats=_FORMATS)
            if max(image.size) > MAX_SIDE:
                return None
            if quick:
                image.draft("L", (max(1, image.width // 8), max(1, image.height // 8)))
            image.load()
    except _FAULTS:
        return None
    return image
