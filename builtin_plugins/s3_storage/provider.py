"""The storage provider ``s3``: the settings' bucket, whatever they say at the moment."""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, BinaryIO, Final

from builtin_plugins.s3_storage.config import Patience, StoreConfig
from plugin_sdk import (
    BlobInfo,
    Clock,
    Logger,
    ProviderUnavailable,
    Settings,
    StorageProvider,
)

if TYPE_CHECKING:
    from builtin_plugins.s3_storage.bucket import Bucket

__all__ = ["MISSING_LIBRARY", "S3Storage", "library_is_there"]

MISSING_LIBRARY: Final = (
    "The S3 client library botocore is not installed. Install it beside Stagebox with "
    "`pip install 'stagebox[s3]'`."
)


def library_is_there() -> bool:
    return importlib.util.find_spec("botocore") is not None


class S3Storage(StorageProvider):
    """Every call raises ProviderUnavailable while settings are missing or the store is away."""

    name = "s3"

    def __init__(
        self, settings: Settings, clock: Clock, log: Logger, patience: Patience | None = None
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._log = log
        self._patience = patience or Patience()
        self._lock = threading.Lock()
        self._bucket: Bucket | None = None

    def put(self, key: str, content: BinaryIO, content_type: str) -> BlobInfo:
        return self._opened().put(key, content, content_type)

    def stat(self, key: str) -> BlobInfo:
        return self._opened().stat(key)

    def open(self, key: str, start: int = 0, length: int | None = None) -> BinaryIO:
        return self._opened().open(key, start, length)

    def delete(self, key: str) -> bool:
        return self._opened().delete(key)

    def list(
        self, prefix: str = "", *, after: str | None = None, limit: int = 1000
    ) -> Sequence[BlobInfo]:
        return self._opened().list(prefix, after, limit)

    def url(self, key: str, expires_seconds: int) -> str | None:
        """A signed address of the store when the setting ``presign`` is on, else None."""
        return self._opened().url(key, expires_seconds) if self._settings["presign"] else None

    def abort_leftovers(self, go_on: Callable[[], bool]) -> int:
        """Ends uploads that a crash left unfinished; returns how many."""
        return self._opened().abort_leftovers(go_on)

    @property
    def configured(self) -> bool:
        return not StoreConfig.missing(self._settings.as_dict())

    @property
    def trouble(self) -> str | None:
        """Why the store is away, as far as it is known without asking."""
        bucket = self._bucket
        return bucket.trouble if bucket is not None else None

    def reopen(self) -> None:
        """The settings have changed: the next call goes where they say."""
        with self._lock:
            bucket, self._bucket = self._bucket, None
        if bucket is not None:
            bucket.close()

    def close(self) -> None:
        self.reopen()

    def _opened(self) -> Bucket:
        bucket = self._bucket
        if bucket is not None:
            return bucket
        with self._lock:
            if self._bucket is None:
                self._bucket = self._new_bucket()
            return self._bucket

    def _new_bucket(self) -> Bucket:
        settings = self._settings.as_dict()
        missing = StoreConfig.missing(settings)
        if missing:
            raise ProviderUnavailable(
                "The S3 storage is not configured: give "
                f"{', '.join(missing)} in the settings of s3_storage."
            )
        if not library_is_there():
            raise ProviderUnavailable(MISSING_LIBRARY)
        from builtin_plugins.s3_storage.bucket import Bucket  # loads botocore

        return Bucket(StoreConfig.of(settings), self._patience, self._clock, self._log)
