"""Posters and backdrops: downloaded after a match, kept as they came, deleted when no film or show
has them any more (media contract, 7.5)."""

from __future__ import annotations

import hashlib
import io
import re
import threading
import time
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from plugin_sdk import BlobInfo, Blobs, Http, JobRun, Logger, NotFound, StageboxError

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
GRACE_SECONDS: Final = 24 * 3600.0
_FOLDER: Final = "images/"
_PAGE: Final = 400
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

    def __init__(
        self,
        blobs: Callable[[], Blobs],
        http: Http,
        log: Logger,
        hosts_of: Callable[[str], Collection[str]],
    ) -> None:
        """``hosts_of`` says which hosts an operator wrote into the provider row of a name: only
        there may its pictures lie at an address that is not public. Any other address may be a
        stranger's, out of a file in the library."""
        self._blobs = blobs
        self._http = http
        self._log = log
        self._hosts_of = hosts_of
        self._decoding = threading.Lock()

    def keep(
        self,
        url: str | None,
        stored: str | None = None,
        source: str | None = None,
        row: str = "",
    ) -> str | None:
        """Downloads and stores a picture that the provider row of that name told of; the address
        where it is now. When that fails, this is the remote one, unless ``stored`` is the very
        picture: it came from ``source``, or from where nobody knows any more."""
        if url is None or not url.lower().startswith(("http://", "https://")):
            return None
        try:
            content = self._download(url, row)
            extension = self._extension(content)
            name = f"{hashlib.sha256(content).hexdigest()[:32]}.{extension}"
            if not self._is_fresh(f"{_FOLDER}{name}"):
                self._blobs().put(f"{_FOLDER}{name}", content, FORMATS[extension])
        except (StageboxError, ValueError) as error:
            if stored is not None and source in (None, url) and self._has(stored):
                self._log.info("A picture could not be fetched again: %s", error)
                return stored
            self._log.info("A picture was not kept, its address is: %s", error)
            return url
        return URL_PREFIX + name

    def _extension(self, content: bytes) -> str:
        """Of a picture that can be decoded; raises ValueError. One at a time: look-ups are many,
        and 40 megapixels take 160 megabytes."""
        with self._decoding:
            return checked_picture(content)[1]

    def collect(self, used: Callable[[Sequence[str]], Collection[str]], run: JobRun) -> int:
        """Deletes the pictures of which ``used`` does not name the addresses; returns how many.
        A young one may be of a look-up that is not stored yet: it is left alone."""
        blobs, deleted, after = self._blobs(), 0, None
        while not run.cancelled and (listed := blobs.list(_FOLDER, after=after, limit=_PAGE)):
            after = listed[-1].key
            names = [each.key.removeprefix(_FOLDER) for each in listed if _is_old(each)]
            kept = used([URL_PREFIX + name for name in names]) if names else ()
            for name in names:
                if URL_PREFIX + name not in kept and not self._is_fresh(f"{_FOLDER}{name}"):
                    deleted += blobs.delete(f"{_FOLDER}{name}")
        return deleted

    def _has(self, url: str) -> bool:
        name = url.removeprefix(URL_PREFIX)
        return name != url and self._blobs().exists(f"{_FOLDER}{name}")

    def _is_fresh(self, key: str) -> bool:
        """Whether there is such a blob, so young that it is not collected soon."""
        try:
            return time.time() - self._blobs().get(key).info.modified < GRACE_SECONDS / 2
        except NotFound:
            return False

    def read(self, url: str, row: str) -> bytes:
        """The bytes behind a stored address, remote or our own; ``row`` as in `keep`. Raises
        StageboxError, ValueError."""
        if url.startswith(URL_PREFIX):
            return self._blobs().read(_FOLDER + url.removeprefix(URL_PREFIX))
        return self._download(url, row)

    def _download(self, url: str, row: str) -> bytes:
        """Raises StageboxError, also for a status other than 200, and ValueError."""
        reply = self._http.request(
            "GET",
            url,
            timeout=SECONDS,
            max_bytes=MAX_BYTES,
            redirects=3,
            private=(urlsplit(url).hostname or "") in self._hosts_of(row),
        )
        if reply.status != 200:
            raise StageboxError(f"The picture's server answered {reply.status}.")
        return reply.content


def _is_old(info: BlobInfo) -> bool:
    return time.time() - info.modified > GRACE_SECONDS
