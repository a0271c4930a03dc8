"""How statements reach PostgreSQL: which connection, which transaction, and what becomes of
errors."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import get_ident
from types import TracebackType
from typing import Final, TypeVar

from host.db.database import SqlDatabase
from host.db.faults import MissingTable
from host.db.postgresql import schema
from host.db.postgresql.connections import Connections, Fetch
from host.db.postgresql.faults import FAULTS, ConnectionLost, Refusal, is_refused_write, translate
from host.db.postgresql.link import Link
from host.db.postgresql.names import schema_of
from host.db.postgresql.server import Server
from host.db.postgresql.state import StateCalls
from host.db.postgresql.statistics import Statistics
from host.db.postgresql.texts import Texts
from host.db.postgresql.wire import PATIENCE, Call, Result
from host.db.shape_cache import ShapeCache
from host.db.statements import Statements
from plugin_sdk import DatabaseUnavailable

__all__ = ["Sessions", "Snapshot"]

_LOG: Final = logging.getLogger("stagebox.db")
_LOCK_SECONDS: Final = 30.0

_BEGIN: Final = Call(b"BEGIN READ WRITE", once=True)
_BEGIN_SNAPSHOT: Final = Call(b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", once=True)
_FIX: Final = Call(b"SELECT 1", once=True)
_COMMIT: Final = Call(b"COMMIT", once=True)
_PATIENT: Final = (
    Call(b"SET LOCAL statement_timeout = 0", once=True),
    Call(b"SET LOCAL lock_timeout = '300s'", once=True),
)
_FREEZE: Final = (
    Call(b"SAVEPOINT stagebox_frozen", once=True),
    Call(b"SET LOCAL transaction_read_only = on", once=True),
)
_THAW: Final = (
    Call(b"ROLLBACK TO SAVEPOINT stagebox_frozen", once=True),
    Call(b"RELEASE SAVEPOINT stagebox_frozen", once=True),
)
_Result = TypeVar("_Result")
_FetchOne = Callable[[Link, Result], _Result]


class Snapshot:
    """The connection of a thread's snapshot; ``over`` for iterators that outlive it."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.over = False


