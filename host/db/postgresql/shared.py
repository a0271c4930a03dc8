"""The schema ``stagebox``: functions that all databases use."""
# ruff: noqa: S608 (what is put into these statements are constants)

from __future__ import annotations

from typing import Final

from host.db.postgresql.link import Link
from host.db.postgresql.names import SHARED, lock_key
from host.db.postgresql.wire import Call

__all__ = ["LOCK", "make"]

LOCK: Final = f"SELECT pg_advisory_xact_lock({lock_key(SHARED + ' functions')})"
"""Of whoever makes something there."""

_VERSION: Final = "1"
_KNOWN: Final = (
    f"SELECT obj_description(n.oid, 'pg_namespace') FROM pg_namespace n "
    f"WHERE n.nspname = '{SHARED}'"
).encode()

_STATEMENTS: Final = (
    f"CREATE SCHEMA IF NOT EXISTS {SHARED}",
    # An identity goes on behind a number that somebody gave; TG_ARGV[0] is the column.
    f"""CREATE OR REPLACE FUNCTION {SHARED}.advance() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    numbers regclass := pg_get_serial_sequence(
        format('%I.%I', TG_TABLE_SCHEMA, TG_TABLE_NAME), TG_ARGV[0]);
    given bigint;
    last bigint;
BEGIN
    EXECUTE format('SELECT ($1).%I', TG_ARGV[0]) INTO given USING NEW;
    EXECUTE format('SELECT last_value FROM %s', numbers) INTO last;
    PERFORM setval(numbers, greatest(given, last));
    RETURN NULL;
END $$""",
    # Functions that SQLite has, for our integers of 64 bits.
    f"""CREATE OR REPLACE FUNCTION {SHARED}.substr(text, bigint) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS 'SELECT pg_catalog.substr($1, $2::integer)'""",
    f"""CREATE OR REPLACE FUNCTION {SHARED}.substr(text, bigint, bigint) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS 'SELECT pg_catalog.substr($1, $2::integer, $3::integer)'""",
    f"""CREATE OR REPLACE FUNCTION {SHARED}.instr(text, text) RETURNS bigint
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS 'SELECT pg_catalog.strpos($1, $2)::bigint'""",
    f"COMMENT ON SCHEMA {SHARED} IS '{_VERSION}'",
)


def make(link: Link) -> None:
    """Makes schema and functions unless this version of them is there, in a transaction of its
    own; one process at a time. Raises FAULTS."""
    row = link.first(link.alone(SHARED, [Call(_KNOWN)])[0])
    if row is None or row[0] != _VERSION:
        link.whole(SHARED, [Call(text.encode(), once=True) for text in (LOCK, *_STATEMENTS)])
