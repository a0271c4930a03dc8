"""The function ``fold`` in the database: the same as `host.db.search.fold`, letter by letter.

What the server's own ``lower`` makes of each letter depends on its version and on where it has
its tables from. So it is asked about all letters, once, and what it does otherwise is put right by
two translations around it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from host.db.postgresql.link import Link
from host.db.postgresql.names import SHARED
from host.db.postgresql.shared import LOCK
from host.db.postgresql.wire import Call
from host.db.search import fold

__all__ = ["COLLATIONS", "make"]

COLLATIONS: Final = ("pg_c_utf8", "und-x-icu", "C")
"""In which ``lower`` is asked, the first that the server has. With "C" it knows ASCII alone: all
other letters are translated, which takes ten times as long."""

_PRIVATE: Final = 0xF0000  # letters of nobody, for what ``lower`` must not touch
_KNOWN: Final = f"SELECT to_regprocedure('{SHARED}.fold(text)') IS NOT NULL".encode()
_FIND: Final = (
    b"SELECT collname FROM pg_collation WHERE collnamespace = 'pg_catalog'::regnamespace "
    b"AND collname IN ('pg_c_utf8', 'und-x-icu', 'C')"
)
_LOWER: Final = """
SELECT letter, low FROM (
    SELECT chr(n) AS letter, lower(chr(n) COLLATE "{}") AS low FROM generate_series(1, 131071) n
    WHERE n NOT BETWEEN 55296 AND 57343) letters
WHERE letter <> low"""


def make(link: Link) -> None:
    """Makes the function unless it is there, in a transaction of its own. Raises FAULTS."""
    known, found = link.alone(SHARED, [Call(_KNOWN), Call(_FIND)])
    row = link.first(known)
    if row is None or not row[0]:
        there = {row[0] for row in link.tuples(found)}
        define(link, next(name for name in COLLATIONS if name in there))


def define(link: Link, collation: str) -> None:
    """The function with ``lower`` of that collation, unless somebody was first."""
    asked = Call(_LOWER.format(collation).encode(), once=True)
    lower = dict(link.tuples(link.alone(SHARED, [asked])[0]))
    before, after = _corrections(lower)
    text = "$1"
    if before:
        text = f"translate({text}, {_pair(before)})"
    text = f'lower({text} COLLATE "{collation}")'
    if after:
        text = f"translate({text}, {_pair(after)})"
    sql = f"""DO $do$ BEGIN
    IF to_regprocedure('{SHARED}.fold(text)') IS NULL THEN
        CREATE FUNCTION {SHARED}.fold(text) RETURNS text LANGUAGE sql IMMUTABLE STRICT
        PARALLEL SAFE AS $fold$ SELECT {text} COLLATE "C" $fold$;
    END IF; END $do$"""
    link.whole(SHARED, [Call(statement.encode(), once=True) for statement in (LOCK, sql)])


def _corrections(lower: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """What to translate before and after ``lower``, which changes these letters so."""
    before: dict[str, str] = {}
    after: dict[str, str] = {}
    letters = [chr(n) for n in range(1, 0x20000) if not 0xD800 <= n <= 0xDFFF]
    for letter in letters:
        if letter not in lower and fold(letter) != letter:
            after[letter] = fold(letter)
    for letter in letters:
        low, wanted = lower.get(letter, letter), fold(letter)
        if len(low) == 1 and after.get(low, low) == wanted:
            continue
        stand_in = chr(_PRIVATE + len(before))
        before[letter] = stand_in
        after[stand_in] = wanted
    return before, after


def _pair(letters: Mapping[str, str]) -> str:
    """The arguments of ``translate``: there is no quote among letters that have a case."""
    return f"'{''.join(letters)}', '{''.join(letters.values())}'"
