"""Posters and backdrops: downloaded after a match, kept as they came (media contract, 7.5)."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from plugin_sdk import Blobs, Http, Logger, StageboxError

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["FORMATS", "IMAGE_NAME", "MAX_BYTES", "Pictures", "checked_picture"]

IMAGE_NAME: Final = re.compile(r"[0-9a-f]{32}\.(png|jpg|webp|gif)")
FORMATS: Final = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "webp": "image/webp",
    "gif": "image/gif",
}
URL_PREFIX: Final = "/api/v1/image/"
MAX_BYTES: Final = 10 * 1024 * 1024
MAX_PIXELS: Final = 40_000_000
SECONDS: Final = 10.0
_EXTENSIONS: Final = {"PNG": "png", "JPEG": "jpg", "WEBP": "webp", "GIF": "gif"}


def checked_picture(content: bytes) -> tuple[Image.Image, str]:
    """The decoded picture and the extension of its format. Raises ValueError for bytes that are
    no PNG, JPEG, WebP or GIF, or are one of more than 40 megapixels."""
    from PIL import Image, UnidentifiedImageError  # a host starts faster without it

    try:
        picture = Image.open(io.BytesIO(content), formats=tuple(_EXTENSIONS))
        if picture.width * picture.height > MAX_PIXELS:
            raise ValueError("The picture has more than 40 megapixels.")
        picture.load()
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"The picture cannot be decoded: {type(error).__name__}.") from None
    return picture, _EXTENSIONS[picture.format or ""]


class Pictures:
    """What is stored in ``images/`` of this plugin's blobs, and how it gets there."""

    def __init__(self, blobs: Callable[[], Blobs], http: Http, log: Logger) -> None:
        self._blobs = blobs
        self._http = http
        self._log = log

    def keep(self, url: str | None) -> str | None:
        """Downloads and stores a picture; the address where it is now, which is the remote one
        when that fails."""
        if url is None or not url.lower().startswith(("http://", "https://")):
            return None
        try:
            content = self.download(url)
            _, extension = checked_picture(content)
            name = f"{hashlib.sha256(content).hexdigest()[:32]}.{extension}"
            key = f"images/{name}"
            if not self._blobs().exists(key):
                self._blobs().put(key, content, FORMATS[extension])
        except (StageboxError, ValueError) as error:
            self._log.info("A picture was not kept, its address is: %s", error)
            return url
        return URL_PREFIX + name

    def download(self, url: str) -> bytes:
        """Raises StageboxError, also for a status other than 200."""
        reply = self._http.request("GET", url, timeout=SECONDS, max_bytes=MAX_BYTES, redirects=3)
        if reply.status != 200:
            raise StageboxError(f"The picture's server answered {reply.status}.")
        return reply.content

    def read(self, url: str) -> bytes:
        """The bytes behind a stored address, remote or our own. Raises StageboxError."""
        if url.startswith(URL_PREFIX):
            return self._blobs().read("images/" + url.removeprefix(URL_PREFIX))
        return self.download(url)
