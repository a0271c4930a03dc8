"""The lives of the service: from when the first process serves until the last one has ended."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from host.db import HostDatabase
from plugin_sdk import Migration
from plugin_sdk.database import Database

__all__ = ["MIGRATIONS", "Life"]

_TABLE = "_stagebox_lives"


def _create(db: Database) -> None:
    db.table(_TABLE).create({"owner": "text", "life": "text"}, pk="owner")


MIGRATIONS = (Migration("app_002_lives", _create),)


class Life:
    """This process's part in it. ``owner`` is its id, ``alive`` says whether another's lives."""

    def __init__(self, database: HostDatabase, owner: str, alive: Callable[[str], bool]) -> None:
        self.stopping = False
        self._db = database
        self._owner = owner
        self._alive = alive
        self._id: str | None = None

    def begin(self) -> None:
        """This process serves from now on: in the life of others, or in a new one."""
        with self._db.transaction():
            others = self._others()
            self._id = next(iter(others.values()), secrets.token_hex(8))
            self._db.table(_TABLE).delete_where()
            rows = [*others.items(), (self._owner, self._id)]
            self._db.table(_TABLE).insert_all({"owner": each, "life": life} for each, life in rows)

    def end(self) -> None:
        if self._id is not None:
            self._db.table(_TABLE).delete(self._owner)

    @property
    def id(self) -> str:
        """Of the life that goes on; "" when nobody serves."""
        if self._id is not None:
            return self._id
        return next(iter(self._others().values()), "")

    @property
    def outlived(self) -> bool:
        """Whether this process stops and others go on."""
        return self.stopping and bool(self._others())

    def _others(self) -> dict[str, str]:
        rows = self._db.table(_TABLE).rows_where()
        return {
            row["owner"]: row["life"]
            for row in rows
            if row["owner"] != self._owner and self._alive(row["owner"])
        }
