"""Pages of the library, in any order, through any filter (songs contract, 3.2 and 15).

Without search and favourites, the total is a sum over few facets, and a page is found by walking
one covering index, from whichever end is nearer. With them, matches are counted first: a page that
is met soon enough is walked to as well, for another one they are sorted.
"""
# ruff: noqa: S608 - what is put together is our own; values are parameters

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from builtin_plugins.songs.filters import (
    Conditions,
    LibraryQuery,
    contains_words,
    facet_conditions,
    narrowed,
    tunings_condition,
)
from builtin_plugins.songs.tables import ORDERS
from plugin_sdk import Database, Row

__all__ = ["Library", "column_favorite", "rendered"]

_ESTD: Final = "EXISTS (SELECT 1 FROM variants v WHERE v.base = p.track_id) AS has_estd"
_LOOKUP: Final = 6
"""So many entries of an index are walked in the time in which one row is looked up, or put in its
place among others."""


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
        of_facets = [f"({text}) IS TRUE" for text in _of_facets(facets, "p.")]
        if query.tunings and "tuning_name" in order:  # in this index they lie together
            of_facets.append(tunings_condition("p.tuning_name", query.tunings).sql)
        condition = " WHERE " + " AND ".join(of_facets) if of_facets else ""
        if not skipped:
            return self._first(condition, facets.params, order, size, profile_id), total
        behind = total - skipped - size
        backwards = behind < skipped
        inner = (
            f"SELECT id, {_columns(order)} FROM tracks p{condition} "
            f"ORDER BY {_order_by(order, 'p.', backwards=backwards)} LIMIT :size OFFSET :skipped"
        )
        limits = {"size": size, "skipped": behind if backwards else skipped}
        return self._shown(inner, order, {**facets.params, **limits}, profile_id), total

    def _first(
        self,
        condition: str,
        params: Mapping[str, Any],
        order: Sequence[str],
        size: int,
        profile_id: int | None,
    ) -> list[Row]:
        """Nothing is skipped, so each row that is met is looked up at once, in its order."""
        return self._db.query(
            f"SELECT d.meta, {_ESTD}, {_favorite(profile_id)} FROM tracks p "
            f"JOIN documents d ON d.id = p.id{condition} "
            f"ORDER BY {_order_by(order, 'p.')} LIMIT :size",
            {**params, "size": size, "profile": profile_id},
        )

    def _found(self, query: LibraryQuery, profile_id: int | None) -> tuple[list[Row], int]:
        facets = facet_conditions(query)
        words = contains_words("t.searched", query.words)
        params: dict[str, Any] = {**facets.params, **words.params}
        among = _of_facets(facets, "t.")
        if query.favorites:
            among.append("t.id IN (SELECT o.id FROM favorites o WHERE o.profile_id = :owner)")
            params["owner"] = profile_id
        condition = " AND ".join([*words.texts, *among])
        order = ORDERS[query.sort]
        total = self._db.value(f"SELECT count(*) FROM tracks t WHERE {condition}", params)
        skipped = query.page * query.size
        size = min(query.size, total - skipped)
        if size <= 0:
            return [], total
        behind = total - skipped - size
        backwards = behind < skipped
        limits = {"size": size, "skipped": behind if backwards else skipped}
        if self._walks(query, total, sum(limits.values())):
            condition = " AND ".join([*words.texts, *(f"({each}) IS TRUE" for each in among)])
            source = f"tracks t WHERE {condition}"
        else:  # Materialized, or SQLite walks an index of that order all the same.
            source = "found t"
        inner = (
            f"SELECT t.id, {_columns(order, 't.')} FROM {source} "
            f"ORDER BY {_order_by(order, 't.', backwards=backwards)} LIMIT :size OFFSET :skipped"
        )
        if source == "found t":
            found = f"SELECT t.id, {_columns(order, 't.')} FROM tracks t WHERE {condition}"
            inner = f"WITH found AS MATERIALIZED ({found}) {inner}"
        return self._shown(inner, order, {**params, **limits}, profile_id), total

    def _walks(self, query: LibraryQuery, total: int, wanted: int) -> bool:
        """Whether to walk an index until so many matches were met, or else to look all of them up
        and sort them. Walking shows everything but the texts that words are in.

        Matches may all lie at the other end, as those do that have a word of their artist in
        common: even then it is not to take more than three times as long as it would sorted."""
        songs = self._db.value("SELECT CAST(coalesce(sum(songs), 0) AS bigint) FROM facets")
        step = _LOOKUP if query.words else 1
        count = _LOOKUP * total if query.favorites else songs
        sort = count + _LOOKUP * total
        likely, longest = wanted * songs // total, songs - total + wanted
        return bool(likely * step < sort and count + longest * step < 3 * (count + sort))

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


def _of_facets(facets: Conditions, table: str) -> list[str]:
    """On a walk it is followed by ``IS TRUE``: that keeps the engines from turning it into a join,
    which would give up the order of the index."""
    if not facets:
        return []
    return [f"{table}facet IN (SELECT f.id FROM facets f WHERE {facets.sql})"]


def _columns(order: Iterable[str], table: str = "") -> str:
    return ", ".join(table + column.removeprefix("-") for column in order)


def _order_by(order: Iterable[str], table: str = "", *, backwards: bool = False) -> str:
    return ", ".join(
        table + column.removeprefix("-") + (" DESC" if column.startswith("-") != backwards else "")
        for column in order
    )
