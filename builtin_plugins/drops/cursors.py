"""How far each box was read (contract, 7.2, rule 2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from builtin_plugins.drops.directory import readers
from plugin_sdk import Database

__all__ = ["Cursor", "Cursors"]

_ACCEPTING = "accept_unknown"


@dataclass(frozen=True, slots=True)
class Cursor:
    """What a drop server said last; both None for a box that is read whole."""

    latest: str | None = None
    last_modified: str | None = None

    def headers(self) -> dict[str, str]:
        """The condition of a request: never both headers."""
        if self.latest is not None:
            return {"X-Qabel-New-Since": self.latest}
        return {"If-Modified-Since": self.last_modified} if self.last_modified else {}


class Cursors:
    """The table ``box``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def get(self, url: str) -> Cursor:
        row = self._db.table("box").get(url)
        return Cursor() if row is None else Cursor(row["latest"], row["last_modified"])

    def set(self, url: str, cursor: Cursor) -> None:
        """Inside the transaction that stores the messages which it covers."""
        row = {"drop_url": url, "latest": cursor.latest, "last_modified": cursor.last_modified}
        self._db.table("box").upsert(row)

    def follow(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        """Forgets the cursors of boxes that somebody more reads now: what still lies there may
        be for them; and boxes that nobody reads any more. Inside the transaction that changes
        the synced document."""
        before, after = readers(old), readers(new)
        self._forget(url for url, pairs in after.items() if pairs - before.get(url, set()))
        self._forget(before.keys() - after.keys())

    def accept_unknown(self, accept: bool) -> None:
        """Forgets all cursors when messages of strangers begin to be taken."""
        word = "yes" if accept else "no"
        if self._stored_word() == word:
            return
        with self._db.transaction():
            if accept and self._stored_word() != word:
                self._db.table("box").delete_where()
            self._db.table("poll_state").upsert({"name": _ACCEPTING, "value": word})

    def _stored_word(self) -> str | None:
        row = self._db.table("poll_state").get(_ACCEPTING)
        return None if row is None else row["value"]

    def _forget(self, urls: Iterable[str]) -> None:
        for url in urls:
            self._db.table("box").delete(url)
