"""The PostgreSQL engine: one schema for the host, one for each plugin."""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from typing import Any, Final, Literal

from host.db.engine import HostDatabase, ServedEngine
from host.db.names import HOST
from host.db.postgresql import leftovers
from host.db.postgresql.address import parse_address
from host.db.postgresql.database import PostgresqlDatabase
from host.db.postgresql.faults import FAULTS
from host.db.postgresql.link import Link
from host.db.postgresql.names import (
    DRAFT,
    PREFIX,
    SHARED,
    TRASH,
    draft_of,
    lock_key,
    name_of,
    schema_of,
)
from host.db.postgresql.server import Options, Server
from host.db.postgresql.signals import PostgresqlSignals
from host.db.postgresql.texts import Texts
from host.db.postgresql.wire import Call
from host.db.signals import Signals
from host.db.statements import Statements
from plugin_sdk import Conflict, DatabaseUnavailable, Invalid, NotFound

__all__ = ["PostgresqlEngine"]

_LOG: Final = logging.getLogger("stagebox.db")
_EXPORT: Final = [
    Call(sql, once=True)
    for sql in (
        b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        b"SET LOCAL idle_in_transaction_session_timeout = 0",
        b"SELECT pg_export_snapshot()",
    )
]
_EXISTS: Final = b"SELECT 1 FROM pg_namespace WHERE nspname = $1"
_NAMES: Final = (
    b"SELECT nspname, obj_description(oid, 'pg_namespace') FROM pg_namespace "
    b"WHERE starts_with(nspname, $1)"
)
_SIZE: Final = (
    b"SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) FROM pg_class c "
    b"JOIN pg_namespace n ON n.oid = c.relnamespace "
    b"WHERE n.nspname = $1 AND c.relkind IN ('r', 'm')"
)


class PostgresqlEngine(ServedEngine):
    """The database ``url`` (``postgresql://user:password@host:port/name``).

    ``host`` is the schema ``stagebox_host``, a plugin ``stagebox_<id>``; what they share is in
    ``stagebox``. The user needs the right to make schemas (CREATE on the database); pg_trgm is
    used when it is there or may be made.
    With durability ``normal`` a commit does not wait for the server's disk.
    ``connections`` are open at most over all databases, ``idle`` are kept. Whoever finds none
    free for ``wait_seconds`` gets DatabaseUnavailable.
    """

    def __init__(
        self,
        url: str,
        durability: Literal["full", "normal"] = "full",
        *,
        connections: int = 20,
        idle: int = 8,
        wait_seconds: float = 4.0,
    ) -> None:
        if durability not in ("full", "normal"):
            raise Invalid(f'Durability is "full" or "normal", not {str(durability)[:40]!r}.')
        options = Options(
            durability=durability, connections=connections, idle=idle, wait_seconds=wait_seconds
        )
        self._set_up(Server(parse_address(url), options))

    def _set_up(self, server: Server) -> None:
        self._server = server
        self._statements = Statements()
        self._texts = Texts()
        self._lock = threading.RLock()
        self._databases: dict[str, PostgresqlDatabase] = {}
        self._closed = False

    @property
    def name(self) -> Literal["postgresql"]:
        return "postgresql"

    @property
    def connections(self) -> int:
        """How many are open now."""
        return self._server.pool.open

    def check(self) -> None:
        """Raises DatabaseUnavailable, with one sentence, when the server cannot be used."""
        self._server.check()

    def open(self, name: str, *, create: bool = True) -> HostDatabase:
        found = self._databases.get(name)
        if found is None or found.shut:
            found = self._add(name)
        if not create and not self.exists(name):
            raise NotFound(f"{name} has no database.")
        return found

    def exists(self, name: str) -> bool:
        return bool(self._server.ask(_EXISTS, self._schema(name)))

    def names(self) -> list[str]:
        found = (
            name_of(str(schema), comment) for schema, comment in self._server.ask(_NAMES, PREFIX)
        )
        return sorted(name for name in found if name is not None and name != HOST)

    def drop(self, name: str) -> None:
        schema = self._schema(name)
        with self._lock:
            database = self._databases.get(name)
            if database is not None:
                database.close()
                del self._databases[name]
        self._server.discard(schema)

    def size(self, name: str) -> int:
        return int(self._server.ask(_SIZE, self._schema(name))[0][0])

    def at_one_time(self) -> AbstractContextManager[FrozenEngine]:
        return frozen(self._server)

    def draft(self) -> DraftEngine:
        return DraftEngine(self._server)

    def signals(self) -> Signals:
        return PostgresqlSignals(self._server)

    def close(self) -> None:
        self._close_databases()
        self._server.pool.close()

    def _close_databases(self) -> None:
        with self._lock:
            self._closed = True
            for database in self._databases.values():
                database.close()

    def _schema(self, name: str) -> str:
        """Where a database is. Raises Invalid for what is no name."""
        return schema_of(name)

    def _add(self, name: str) -> PostgresqlDatabase:
        self._schema(name)
        with self._lock:
            if self._closed:
                raise DatabaseUnavailable("The databases are closed.")
            found = self._databases.get(name)
            if found is None or found.shut:
                found = self._made(name)
                self._databases[name] = found
            return found

    def _made(self, name: str) -> PostgresqlDatabase:
        return PostgresqlDatabase(name, self._server, self._statements, self._texts)


