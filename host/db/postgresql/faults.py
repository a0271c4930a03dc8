"""PostgreSQL's errors in the words of the SDK."""

from __future__ import annotations

import re
from typing import Final

from psycopg import pq
from psycopg.pq import DiagnosticField as Field

from host.db.faults import MissingTable
from plugin_sdk import Conflict, DatabaseUnavailable, Invalid, StageboxError

__all__ = ["FAULTS", "ConnectionLost", "Refusal", "is_refused_write", "translate"]

_RETRY_SECONDS: Final = 1
_KEY: Final = re.compile(r"\((.*?)\)=\(")
_GONE: Final = ("57P01", "57P02", "57P03", "57P04", "57P05", "25P03", "25P04", "08")


class ConnectionLost(Exception):
    """The connection ended, or no answer came in time. What was under way may be done or not.

    ``silent``: nobody answers there, so on another connection one would wait in vain too."""

    def __init__(self, reason: str, *, silent: bool = False) -> None:
        super().__init__(reason)
        self.silent = silent


class Refusal(Exception):
    """What the server says when it refuses a statement.

    ``state`` is the SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html
    """

    def __init__(self, result: pq.abc.PGresult) -> None:
        self.state = _field(result, Field.SQLSTATE)
        self.text = _field(result, Field.MESSAGE_PRIMARY) or "it gives no reason"
        self.detail = _field(result, Field.MESSAGE_DETAIL)
        self.table = _field(result, Field.TABLE_NAME)
        self.column = _field(result, Field.COLUMN_NAME)
        self.constraint = _field(result, Field.CONSTRAINT_NAME)
        self.function = _field(result, Field.SOURCE_FUNCTION)
        super().__init__(f"{self.state} {self.text}")

    @property
    def ends_connection(self) -> bool:
        return not self.state or self.state.startswith(_GONE)

    @property
    def is_stale_plan(self) -> bool:
        """A prepared statement gives other columns now: the schema was changed."""
        return self.state == "0A000" and self.function == "RevalidateCachedQuery"


FAULTS: Final = (Refusal, ConnectionLost)


def is_refused_write(error: BaseException) -> bool:
    """Whether a statement wanted to write in a transaction that only reads."""
    return isinstance(error, Refusal) and error.state == "25006"


def translate(error: BaseException, database: str) -> StageboxError:
    """The error to raise instead; raise it ``from`` the original, which the log then shows.

    ``database`` is named where the operator has to look after it."""
    if isinstance(error, StageboxError):
        return error
    if not isinstance(error, Refusal):
        return _unavailable(f"The database of {database} does not answer: {error}.")
    state = error.state
    if error.is_stale_plan:
        return _unavailable(f"The tables of {database} were changed in this moment. Try again.")
    if state.startswith("23"):
        return _violated(error)
    if state == "42P01":
        return MissingTable(_refused(error))
    if state == "P0001":
        return Conflict(f"A rule of the table is violated: {error.text.rstrip('.')}.")
    if state == "25006":
        return Invalid("Writing is refused here: this only reads.")
    if state == "2200H":
        return Conflict("The numbers of the primary key are used up.")
    if state == "42501" or not state.startswith(("22", "42", "0A", "2B", "21", "3F", "54", "34")):
        return _unavailable(_trouble(error, database))
    return Invalid(_refused(error))


def _field(result: pq.abc.PGresult, field: Field) -> str:
    value = result.error_field(field)
    return value.decode(errors="replace") if value else ""


def _refused(error: Refusal) -> str:
    return f"The database refuses this statement: {error.text.rstrip('.')}."


def _violated(error: Refusal) -> Conflict:
    """Columns are named, values are not: they may be secrets."""
    found = _KEY.search(error.detail)
    columns = found[1].replace('"', "") if found else error.column
    where = f"{error.table}.{columns}" if columns else error.constraint or error.table
    if error.state in ("23505", "23P01"):
        return Conflict(f"This is taken already: {where} must be unique.")
    if error.state in ("23503", "23001"):
        return Conflict("A row would refer to another row that is not there.")
    if error.state == "23502":
        return Conflict(f"{where} needs a value: it must not be null.")
    return Conflict(f"A rule of the table is violated: {error.constraint or error.text}.")


def _unavailable(text: str) -> DatabaseUnavailable:
    return DatabaseUnavailable(text, retry_after=_RETRY_SECONDS)


def _trouble(error: Refusal, database: str) -> str:
    state = error.state
    if state == "55P03":
        return f"The database of {database} is busy: another process writes. Try again."
    if state in ("40001", "40P01"):
        return f"The database of {database} is busy: two writers met. Try again."
    if state == "57014":
        return f"A statement on the database of {database} took too long and was given up."
    if state == "53100":
        return f"The disk with the database of {database} is full."
    if state == "42501":
        return f"The server does not allow this to our user: {error.text.rstrip('.')}."
    return f"The database of {database} does not answer: {error.text.rstrip('.')}."
