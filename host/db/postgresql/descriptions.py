"""Describing a database: what `host.db.description` promises, read from the catalogue."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, cast

from host.db.description import IndexDescription, TableDescription
from host.db.postgresql.schema import IDENTITY_TRIGGER, column_type
from host.db.postgresql.search import INDEX_PREFIX
from host.db.postgresql.state import STATE
from host.db.postgresql.values import arguments
from host.db.postgresql.wire import Call
from host.db.search import TABLE as SEARCH
from plugin_sdk import Column, ColumnType, ForeignKey, Invalid

__all__ = ["calls", "read"]

_Row = Sequence[Any]

_BEYOND: Final = f"""
SELECT 'the view ' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relkind NOT IN ('r', 'i', 'S', 't', 'c')
UNION ALL
SELECT 'the trigger ' || g.tgname FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND NOT g.tgisinternal AND g.tgname <> '{IDENTITY_TRIGGER}'
UNION ALL
SELECT 'in its table ' || c.relname || ' a rule of its own'
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND k.contype NOT IN ('p', 'u', 'f', 'n')
UNION ALL
SELECT 'in its table ' || c.relname || ' an index over an expression'
FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND x.indexprs IS NOT NULL AND NOT starts_with(i.relname, '{INDEX_PREFIX}')
UNION ALL
SELECT 'the function ' || p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = $1"""  # noqa: S608 (constants)

_COLUMNS: Final = """
SELECT c.relname, a.attname, t.typname, a.attnotnull, pg_get_expr(d.adbin, d.adrelid),
    a.attidentity <> '', a.attgenerated <> '',
    CASE WHEN a.attidentity <> '' THEN coalesce(pg_sequence_last_value(
        pg_get_serial_sequence(format('%I.%I', n.nspname, c.relname), a.attname)::regclass), 0) END
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE n.nspname = $1 AND c.relkind = 'r' ORDER BY c.relname COLLATE "C", a.attnum"""

_KEYS: Final = """
SELECT c.relname, k.contype::text, k.confdeltype::text, o.relname,
    ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY u (number, place)
          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = u.number ORDER BY u.place),
    ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY u (number, place)
          JOIN pg_attribute a ON a.attrelid = o.oid AND a.attnum = u.number ORDER BY u.place)
FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_class o ON o.oid = k.confrelid
WHERE n.nspname = $1 AND k.contype IN ('p', 'u', 'f')"""

_INDEXES: Final = """
SELECT c.relname, i.relname, x.indisunique,
    coalesce(obj_description(i.oid, 'pg_class'), pg_get_expr(x.indpred, x.indrelid, true)),
    ARRAY(SELECT CASE WHEN u.option & 1 = 1 THEN '-' ELSE '' END || a.attname
          FROM unnest(x.indkey::int2[], x.indoption::int2[]) WITH ORDINALITY
              u (number, option, place)
          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = u.number ORDER BY u.place)
FROM pg_index x
JOIN pg_class i ON i.oid = x.indexrelid
JOIN pg_class c ON c.oid = x.indrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.oid)
ORDER BY i.relname COLLATE "C\""""

_ACTIONS: Final = {"c": "cascade", "r": "restrict", "a": "restrict", "n": "set null"}
_LITERAL: Final = re.compile(r"'((?:[^']|'')*)'::[\w ]+")
_NUMBER: Final = re.compile(r"\(?(-?[\d.]+(?:[eE][-+]?\d+)?)\)?")


def calls(schema: str) -> list[Call]:
    """What to ask, for `read`; in one snapshot."""
    asked = (_BEYOND, _COLUMNS, _KEYS, _INDEXES)
    return [Call(sql.encode(), arguments([schema]), once=True) for sql in asked]


def read(
    answers: Sequence[Sequence[_Row]], searched: Mapping[str, Sequence[str]], database: str
) -> list[TableDescription]:
    """All tables, the host's too, but those of the search and the state. Raises Invalid for what
    the words of the SDK could not have made."""
    beyond, columns, keys, indexes = answers
    for (what,) in beyond:
        raise _beyond(database, what)
    tables: dict[str, list[_Row]] = {}
    for row in columns:
        if row[0] not in (STATE, SEARCH):
            tables.setdefault(row[0], []).append(row[1:])
    reader = _Reader(database, keys, indexes)
    return [reader.read(name, rows, tuple(searched.get(name, ()))) for name, rows in tables.items()]


def _beyond(database: str, what: str) -> Invalid:
    return Invalid(
        f"The database of {database} has {what}, made by SQL of its own: only what the words of "
        "context.db make can be carried to another database."
    )


class _Reader:
    """Reads tables."""

    def __init__(self, database: str, keys: Sequence[_Row], indexes: Sequence[_Row]) -> None:
        self._database = database
        self._keys = keys
        self._indexes = indexes

    def read(self, name: str, rows: Sequence[_Row], searched: tuple[str, ...]) -> TableDescription:
        own = [row[1:] for row in self._keys if row[0] == name]
        pk = next((tuple(row[3]) for row in own if row[0] == "p"), ())
        references = self._references(name, [row for row in own if row[0] == "f"])
        columns = {row[0]: self._column(name, row, row[0] in pk, references) for row in rows}
        unique = sorted(tuple(row[3]) for row in own if row[0] == "u")
        indexes = [
            IndexDescription(index, tuple(keys), is_unique, where)
            for table, index, is_unique, where, keys in self._indexes
            if table == name and not index.startswith(INDEX_PREFIX)
        ]
        last = next((row[6] for row in rows if row[6] is not None), None)
        following = None if last is None else last + 1
        return TableDescription(
            name, columns, pk, tuple(unique), tuple(indexes), following, searched
        )

    def _column(
        self, table: str, row: _Row, key: bool, references: Mapping[str, ForeignKey]
    ) -> Column:
        name, declared, needed, default, identity, generated, _ = row
        type = column_type(declared)
        if type is None or generated or (identity and not key):
            raise self._beyond(table, f"the column {name} of a kind that is not known")
        value = None if default is None else self._default(table, name, type, default)
        return Column(type, not needed and not key, value, references.get(name))

    def _default(self, table: str, name: str, type: ColumnType, text: str) -> Any:
        found = _LITERAL.fullmatch(text)
        plain = found[1].replace("''", "'") if found else text
        if found and type in ("text", "json"):
            return plain
        if type == "boolean" and plain in ("true", "false"):
            return plain == "true"
        number = _NUMBER.fullmatch(plain)
        if number and type in ("integer", "real"):
            return int(number[1]) if type == "integer" else float(number[1])
        if plain.startswith("NULL"):
            return None
        raise self._beyond(table, f"the default {text[:40]} of {name}")

    def _references(self, table: str, keys: Sequence[_Row]) -> dict[str, ForeignKey]:
        found: dict[str, ForeignKey] = {}
        for _, action, other, own, others in keys:
            if len(own) != 1 or own[0] in found or action not in _ACTIONS:
                raise self._beyond(table, f"a reference to {other}")
            rule = cast("Literal['cascade', 'restrict', 'set null']", _ACTIONS[action])
            found[own[0]] = ForeignKey(other, others[0], rule)
        return found

    def _beyond(self, table: str, what: str) -> Invalid:
        return _beyond(self._database, f"in its table {table} {what}")
