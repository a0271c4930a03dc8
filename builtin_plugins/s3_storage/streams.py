"""Reading an object piece by piece, over broken connections."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError
from urllib3.exceptions import HTTPError

from builtin_plugins.s3_storage.client import Client
from builtin_plugins.s3_storage.faults import Refused
from plugin_sdk import ProviderUnavailable

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["ObjectStream"]

_RESUMES: Final = 2


class ObjectStream(io.RawIOBase):
    """The rest of an answer to GET, from offset ``position`` of the object on.

    A store closes connections that stand still, as they do behind a slow listener. Then reading
    goes on with a new request, which the store answers only while the object is still the same
    (If-Match): two contents are never mixed. Raises ProviderUnavailable when it cannot go on.
    """

    def __init__(
        self, client: Client, name: str, answer: dict[str, Any], position: int, key: str
    ) -> None:
        super().__init__()
        self._client = client
        self._name = name
        self._key = key
        self._etag: str = answer["ETag"]
        self._body: Any = answer["Body"]
        self._position = position
        self._end = position + int(answer["ContentLength"])
        self._failures = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        target = memoryview(buffer).cast("B")[: self._end - self._position]
        if not target:
            return 0
        while True:
            try:
                count: int = self._body.readinto(target)
            except (BotoCoreError, HTTPError) as error:
                self._resume(error)
                continue
            if count == 0:
                self._resume(None)
                continue
            self._position += count
            self._failures = 0
            return count

    def close(self) -> None:
        if not self.closed:
            self._body.close()
        super().close()

    def _resume(self, error: Exception | None) -> None:
        """Opens the object anew where it broke off."""
        self._body.close()
        self._failures += 1
        if self._failures > _RESUMES:
            raise ProviderUnavailable(
                f'The store broke off while the blob "{self._key}" was read. Try again.'
            ) from error
        try:
            answer = self._client.get(
                {
                    "Key": self._name,
                    "Range": f"bytes={self._position}-{self._end - 1}",
                    "IfMatch": self._etag,
                }
            )
        except Refused:
            raise ProviderUnavailable(
                f'The blob "{self._key}" was replaced or deleted while it was read, and its '
                "connection broke off. Try again."
            ) from error
        self._body = answer["Body"]
