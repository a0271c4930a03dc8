"""What a caller wants to see of the library, and the conditions that this makes."""
# ruff: noqa: S608 - what is put together is our own; values are parameters

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Self

from builtin_plugins.songs.chunks import chunks, listed
from builtin_plugins.songs.identity import fold
from builtin_plugins.songs.parameters import Parameters
from builtin_plugins.songs.rows import name_key
from builtin_plugins.songs.tables import ORDERS
from plugin_sdk import Database, Request

__all__ = [
    "Conditions",
    "LibraryQuery",
    "contains_words",
    "facet_conditions",
    "narrowed",
    "tunings_condition",
]

FORMATS: Final = ("psarc", "sloppak", "loose")
_LONGEST: Final = 200
_MANY: Final = 50


@dataclass(frozen=True, slots=True)
class Conditions:
    """Conditions of a WHERE, joined by AND, with their parameters."""

    texts: Sequence[str]
    params: dict[str, Any]

    def __bool__(self) -> bool:
        return bool(self.texts)

    @property
    def sql(self) -> str:
        return " AND ".join(self.texts)


@dataclass(frozen=True, slots=True)
class LibraryQuery:
    """The parameters of the library (songs contract, 3.2). ``words`` are folded, names as they
    are compared; None and empty are no filter."""

    words: tuple[str, ...] = ()
    page: int = 0
    size: int = 50
    sort: str = "artist"
    format: str | None = None
    arrangements_has: tuple[str, ...] = ()
    arrangements_lacks: tuple[str, ...] = ()
    stems_has: tuple[str, ...] = ()
    stems_lacks: tuple[str, ...] = ()
    has_lyrics: bool | None = None
    tunings: tuple[str, ...] = ()
    favorites: bool = False

    @classmethod
    def of(cls, request: Request, formats: Sequence[str]) -> Self:
        """``formats`` are those that plugins add to the three of the contract. Raises Invalid."""
        read = Parameters(request)
        query = cls(
            words_of(read.text("q", _LONGEST)),
            read.integer("page", 0),
            read.integer("size", 50, 1, 200),
            read.choice("sort", ORDERS) or "artist",
            read.choice("format", dict.fromkeys([*FORMATS, *formats])),
            _names(read.several("arrangements_has")),
            _names(read.several("arrangements_lacks")),
            _names(read.several("stems_has")),
            _names(read.several("stems_lacks")),
            read.boolean("has_lyrics"),
            read.several("tunings"),
            bool(read.boolean("favorites")),
        )
        read.finish()
        return query


def words_of(text: str | None) -> tuple[str, ...]:
    """The folded words of a search text, each once."""
    return tuple(dict.fromkeys(fold(text or "").split()))


def narrowed(db: Database, query: LibraryQuery) -> LibraryQuery:
    """The same question with short lists: a client may name thousands. Of names that are all
    wanted one that no song has is enough, and what no song has need not be lacked."""

    def occurring(column: str, table: str, names: Sequence[str]) -> set[str]:
        found: set[str] = set()
        for chunk in chunks(names):
            values, params = listed(chunk)
            sql = f"SELECT {column} AS name FROM {table} {column} IN ({values})"
            found.update(row["name"] for row in db.query(sql, params))
        return found

    changes: dict[str, Any] = {}
    for kind in ("arrangement", "stem"):
        table = f"facet_names WHERE kind = '{kind}' AND"
        if len(has := getattr(query, f"{kind}s_has")) > _MANY:
            known = occurring("name", table, has)
            changes[f"{kind}s_has"] = tuple(n for n in has if n not in known)[:1] or has
        if len(lacks := getattr(query, f"{kind}s_lacks")) > _MANY:
            changes[f"{kind}s_lacks"] = tuple(occurring("name", table, lacks))
    if len(query.tunings) > _MANY:
        known = occurring("tuning_name", "facets WHERE", query.tunings)
        changes["tunings"] = tuple(known) or query.tunings[:1]
    return replace(query, **changes) if changes else query


def _names(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(name_key, values)))


def contains_words(column: str, words: Sequence[str]) -> Conditions:
    """Every word is somewhere in the folded text of the column."""
    params = {f"word_{number}": f"%{_literal(word)}%" for number, word in enumerate(words)}
    return Conditions([f"{column} LIKE :{name} ESCAPE '!'" for name in params], params)


def _literal(word: str) -> str:
    return word.replace("!", "!!").replace("%", "!%").replace("_", "!_")


def tunings_condition(column: str, tunings: Sequence[str]) -> Conditions:
    """Two names at least: one would be a column that is always the same to SQLite, which would then
    sort what an index holds in order."""
    names, values = _listed([*tunings, tunings[-1]], "tuning")
    return Conditions([f"{column} IN ({names})"], values)


def facet_conditions(query: LibraryQuery) -> Conditions:
    """Over ``facets f``: few rows say what songs may be."""
    texts: list[str] = []
    params: dict[str, Any] = {}
    if query.format is not None:
        texts.append("f.format = :format")
        params["format"] = query.format
    if query.has_lyrics is not None:
        texts.append("f.has_lyrics = :has_lyrics")
        params["has_lyrics"] = query.has_lyrics
    if query.tunings:
        tunings = tunings_condition("f.tuning_name", query.tunings)
        texts += tunings.texts
        params |= tunings.params
    for kind, has, lacks in (
        ("arrangement", query.arrangements_has, query.arrangements_lacks),
        ("stem", query.stems_has, query.stems_lacks),
    ):
        of_kind = f"(SELECT n.facet FROM facet_names n WHERE n.kind = '{kind}' AND n.name IN"
        if has:
            names, values = _listed(has, f"{kind}_has_")
            all_of_them = f"GROUP BY n.facet HAVING count(*) = {len(has)}" if len(has) > 1 else ""
            texts.append(f"f.id IN {of_kind} ({names}) {all_of_them})")
            params |= values
        if lacks:
            names, values = _listed(lacks, f"{kind}_lacks_")
            texts.append(f"f.id NOT IN {of_kind} ({names}))")
            params |= values
    return Conditions(texts, params)


def _listed(values: Sequence[str], prefix: str) -> tuple[str, dict[str, Any]]:
    names, params = listed(values)
    return names.replace(":v", f":{prefix}"), {
        prefix + name.removeprefix("v"): value for name, value in params.items()
    }
