"""Asking a drop server what lies in a box (contract, 7.1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import IO, Final

from builtin_plugins.drops.cursors import Cursor
from builtin_plugins.drops.multipart import BadMultipart, boundary_of, parts
from builtin_plugins.drops.sealing import PDU_BYTES
from plugin_sdk import Http, HttpStream, StageboxError

__all__ = ["BoxFailed", "Fetched", "fetch"]

_MAX_BODY: Final = 256 * 1024 * 1024
_IN_MEMORY: Final = 4 * 1024 * 1024
_MAX_CURSOR: Final = 1024


class BoxFailed(Exception):
    """A box that gave no usable answer in this round; says why, without the box's id."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a box gave: messages that have the right length, and the new cursor."""

    cursor: Cursor
    _file: IO[bytes]

    def messages(self) -> Iterator[bytes]:
        self._file.seek(0)
        while pdu := self._file.read(PDU_BYTES):
            yield pdu


@contextmanager
def fetch(http: Http, url: str, cursor: Cursor, timeout: float) -> Iterator[Fetched | None]:
    """Everything new in a box, None for nothing. Beyond 4 MiB it waits on the disk.

    Raises BoxFailed: then nothing of the answer counts."""
    with SpooledTemporaryFile(max_size=_IN_MEMORY) as file:
        try:
            with http.stream(
                "GET", url, headers=cursor.headers(), timeout=timeout, max_bytes=_MAX_BODY
            ) as answer:
                found = _read(answer, cursor, file)
        except StageboxError as error:
            raise BoxFailed(error.message) from None
        except BadMultipart as error:
            raise BoxFailed(f"the answer cannot be read: {error}") from None
        yield found


def _read(answer: HttpStream, cursor: Cursor, file: SpooledTemporaryFile[bytes]) -> Fetched | None:
    if answer.status in (204, 304):
        return None
    if answer.status != 200:
        raise BoxFailed(f"it answered {answer.status}")
    boundary = boundary_of(answer.headers.get("content-type", ""), "multipart/mixed")
    if boundary is None:
        raise BoxFailed("it did not answer in multipart/mixed")
    chunks = answer.chunks()
    for _, content in parts(chunks, boundary, PDU_BYTES):
        if content is not None and len(content) == PDU_BYTES:
            file.write(content)
    for _ in chunks:
        pass  # behind the last delimiter: only what was read to its end keeps the connection
    return Fetched(_next(answer.headers, cursor), file)


def _next(headers: Mapping[str, str], before: Cursor) -> Cursor:
    latest, modified = headers.get("x-qabel-latest"), headers.get("last-modified")
    if latest is not None and _can_be_sent(latest):
        return Cursor(latest=latest)
    if modified is not None and _can_be_sent(modified):
        return Cursor(last_modified=modified)
    return before


def _can_be_sent(value: str) -> bool:
    fits = 0 < len(value) <= _MAX_CURSOR
    return fits and value.isascii() and value.isprintable() and value == value.strip()
