"""One connection: messages in groups, rows out of results, and streams of COPY."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

import psycopg
from psycopg import pq

from host.db.database import unique_names
from host.db.postgresql.faults import ConnectionLost, Refusal
from host.db.postgresql.values import Rows
from host.db.postgresql.wire import FAILED, PATIENCE, Call, Result, Wire, reason_of
from plugin_sdk import Row

__all__ = ["Link"]

_SAVE: Final = Call(b"SAVEPOINT stagebox_statement", once=True)
_RELEASE: Final = Call(b"RELEASE SAVEPOINT stagebox_statement", once=True)
_UNDO: Final = Call(b"ROLLBACK TO SAVEPOINT stagebox_statement", once=True)
_BEGIN: Final = Call(b"BEGIN READ WRITE", once=True)
_COMMIT: Final = Call(b"COMMIT", once=True)
_ROLLBACK: Final = Call(b"ROLLBACK", once=True)


class Link(Wire):
    """Outside of transactions it only reads, by a setting of the session."""

    def __init__(
        self, connection: psycopg.Connection[Any], answers: Callable[[float], bool]
    ) -> None:
        super().__init__(connection, answers)
        self._rows = Rows()
        self._copied = 0

    # Groups of messages

    def alone(self, schema: str, calls: Sequence[Call]) -> list[Result]:
        """Statements that read, outside of transactions."""
        try:
            return self.exchange(calls, schema=schema)
        except Refusal as error:
            if not error.is_stale_plan:
                raise
        return self.exchange(calls, schema=schema)

    def whole(self, schema: str, calls: Sequence[Call]) -> list[Result]:
        """A write transaction of its own; the results of these calls."""
        try:
            return self._whole(schema, calls)
        except Refusal as error:
            if not error.is_stale_plan:
                raise
        return self._whole(schema, calls)

    def guarded(self, calls: Sequence[Call], seconds: float | None = PATIENCE) -> list[Result]:
        """Inside of a transaction: what fails is undone, the transaction goes on."""
        try:
            return self._guarded(calls, seconds)
        except Refusal as error:
            if not error.is_stale_plan:
                raise
        return self._guarded(calls, seconds)

    def begin(
        self, schema: str, calls: Sequence[Call], seconds: float | None = PATIENCE
    ) -> list[Result]:
        """Calls of which the first begins a transaction; after a refusal there is none."""
        try:
            return self.exchange(calls, seconds, schema)
        except Refusal:
            self.roll_back()
            raise

    def roll_back(self) -> None:
        self.exchange([_ROLLBACK])

    def _whole(self, schema: str, calls: Sequence[Call]) -> list[Result]:
        return self.begin(schema, [_BEGIN, *calls, _COMMIT])[1:-1]

    def _guarded(self, calls: Sequence[Call], seconds: float | None) -> list[Result]:
        try:
            return self.exchange([_SAVE, *calls, _RELEASE], seconds)[1:-1]
        except Refusal:
            self.exchange([_UNDO, _RELEASE])
            raise

    def put_in(
        self, before: Sequence[Call], sql: str, lines: bytes, seconds: float | None = PATIENCE
    ) -> int:
        """As `guarded`, with a COPY ... FROM STDIN behind the calls; how many rows came in."""
        try:
            self.exchange([_SAVE, *before], seconds)
            added = self.copy_in(sql, [lines], seconds)
        except Refusal:
            self.exchange([_UNDO, _RELEASE])
            raise
        self.exchange([_RELEASE], seconds)
        return added

    # Rows

    def rows(self, result: Result) -> list[Row]:
        """All rows as dictionaries."""
        names = self.names(result)
        return [dict(zip(names, row, strict=True)) for row in self._rows.all(result)]

    def tuples(self, result: Result) -> list[tuple[Any, ...]]:
        return self._rows.all(result)

    def values(self, result: Result) -> list[Any]:
        """The first column of all rows."""
        return [row[0] for row in self._rows.all(result)]

    def row(self, result: Result) -> Row | None:
        values = self._rows.first(result)
        return None if values is None else dict(zip(self.names(result), values, strict=True))

    def first(self, result: Result) -> tuple[Any, ...] | None:
        return self._rows.first(result)

    def names(self, result: Result) -> Sequence[str]:
        """Of the columns, as keys of a row, each once."""
        fields = (result.fname(number) for number in range(result.nfields))
        return unique_names([(name or b"").decode() for name in fields])

    # Notifications (https://www.postgresql.org/docs/current/libpq-notify.html)

    def fileno(self) -> int:
        """Readable when something has come."""
        return self._pgconn.socket

    def notices(self) -> Iterator[tuple[int, str]]:
        """What NOTIFY sent since the last look: process of the server, and ASCII text."""
        self._pgconn.consume_input()
        while (notify := self._pgconn.notifies()) is not None:
            yield notify.be_pid, notify.extra.decode("ascii", "replace")

    # Streams (https://www.postgresql.org/docs/current/libpq-copy.html), inside of a transaction

    def copy_out(self, sql: str) -> Iterator[memoryview]:
        """The chunks of a COPY ... TO STDOUT; to be read to the end."""
        yield from self._copying(sql, self._chunks(), None)

    def copy_in(self, sql: str, chunks: Iterable[bytes], seconds: float | None = None) -> int:
        """Runs a COPY ... FROM STDIN; how many rows came in."""
        deadline = None if seconds is None else time.monotonic() + seconds
        for _ in self._copying(sql, self._put(chunks, deadline), deadline):
            pass
        return self._copied

    def _copying(
        self, sql: str, stream: Iterator[memoryview], deadline: float | None
    ) -> Iterator[memoryview]:
        pgconn = self._pgconn
        done = False
        try:
            pgconn.exit_pipeline_mode()  # in which COPY is not possible
            pgconn.send_query(sql.encode())
            self._flush(deadline)
            result = self._next(deadline)
            if result is not None and result.status not in FAILED:
                yield from stream
                result = self._next(deadline)
            refused = self._ended(result, deadline)
            pgconn.enter_pipeline_mode()
            done = refused is None or not refused.ends_connection
        except psycopg.Error as error:
            raise ConnectionLost(reason_of(error)) from error
        finally:
            self.broken = self.broken or not done
        if refused is not None:
            raise refused if done else ConnectionLost(refused.text)

    def _ended(self, result: Result | None, deadline: float | None) -> Refusal | None:
        """Takes the results of a COPY to their end."""
        refused = None
        self._copied = 0
        while result is not None:
            if result.status in FAILED:
                refused = refused or Refusal(result)
                if self._pgconn.status != pq.ConnStatus.OK:
                    break
            self._copied = result.command_tuples or 0
            result = self._next(deadline)
        return refused

    def _chunks(self) -> Iterator[memoryview]:
        while True:
            size, chunk = self._pgconn.get_copy_data(1)
            if size > 0:
                yield chunk
            elif size < 0:
                return
            else:
                self._wait(None)
                self._pgconn.consume_input()

    def _put(self, chunks: Iterable[bytes], deadline: float | None) -> Iterator[memoryview]:
        for chunk in chunks:
            # All before it was sent: what is not taken now lacks memory.
            if self._pgconn.put_copy_data(chunk) != 1:
                raise psycopg.OperationalError("no room to send rows")
            self._flush(deadline)
        self._pgconn.put_copy_end()
        self._flush(deadline)
        yield from ()
