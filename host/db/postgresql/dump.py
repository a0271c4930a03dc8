"""A schema as the statements that make it again: PostgreSQL's catalogue prints most of them.

Names are left without their schema, so that another one can be made of them. Left out is what the
host makes by itself: its row of state, the triggers of identities, the indexes of searches.
"""
# ruff: noqa: S608 (what is put into these statements are constants and quoted names)

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from host.db.postgresql.link import Link
from host.db.postgresql.schema import IDENTITY_TRIGGER
from host.db.postgresql.search import INDEX_PREFIX
from host.db.postgresql.state import STATE
from host.db.postgresql.values import arguments
from host.db.postgresql.wire import Call
from plugin_sdk import Invalid

__all__ = ["describe", "name_in_sql", "text_in_sql"]

_IN: Final = "JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = $1"

_OTHERS: Final = f"""
SELECT c.relname FROM pg_class c {_IN} WHERE c.relkind NOT IN ('r', 'v', 'i', 'S', 't')
    AND $2::text IS NOT NULL
UNION ALL
SELECT t.typname FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace AND n.nspname = $1
WHERE t.typtype NOT IN ('c', 'b')"""

_COLUMNS: Final = f"""
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
    CASE WHEN a.attcollation <> t.typcollation THEN quote_ident(l.collname) END,
    a.attnotnull, a.attidentity, a.attgenerated, pg_get_expr(d.adbin, d.adrelid)
FROM pg_class c {_IN}
LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_collation l ON l.oid = a.attcollation
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relkind = 'r' AND c.relname <> $2 ORDER BY c.oid, a.attnum"""

_FUNCTIONS: Final = """
SELECT quote_ident(n.nspname), pg_get_functiondef(p.oid) FROM pg_proc p
JOIN pg_namespace n ON n.oid = p.pronamespace AND n.nspname = $1
WHERE p.prokind IN ('f', 'p') AND $2::text IS NOT NULL ORDER BY p.oid"""

_SEQUENCES: Final = f"""
SELECT c.relname, d.deptype::text, t.relname, a.attname
FROM pg_class c {_IN}
LEFT JOIN pg_depend d ON d.objid = c.oid AND d.classid = 'pg_class'::regclass
    AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
LEFT JOIN pg_class t ON t.oid = d.refobjid
LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE c.relkind = 'S' AND $2::text IS NOT NULL ORDER BY c.oid"""

_CONSTRAINTS: Final = f"""
SELECT c.relname, k.conname, k.contype::text, pg_get_constraintdef(k.oid, true)
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid {_IN}
WHERE k.contype IN ('p', 'u', 'c', 'x', 'f') AND c.relname <> $2
ORDER BY k.contype = 'f', k.oid"""

_INDEXES: Final = f"""
SELECT i.relname, pg_get_indexdef(i.oid, 0, true), obj_description(i.oid, 'pg_class')
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
JOIN pg_class c ON c.oid = x.indrelid {_IN}
WHERE NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.oid) AND c.relname <> $2
ORDER BY i.oid"""

_VIEWS: Final = f"""
SELECT c.relname, pg_get_viewdef(c.oid, true) FROM pg_class c {_IN}
WHERE c.relkind = 'v' AND c.relname <> $2 ORDER BY c.oid"""

_TRIGGERS: Final = f"""
SELECT pg_get_triggerdef(g.oid, true) FROM pg_trigger g
JOIN pg_class c ON c.oid = g.tgrelid {_IN}
WHERE NOT g.tgisinternal AND g.tgname <> $2 ORDER BY g.oid"""


