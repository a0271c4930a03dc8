"""The memory behind a fake context: rows, transactions and what waits for a commit.

Keys and values, the outbox of events and, once a test uses ``context.db``, a real database share
one transaction here, as they do in the host.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from plugin_sdk.database import Database

__all__ = ["DataKey", "JoinedDatabase", "Transactions"]

DataKey = tuple[str, str, str]
"""Scope kind, scope id, key."""


@dataclass
class _Level:
    """One open transaction or savepoint: what it changed (None is deleted) and what waits."""

    changes: dict[DataKey, str | None] = field(default_factory=dict)
    waiting: list[Callable[[], object]] = field(default_factory=list)
    joined: ExitStack = field(default_factory=ExitStack)


class Transactions:
    """Committed rows, and the open levels of the one thread that writes. Other threads read what
    is committed and never wait."""

    def __init__(self) -> None:
        self._writer = threading.RLock()
        self._mine = threading.local()
        self._rows: dict[DataKey, str] = {}
        self._database: Database | None = None

    @property
    def _levels(self) -> list[_Level]:
        levels: list[_Level] | None = getattr(self._mine, "levels", None)
        if levels is None:
            levels = self._mine.levels = []
        return levels

    def get(self, key: DataKey) -> str | None:
        """The JSON text that this thread sees under a key."""
        for level in reversed(self._levels):
            if key in level.changes:
                return level.changes[key]
        return self._rows.get(key)

    def rows(self, kind: str, scope_id: str) -> dict[str, str]:
        """Keys and JSON texts of a scope in the order of the keys' code points."""
        found: dict[DataKey, str | None] = dict(self._rows)
        for level in self._levels:
            found.update(level.changes)
        mine = {key[2]: text for key, text in found.items() if key[:2] == (kind, scope_id)}
        return {key: text for key, text in sorted(mine.items()) if text is not None}

    def put(self, key: DataKey, text: str | None) -> None:
        """Stores a JSON text, or with None deletes."""
        with self.transaction():
            self._levels[-1].changes[key] = text

    def after_commit(self, callback: Callable[[], object]) -> None:
        """Calls back once the outermost transaction of this thread is committed, never when it
        is rolled back, at once without one."""
        with self.transaction():
            self._levels[-1].waiting.append(callback)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; an inner one that raises is undone alone."""
        with self._writer:
            level = _Level()
            self._levels.append(level)
            try:
                with level.joined:
                    if self._database is not None:
                        level.joined.enter_context(self._database.transaction())
                    yield
            finally:
                self._levels.pop()
            self._commit(level)

    def join(self, database: Database) -> None:
        """Makes a real database part of all transactions, those of this thread that are open
        already included."""
        with self._writer:
            self._database = database
            for level in self._levels:
                level.joined.enter_context(database.transaction())

    def _commit(self, level: _Level) -> None:
        if self._levels:
            self._levels[-1].changes.update(level.changes)
            self._levels[-1].waiting.extend(level.waiting)
            return
        rows = dict(self._rows)
        for key, text in level.changes.items():
            if text is None:
                rows.pop(key, None)
            else:
                rows[key] = text
        self._rows = rows
        for callback in level.waiting:
            callback()


class JoinedDatabase:
    """A real database whose transactions are those of the fake context around it."""

    def __init__(self, database: Database, transactions: Transactions) -> None:
        self._database = database
        self._transactions = transactions
        transactions.join(database)

    def transaction(self) -> Any:
        return self._transactions.transaction()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    @classmethod
    def around(cls, database: Database, transactions: Transactions) -> Database:
        """All members but `transaction` are the real database's."""
        return cast("Database", cls(database, transactions))
