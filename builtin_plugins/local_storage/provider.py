"""The storage provider ``local``.

Layout below the plugin's folder::

    blobs/3f/3f9a…e1      a blob, named by the SHA-256 of its key (see `files`)
    incoming/7c01…        a blob that is being written (see `incoming`)

Hashed names fit every file system: no reserved name, no long segment, no two that differ by case
alone, and "a" stands beside "a/b". The order of the keys is kept by `index`.
"""

from __future__ import annotations

import errno
import hashlib
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from builtin_plugins.local_storage.files import (
    DamagedFile,
    open_content,
    read_info,
    sync_folder,
    write_blob,
)
from builtin_plugins.local_storage.incoming import Incoming
from builtin_plugins.local_storage.index import KeyIndex
from plugin_sdk import (
    BlobInfo,
    Clock,
    Database,
    Invalid,
    Logger,
    NotFound,
    StorageProvider,
    Unavailable,
    check_blob_key,
)

__all__ = ["LocalStorage"]

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_TYPE: Final = re.compile(r"[ -~]{1,255}")
_DROP_AT: Final = 500


class LocalStorage(StorageProvider):
    """Blobs as files below ``folder``. What `put` and `delete` answered survives power loss."""

    name = "local"

    def __init__(self, folder: Path, database: Database, clock: Clock, log: Logger) -> None:
        self._blobs = folder / "blobs"
        self._incoming_folder = folder / "incoming"
        self._incoming = Incoming(self._incoming_folder)
        self._index = KeyIndex(database, lambda key: self._path(key).exists(), log)
        self._clock = clock
        self._log = log
        self._prepared = False
        self._preparing = threading.Lock()

    def recover(self) -> None:
        """Removes what a crash left half written, and makes the index anew if it is lost."""
        removed = self._incoming.sweep()
        if removed:
            self._log.info("%d half-written files of an earlier crash were removed.", removed)
        if self._index.empty() and self._blobs.is_dir():
            found = self._index.fill(info.key for info in self._all_files())
            if found:
                self._log.warning("The index of keys was made anew: %d blobs.", found)

    def put(self, key: str, content: BinaryIO, content_type: str) -> BlobInfo:
        """Raises Invalid for what is no key or media type, Unavailable when the disk is full."""
        check_blob_key(key)
        _check_type(content_type)
        target = self._path(key)
        with _full_disk_is_unavailable():
            self._prepare()
            with self._incoming.file() as (file, path):
                info = write_blob(file, key, content, content_type, self._clock.time())
                self._index.add(key)
                with self._index.appearing(key):
                    path.replace(target)
            sync_folder(target.parent)
        return info

    def stat(self, key: str) -> BlobInfo:
        try:
            return read_info(self._path(key))
        except FileNotFoundError:
            raise _missing(key) from None

    def open(self, key: str, start: int = 0, length: int | None = None) -> BinaryIO:
        if start < 0 or (length is not None and length < 0):
            raise Invalid(f"There is no range of {length} bytes from {start} on.")
        try:
            return open_content(self._path(key), start, length)
        except FileNotFoundError:
            raise _missing(key) from None

    def delete(self, key: str) -> bool:
        path = self._path(key)
        try:
            path.unlink()
        except FileNotFoundError:
            return False
        sync_folder(path.parent)
        self._index.gone(key)
        return True

    def list(
        self, prefix: str = "", *, after: str | None = None, limit: int = 1000
    ) -> Sequence[BlobInfo]:
        found: list[BlobInfo] = []
        gone: list[str] = []
        if limit < 1:
            return found
        for key in self._index.keys(prefix, after, limit):
            try:
                found.append(self.stat(key))
            except NotFound:
                gone.append(key)
            except DamagedFile as error:
                self._log.error('Blob "%s" is left out of a list: %s', key, error)
            if len(gone) >= _DROP_AT:
                self._index.drop(gone)
                gone.clear()
            if len(found) >= limit:
                break
        self._index.drop(gone)
        return found

    def close(self) -> None:
        self._index.flush()

    def _path(self, key: str) -> Path:
        name = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
        return self._blobs / name[:2] / name

    def _prepare(self) -> None:
        """Makes all folders before the first blob, durably: a blob whose folder is not on the
        disk yet would not survive a power loss either."""
        with self._preparing:
            if self._prepared:
                return
            self._incoming_folder.mkdir(parents=True, exist_ok=True)
            self._blobs.mkdir(exist_ok=True)
            for number in range(256):
                (self._blobs / f"{number:02x}").mkdir(exist_ok=True)
            sync_folder(self._blobs)
            sync_folder(self._blobs.parent)
            self._prepared = True

    def _all_files(self) -> Iterator[BlobInfo]:
        for path in self._blobs.glob("[0-9a-f][0-9a-f]/*"):
            try:
                yield read_info(path)
            except DamagedFile as error:
                self._log.error("%s", error)


def _check_type(content_type: str) -> None:
    if not _TYPE.fullmatch(content_type):
        raise Invalid(f"{content_type[:80]!r} is no media type.")


def _missing(key: str) -> NotFound:
    return NotFound(f'There is no blob "{key}".')


@contextmanager
def _full_disk_is_unavailable() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise Unavailable(f"The blob cannot be stored: {error.strerror}.") from error
