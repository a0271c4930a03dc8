"""Messages to the server and back: several in one round trip, statements prepared at their
second use.

psycopg's own cursors send one statement at a time. Here a write is sent with its BEGIN, its lock
and its COMMIT at once (libpq's pipeline mode,
https://www.postgresql.org/docs/current/libpq-pipeline-mode.html): one round trip in place of five,
and a statement inside of a transaction goes with the savepoint that undoes it alone.
"""

from __future__ import annotations

import re
import select
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import psycopg
from psycopg import pq
from psycopg.pq import ExecStatus

from host.db.postgresql.faults import ConnectionLost, Refusal
from host.db.postgresql.names import SHARED
from host.db.postgresql.probe import SILENCE_SECONDS
from host.db.postgresql.values import Arguments

__all__ = ["FAILED", "NO_ARGUMENTS", "PATIENCE", "Call", "Result", "Wire", "reason_of"]

NO_ARGUMENTS: Final[Arguments] = ([], (), None)
PATIENCE: Final = 75.0
"""Seconds to wait for an answer: more than the server takes before it gives a statement up."""

_PREPARED: Final = 250
FAILED: Final = (ExecStatus.FATAL_ERROR, ExecStatus.BAD_RESPONSE, ExecStatus.NONFATAL_ERROR)
_READABLE: Final = select.POLLIN | select.POLLERR | select.POLLHUP

Result = pq.abc.PGresult
_MORE: Final = re.compile(r"\t|(DETAIL|HINT):  ")
_SEVERITY: Final = re.compile(r"^(FATAL|PANIC|ERROR):  ")
_Key = tuple[str, bytes, tuple[int, ...]]


class Call:
    """A statement with its arguments. ``once``: a text that is not worth preparing."""

    __slots__ = ("arguments", "once", "sql")

    def __init__(
        self, sql: bytes, arguments: Arguments = NO_ARGUMENTS, *, once: bool = False
    ) -> None:
        self.sql = sql
        self.arguments = arguments
        self.once = once


_FORGET: Final = Call(b"DEALLOCATE ALL", once=True)


