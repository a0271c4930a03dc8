"""Pages of the library, in any order, through any filter (songs contract, 3.2 and 15).

Without search and favourites, the total is a sum over few facets, and a page is found by walking
one covering index, from whichever end is nearer. With them, matches are counted first: few are
sorted, many are met soon enough on a walk.
"""
# ruff: noqa: S608 - what is put together is our own; values are parameters

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from builtin_plugins.songs.filters import (
    Conditions,
    LibraryQuery,
    contains_words,
    facet_conditions,
    narrowed,
)
from builtin_plugins.songs.tables import ORDERS
from plugin_sdk import Database, Row

__all__ = ["Library", "column_favorite", "rendered"]

_ESTD: Final = "EXISTS (SELECT 1 FROM variants v WHERE v.base = p.track_id) AS has_estd"
_FEW: Final = 4000
"""So many matches are found and sorted sooner than an index is walked."""


class Library:
    def __init__(self, db: Database) -> None:
        self._db = db

    def page(self, query: LibraryQuery, profile_id: int | None) -> str:
        """The answer, as JSON text. ``profile_id`` is whose favourites are meant."""
        with self._db.snapshot():
            query = narrowed(self._db, query)
            if query.words or query.favorites:
                rows, total = self._found(query, profile_id)
            else:
                rows, total = self._walked(query, profile_id)
        songs = ",".join(map(rendered, rows))
        return f'{{"songs":[{songs}],"total":{total},"page":{query.page},"size":{query.size}}}'

    def _walked(self, query: LibraryQuery, profile_id: int | None) -> tuple[list[Row], int]:
        facets = facet_conditions(query)
        where = f" WHERE {facets.sql}" if facets else ""
        total = self._db.value(
            f"SELECT CAST(coalesce(sum(f.songs), 0) AS bigint) FROM facets f{where}", facets.params
        )
        skipped = query.page * query.size
        size = min(query.size, total - skipped)
        if size <= 0:
            return [], total
        order = ORDERS[query.sort]
        if not skipped:
            return self._first(facets, order, size, profile_id), total
        behind = total - skipped - size
        backwards = behind < skipped
        inner = (
            f"SELECT id, {_columns(order)} FROM tracks{_of_facets(facets, ' WHERE ')} "
            f"ORDER BY {_order_by(order, backwards=backwards)} LIMIT :size OFFSET :skipped"
        )
        limits = {"size": size, "skipped": behind if backwards else skipped}
        return self._shown(inner, order, {**facets.params, **limits}, profile_id), total

    def _first(
        self, facets: Conditions, order: Sequence[str], size: int, profile_id: int | None
    ) -> list[Row]:
        """Nothing is skipped, so each row that is met is looked up at once, in its order."""
        return self._db.query(
            f"SELECT d.meta, {_ESTD}, {_favorite(profile_id)} FROM tracks p "
            f"JOIN documents d ON d.id = p.id{_of_facets(facets, ' WHERE ', 'p.')} "
            f"ORDER BY {_order_by(order, 'p.')} LIMIT :size",
            {**facets.params, "size": size, "profile": profile_id},
        )

    def _found(self, query: LibraryQuery, profile_id: int | None) -> tuple[list[Row], int]:
        facets = facet_conditions(query)
        words = contains_words("t.searched", query.words)
        params: dict[str, Any] = {**facets.params, **words.params}
        source, texts = "tracks t", list(words.texts)
        if query.favorites:
            source = "favorites o JOIN tracks t ON t.id = o.id"
            texts.append("o.profile_id = :owner")
            params["owner"] = profile_id
        condition = " AND ".join(texts) + _of_facets(facets, " AND ", "t.")
        order = ORDERS[query.sort]
        total = self._db.value(f"SELECT count(*) FROM {source} WHERE {condition}", params)
        skipped = query.page * query.size
        size = min(query.size, total - skipped)
        if size <= 0:
            return [], total
        behind = total - skipped - size
        backwards = behind < skipped
        matches = f"SELECT t.id, {_columns(order, 't.')} FROM {source} WHERE {condition}"
        if total <= _FEW or query.favorites:
            # Materialized, or SQLite walks an index of that order and looks up all rows in it.
            matches = f"WITH found AS MATERIALIZED ({matches}) SELECT * FROM found t"
        inner = (
            f"{matches} ORDER BY {_order_by(order, 't.', backwards=backwards)} "
            "LIMIT :size OFFSET :skipped"
        )
        limits = {"size": size, "skipped": behind if backwards else skipped}
        return self._shown(inner, order, {**params, **limits}, profile_id), total

    def _shown(
        self, inner: str, order: Sequence[str], params: dict[str, Any], profile_id: int | None
    ) -> list[Row]:
        return self._db.query(
            f"SELECT d.meta, {_ESTD}, {_favorite(profile_id)} FROM ({inner}) p "
            f"JOIN documents d ON d.id = p.id ORDER BY {_order_by(order, 'p.')}",
            {**params, "profile": profile_id},
        )


def _favorite(profile_id: int | None) -> str:
    """The column ``favorite``; nobody has any."""
    return "0 AS favorite" if profile_id is None else column_favorite("p.id")


def column_favorite(song: str) -> str:
    """The column ``favorite``: whether ``:profile`` has marked the song."""
    return (
        "EXISTS (SELECT 1 FROM favorites m WHERE m.profile_id = :profile "
        f"AND m.id = {song}) AS favorite"
    )


def rendered(row: Row) -> str:
    """SongMeta as JSON text, of a row with ``meta``, ``has_estd`` and ``favorite``."""
    estd = "true" if row["has_estd"] else "false"
    favorite = "true" if row["favorite"] else "false"
    return f'{row["meta"]},"hasEstd":{estd},"favorite":{favorite}}}'


def _of_facets(facets: Conditions, before: str, table: str = "") -> str:
    """``IS TRUE`` keeps the engines from turning the condition into a join, which would give up
    the order of the index."""
    if not facets:
        return ""
    return f"{before}({table}facet IN (SELECT f.id FROM facets f WHERE {facets.sql})) IS TRUE"


def _columns(order: Iterable[str], table: str = "") -> str:
    return ", ".join(table + column.removeprefix("-") for column in order)


def _order_by(order: Iterable[str], table: str = "", *, backwards: bool = False) -> str:
    return ", ".join(
        table + column.removeprefix("-") + (" DESC" if column.startswith("-") != backwards else "")
        for column in order
    )
