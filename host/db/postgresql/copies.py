"""Copies of a database: one file, taken while it is used, put back in one step.

The file is a first line, then records (a letter, the length in four bytes, content), then the
SHA-256 of all before it. Records are the schema as JSON (``S``), then for each table ``T`` and its
rows as COPY writes them (``D``, in pieces).
"""
# ruff: noqa: S608 (names come from the catalogue, quoted)

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

from host.db.postgresql import dump, schema, search
from host.db.postgresql.dump import name_in_sql
from host.db.postgresql.link import Link
from host.db.postgresql.names import TRASH
from host.db.postgresql.state import STATE
from host.db.postgresql.wire import Call
from host.db.search import TABLE
from host.disk import sync
from plugin_sdk import DatabaseUnavailable, Invalid, NotFound

__all__ = ["OPENING", "check_copy", "put_back", "write_copy"]

OPENING: Final = (
    Call(b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", once=True),
    Call(b"SET LOCAL statement_timeout = 0", once=True),
    Call(b"SELECT 1", once=True),
)
"""Begins the transaction in which a copy is written."""

_FIRST_LINE: Final = b"stagebox copy 1 of a postgresql database\n"
_DIGEST: Final = 32
_HEAD: Final = 5
_PIECE: Final = 256 * 1024


def write_copy(link: Link, name: str, path: Path) -> None:
    """The committed state in one file, written aside and then put in place. Raises FAULTS, and
    DatabaseUnavailable when it cannot be written."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with _Writer(part) as writer:
                found = dump.describe(link, name)
                writer.record(b"S", json.dumps(found).encode())
                for table in found["tables"]:
                    writer.record(b"T", table["name"].encode())
                    for chunk in link.copy_out(f"COPY {_columns(table)} TO STDOUT"):
                        writer.data(chunk)
                    writer.flush()
            part.replace(path)
            sync(path.parent)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        text = f"The copy {path.name} of the database cannot be written: {error.strerror}."
        raise DatabaseUnavailable(text) from error


def check_copy(path: Path) -> None:
    """Raises NotFound, or Invalid when it is no sound copy."""
    if not path.is_file():
        raise NotFound(f"There is no copy {path.name}.")
    digest = hashlib.sha256()
    with path.open("rb") as file:
        if file.read(len(_FIRST_LINE)) != _FIRST_LINE:
            raise Invalid(f"{path.name} is no copy of a PostgreSQL database.")
        digest.update(_FIRST_LINE)
        left = path.stat().st_size - len(_FIRST_LINE) - _DIGEST
        while left > 0 and (piece := file.read(min(_PIECE, left))):
            digest.update(piece)
            left -= len(piece)
        if left != 0 or file.read() != digest.digest():
            raise Invalid(f"{path.name} is damaged.")


def put_back(link: Link, name: str, path: Path) -> None:
    """Makes the schema anew from a checked copy, inside of a write transaction. The old one gets
    another name and stays for those who still read it, until somebody sweeps it."""
    old = f"{TRASH}{secrets.token_hex(8)}"
    statements = [
        f'ALTER SCHEMA "{name}" RENAME TO "{old}"',
        f'CREATE SCHEMA "{name}"',
        "SET LOCAL check_function_bodies = off",
    ]
    with path.open("rb") as file:
        file.seek(len(_FIRST_LINE))
        end = path.stat().st_size - _DIGEST
        found = _described(_record(file, end), path)
        _run(link, [*statements, *found["before"]])
        for table in found["tables"]:
            if _record(file, end) != (b"T", table["name"].encode()):
                raise Invalid(f"{path.name} is damaged.")
            link.copy_in(f"COPY {_columns(table)} FROM STDIN", _rows(file, end))
        _run(link, found["after"])
    _finish(link, name, old)


def _finish(link: Link, name: str, old: str) -> None:
    """What belongs to this place, not to the copy: indexes of trigrams, the name, the state."""
    if any(row[0] for row in link.tuples(_run(link, [f"SELECT to_regclass('{TABLE}')"])[0])):
        for table, columns in link.tuples(_run(link, [f"SELECT name, columns FROM {TABLE}"])[0]):
            search.index(link, table, json.loads(columns))
    comment = f"SELECT quote_literal(obj_description('\"{old}\"'::regnamespace, 'pg_namespace'))"
    quoted = link.tuples(_run(link, [comment])[0])[0][0]
    _run(
        link,
        [
            f'COMMENT ON SCHEMA "{name}" IS {quoted}',
            f'COMMENT ON SCHEMA "{old}" IS NULL',
            f"CREATE TABLE {STATE} (changed bigint NOT NULL, shape bigint NOT NULL) "
            "WITH (fillfactor = 10)",
            f"INSERT INTO {STATE} SELECT n, n FROM "
            "(SELECT pg_current_xact_id()::text::bigint AS n) now",
        ],
    )
    schema.draw_numbers(link, name)


def _run(link: Link, statements: list[str]) -> list[Any]:
    return link.exchange([Call(sql.encode(), once=True) for sql in statements], None)


def _columns(table: dict[str, Any]) -> str:
    names = ", ".join(name_in_sql(column) for column in table["columns"])
    return f"{name_in_sql(table['name'])} ({names})" if names else name_in_sql(table["name"])


def _described(record: tuple[bytes, bytes] | None, path: Path) -> dict[str, Any]:
    if record is None or record[0] != b"S":
        raise Invalid(f"{path.name} is damaged.")
    found: dict[str, Any] = json.loads(record[1])
    return found


def _record(file: BinaryIO, end: int) -> tuple[bytes, bytes] | None:
    if file.tell() >= end:
        return None
    head = file.read(_HEAD)
    return head[:1], file.read(int.from_bytes(head[1:], "big"))


def _rows(file: BinaryIO, end: int) -> Iterator[bytes]:
    """The rows of a table: records until one is no data."""
    while True:
        place = file.tell()
        record = _record(file, end)
        if record is None or record[0] != b"D":
            file.seek(place)
            return
        yield record[1]


class _Writer:
    """Writes records to a file of its owner alone, and the digest behind them."""

    def __init__(self, path: Path) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        self._file = os.fdopen(descriptor, "wb")
        self._digest = hashlib.sha256()
        self._pending = bytearray()
        self._write(_FIRST_LINE)

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        with self._file:
            if kind is None:
                self._file.write(self._digest.digest())
                self._file.flush()
                os.fsync(self._file.fileno())

    def record(self, kind: bytes, content: bytes) -> None:
        self._write(kind + len(content).to_bytes(4, "big"))
        self._write(content)

    def data(self, chunk: memoryview) -> None:
        self._pending += chunk
        if len(self._pending) >= _PIECE:
            self.flush()

    def flush(self) -> None:
        if self._pending:
            self.record(b"D", bytes(self._pending))
            self._pending.clear()

    def _write(self, content: bytes) -> None:
        self._digest.update(content)
        self._file.write(content)
