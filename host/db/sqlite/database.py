"""A SQLite database behind the SDK's protocol."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final, Literal

from host.db.description import TableDescription
from host.db.dialect import Dialect
from host.db.shapes import TableShape
from host.db.sqlite import copies, descriptions, schema, search
from host.db.sqlite.changes import ChangeCounter
from host.db.sqlite.connections import Options, Session, column_names
from host.db.sqlite.faults import FAULTS, is_damage, is_refused_write, translate
from host.db.sqlite.sessions import Budget, Sessions
from host.db.statements import Statements
from host.db.streams import begun, only_reads, rows_of, set_aside
from host.db.values import bind
from plugin_sdk import DatabaseUnavailable, Invalid, Row
from plugin_sdk.database import Parameters

__all__ = ["SqliteDatabase"]

_BATCH: Final = 200
_CLOSE_SECONDS: Final = 5.0


class SqliteDatabase(Sessions):
    """One file. See `plugin_sdk.Database` and `host.db.HostDatabase` for what it promises."""

    def __init__(
        self, name: str, path: Path, options: Options, statements: Statements, budget: Budget
    ) -> None:
        super().__init__(name, path, options, statements, budget)
        self._busy_seconds = options.busy_seconds
        self._changes = ChangeCounter(self._connections)

    @property
    def engine(self) -> Literal["sqlite"]:
        return "sqlite"

    @property
    def dialect(self) -> Dialect:
        return schema.DIALECT

    @property
    def shut(self) -> bool:
        return self._connections.shut

    @property
    def orphaned(self) -> bool:
        """Whether another process dropped it, and maybe made it anew."""
        return self._connections.orphaned

    def query(self, sql: str, params: Parameters | None = None) -> list[Row]:
        return self._fetch(sql, bind(params), Session.rows)

    def one(self, sql: str, params: Parameters | None = None) -> Row | None:
        return self._fetch(sql, bind(params), Session.row)

    def value(self, sql: str, params: Parameters | None = None) -> Any:
        row = self._fetch(sql, bind(params), Session.first)
        return None if row is None else row[0]

    def values(self, sql: str, params: Parameters | None = None) -> list[Any]:
        return self._fetch(sql, bind(params), Session.values)

    def iterate(self, sql: str, params: Parameters | None = None) -> Iterator[Row]:
        if self._statements.kind(sql) not in ("read", "with"):
            raise only_reads()
        bound = bind(params)
        if self.in_transaction:  # what it writes next must not change what comes
            with self.snapshot():
                session = self._session()
                cursor = self._open_cursor(session, sql, bound)
                return rows_of(column_names(cursor), set_aside(self._batches(cursor)))
        session = self._session()
        try:
            cursor = self._open_cursor(session, sql, bound)
        except BaseException:
            self._release(session)
            raise
        return rows_of(column_names(cursor), begun(self._stream(cursor, session)))

    def execute(self, sql: str, params: Parameters | None = None) -> int:
        return self._write(sql, bind(params), Session.change)

    def executemany(self, sql: str, params: Iterable[Parameters]) -> int:
        counted = self._statements.kind(sql) == "write"
        rows = iter(params)
        total = 0
        with self.transaction():
            while batch := [bind(row) for row in islice(rows, _BATCH)]:
                if counted:
                    total += self._write(sql, batch, Session.change_many)
                else:
                    total += sum(self._write(sql, row, Session.change) for row in batch)
        return total

    def tables(self) -> list[str]:
        return self._look(lambda session: schema.table_names(session.connection))

    def _make_search(self, shape: TableShape, columns: Sequence[str]) -> None:
        self._change_schema(lambda writer: search.enable(writer, shape, columns))

    def _search_condition(
        self, shape: TableShape, columns: Sequence[str], wanted: Sequence[str]
    ) -> tuple[list[str], dict[str, Any]]:
        return search.condition(shape, columns, wanted)

    # What only the host may do

    def copy_to(self, path: Path) -> None:
        session = self._reader()  # of the committed state, also inside of a transaction
        try:
            copies.write_copy(session.connection, path)
        except FAULTS as error:
            raise self._fault(error, session) from error
        except OSError as error:
            text = f"The copy of the database of {self._name} cannot be written: {error.strerror}."
            raise DatabaseUnavailable(text) from error
        finally:
            self._release(session)

    def restore_from(self, path: Path) -> None:
        if self.in_transaction:
            raise Invalid("A copy is restored outside of transactions.")
        self._refuse_write_in_snapshot()
        copies.check_copy(path)
        self._take_lock()
        try:
            self._restore(path)
        finally:
            self._shapes.forget()
            self._rest_writer()
            self._lock.release()

    def describe(self) -> list[TableDescription]:
        return self._look(lambda session: descriptions.describe(session.connection, self._name))

    def restart_identity(self, table: str, number: int) -> None:
        with self.transaction():
            self._change_schema(lambda writer: descriptions.restart_identity(writer, table, number))

    def change_counter(self) -> int:
        try:
            return self._changes.read()
        except FAULTS as error:
            raise translate(error, self._name) from error

    def close(self) -> None:
        if self.in_transaction:
            raise Invalid("A database is closed outside of transactions.")
        self._connections.shut = True
        self._connections.drop_idle()
        self._changes.close()
        if self._lock.acquire(_CLOSE_SECONDS):  # else the one who writes closes it
            try:
                self._connections.drop_writer()
            finally:
                self._lock.release()

    # What the table words need

    def shape(self, table: str) -> TableShape | None:
        known = self._shapes.get(table, inside=self.in_transaction)
        return known or self._look(lambda session: self._read_shape(session, table))

    def drop_table(self, table: str) -> None:
        def drop(writer: sqlite3.Connection) -> None:
            search.disable(writer, table)
            schema.drop_table(writer, table)

        self._change_schema(drop)

    def run(self, sql: str, values: Sequence[Any]) -> int:
        return self._write(sql, values, Session.change)

    def run_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> int:
        return self._write(sql, rows, Session.change_many)

    def run_returning(self, sql: str, values: Sequence[Any]) -> Sequence[Any]:
        row = self._write(sql, values, Session.first)
        if row is None:
            raise Invalid("The database kept no row: a trigger of the table prevents it.")
        return row

    def read_one(self, sql: str, values: Sequence[Any]) -> Row | None:
        return self._fetch(sql, values, Session.row)

    def _read_shape(self, session: Session, table: str) -> TableShape | None:
        if session.connection.in_transaction:
            return self._keep_shape(session, table)
        session.first("BEGIN", ())
        try:
            return self._keep_shape(session, table)
        finally:
            session.first("ROLLBACK", ())

    def _keep_shape(self, session: Session, table: str) -> TableShape | None:
        """Looks in the database; the session is in a transaction that reads one state."""
        version = schema.schema_version(session.connection)
        shape = schema.read_shape(session.connection, table)
        if shape is not None:
            keep = self._shapes.keep_inside if self.in_transaction else self._shapes.keep
            keep(shape, version)
        return shape

    def _restore(self, path: Path) -> None:
        try:
            writer = self._connections.writer or self._connections.open_writer()
            copies.overwrite(writer.connection, path, self._busy_seconds)
        except FAULTS as error:
            if not is_damage(error):
                raise translate(error, self._name) from error
            self._connections.drop_idle()
            self._connections.drop_writer()
            self._changes.close()
            copies.replace_file(self._connections.path, path)

    def _open_cursor(self, session: Session, sql: str, bound: Any) -> sqlite3.Cursor:
        cursor = session.connection.cursor()
        try:
            return cursor.execute(sql, bound)
        except FAULTS as error:
            cursor.close()
            fault = self._fault(error, session)
            if is_refused_write(error):
                raise only_reads() from error
            raise fault from error

    def _stream(
        self, cursor: sqlite3.Cursor, session: Session
    ) -> Generator[list[tuple[Any, ...]], None, None]:
        """Batches of a cursor; holds the session until they end, if nobody else does."""
        held = session.home is not None
        session.streams.append(cursor)  # a snapshot ends what still streams
        try:
            yield []
            yield from self._batches(cursor)
        finally:
            cursor.close()
            if cursor in session.streams:
                session.streams.remove(cursor)
            if held:
                self._release(session)

    def _batches(self, cursor: sqlite3.Cursor) -> Generator[list[tuple[Any, ...]], None, None]:
        while True:
            try:
                batch = cursor.fetchmany(_BATCH)
            except FAULTS as error:
                raise translate(error, self._name) from error
            if not batch:
                cursor.close()
                return
            yield batch