class Wire:
    """One thread uses it at a time. What it raises are `faults.FAULTS`; after `ConnectionLost`
    and after any other exception it is ``broken`` and to be closed.

    ``schema`` is the one in which statements look for tables. ``answers(since)`` tells whether the
    server is there, see `probe.Probe`: a wait ends when it is not, however patient the caller is.
    """

    def __init__(
        self, connection: psycopg.Connection[Any], answers: Callable[[float], bool]
    ) -> None:
        self.broken = False
        self.schema = ""
        self._connection = connection
        self._answers = answers
        self._pgconn = connection.pgconn
        self._poll = select.poll()
        self._poll.register(self._pgconn.socket, _READABLE)
        self._prepared: dict[_Key, bytes] = {}
        self._types: dict[tuple[str, bytes], tuple[int, ...]] = {}
        self._versions: dict[str, int] = {}
        self._number = 0
        self._before: list[Call] = []
        """To be sent before the next transaction."""
        self._pgconn.nonblocking = 1
        self._pgconn.enter_pipeline_mode()

    @property
    def in_transaction(self) -> bool:
        """Whether the server has one open that can be gone on with."""
        status = self._pgconn.transaction_status
        return not self.broken and status == pq.TransactionStatus.INTRANS

    @property
    def idle(self) -> bool:
        """Whether nothing is under way, so that somebody else may use it."""
        return not self.broken and self._pgconn.transaction_status == pq.TransactionStatus.IDLE

    @property
    def gone(self) -> bool:
        """Whether the server closed it while it lay idle: nothing else is to be read then."""
        return bool(self._poll.poll(0))

    def exchange(
        self, calls: Sequence[Call], seconds: float | None = PATIENCE, schema: str | None = None
    ) -> list[Result]:
        """Sends all, in one go, and returns the result of each. Raises the first refusal; what
        came behind it was not run.

        ``schema``: where to look for tables from now on; outside of transactions only."""
        try:
            return self._exchange(calls, seconds, schema)
        except Refusal as error:
            if error.ends_connection:
                self.broken = True
                raise ConnectionLost(error.text) from error
            if error.is_stale_plan:
                self.forget_plans()
            raise
        except psycopg.Error as error:
            self.broken = True
            raise ConnectionLost(reason_of(error)) from error
        except BaseException:
            self.broken = True
            raise

    def forget_plans(self) -> None:
        """The schema was changed: statements are prepared anew."""
        self._prepared.clear()
        self._types.clear()  # else nothing would take out those of statements that never return
        self._before = [_FORGET]

    def see_version(self, schema: str, version: int) -> None:
        """The version of a schema as a transaction found it; plans of another are forgotten."""
        if self._versions.get(schema, version) != version:
            self.forget_plans()
            self._versions.clear()
        self._versions[schema] = version

    def close(self) -> None:
        self.broken = True
        self._connection.close()

    def _exchange(
        self, calls: Sequence[Call], seconds: float | None, schema: str | None
    ) -> list[Result]:
        owners: list[int | bytes] = []  # of each result to come: the call, or a name prepared
        before = self._preparations(schema)
        for call in before:
            self._send(call, -1, owners)
        if before:  # apart from what follows: not to be undone with it
            self._pgconn.pipeline_sync()
        for number, call in enumerate(calls):
            self._send(call, number, owners)
        self._pgconn.pipeline_sync()
        deadline = None if seconds is None else time.monotonic() + seconds
        self._flush(deadline)
        return self._collect(owners, 2 if before else 1, deadline)

    def _preparations(self, schema: str | None) -> list[Call]:
        if self._pgconn.transaction_status != pq.TransactionStatus.IDLE:
            return []
        before, self._before = self._before, []
        if _FORGET in before:
            self._prepared.clear()  # also what was prepared since it was asked for
        if schema is not None and schema != self.schema:
            self.schema = schema
            path = f'SET search_path TO "{schema}", {SHARED}'
            before.append(Call(path.encode(), once=True))
        return before

    def _collect(
        self, owners: list[int | bytes], syncs: int, deadline: float | None
    ) -> list[Result]:
        results: list[Result] = []
        refused: Result | None = None
        silences = place = 0
        while True:
            result = self._next(deadline)
            if result is None:  # the end of the results of one message
                silences += 1
                if silences > 1 and self._pgconn.status != pq.ConnStatus.OK:
                    raise ConnectionLost(reason_of(self._pgconn.get_error_message()))
                continue
            silences = 0
            status = result.status
            if status == ExecStatus.PIPELINE_SYNC:
                syncs -= 1
                if not syncs:
                    break
                continue
            if place < len(owners):
                self._note(owners[place], result, results)
            place += 1
            if refused is None and status in FAILED:
                refused = result
                if self._pgconn.status != pq.ConnStatus.OK:
                    break
        if refused is not None:
            raise Refusal(refused)
        return results

    def _note(self, owner: int | bytes, result: Result, results: list[Result]) -> None:
        if isinstance(owner, bytes):
            if result.status != ExecStatus.COMMAND_OK:
                self._prepared = {k: name for k, name in self._prepared.items() if name != owner}
        elif owner >= 0:
            results.append(result)
        elif result.status in FAILED:  # who knows where it looks for tables now
            self.broken = True

    def _next(self, deadline: float | None) -> Result | None:
        pgconn = self._pgconn
        while pgconn.is_busy():
            self._wait(deadline)
            pgconn.consume_input()
        return pgconn.get_result()

    def _flush(self, deadline: float | None) -> None:
        """Sends what is left, and takes in meanwhile what comes: else both sides might wait."""
        if not self._pgconn.flush():
            return
        socket = self._pgconn.socket
        self._poll.modify(socket, _READABLE | select.POLLOUT)
        try:
            while self._pgconn.flush():
                if self._wait(deadline) & _READABLE:
                    self._pgconn.consume_input()
        finally:
            self._poll.modify(socket, _READABLE)

    def _wait(self, deadline: float | None) -> int:
        while True:
            since = time.monotonic()
            left = SILENCE_SECONDS if deadline is None else deadline - since
            if events := self._poll.poll(max(0.0, min(SILENCE_SECONDS, left)) * 1000):
                return events[0][1]
            out_of_time = deadline is not None and left <= SILENCE_SECONDS
            if out_of_time or not self._answers(since):
                raise ConnectionLost("no answer came in time", silent=True)

    def _send(self, call: Call, number: int, owners: list[int | bytes]) -> None:
        values, types, formats = call.arguments
        sql = call.sql
        if not call.once:
            key = (self.schema, sql, self._settled(sql, types, values))
            name = self._prepared.pop(key, None)
            if name:
                self._prepared[key] = name  # the last to be given up
                self._pgconn.send_query_prepared(name, values, formats)
                owners.append(number)
                return
            if name is not None:  # the second time
                self._prepare(key, values, formats, owners)
                owners.append(number)
                return
            self._remember(key)
            types = key[2]
        self._pgconn.send_query_params(sql, values, types or None, formats)
        owners.append(number)

    def _prepare(
        self,
        key: _Key,
        values: list[bytes | None],
        formats: list[int] | None,
        owners: list[int | bytes],
    ) -> None:
        self._number += 1
        name = b"s%d" % self._number
        self._prepared[key] = name
        self._pgconn.send_prepare(name, key[1], key[2] or None)
        owners.append(name)
        self._pgconn.send_query_prepared(name, values, formats)

    def _remember(self, key: _Key) -> None:
        if len(self._prepared) >= _PREPARED:
            oldest = next(iter(self._prepared))
            name = self._prepared.pop(oldest)
            self._types.pop(oldest[:2], None)
            if name and _FORGET not in self._before:
                self._before.append(Call(b"DEALLOCATE " + name, once=True))
        self._prepared[key] = b""

    def _settled(
        self, sql: bytes, types: tuple[int, ...], values: Sequence[bytes | None]
    ) -> tuple[int, ...]:
        """A null has no type of its own: it takes the one that was there before, so that rows
        with and without values are one prepared statement."""
        if not types:
            return types
        key = (self.schema, sql)
        known = self._types.get(key)
        if known != types:
            if known is not None and len(known) == len(types):
                triples = zip(types, known, values, strict=True)
                types = tuple(old if value is None else new for new, old, value in triples)
            self._types[key] = types
        return types


def reason_of(error: object) -> str:
    """The last line of libpq's message that says why; those behind it may ask a question, give
    details or advice."""
    lines = [line.rstrip() for line in str(error).splitlines() if line.strip()]
    reasons = [line for line in lines if not line.endswith("?") and not _MORE.match(line)] or lines
    if not reasons:
        return "the connection was closed"
    reason = reasons[-1].strip().rpartition(" failed: ")[2]
    return _SEVERITY.sub("", reason).rstrip(".")
