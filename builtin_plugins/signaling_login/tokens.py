"""The table of tokens: hashes only, so that every process and the command line see the same ones
(local REST contract, 4.3)."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from builtin_plugins.signaling_login.upstream import User
from plugin_sdk import Column, Database

__all__ = ["LIFE_MS", "StoredToken", "TokenTable", "create_life", "create_tables"]

LIFE_MS: Final = 3_600_000
"""One hour, however much a token is used."""

_PREFIX: Final = "local_"
_TOKEN: Final = re.compile(rf"{_PREFIX}[0-9a-f]{{40}}")
_FIND: Final = "SELECT * FROM tokens WHERE hash = :hash"
_DROP_OLDEST: Final = (
    "DELETE FROM tokens WHERE id <= (SELECT id FROM tokens ORDER BY id DESC LIMIT 1 OFFSET :kept)"
)


def create_tables(db: Database) -> None:
    table = db.table("tokens").create(
        {
            "id": "integer",
            "hash": Column("text", null=False, unique=True),
            "user_id": Column("text", null=False),
            "username": Column("text", null=False),
            "display_name": Column("text", null=False),
            "server": Column("text", null=False),
            "created_at": Column("integer", null=False),
            "expires_at": Column("integer", null=False),
        },
        pk="id",
    )
    table.create_index(["expires_at"])
    table.create_index(["server"])


def create_life(db: Database) -> None:
    """In which life of the service the tokens were last cleared."""
    db.table("lives").create({"id": "integer", "life": Column("text", null=False)}, pk="id")


@dataclass(frozen=True, slots=True)
class StoredToken:
    """Who got a token, from which entry of the list, when and until when (ms since the epoch)."""

    user: User
    server: str
    created_at: int
    expires_at: int


class TokenTable:
    """Knows nothing of when tokens have to go: `builtin_plugins.signaling_login.sessions` does."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._table = db.table("tokens")

    def make(self, user: User, server: str, now: int, most: int) -> tuple[str, int]:
        """A new token and when it expires; beyond ``most`` live ones the oldest go."""
        token = _PREFIX + secrets.token_hex(20)
        row = {
            "hash": _hash(token),
            "user_id": user.id,
            "username": user.username,
            "display_name": user.display_name,
            "server": server,
            "created_at": now,
            "expires_at": now + LIFE_MS,
        }
        with self._db.transaction():
            self._drop_expired(now)
            self._table.insert(row)
            self._db.execute(_DROP_OLDEST, {"kept": most})
        return token, now + LIFE_MS

    def find(self, token: str, now: int) -> StoredToken | None:
        """A live one; an expired row is removed."""
        if not _TOKEN.fullmatch(token):
            return None
        row = self._db.one(_FIND, {"hash": _hash(token)})
        if row is None:
            return None
        if now >= row["expires_at"]:
            self._table.delete(row["id"])
            return None
        user = User(row["user_id"], row["username"], row["display_name"])
        return StoredToken(user, row["server"], row["created_at"], row["expires_at"])

    def delete(self, token: str) -> bool:
        """False when there was none."""
        return self._table.delete_where("hash = :hash", {"hash": _hash(token)}) > 0

    def keep_only(self, servers: Collection[str]) -> int:
        """Deletes the tokens that came through other servers."""
        found = self._db.query("SELECT DISTINCT server FROM tokens")
        gone = [row["server"] for row in found if row["server"] not in servers]
        return sum(
            self._table.delete_where("server = :server", {"server": server}) for server in gone
        )

    def clear(self, now: int) -> int:
        """Deletes all; how many were live."""
        with self._db.transaction():
            self._drop_expired(now)
            return self._table.delete_where()

    def begin(self, life: str, now: int) -> None:
        """Deletes those of an earlier life of the service; in each life once, whichever process
        comes first."""
        with self._db.transaction():
            if self._life() != life:
                self.clear(now)
                self._db.table("lives").upsert({"id": 1, "life": life})

    def end(self, life: str, now: int) -> None:
        """Deletes those of this life, unless another one has begun already."""
        with self._db.transaction():
            if self._life() == life:
                self.clear(now)

    def _life(self) -> str | None:
        row = self._db.table("lives").get(1)
        return None if row is None else row["life"]

    def count(self, now: int) -> int:
        """Live ones."""
        return self._table.count_where("expires_at > :now", {"now": now})

    def _drop_expired(self, now: int) -> None:
        self._table.delete_where("expires_at <= :now", {"now": now})


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()