class Sessions(SqlDatabase):
    """Reads take any connection for one round trip. A transaction holds one, and the advisory
    lock of its schema: one process writes there at a time. A snapshot holds one too.
    """

    def __init__(
        self,
        name: str,
        server: Server,
        statements: Statements,
        texts: Texts,
        *,
        schema_name: str | None = None,
        exported: str | None = None,
    ) -> None:
        """``schema_name``: if it is not that of the database's name. ``exported``: the snapshot
        of another transaction, in which `snapshot` reads."""
        super().__init__(name, _LOCK_SECONDS)
        self._server = server
        self._statements = statements
        self._texts = texts
        self._schema = schema_name or schema_of(name)
        self._opening = [_BEGIN_SNAPSHOT, _FIX]
        if exported is not None:
            take = Call(f"SET TRANSACTION SNAPSHOT '{exported}'".encode(), once=True)
            self._opening.insert(1, take)
        self._connections = Connections(server, self._schema, name)
        self._writer: Link | None = None
        self._snapshots: dict[int, Snapshot] = {}
        self._shapes = ShapeCache()
        self._patient: set[int] = set()  # threads whose writes may take long
        self._unguarded = False
        self._wrote = False
        self._changed_schema = False
        self._state = StateCalls(self._schema, name)
        self._statistics = Statistics(server, self._schema, name)

    def single_write(self) -> AbstractContextManager[None]:
        return nullcontext() if self._owner == get_ident() else _Single(self)

    # Reading

    def _fetch(self, sql: str, call: Call, fetch: _FetchOne[_Result]) -> _Result:
        """Runs a statement that returns rows, in a transaction that reads if it only reads."""
        kind = self._statements.kind(sql)
        if kind != "read" and kind != "with":
            return self._write(sql, [call], lambda link, results: fetch(link, results[0]))
        if kind == "with" and self._owner == get_ident():
            self._wrote = True  # perhaps
        try:
            return self._look([call], lambda link, results: fetch(link, results[0]))
        except Refusal as error:
            if not is_refused_write(error):
                failure = translate(error, self._name)
                if isinstance(failure, MissingTable):
                    self._shapes.forget()  # another process dropped it, perhaps all of them
                raise failure from error
            self._refuse_write_in_snapshot()
        self._statements.is_write(sql)
        return self._write(sql, [call], lambda link, results: fetch(link, results[0]))

    def _look(self, calls: Sequence[Call], fetch: Fetch[_Result]) -> _Result:
        """Runs statements that only read, where this thread reads. Raises `Refusal`, and
        StageboxError for all else."""
        ident = get_ident()
        if self._owner == ident:
            return self._inside(self._live_writer(), calls, fetch)
        if self._snapshots:
            held = self._snapshots.get(ident)
            if held is not None:
                return self._inside(held.link, calls, fetch)
        return self._connections.alone(calls, fetch)

    def _inside(self, link: Link, calls: Sequence[Call], fetch: Fetch[_Result]) -> _Result:
        try:
            if self._unguarded and link is self._writer:
                return fetch(link, link.exchange(calls, self._seconds))
            return fetch(link, link.guarded(calls, self._seconds))
        except ConnectionLost as error:
            raise self._connections.failure(link, error) from error

    @property
    def _seconds(self) -> float | None:
        """How long this thread waits for an answer."""
        return None if get_ident() in self._patient else PATIENCE

    # Snapshots

    @contextmanager
    def _pinned(self, ident: int) -> Iterator[None]:
        try:
            link = self._connections.begun(self._opening)[0]
        except Refusal as error:  # whose snapshot it is may have ended
            text = f"The database of {self._name} cannot be held still: {error.text}."
            raise DatabaseUnavailable(text, retry_after=1) from error
        held = self._snapshots[ident] = Snapshot(link)
        try:
            yield
        finally:
            held.over = True
            del self._snapshots[ident]
            self._connections.end_reading(link)

    @contextmanager
    def _frozen(self, ident: int) -> Iterator[None]:
        """Inside of a transaction its own state stands still by forbidding to write."""
        link = self._live_writer()
        self._inside_control(link, _FREEZE)
        held = self._snapshots[ident] = Snapshot(link)
        try:
            yield
        finally:
            held.over = True
            del self._snapshots[ident]
            if link.in_transaction:
                self._inside_control(link, _THAW)

    # Writing

    def _write(self, sql: str, calls: Sequence[Call], fetch: Fetch[_Result]) -> _Result:
        """Runs statements that may write: in this thread's transaction, or as their own."""
        self._refuse_write_in_snapshot()
        changes_schema = self._statements.kind(sql) == "schema"
        if self._owner != get_ident() and not changes_schema:
            return self._write_alone(calls, fetch)
        with self.single_write():
            try:
                result = self._inside(self._live_writer(), calls, fetch)
            except Refusal as error:
                raise translate(error, self._name) from error
            self._wrote = True
            if changes_schema:
                self._follow_schema(sql)
            return result

    def _copy_in(self, before: Sequence[Call], sql: str, lines: bytes) -> int:
        """Runs a COPY of rows into a table in this thread's transaction, behind these statements;
        how many were added."""
        self._refuse_write_in_snapshot()
        link = self._live_writer()
        try:
            added = link.put_in(before, sql, lines, self._seconds)
        except FAULTS as error:
            raise self._connections.failure(link, error) from error
        self._wrote = True
        return added

    def _write_alone(self, calls: Sequence[Call], fetch: Fetch[_Result]) -> _Result:
        """One round trip: begin, wait for the lock, write, commit."""
        self._take_lock()
        try:
            sent = [self._state.lock, *calls, self._state.touch]
            return self._connections.whole(sent, lambda link, results: fetch(link, results[1:-1]))
        finally:
            self._lock.release()

    def _follow_schema(self, sql: str) -> None:
        """The schema was changed by SQL of whatever kind."""
        self._shapes.changed()
        self._changed_schema = True
        link = self._live_writer()
        try:
            schema.make_alike(link, self._schema)
            schema.draw_numbers(link, self._schema)
            schema.keep_condition(link, sql)
        except FAULTS as error:
            raise self._connections.failure(link, error) from error

    def _live_writer(self) -> Link:
        """The connection of the transaction, while the server has that open."""
        if not self._alive():
            raise DatabaseUnavailable(
                f"The database of {self._name} gave the transaction up after an error.",
                retry_after=1,
            )
        assert self._writer is not None
        return self._writer

    def _begin(self) -> None:
        self._server.prepare()
        self._wrote = self._changed_schema = self._unguarded = False
        patient = _PATIENT if get_ident() in self._patient else ()
        entry = [_BEGIN, *patient, self._state.lock]
        try:
            try:
                link, results = self._connections.begun([*entry, self._state.shape], self._seconds)
                version = link.first(results[-1])
            except Refusal as error:
                if error.state != "42P01":
                    raise
                link, version = self._connections.begun(entry, self._seconds)[0], None
        except Refusal as error:
            raise translate(error, self._name) from error
        self._writer = link
        if version is not None:
            self._shapes.check(version[0])
            link.see_version(self._schema, version[0])
            return
        try:
            link.exchange(self._state.create)
        except BaseException as error:
            self._roll_back()
            self._give_writer()
            if isinstance(error, FAULTS):
                raise self._connections.failure(link, error) from error
            raise
        self._changed_schema = True
        self._shapes.changed()

    def _control(self, sql: str) -> None:
        self._inside_control(self._live_writer(), [Call(sql.encode(), once=True)])

    def _inside_control(self, link: Link, calls: Sequence[Call]) -> None:
        try:
            link.exchange(calls)
        except FAULTS as error:
            raise self._connections.failure(link, error) from error

    def _alive(self) -> bool:
        return self._writer is not None and self._writer.in_transaction

    def _undone(self) -> None:
        self._shapes.undone()

    def _end(self, *, failed: bool) -> None:
        try:
            if not failed:
                self._commit(self._live_writer())
        finally:
            self._shapes.ended()
            self._roll_back()
            self._give_writer()

    def _commit(self, link: Link) -> None:
        calls = [_COMMIT]
        if self._changed_schema:
            calls.insert(0, self._state.touch_shape)
        elif self._wrote:
            calls.insert(0, self._state.touch)
        try:
            link.exchange(calls, self._seconds)
        except ConnectionLost as error:
            self._connections.failure(link, error)
            raise DatabaseUnavailable(
                f"The connection to the database of {self._name} ended amid a commit: whether "
                "it was kept is not known.",
                retry_after=1,
            ) from error
        except Refusal as error:
            raise translate(error, self._name) from error

    def _roll_back(self) -> None:
        """Whatever is still open."""
        writer = self._writer
        if writer is None or writer.broken or writer.idle:
            return
        try:
            writer.roll_back()
        except FAULTS as error:
            _LOG.warning("A rollback in the database of %s failed: %s", self._name, error)

    def _give_writer(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            self._connections.give(writer)


class _Single(AbstractContextManager[None]):
    """The transaction around one statement: when that fails, nothing is left to go on with, so
    it needs no savepoint of its own."""

    __slots__ = ("_sessions",)

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def __enter__(self) -> None:
        self._sessions.enter()
        self._sessions._unguarded = True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._sessions._unguarded = False
        self._sessions.leave(0, failed=kind is not None)
