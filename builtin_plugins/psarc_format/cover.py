"""Album art: DDS textures, made into PNG."""

from __future__ import annotations

import io
import struct
import warnings
from typing import Final

from PIL import Image, UnidentifiedImageError

__all__ = ["png_of_dds"]

MAX_SIDE: Final = 8192
_FAULTS: Final = (
    UnidentifiedImageError,
    OSError,
    ValueError,
    MemoryError,
    NotImplementedError,  # a format of textures that Pillow does not know
    struct.error,
    Image.DecompressionBombError,
)


def png_of_dds(content: bytes) -> bytes | None:
    """None for a texture that cannot be read, or is larger than 8192 pixels on a side (songs
    contract, 5.3). A large one takes 500 MB while it is converted."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large images: we have a limit
            image = Image.open(io.BytesIO(content), formats=("DDS",))
        with image:
            if max(image.size) > MAX_SIDE:
                return None
            target = io.BytesIO()
            image.convert("RGB").save(target, "PNG")
            return target.getvalue()
    except _FAULTS:
        return None