def name_in_sql(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def describe(link: Link, schema: str) -> dict[str, Any]:
    """``tables`` (name, columns that have rows), the statements ``before`` the rows come, and
    those ``after``; in a transaction that reads one state. Raises FAULTS, and Invalid for what
    could not be made again."""

    def ask(sql: str, other: str = STATE) -> list[tuple[Any, ...]]:
        result = link.exchange([Call(sql.encode(), arguments([schema, other]), once=True)])[0]
        return link.tuples(result)

    for (name,) in ask(_OTHERS):
        raise Invalid(f"A copy cannot keep {name}: it is no table, view, index or function.")
    columns = ask(_COLUMNS)
    _hold_still(link, dict.fromkeys(row[0] for row in columns))
    sequences = ask(_SEQUENCES)
    before = [text.replace(f"{name}.", "", 1) for name, text in ask(_FUNCTIONS)]
    before += [f"CREATE SEQUENCE {name_in_sql(s[0])}" for s in sequences if s[1] != "i"]
    tables = list(_tables(columns, before))
    after = [_next_number(link, *row) for row in sequences]
    for table, name, _kind, text in ask(_CONSTRAINTS):
        after.append(f"ALTER TABLE {name_in_sql(table)} ADD CONSTRAINT {name_in_sql(name)} {text}")
    for name, text, where in ask(_INDEXES):
        if not name.startswith(INDEX_PREFIX):
            after.append(text)
            if where is not None:
                after.append(f"COMMENT ON INDEX {name_in_sql(name)} IS {text_in_sql(where)}")
    after += [f"CREATE VIEW {name_in_sql(name)} AS {text}" for name, text in ask(_VIEWS)]
    after += [text for (text,) in ask(_TRIGGERS, IDENTITY_TRIGGER)]
    return {"tables": tables, "before": before, "after": after}


def _tables(rows: list[tuple[Any, ...]], statements: list[str]) -> Iterator[dict[str, Any]]:
    """The tables; the statements that make them are added to the list."""
    tables: dict[str, list[tuple[Any, ...]]] = {}
    for row in rows:
        tables.setdefault(row[0], []).append(row[1:])
    for name, columns in tables.items():
        real = [column for column in columns if column[0] is not None]
        lines = ",\n  ".join(_column(*column) for column in real)
        statements.append(f"CREATE TABLE {name_in_sql(name)} (\n  {lines}\n)")
        kept = [column[0] for column in real if not column[5]]
        yield {"name": name, "columns": kept}


def _column(
    name: str,
    type_: str,
    collation: str | None,
    needed: bool,
    identity: str,
    generated: str,
    default: str | None,
) -> str:
    parts = [name_in_sql(name), type_]
    if collation:
        parts.append(f"COLLATE {collation}")
    if needed:
        parts.append("NOT NULL")
    if identity:
        how = "ALWAYS" if identity == "a" else "BY DEFAULT"
        parts.append(f"GENERATED {how} AS IDENTITY")
    elif generated:
        kind = "STORED" if generated == "s" else "VIRTUAL"
        parts.append(f"GENERATED ALWAYS AS ({default}) {kind}")
    elif default is not None:
        parts.append(f"DEFAULT {default}")
    return " ".join(parts)


def _next_number(
    link: Link, name: str, kind: str | None, table: str | None, column: str | None
) -> str:
    """A statement that sets a sequence to where it is now."""
    sql = f"SELECT last_value, is_called FROM {name_in_sql(name)}"
    last, called = link.tuples(link.exchange([Call(sql.encode(), once=True)])[0])[0]
    if kind == "i" and table is not None and column is not None:
        where = f"pg_get_serial_sequence({text_in_sql(name_in_sql(table))}, {text_in_sql(column)})"
    else:
        where = text_in_sql(name_in_sql(name))
    return f"SELECT setval({where}, {last}, {'true' if called else 'false'})"


def _hold_still(link: Link, tables: dict[str, None]) -> None:
    """Nobody changes these tables' columns until we have read them."""
    names = ", ".join(map(name_in_sql, tables))
    if names:
        link.exchange([Call(f"LOCK TABLE {names} IN ACCESS SHARE MODE".encode(), once=True)])


def text_in_sql(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
