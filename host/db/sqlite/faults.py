"""SQLite's errors in the words of the SDK."""

from __future__ import annotations

import re
import sqlite3
from typing import Final

from host.db.ddl import JSON_RULE
from host.db.faults import MissingTable
from plugin_sdk import Conflict, DatabaseUnavailable, Invalid, StageboxError

__all__ = ["FAULTS", "is_damage", "is_refused_write", "translate"]

FAULTS: Final = (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError, RecursionError)
"""What a call of sqlite3 raises: the last three for values that it cannot bind or convert."""

_RETRY_SECONDS: Final = 1
_UNDECODABLE: Final = re.compile(r"Could not decode to UTF-8 column '(.*?)' with text", re.DOTALL)
_REFUSALS: Final = frozenset(
    (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_RANGE, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_MISUSE)
)


def is_refused_write(error: BaseException) -> bool:
    """Whether a statement wanted to write on a connection that only reads."""
    return _code(error) == sqlite3.SQLITE_READONLY


def is_damage(error: BaseException) -> bool:
    """Whether the file is no sound SQLite database."""
    return _code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def translate(error: BaseException, database: str) -> StageboxError:
    """The error to raise instead; raise it ``from`` the original, which the log then shows.

    ``database`` is named where the operator has to look after it."""
    if isinstance(error, UnicodeError):
        return Invalid("A text contains a lone surrogate, which no database keeps.")
    if isinstance(error, OverflowError):
        return Invalid("An integer does not fit into 64 bits.")
    if isinstance(error, ValueError | RecursionError):
        return Invalid(
            f"A stored value cannot be read as its column's declared type says: {error}. Let "
            "Table.create choose the types of columns."
        )
    if isinstance(error, sqlite3.IntegrityError):
        return _violated(error)
    if (undecodable := _UNDECODABLE.match(str(error))) is not None:  # the value stays unsaid
        return Invalid(f"A text in the column {undecodable[1]} cannot be read: it is no UTF-8.")
    if _code(error) in _REFUSALS or isinstance(
        error, sqlite3.ProgrammingError | sqlite3.InterfaceError | sqlite3.Warning
    ):
        return _refused(str(error))
    return _unavailable(error, database)


def _code(error: BaseException) -> int:
    """The primary result code (https://sqlite.org/rescode.html); -1 for errors of the module."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return -1 if code is None else code & 0xFF


def _violated(error: sqlite3.IntegrityError) -> StageboxError:
    name = str(getattr(error, "sqlite_errorname", ""))
    text = str(error)
    columns = text.partition(": ")[2]
    if name == "SQLITE_MISMATCH":
        return Invalid("A value does not have the type of its column (datatype mismatch).")
    if name.endswith(("_UNIQUE", "_PRIMARYKEY", "_ROWID")):
        return Conflict(f"This is taken already: {columns} must be unique.")
    if name.endswith("_FOREIGNKEY"):
        return Conflict("A row would refer to another row that is not there.")
    if name.endswith("_NOTNULL"):
        return Conflict(f"{columns} needs a value: it must not be null.")
    if columns.startswith(JSON_RULE):
        column = columns.removeprefix(JSON_RULE)
        return Invalid(f"The value for the json column {column} is no JSON text.")
    return Conflict(f"A rule of the table is violated: {columns or text}.")


def _refused(text: str) -> Invalid:
    kind = MissingTable if text.startswith("no such table") else Invalid
    return kind(f"The database refuses this statement: {text.rstrip('.')}.")


def _unavailable(error: BaseException, database: str) -> DatabaseUnavailable:
    code = _code(error)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        text = f"The database of {database} is busy: another process writes. Try again."
    elif is_damage(error):
        text = f"The database of {database} is damaged ({error}). Restore it from a backup."
    elif code == sqlite3.SQLITE_FULL:
        text = f"The disk with the database of {database} is full."
    elif code == sqlite3.SQLITE_READONLY:
        text = f"The file of the database of {database} cannot be written."
    else:
        text = f"The database of {database} does not answer: {error}."
    return DatabaseUnavailable(text, retry_after=_RETRY_SECONDS)
