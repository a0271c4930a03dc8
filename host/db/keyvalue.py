"""Keys and JSON values of a plugin, in its own database."""
# ruff: noqa: S608 (the texts are constants)

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from json import loads
from typing import Any, Final

from host.db import ddl
from host.db.engine import HostDatabase
from host.db.faults import MissingTable
from plugin_sdk import (
    MAX_VALUE_BYTES,
    Column,
    Data,
    DataScope,
    Invalid,
    ScopeKind,
    TooLarge,
    dump_json,
)

__all__ = ["TABLE", "KeyValueData", "key_values", "make_key_value_table", "read_value"]

TABLE: Final = "_stagebox_data"
_KEY: Final = ("kind", "scope", "key")
_COLUMNS: Final = {name: Column("text", null=False) for name in (*_KEY, "value")}

_KINDS: Final = ("local", "server", "profile")
_NAME: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,255}")
_BYTES_OF_A_CHARACTER: Final = 4  # at most, in UTF-8

_HERE: Final = f"FROM {TABLE} WHERE kind = :kind AND scope = :scope"
_GET: Final = f"SELECT value {_HERE} AND key = :key"
_HAS: Final = f"SELECT 1 {_HERE} AND key = :key"
_ANY: Final = f"SELECT 1 {_HERE} LIMIT 1"
_SET: Final = (
    f"INSERT INTO {TABLE} (kind, scope, key, value) VALUES (:kind, :scope, :key, :value) "
    "ON CONFLICT (kind, scope, key) DO UPDATE SET value = excluded.value"
)
_DELETE: Final = f"DELETE {_HERE} AND key = :key"
_CLEAR: Final = f"DELETE {_HERE}"
_CLEAR_ALL: Final = f"DELETE FROM {TABLE}"


def read_value(database: HostDatabase, scope: ScopeKind, scope_id: str, key: str) -> str | None:
    """The stored JSON text of a value, or None; also for a key that nothing can be stored under.

    ``scope_id`` is "" for ``local``."""
    if _NAME.fullmatch(key) is None or (scope_id and _NAME.fullmatch(scope_id) is None):
        return None
    return _stored(database, {"kind": scope, "scope": scope_id, "key": key})


def key_values(database: HostDatabase) -> Iterator[Mapping[str, Any]]:
    """All keys of a plugin in order: ``scope``, ``scopeId``, ``key``, ``value``."""
    if not database.table(TABLE).exists():
        return
    for row in database.iterate(f"SELECT * FROM {TABLE} ORDER BY kind, scope, key"):
        yield {
            "scope": row["kind"],
            "scopeId": row["scope"],
            "key": row["key"],
            "value": loads(row["value"]),
        }


