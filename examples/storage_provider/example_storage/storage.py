"""The provider: blobs as rows, in pieces small enough to stream.

A reader gets one content to its end, also when the blob is replaced or deleted meanwhile: what is
not needed any more stays for an hour, and is swept out by later writes.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from itertools import chain, islice
from typing import BinaryIO, ClassVar, Final

from plugin_sdk import BlobInfo, Clock, Database, NotFound, Row, StorageProvider

__all__ = ["CHUNK", "GRACE", "ContentReader", "DatabaseStorage"]

CHUNK: Final = 256 * 1024
BATCH: Final = 8
"""Chunks in one transaction: few commits, and others still get their turn."""
GRACE: Final = 60 * 60 * 1000
"""Milliseconds for which a content stays that no blob has: as long may a reader take, and a
writer between two batches."""


class DatabaseStorage(StorageProvider):
    name: ClassVar = "database"

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def put(self, key: str, content: BinaryIO, content_type: str) -> BlobInfo:
        chunks = enumerate(_chunks(content))
        first = list(islice(chunks, BATCH))
        # What came to its end already is stored in one go; no transaction waits for a stream.
        with self._db.transaction() if len(first) < BATCH else nullcontext():
            self._sweep()
            number, size, etag = self._write(chain(first, chunks))
            row = {
                "key": key,
                "content": number,
                "size": size,
                "etag": etag,
                "modified": self._clock.time(),
                "content_type": content_type,
            }
            with self._db.transaction():
                self._release(key)
                self._db.table("contents").update(number, {"expires": None})
                self._db.table("blobs").upsert(row)
        return _info(row)

    def stat(self, key: str) -> BlobInfo:
        return _info(self._row(key))

    def open(self, key: str, start: int = 0, length: int | None = None) -> BinaryIO:
        row = self._row(key)
        end = row["size"] if length is None else min(row["size"], start + length)
        return io.BufferedReader(ContentReader(self._db, row["content"], start, end), CHUNK)

    def delete(self, key: str) -> bool:
        self._sweep()
        with self._db.transaction():
            self._release(key)
            return self._db.table("blobs").delete(key)

    def list(
        self, prefix: str = "", *, after: str | None = None, limit: int = 1000
    ) -> Sequence[BlobInfo]:
        # No key is longer than 512 characters, so none that begins with the prefix is behind this.
        last = prefix + "\U0010ffff" * 512
        rows = self._db.table("blobs").rows_where(
            "key >= :prefix AND key <= :last AND key > :after",
            {"prefix": prefix, "last": last, "after": after or ""},
            order_by="key",
            limit=limit,
        )
        return [_info(row) for row in rows]

    def _write(self, chunks: Iterator[tuple[int, bytes]]) -> tuple[int, int, str]:
        """Stores a content that no blob has yet: its number, its size, its etag."""
        contents, digest, size = self._db.table("contents"), hashlib.sha256(), 0
        number: int = contents.insert({"expires": self._expiry()})
        while batch := list(islice(chunks, BATCH)):
            for _, chunk in batch:
                digest.update(chunk)
                size += len(chunk)
            with self._db.transaction():
                contents.update(number, {"expires": self._expiry()})
                self._db.table("chunks").insert_all(
                    {"content": number, "number": n, "bytes": chunk} for n, chunk in batch
                )
        return number, size, digest.hexdigest()[:32]

    def _row(self, key: str) -> Row:
        row = self._db.table("blobs").get(key)
        if row is None:
            raise NotFound(f"There is no blob {key}.")
        return row

    def _release(self, key: str) -> None:
        """Lets the content that a blob has now expire."""
        self._db.execute(
            "UPDATE contents SET expires = :expires"
            " WHERE id = (SELECT content FROM blobs WHERE key = :key)",
            {"expires": self._expiry(), "key": key},
        )

    def _expiry(self) -> int:
        return self._clock.ms() + GRACE

    def _sweep(self) -> None:
        self._db.table("contents").delete_where("expires < :now", {"now": self._clock.ms()})


class ContentReader(io.RawIOBase):
    """The bytes of a content from ``position`` up to ``end``, one query for each chunk."""

    def __init__(self, db: Database, content: int, position: int, end: int) -> None:
        super().__init__()
        self._db = db
        self._content = content
        self._position = position
        self._end = end

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # the stubs say Buffer
        number, offset = divmod(self._position, CHUNK)
        count = min(len(buffer), CHUNK - offset, self._end - self._position)
        if count <= 0:
            return 0
        piece = self._db.value(
            "SELECT bytes FROM chunks WHERE content = :content AND number = :number",
            {"content": self._content, "number": number},
        )
        if piece is None:
            raise OSError("This was replaced, and reading it took longer than an hour.")
        buffer[:count] = piece[offset : offset + count]
        self._position += count
        return count


def _chunks(content: BinaryIO) -> Iterator[bytes]:
    """Whole chunks, and a last one with the rest: a stream may give less than it is asked for."""
    while True:
        chunk = bytearray()
        while len(chunk) < CHUNK and (piece := content.read(CHUNK - len(chunk))):
            chunk += piece
        if not chunk:
            return
        yield bytes(chunk)


def _info(row: Row) -> BlobInfo:
    return BlobInfo(row["key"], row["size"], row["etag"], row["modified"], row["content_type"])
