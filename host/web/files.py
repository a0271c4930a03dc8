"""Files and blobs as answers: opened first, then measured, so that nothing changes in between."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, cast
from urllib.parse import quote

from host.web.content_types import content_type_of
from host.web.streams import PlainFile
from plugin_sdk import Blob, FileBody, Logger, NotFound

__all__ = ["Content", "content_disposition", "open_content"]

_GONE: Final = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EACCES}
)
_TAG: Final = re.compile("[!#-~]*")
_ATTR_CHARS: Final = "!#$&+-.^_`|~"  # beside letters and digits (RFC 8187, 3.2.1)


@dataclass(frozen=True, slots=True)
class Content:
    """Something to be sent whole or in part.

    ``etag`` is quoted; ``open(start, length)`` gives a stream that stands at ``start`` and is
    closed by whoever asked for it; ``close`` is for when nothing is opened at all."""

    size: int
    etag: str
    modified: float
    content_type: str
    open: Callable[[int, int], BinaryIO]
    close: Callable[[], object]


def open_content(body: FileBody, log: Logger) -> Content:
    """Raises NotFound when there is no such file, or none any more."""
    if isinstance(body.source, Path):
        return _file(body.source, body.etag, log)
    return _blob(body.source, body.etag)


def content_disposition(filename: str | None, *, attachment: bool) -> str | None:
    """The header's value (RFC 6266): a fallback in ASCII, and the true name percent-encoded."""
    kind = "attachment" if attachment else "inline"
    if filename is None:
        return kind if attachment else None
    plain = "".join(c if " " <= c <= "~" and c not in '"\\/' else "_" for c in filename)
    encoded = quote(filename.encode("utf-8", "replace"), safe=_ATTR_CHARS)
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{encoded}"


def _file(path: Path, etag: str | None, log: Logger) -> Content:
    descriptor = _open(path, log)
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise NotFound
        made = f"{facts.st_mtime_ns:x}-{facts.st_size:x}"
        tag = _quoted(etag if etag is not None else made)
        file = cast("BinaryIO", PlainFile(descriptor))
    except BaseException:
        os.close(descriptor)
        raise

    def open_at(start: int, _length: int) -> BinaryIO:
        file.seek(start)
        return file

    return Content(
        size=facts.st_size,
        etag=tag,
        modified=facts.st_mtime,
        content_type=content_type_of(path),
        open=open_at,
        close=file.close,
    )


def _quoted(tag: str) -> str:
    """An entity tag (RFC 9110, 8.8.3). Raises ValueError for a text that cannot be one."""
    if not _TAG.fullmatch(tag):
        raise ValueError(f"{tag!r} cannot be an ETag: it takes visible ASCII without quotes.")
    return f'"{tag}"'


def _open(path: Path, log: Logger) -> int:
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        # Not to wait for a writer, should the name be that of a pipe.
        return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    except ValueError:  # a NUL in the name
        raise NotFound from None
    except OSError as error:
        if error.errno not in _GONE:
            raise
        if error.errno == errno.EACCES:
            log.warning("A file to be sent may not be read: %s", error)
        raise NotFound from None


def _blob(blob: Blob, etag: str | None) -> Content:
    info = blob.info
    return Content(
        size=info.size,
        etag=_quoted(etag if etag is not None else info.etag),
        modified=info.modified,
        content_type=info.content_type,
        open=blob.open,
        close=lambda: None,
    )
