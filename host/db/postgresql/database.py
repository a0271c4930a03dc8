"""A PostgreSQL schema behind the SDK's protocol."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from threading import get_ident
from typing import Any, Final, Literal, TypeVar

from host.db.description import TableDescription
from host.db.dialect import Dialect
from host.db.names import quoted
from host.db.postgresql import bulk, copies, descriptions, schema, search
from host.db.postgresql.connections import Fetch
from host.db.postgresql.cursors import Cursor
from host.db.postgresql.faults import FAULTS, Refusal, translate
from host.db.postgresql.link import Link
from host.db.postgresql.sessions import Sessions
from host.db.postgresql.values import arguments, typed_arguments
from host.db.postgresql.wire import Call, Result
from host.db.search import TABLE
from host.db.shapes import TableShape
from host.db.streams import begun, only_reads, rows_of, set_aside
from host.db.values import bind
from plugin_sdk import Invalid, Migration, Row, parse_json
from plugin_sdk.database import Parameters

__all__ = ["PostgresqlDatabase"]

_BATCH: Final = 200
_Result = TypeVar("_Result")
_COUNTED: Final = (b"INSERT", b"UPDATE", b"DELETE", b"MERGE")


class PostgresqlDatabase(Sessions):
    """One schema. See `plugin_sdk.Database` and `host.db.HostDatabase` for what it promises."""

    @property
    def engine(self) -> Literal["postgresql"]:
        return "postgresql"

    @property
    def dialect(self) -> Dialect:
        return schema.DIALECT

    @property
    def shut(self) -> bool:
        return self._connections.shut

    def query(self, sql: str, params: Parameters | None = None) -> list[Row]:
        return self._fetch(sql, self._bound(sql, params), Link.rows)

    def one(self, sql: str, params: Parameters | None = None) -> Row | None:
        return self._fetch(sql, self._bound(sql, params), Link.row)

    def value(self, sql: str, params: Parameters | None = None) -> Any:
        row = self._fetch(sql, self._bound(sql, params), Link.first)
        return None if row is None else row[0]

    def values(self, sql: str, params: Parameters | None = None) -> list[Any]:
        return self._fetch(sql, self._bound(sql, params), Link.values)

    def iterate(self, sql: str, params: Parameters | None = None) -> Iterator[Row]:
        if self._statements.kind(sql) not in ("read", "with"):
            raise only_reads()
        call = self._bound(sql, params)
        held = self._snapshots.get(get_ident())
        try:
            if held is not None:
                cursor = Cursor.inside(held, call, self._name)
                return rows_of(cursor.names, begun(self._stream(cursor)))
            if self.in_transaction:
                cursor = Cursor.of_transaction(self._live_writer(), call, self._name)
                return rows_of(cursor.names, set_aside(cursor.batches()))
            link, results = self._connections.begun(Cursor.opening(call))
        except FAULTS as error:
            raise translate(error, self._name) from error
        return self._stream_alone(link, results[-1])

    def execute(self, sql: str, params: Parameters | None = None) -> int:
        call = self._bound(sql, params)
        if self._statements.kind(sql) == "read":
            self._refuse_write_in_snapshot()
            return self._fetch(sql, call, lambda _link, _result: 0)
        return self._write(sql, [call], _changed)

    def executemany(self, sql: str, params: Iterable[Parameters]) -> int:
        self._statements.kind(sql)
        rows = iter(params)
        total = 0
        with self.transaction():
            while batch := list(islice(rows, _BATCH)):
                total += self._write(sql, [self._bound(sql, row) for row in batch], _changed)
            self._note_filled(total)
        return total

    def tables(self) -> list[str]:
        return self._looked_up(
            [schema.tables_call(self._schema)],
            lambda link, results: schema.own_tables(link, results[0]),
        )

    def enable_search(self, table: str, columns: Sequence[str]) -> None:
        self._server.prepare_search()
        super().enable_search(table, columns)

    def _make_search(self, shape: TableShape, columns: Sequence[str]) -> None:
        self._change_schema(lambda link: search.enable(link, shape, columns))

    def _search_condition(
        self,
        shape: TableShape,  # noqa: ARG002 (only the other engine has an index named after it)
        columns: Sequence[str],
        wanted: Sequence[str],
    ) -> tuple[list[str], dict[str, Any]]:
        return search.condition(columns, wanted)

    # What only the host may do

    def migrate(self, steps: Sequence[Migration]) -> list[str]:
        """A step may take long, and another process may be at it: both are waited for."""
        self._shapes.forget()  # another version of the plugin may have changed the tables
        with self._patiently():
            return super().migrate(steps)

    def copy_to(self, path: Path) -> None:
        link: Link | None = None
        try:
            link = self._connections.begun(copies.OPENING)[0]
            copies.write_copy(link, self._schema, path)
        except FAULTS as error:
            raise translate(error, self._name) from error
        finally:
            if link is not None:
                self._connections.end_reading(link)

    def restore_from(self, path: Path) -> None:
        if self.in_transaction:
            raise Invalid("A copy is restored outside of transactions.")
        self._refuse_write_in_snapshot()
        copies.check_copy(path)
        self._server.prepare_search()
        with self._patiently(), self.transaction():
            self._change_schema(lambda link: copies.put_back(link, self._schema, path))
        self._statistics.refresh()
        self._server.sweep()

    def describe(self) -> list[TableDescription]:
        with self.snapshot():
            table = self.table(TABLE)
            known = table.rows_where() if table.exists() else []
            searched = {row["name"]: parse_json(row["columns"]) for row in known}
            return self._looked_up(
                descriptions.calls(self._schema),
                lambda link, results: descriptions.read(
                    [link.tuples(result) for result in results], searched, self._name
                ),
            )

    def restart_identity(self, table: str, number: int) -> None:
        with self.transaction():
            shape = self.shape(table)
            if shape is None or not shape.identity:
                raise Invalid(f"{table} is no table that draws numbers.")
            self.value(*schema.restart(table, shape.pk[0], number))

    def change_counter(self) -> int:
        try:
            row = self._connections.alone(
                [self._state.changes], lambda link, results: link.first(results[0])
            )
        except Refusal as error:
            if error.state == "42P01":
                return 0
            raise translate(error, self._name) from error
        return 0 if row is None else int(row[0])

    def close(self) -> None:
        if self.in_transaction:
            raise Invalid("A database is closed outside of transactions.")
        self._connections.shut = True

    # What the table words need

    def shape(self, table: str) -> TableShape | None:
        inside = self.in_transaction
        known = self._shapes.get(table, inside=inside)
        if known is not None:
            return known
        call = schema.shape_call(self._schema, table)
        if inside or get_ident() in self._snapshots:
            shape = self._looked_up(
                [call], lambda link, results: schema.shape_of(table, link.tuples(results[0]))
            )
            if shape is not None and inside:
                self._shapes.keep_inside(shape)
            return shape
        return self._shape_alone(table, call)

    def drop_table(self, table: str) -> None:
        def drop(link: Link) -> None:
            search.disable(link, table)
            link.guarded([Call(f"DROP TABLE {quoted(table)}".encode(), once=True)])

        self._change_schema(drop)

    def run(self, sql: str, values: Sequence[Any]) -> int:
        return self._write(sql, [self._positional(sql, values)], _changed)

    def run_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> int:
        changed = self._write(sql, [self._positional(sql, row) for row in rows], _changed)
        self._note_filled(changed)
        return changed

    def insert_columns(
        self, shape: TableShape, names: tuple[str, ...], columns: Sequence[Sequence[Any]]
    ) -> int:
        # A view takes rows from INSERT alone; it has no primary key.
        if len(columns[0]) < bulk.WORTH_IT or not shape.pk:
            return super().insert_columns(shape, names, columns)
        before = bulk.advance(shape, names, columns)
        added = self._copy_in(before, bulk.copy(shape.name, names), bulk.lines(columns))
        self._note_filled(added)
        return added

    def run_returning(self, sql: str, values: Sequence[Any]) -> Sequence[Any]:
        row = self._write(
            sql,
            [self._positional(sql, values)],
            lambda link, results: link.first(results[0]),
        )
        if row is None:
            raise Invalid("The database kept no row: a trigger of the table prevents it.")
        return row

    def read_one(self, sql: str, values: Sequence[Any]) -> Row | None:
        return self._fetch(sql, self._positional(sql, values), Link.row)

    def _note_filled(self, rows: int) -> None:
        self.after_commit(partial(self._statistics.filled, rows))

    def _bound(self, sql: str, params: Parameters | None) -> Call:
        self._statements.kind(sql)
        text = self._texts.named(sql)
        if not text.names:
            bind(params)
            return Call(text.sql)
        return Call(text.sql, typed_arguments(text.values(bind(params))))

    def _positional(self, sql: str, values: Sequence[Any]) -> Call:
        return Call(self._texts.positional(sql).sql, arguments(values))

    @contextmanager
    def _patiently(self) -> Iterator[None]:
        """Statements of this thread may take as long as they take, while the server is there."""
        ident = get_ident()
        already = ident in self._patient
        self._patient.add(ident)
        try:
            yield
        finally:
            if not already:
                self._patient.discard(ident)

    def _looked_up(self, calls: Sequence[Call], fetch: Fetch[_Result]) -> _Result:
        try:
            return self._look(calls, fetch)
        except Refusal as error:
            raise translate(error, self._name) from error

    def _shape_alone(self, table: str, call: Call) -> TableShape | None:
        """With the version read first: if the schema changes in between, the next begin of a
        write finds that."""
        try:
            version, rows = self._connections.alone(
                [self._state.shape, call],
                lambda link, results: (link.first(results[0]), link.tuples(results[1])),
            )
        except Refusal as error:
            if error.state == "42P01":  # there is no schema yet
                return None
            raise translate(error, self._name) from error
        shape = schema.shape_of(table, rows)
        if shape is not None and version is not None:
            self._shapes.keep(shape, version[0])
        return shape

    def _change_schema(self, change: Callable[[Link], object]) -> None:
        """Calls a function that changes the schema, inside of this thread's transaction."""
        self._refuse_write_in_snapshot()
        link = self._live_writer()
        try:
            change(link)
        except FAULTS as error:
            raise self._connections.failure(link, error) from error
        finally:
            self._shapes.changed()
            self._changed_schema = True

    def _stream_alone(self, link: Link, first: Result) -> Iterator[Row]:
        """Rows of a cursor on a connection of its own, which goes back as soon as it can."""
        held: Link | None = link
        try:
            cursor = Cursor(link, first, self._name)
            if not cursor.done:
                stream = begun(self._stream(cursor, link))
                held = None
                return rows_of(cursor.names, stream)
        finally:
            if held is not None:
                self._connections.end_reading(held)
        return rows_of(cursor.names, begun(self._stream(cursor)))

    def _stream(
        self, cursor: Cursor, link: Link | None = None
    ) -> Generator[list[tuple[Any, ...]], None, None]:
        try:
            yield []
            yield from cursor.batches()
        finally:
            if link is not None:
                self._connections.end_reading(link)


def _changed(_link: Link, results: Sequence[Result]) -> int:
    """How many rows the statements changed."""
    total = 0
    for result in results:
        status = result.command_status or b""
        if status.startswith(_COUNTED):
            total += result.command_tuples or 0
    return total
