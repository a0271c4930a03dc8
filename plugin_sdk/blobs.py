"""Bytes that a plugin keeps in the active storage provider, and what such a provider is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO, ClassVar, Protocol

from plugin_sdk.errors import Invalid

__all__ = ["Blob", "BlobInfo", "Blobs", "StorageProvider", "check_blob_key"]

_MAX_KEY = 512
_MAX_KEY_BYTES = 900


def check_blob_key(key: str) -> str:
    """The key itself when it is one: segments divided by ``/``, 512 characters and 900 bytes in
    UTF-8 at most (S3 stops at 1,024, and a plugin's area stands in front).

    No segment is empty, ``.`` or ``..``; there is no backslash, no control character and no lone
    surrogate. Raises Invalid.
    """
    refused = (
        not 1 <= len(key) <= _MAX_KEY
        or any(part in ("", ".", "..") for part in key.split("/"))
        or any(c < " " or "\x7f" <= c <= "\x9f" or c == "\\" for c in key)
        or any("\ud800" <= c <= "\udfff" for c in key)
    )
    if refused or len(key.encode()) > _MAX_KEY_BYTES:
        raise Invalid(f"{key[:80]!r} is no blob key.")
    return key


@dataclass(frozen=True, slots=True)
class BlobInfo:
    """What is known of a stored blob without reading it.

    ``size`` in bytes; ``modified`` in seconds since the epoch; ``etag`` changes whenever the
    content is replaced (opaque, without quotes).
    """

    key: str
    size: int
    etag: str
    modified: float
    content_type: str = "application/octet-stream"


class Blob(Protocol):
    """A stored blob that can be read, whole or in part."""

    @property
    def info(self) -> BlobInfo: ...

    def open(self, start: int = 0, length: int | None = None) -> BinaryIO:
        """A stream of ``length`` bytes from ``start`` (to the end without one); close it."""
        ...

    def url(self, expires: int = 300) -> str | None:
        """An address from which a client may fetch it by itself for so many seconds, without any
        other permission: for callers who may read it. None where the active provider gives none;
        ``Response.file(blob, direct=True)`` then sends the bytes."""
        ...


class Blobs(Protocol):
    """``context.blobs`` (capability ``blobs``): this plugin's area of the active storage provider.

    Keys are relative to that area; see `check_blob_key`. Every method raises ProviderUnavailable
    while no storage provider is active.
    """

    def put(
        self, key: str, content: bytes | BinaryIO, content_type: str = "application/octet-stream"
    ) -> BlobInfo:
        """Stores or replaces atomically: a reader gets the old content or the new, whole."""
        ...

    def get(self, key: str) -> Blob:
        """Raises NotFound."""
        ...

    def read(self, key: str) -> bytes:
        """The whole content; raises NotFound."""
        ...

    def exists(self, key: str) -> bool:
        """Whether `get` would find it."""
        ...

    def delete(self, key: str) -> bool:
        """False when there was nothing to delete."""
        ...

    def list(
        self, prefix: str = "", *, after: str | None = None, limit: int = 1000
    ) -> Sequence[BlobInfo]:
        """Blobs whose key begins with ``prefix`` in the order of their keys, from behind
        ``after``: at most ``limit`` of them."""
        ...


class StorageProvider(ABC):
    """The provider type ``storage``: one is active at a time and keeps the blobs of all plugins.

    Keys obey `check_blob_key`. Implementations are called by many threads at once.
    ``plugin_sdk.testing.StorageSuite`` says in tests what each method promises.
    """

    name: ClassVar[str]

    @abstractmethod
    def put(self, key: str, content: BinaryIO, content_type: str) -> BlobInfo:
        """Stores the stream to its end, durable before it returns, atomically for readers."""

    @abstractmethod
    def stat(self, key: str) -> BlobInfo:
        """Raises NotFound."""

    @abstractmethod
    def open(self, key: str, start: int = 0, length: int | None = None) -> BinaryIO:
        """Bytes from ``start``; a range beyond the end is cut off there. Raises NotFound."""

    @abstractmethod
    def delete(self, key: str) -> bool:
        """False when there was nothing to delete."""

    @abstractmethod
    def list(
        self, prefix: str = "", *, after: str | None = None, limit: int = 1000
    ) -> Sequence[BlobInfo]:
        """In the order of the keys' code points, keys greater than ``after``, at most ``limit``."""

    def url(self, key: str, expires_seconds: int) -> str | None:
        """An address from which a client may fetch the blob itself for a while, or None."""
        return None

    def close(self) -> None:
        """Gives back what the provider holds; nothing is called afterwards."""
        return
