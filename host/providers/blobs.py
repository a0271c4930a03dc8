"""``context.blobs``: a plugin's own area of whatever storage provider is active."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from io import BytesIO
from typing import Any, BinaryIO, cast

from host.providers.faults import ProviderFaults
from plugin_sdk import (
    Blob,
    BlobInfo,
    Blobs,
    Invalid,
    NotFound,
    ProviderUnavailable,
    StageboxError,
    StorageProvider,
    check_blob_key,
)

__all__ = ["PluginBlobs"]

_Fenced = Callable[[StorageProvider, str, str], AbstractContextManager[None]]


class PluginBlobs(Blobs):
    """Blobs of one plugin, kept below ``<plugin id>/`` in the active provider.

    ``active`` gives that provider, or raises ProviderUnavailable. What a provider raises beside
    StageboxErrors counts as unavailable as well; ``faults`` is told of it. The key and the
    plugin's id together have at most 511 characters.
    """

    def __init__(
        self,
        plugin_id: str,
        active: Callable[[], StorageProvider],
        faults: ProviderFaults | None = None,
    ) -> None:
        self._prefix = plugin_id + "/"
        self._active = active
        self._faults = faults or ProviderFaults(logging.getLogger("stagebox.providers"))

    def put(
        self, key: str, content: bytes | BinaryIO, content_type: str = "application/octet-stream"
    ) -> BlobInfo:
        full = self._full(key)
        stream = _Source(_stream_of(content))
        provider = self._active()
        with self._fenced(provider, "put", key, stream):
            info = provider.put(full, cast("BinaryIO", stream), content_type)
        return self._own(info)

    def get(self, key: str) -> Blob:
        full, provider = self._full(key), self._active()
        with self._fenced(provider, "stat", key):
            info = provider.stat(full)
        return _StoredBlob(provider, full, self._own(info), self._fenced)

    def read(self, key: str) -> bytes:
        full, provider = self._full(key), self._active()
        with self._fenced(provider, "open", key), provider.open(full) as stream:
            return stream.read()

    def exists(self, key: str) -> bool:
        try:
            self.get(key)
        except NotFound:
            return False
        return True

    def delete(self, key: str) -> bool:
        full, provider = self._full(key), self._active()
        with self._fenced(provider, "delete", key):
            return provider.delete(full)

    def list(
        self, prefix: str = "", *, after: str | None = None, limit: int = 1000
    ) -> Sequence[BlobInfo]:
        provider = self._active()
        behind = None if after is None else self._prefix + after
        with self._fenced(provider, "list", prefix):
            found = provider.list(self._prefix + prefix, after=behind, limit=max(0, limit))
        # A provider that answers more than it was asked for must not show others' blobs.
        return [self._own(info) for info in found if info.key.startswith(self._prefix)]

    @contextmanager
    def _fenced(
        self, provider: StorageProvider, operation: str, key: str, source: _Source | None = None
    ) -> Iterator[None]:
        """Names the blob as the plugin knows it, and the provider that failed. What reading the
        plugin's own ``source`` raised is raised as it was."""
        try:
            yield
        except Exception as error:
            own = None if source is None else source.behind(error)
            if own is not None:
                raise own from None
            if isinstance(error, NotFound):
                raise NotFound(f'There is no blob "{key}".') from None
            if isinstance(error, StageboxError):
                raise
            name = getattr(provider, "name", type(provider).__name__)
            self._faults.failed("storage", name, operation, error)
            raise ProviderUnavailable(f"The storage provider {name} failed.") from error

    def _full(self, key: str) -> str:
        check_blob_key(key)
        try:
            return check_blob_key(self._prefix + key)
        except Invalid:
            raise Invalid(f'The blob key "{key[:80]}..." is too long.') from None

    def _own(self, info: BlobInfo) -> BlobInfo:
        return replace(info, key=info.key.removeprefix(self._prefix))


class _StoredBlob(Blob):
    """A blob of the provider that was active when it was asked for."""

    def __init__(
        self, provider: StorageProvider, full: str, info: BlobInfo, fenced: _Fenced
    ) -> None:
        self._provider = provider
        self._full = full
        self._info = info
        self._fenced = fenced

    @property
    def info(self) -> BlobInfo:
        return self._info

    def open(self, start: int = 0, length: int | None = None) -> BinaryIO:
        with self._fenced(self._provider, "open", self._info.key):
            return self._provider.open(self._full, start, length)

    def url(self, expires: int = 300) -> str | None:
        with self._fenced(self._provider, "url", self._info.key):
            return self._provider.url(self._full, expires)


class _Source:
    """The stream that a plugin hands over, as the provider sees it: it can be read, and what the
    reading raises is remembered as the plugin's own."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.error: BaseException | None = None

    def read(self, size: int = -1, /) -> bytes:
        try:
            return self._stream.read(size)
        except Exception as error:
            self.error = error
            raise

    def behind(self, error: BaseException) -> BaseException | None:
        """What the reading raised, if ``error`` is that or stands for it."""
        mute = not isinstance(error, StageboxError) or isinstance(error, ProviderUnavailable)
        return self.error if mute or error is self.error else None

    def readable(self) -> bool:
        return True

    def __iter__(self) -> Iterator[bytes]:
        while piece := self.read(65536):
            yield piece

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)  # seek, tell, fileno where the stream has them


def _stream_of(content: bytes | BinaryIO) -> BinaryIO:
    if isinstance(content, bytes | bytearray | memoryview):
        return BytesIO(content)
    if not hasattr(content, "read"):
        kind = type(content).__name__
        raise Invalid(f"A blob is made of bytes or of a binary stream, not of {kind}.")
    return content
