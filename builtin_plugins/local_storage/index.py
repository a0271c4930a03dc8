"""The keys in their order, for listing. The files are the truth; this is a finding aid.

A key stands here before its file appears and until after it has gone, whatever crashes: the index
may name a key too many, never one too few.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from plugin_sdk import Database, Logger, StageboxError

__all__ = ["KeyIndex", "create_index"]

_PAGE: Final = 500
_GONE_LIMIT: Final = 256
_ADD: Final = "INSERT INTO blobs (key) VALUES (:key) ON CONFLICT DO NOTHING"


def create_index(database: Database) -> None:
    """The table, as the first migration makes it."""
    database.table("blobs").create({"key": "text"}, pk="key")


class KeyIndex:
    """``exists`` says whether there is a file for a key."""

    def __init__(self, database: Database, exists: Callable[[str], bool], log: Logger) -> None:
        self._database = database
        self._exists = exists
        self._log = log
        self._gone: list[str] = []
        self._lock = threading.Lock()

    def add(self, key: str) -> None:
        """Notes a key durably; costs one read when it is noted already."""
        if not self._database.value("SELECT 1 FROM blobs WHERE key = :key", {"key": key}):
            self._database.execute(_ADD, {"key": key})

    @contextmanager
    def appearing(self, key: str) -> Iterator[None]:
        """Around the rename that makes a file appear: nobody drops the key meanwhile, in no
        process, because writing takes its turn."""
        with self._database.transaction():
            self.add(key)
            yield

    def gone(self, key: str) -> None:
        """Notes that a file has been deleted; many are dropped from the table at once, since a
        key too many does no harm."""
        with self._lock:
            self._gone.append(key)
            full = len(self._gone) >= _GONE_LIMIT
        if full:
            self.flush()

    def flush(self) -> None:
        """Drops what is noted as gone. A failure is logged: the files are gone already."""
        with self._lock:
            keys, self._gone = self._gone, []
        try:
            self.drop(keys)
        except StageboxError as error:
            self._log.warning("%d deleted keys stay in the index: %s", len(keys), error)

    def drop(self, keys: Sequence[str]) -> None:
        """Drops those of the keys that have no file."""
        if not keys:
            return
        with self._database.transaction():
            dead = [{"key": key} for key in keys if not self._exists(key)]
            self._database.executemany("DELETE FROM blobs WHERE key = :key", dead)

    def keys(self, prefix: str, after: str | None, limit: int) -> Iterator[str]:
        """Keys that begin with ``prefix`` behind ``after``, in order of their code points, read
        in pages that suit somebody who wants ``limit`` of them."""
        page = min(limit, _PAGE)
        last = after or ""
        while True:
            rows = self._database.query(
                "SELECT key FROM blobs WHERE key >= :prefix AND key > :last"
                " ORDER BY key LIMIT :page",
                {"prefix": prefix, "last": last, "page": page},
            )
            for row in rows:
                last = row["key"]
                if not last.startswith(prefix):
                    return
                yield last
            if len(rows) < page:
                return

    def empty(self) -> bool:
        return self._database.value("SELECT 1 FROM blobs LIMIT 1") is None

    def fill(self, keys: Iterable[str]) -> int:
        """Notes all of these keys."""
        return self._database.table("blobs").insert_all(({"key": key} for key in keys), ignore=True)
