"""Blobs in the folder of one bucket."""

from __future__ import annotations

import binascii
import io
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO, Final

from builtin_plugins.s3_storage.client import Client
from builtin_plugins.s3_storage.config import Patience, StoreConfig
from builtin_plugins.s3_storage.faults import Refused
from builtin_plugins.s3_storage.listing import blobs_of
from builtin_plugins.s3_storage.names import is_cut, key_of, object_name
from builtin_plugins.s3_storage.streams import ObjectStream
from builtin_plugins.s3_storage.uploads import abort_leftovers, upload
from plugin_sdk import BlobInfo, Clock, Invalid, Logger, NotFound, check_blob_key

__all__ = ["Bucket"]

_TYPE: Final = re.compile(r"[ -~]{1,255}")
_BUFFER: Final = 64 * 1024
_MODIFIED: Final = "stagebox-modified"
"""Seconds since the epoch by the host's clock; stores tell whole seconds only."""
_KEY: Final = "stagebox-key"
"""The key in UTF-8 and base64 (RFC 4648, 5), where the object's name does not tell it."""
_LONGEST: Final = 7 * 24 * 3600  # for signed addresses (Signature Version 4)
_LEFT_AFTER: Final = 24 * 3600.0


class Bucket:
    """What a storage provider promises, for one configuration. Close it."""

    def __init__(self, config: StoreConfig, patience: Patience, clock: Clock, log: Logger) -> None:
        self._config = config
        self._clock = clock
        self._log = log
        self._client = Client(config, patience)

    @property
    def trouble(self) -> str | None:
        """Why the store is away, as far as it is known without asking."""
        return self._client.outage.sentence

    def put(self, key: str, content: BinaryIO, content_type: str) -> BlobInfo:
        """Raises Invalid for what is no key or media type."""
        check_blob_key(key)
        if not _TYPE.fullmatch(content_type):
            raise Invalid(f"{content_type[:80]!r} is no media type.")
        name = object_name(key)
        modified = self._clock.time()
        metadata = {_MODIFIED: repr(modified)}
        if is_cut(name):
            metadata[_KEY] = urlsafe_b64encode(key.encode()).decode()
        size, etag = upload(
            self._client, self._config.folder + name, content, content_type, metadata, self._log
        )
        return BlobInfo(key, size, _opaque(etag), modified, content_type)

    def stat(self, key: str) -> BlobInfo:
        name = _name(key)
        try:
            answer = self._client.head(self._config.folder + name)
        except Refused:
            raise _missing(key) from None
        return _info(key, answer)

    def open(self, key: str, start: int, length: int | None) -> BinaryIO:
        if start < 0 or (length is not None and length < 0):
            raise Invalid(f"There is no range of {length} bytes from {start} on.")
        if length == 0:
            self.stat(key)
            return io.BytesIO()
        name = self._config.folder + _name(key)
        asked: dict[str, Any] = {"Key": name}
        if start or length is not None:
            asked["Range"] = f"bytes={start}-" + ("" if length is None else f"{start + length - 1}")
        try:
            answer = self._client.get(asked, gives="ETag")
        except Refused as refused:
            if refused.code == "InvalidRange":
                return io.BytesIO()
            raise _missing(key) from None
        stream = ObjectStream(self._client, name, answer, start, key)
        return io.BufferedReader(stream, _BUFFER)

    def delete(self, key: str) -> bool:
        try:
            self.stat(key)  # S3 does not say whether there was anything to delete
            self._client.call("delete_object", {"Key": self._config.folder + object_name(key)})
        except (NotFound, Refused):
            return False
        return True

    def list(self, prefix: str, after: str | None, limit: int) -> Sequence[BlobInfo]:
        return blobs_of(self._client, self._config, self._blob, prefix, after, limit)

    def url(self, key: str, expires_seconds: int) -> str | None:
        if not self._config.presign:
            return None
        seconds = max(1, min(expires_seconds, _LONGEST))
        return self._client.signed_url(self._config.folder + _name(key), seconds)

    def abort_leftovers(self, go_on: Callable[[], bool]) -> int:
        """Ends uploads that a crash left unfinished: those of ours older than a day."""
        before = self._clock.time() - _LEFT_AFTER
        return abort_leftovers(self._client, self._config.folder, before, go_on, self._log)

    def close(self) -> None:
        self._client.close()

    def _blob(self, name: str) -> BlobInfo | None:
        """For listings: the blob in an object; None when there is none any more."""
        try:
            answer = self._client.head(self._config.folder + name)
        except Refused:
            return None
        key = _told_key(answer) if is_cut(name) else key_of(name)
        if key is None or object_name(key) != name:
            return None
        return _info(key, answer)


def _name(key: str) -> str:
    """Raises NotFound for what is no key, so that nothing can be stored under it."""
    try:
        return object_name(check_blob_key(key))
    except Invalid:
        raise _missing(key) from None


def _missing(key: str) -> NotFound:
    return NotFound(f'There is no blob "{key}".')


def _info(key: str, answer: dict[str, Any]) -> BlobInfo:
    return BlobInfo(
        key,
        answer["ContentLength"],
        _opaque(answer["ETag"]),
        _modified(answer),
        answer.get("ContentType") or "application/octet-stream",
    )


def _modified(answer: dict[str, Any]) -> float:
    """By the host's clock; by the store's for objects that another tool put there."""
    try:
        return float(answer["Metadata"][_MODIFIED])
    except (KeyError, ValueError):
        moment: float = answer["LastModified"].timestamp()
        return moment


def _opaque(etag: str) -> str:
    return etag.removeprefix("W/").strip('"')


def _told_key(answer: dict[str, Any]) -> str | None:
    try:
        return urlsafe_b64decode(answer["Metadata"][_KEY]).decode()
    except (KeyError, binascii.Error, ValueError):
        return None