class Scope(DataScope):
    """The keys of one scope. The table is made by the first `set`."""

    __slots__ = ("_database", "_id", "_kind")

    def __init__(self, database: HostDatabase, kind: str, id: str) -> None:
        self._database = database
        self._kind = kind
        self._id = id

    def get(self, key: str, default: Any = None) -> Any:
        if _NAME.fullmatch(key) is None:
            raise _no_key(key)
        text = _stored(self._database, {"kind": self._kind, "scope": self._id, "key": key})
        return default if text is None else loads(text)

    def set(self, key: str, value: Any) -> None:
        text = dump_json(value)
        _check_size(key, text)
        params = {**self._params(key), "value": text}
        try:
            self._database.execute(_SET, params)
        except MissingTable:
            with self._database.transaction():
                make_key_value_table(self._database)
                self._database.execute(_SET, params)

    def delete(self, key: str) -> bool:
        params = self._params(key)
        return self._holds(_HAS, params) and self._database.execute(_DELETE, params) > 0

    def keys(self, prefix: str = "") -> list[str]:
        sql, params = self._range("key", prefix)
        try:
            return [row["key"] for row in self._database.query(sql, params)]
        except MissingTable:
            return []

    def items(self, prefix: str = "") -> Iterator[tuple[str, Any]]:
        sql, params = self._range("key, value", prefix)
        try:
            rows = self._database.iterate(sql, params)
        except MissingTable:
            return iter(())
        return ((row["key"], loads(row["value"])) for row in rows)

    def clear(self) -> int:
        params = {"kind": self._kind, "scope": self._id}
        return self._database.execute(_CLEAR, params) if self._holds(_ANY, params) else 0

    def transaction(self) -> AbstractContextManager[None]:
        return self._database.transaction()

    def _params(self, key: str) -> dict[str, str]:
        if _NAME.fullmatch(key) is None:
            raise _no_key(key)
        return {"kind": self._kind, "scope": self._id, "key": key}

    def _holds(self, sql: str, params: Mapping[str, Any]) -> bool:
        """Asked before a removal: what is not there needs no write, and no file."""
        try:
            return self._database.value(sql, params) is not None
        except MissingTable:
            return False

    def _range(self, columns: str, prefix: str) -> tuple[str, dict[str, str]]:
        """Keys that begin with the prefix: from it to the text that follows all of them."""
        params = {"kind": self._kind, "scope": self._id}
        sql = f"SELECT {columns} {_HERE}"
        if prefix:
            sql += " AND key >= :first"
            params["first"] = prefix
            end = _behind(prefix)
            if end:
                sql += " AND key < :end"
                params["end"] = end
        return sql + " ORDER BY key", params


class KeyValueData(Scope, Data):
    """``context.data``: the local scope, and the way to the others, in one database."""

    __slots__ = ()

    def __init__(self, database: HostDatabase) -> None:
        super().__init__(database, "local", "")

    def scope(self, kind: ScopeKind, id: str | int = "") -> DataScope:
        if kind not in _KINDS:
            raise Invalid(f"{str(kind)[:40]!r} is no kind of scope: local, server or profile.")
        name = id if type(id) is str else str(id)
        if kind == "local":
            if name:
                raise Invalid("The local scope has no id.")
        elif _NAME.fullmatch(name) is None:
            raise Invalid(
                f"The scope {kind} needs an id of 1 to 255 characters without control characters."
            )
        return Scope(self._database, kind, name)

    def clear_all(self) -> int:
        """Removes all keys of all scopes; returns how many there were."""
        if not self._holds(f"SELECT 1 FROM {TABLE} LIMIT 1", {}):
            return 0
        return self._database.execute(_CLEAR_ALL)


def _stored(database: HostDatabase, params: dict[str, str]) -> str | None:
    try:
        text: str | None = database.value(_GET, params)
    except MissingTable:
        return None
    return text


def make_key_value_table(database: HostDatabase) -> None:
    """Makes the table in which keys and values are kept, unless it is there."""
    sql = ddl.create_table(database.dialect, TABLE, _COLUMNS, _KEY, (), if_not_exists=True)
    database.execute(sql + database.dialect.key_value_suffix)


def _no_key(key: object) -> Invalid:
    return Invalid(
        f"{str(key)[:40]!r} is no key: 1 to 255 characters without control characters are."
    )


def _check_size(key: str, text: str) -> None:
    if len(text) * _BYTES_OF_A_CHARACTER <= MAX_VALUE_BYTES:
        return
    size = len(text.encode())
    if size > MAX_VALUE_BYTES:
        raise TooLarge(
            f"The value of {key[:40]!r} has {size} bytes as JSON; {MAX_VALUE_BYTES} are allowed."
        )


def _behind(prefix: str) -> str:
    """The first text by code point that does not begin with the prefix; "" when all greater ones
    do. Surrogates are no characters and are leapt over."""
    head = prefix.rstrip("\U0010ffff")
    if not head:
        return ""
    after = ord(head[-1]) + 1
    return head[:-1] + chr(0xE000 if 0xD800 <= after <= 0xDFFF else after)
