"""Album art: DDS textures, made into PNG."""

from __future__ import annotations

import io
import struct

from PIL import Image, UnidentifiedImageError

__all__ = ["png_of_dds"]

MAX_SIDE = 4096


def png_of_dds(content: bytes) -> bytes | None:
    """None for a texture that cannot be read, or is larger than 4096 pixels on a side."""
    try:
        with Image.open(io.BytesIO(content), formats=("DDS",)) as image:
            if max(image.size) > MAX_SIDE:
                return None
            target = io.BytesIO()
            image.convert("RGB").save(target, "PNG")
            return target.getvalue()
    except (UnidentifiedImageError, OSError, ValueError, NotImplementedError, struct.error):
        return None  # what Pillow raises: damaged textures; NotImplementedError: unknown formats
