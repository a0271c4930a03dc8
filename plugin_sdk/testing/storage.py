"""Blobs in memory: a storage provider, and ``context.blobs`` on top of one."""

from __future__ import annotations

import io
import itertools
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

from plugin_sdk.blobs import Blob, BlobInfo, StorageProvider, check_blob_key
from plugin_sdk.context import Clock
from plugin_sdk.errors import NotFound, ProviderUnavailable
from plugin_sdk.testing.clock import FakeClock

__all__ = ["FakeBlobs", "MemoryStorage"]

_CHUNK = 256 * 1024


class MemoryStorage(StorageProvider):
    """A whole storage provider that keeps everything in memory; it passes `StorageSuite`."""

    name = "memory"

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or FakeClock()
        self._lock = threading.Lock()
        self._versions = itertools.count(1)
        self._stored: dict[str, tuple[BlobInfo, bytes]] = {}

    def put(self, key: str, content: BinaryIO, content_type: str) -> BlobInfo:
        data = b"".join(iter(lambda: content.read(_CHUNK), b""))
        with self._lock:
            etag = f"{next(self._versions):x}-{len(data):x}"
            info = BlobInfo(key, len(data), etag, self._clock.time(), content_type)
            self._stored[key] = (info, data)
        return info

    def stat(self, key: str) -> BlobInfo:
        return self._found(key)[0]

    def open(self, key: str, start: int = 0, length: int | None = None) -> BinaryIO:
        data = self._found(key)[1]
        return io.BytesIO(data[start:] if length is None else data[start : start + length])

    def delete(self, key: str) -> bool:
        with self._lock:
            return self._stored.pop(key, None) is not None

    def list(
        self, prefix: str = "", *, after: str | None = None, limit: int = 1000
    ) -> Sequence[BlobInfo]:
        with self._lock:
            stored = dict(self._stored)
        keys = sorted(
            key for key in stored if key.startswith(prefix) and (after is None or key > after)
        )
        return [stored[key][0] for key in keys[:limit]]

    def _found(self, key: str) -> tuple[BlobInfo, bytes]:
        with self._lock:
            found = self._stored.get(key)
        if found is None:
            raise NotFound(f'There is no blob "{key}".')
        return found


@dataclass(frozen=True, slots=True)
class _StoredBlob:
    info: BlobInfo
    storage: StorageProvider
    full_key: str

    def open(self, start: int = 0, length: int | None = None) -> BinaryIO:
        return self.storage.open(self.full_key, start, length)

    def url(self, expires: int = 300) -> str | None:
        return self.storage.url(self.full_key, expires)


class FakeBlobs:
    """``context.blobs`` in tests: an area of `storage`, which is a `MemoryStorage` unless the
    test puts another provider there. With None no storage is active::

        context.blobs.storage = None
        with pytest.raises(ProviderUnavailable):
            context.blobs.read("cover.png")
    """

    def __init__(self, plugin_id: str, storage: StorageProvider | None) -> None:
        self.storage = storage
        self._area = plugin_id + "/"

    @property
    def _active(self) -> StorageProvider:
        if self.storage is None:
            raise ProviderUnavailable("No storage provider is active.")
        return self.storage

    def put(
        self, key: str, content: bytes | BinaryIO, content_type: str = "application/octet-stream"
    ) -> BlobInfo:
        stream = io.BytesIO(content) if isinstance(content, bytes) else content
        return self._own(self._active.put(self._full(key), stream, content_type))

    def get(self, key: str) -> Blob:
        full = self._full(key)
        return _StoredBlob(self._own(self._active.stat(full)), self._active, full)

    def read(self, key: str) -> bytes:
        with self._active.open(self._full(key)) as stream:
            return stream.read()

    def exists(self, key: str) -> bool:
        try:
            self._active.stat(self._full(key))
        except NotFound:
            return False
        return True

    def delete(self, key: str) -> bool:
        return self._active.delete(self._full(key))

    def list(
        self, prefix: str = "", *, after: str | None = None, limit: int = 1000
    ) -> Sequence[BlobInfo]:
        behind = None if after is None else self._area + after
        found = self._active.list(self._area + prefix, after=behind, limit=limit)
        return [self._own(info) for info in found]

    def _full(self, key: str) -> str:
        return self._area + check_blob_key(key)

    def _own(self, info: BlobInfo) -> BlobInfo:
        return replace(info, key=info.key.removeprefix(self._area))