class FrozenEngine(PostgresqlEngine):
    """What others see of the databases of a server in an exported snapshot, while a thread is
    inside of a database's `snapshot`."""

    def __init__(self, server: Server, exported: str) -> None:
        self._exported = exported
        self._set_up(server)

    def close(self) -> None:
        """The server is somebody else's."""
        self._close_databases()

    def _made(self, name: str) -> PostgresqlDatabase:
        return PostgresqlDatabase(
            name, self._server, self._statements, self._texts, exported=self._exported
        )


@contextmanager
def frozen(server: Server) -> Iterator[FrozenEngine]:
    """https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-SNAPSHOT-SYNCHRONIZATION"""
    with closing(server.connect()) as link:
        try:
            exported = link.first(link.exchange(_EXPORT)[-1])
        except FAULTS as error:
            raise server.failure(error) from error
        assert exported is not None
        engine = FrozenEngine(server, str(exported[0]))
        try:
            yield engine
        finally:
            engine.close()


class DraftEngine(PostgresqlEngine):
    """Databases that are made beside those of a server, and take their place together.

    Only one is made at a time; of an earlier one that a dead process has left nothing stays. The
    connection that says so to others is also the one that publishes: if it was lost, somebody else
    may have begun, and nothing is exchanged."""

    def __init__(self, server: Server) -> None:
        """Raises Conflict while another one is made."""
        self._set_up(server)
        self._claim = server.connect()
        try:
            if not leftovers.claim(self._claim):
                raise Conflict("Another restore into this database is under way: wait for its end.")
            leftovers.sweep(self._claim, [DRAFT])
        except BaseException as error:
            self._claim.close()
            if isinstance(error, FAULTS):
                raise server.failure(error) from error
            raise

    def names(self) -> list[str]:
        return sorted(name for name in self._databases if name != HOST and self.exists(name))

    def publish(self) -> Callable[[], None]:
        """Puts these databases in the place of all that there are, in one transaction. What it
        returns puts the old ones back, until `sweep` removes them. Raises DatabaseUnavailable."""
        made = [name for name in (HOST, *self.names()) if self.exists(name)]
        old = [str(row[0]) for row in self._server.ask(_NAMES, PREFIX) if name_of(*map(_text, row))]
        aside = {schema: f"{TRASH}{secrets.token_hex(8)}" for schema in old}
        there = {draft_of(name): schema_of(name) for name in made}
        self._rename([*aside.items(), *there.items()])
        back = [(new, old) for old, new in [*aside.items(), *there.items()]]
        return lambda: self._rename(back[len(aside) :] + back[: len(aside)])

    def sweep(self) -> None:
        """Removes the databases that were replaced."""
        self._tidy(leftovers.sweep)

    def close(self) -> None:
        """What was not published goes; the server is somebody else's."""
        self._close_databases()
        with closing(self._claim):
            self._tidy(lambda link: leftovers.sweep(link, [DRAFT]))
            self._tidy(leftovers.release)

    def _tidy(self, act: Callable[[Link], object]) -> None:
        try:
            act(self._claim)
        except FAULTS as error:
            _LOG.info("What a restore has left stays until a host starts: %s", error)

    def _rename(self, changes: Sequence[tuple[str, str]]) -> None:
        locks = sorted({before for before, _ in changes} | {after for _, after in changes})
        statements = [
            "SET LOCAL lock_timeout = '10s'",
            *(f"SELECT pg_advisory_xact_lock({lock_key(name)})" for name in locks),
            *(f'ALTER SCHEMA "{old}" RENAME TO "{new}"' for old, new in changes),
        ]
        calls = [Call(statement.encode(), once=True) for statement in statements]
        try:  # once: nobody could tell whether an attempt that was cut off came through
            self._claim.whole(SHARED, calls)
        except FAULTS as error:
            raise self._server.failure(error) from error

    def _schema(self, name: str) -> str:
        return draft_of(name)

    def _made(self, name: str) -> PostgresqlDatabase:
        return PostgresqlDatabase(
            name, self._server, self._statements, self._texts, schema_name=draft_of(name)
        )


def _text(value: object) -> Any:
    return None if value is None else str(value)
