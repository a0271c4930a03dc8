"""What a caller wants to see of the library, and the conditions that this makes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from builtin_plugins.songs.identity import fold
from builtin_plugins.songs.index import listed
from builtin_plugins.songs.parameters import Parameters
from builtin_plugins.songs.rows import name_key
from builtin_plugins.songs.tables import ORDERS
from plugin_sdk import Request

__all__ = ["Conditions", "LibraryQuery", "contains_words", "facet_conditions"]

FORMATS: Final = ("psarc", "sloppak", "loose")
_LONGEST: Final = 200


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


def _names(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(name_key, values)))


def contains_words(column: str, words: Sequence[str]) -> Conditions:
    """Every word is somewhere in the folded text of the column."""
    params = {f"word_{number}": f"%{_literal(word)}%" for number, word in enumerate(words)}
    return Conditions([f"{column} LIKE :{name} ESCAPE '!'" for name in params], params)


def _literal(word: str) -> str:
    return word.replace("!", "!!").replace("%", "!%").replace("_", "!_")


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
        names, values = _listed(query.tunings, "tuning")
        texts.append(f"f.tuning_name IN ({names})")
        params |= values
    for kind, has, lacks in (
        ("arrangement", query.arrangements_has, query.arrangements_lacks),
        ("stem", query.stems_has, query.stems_lacks),
    ):
        of_kind = f"FROM facet_names n WHERE n.kind = '{kind}' AND n.facet = f.id AND n.name IN"
        if has:
            names, values = _listed(has, f"{kind}_has_")
            texts.append(f"(SELECT count(*) {of_kind} ({names})) = {len(has)}")
            params |= values
        if lacks:
            names, values = _listed(lacks, f"{kind}_lacks_")
            texts.append(f"NOT EXISTS (SELECT 1 {of_kind} ({names}))")
            params |= values
    return Conditions(texts, params)


def _listed(values: Sequence[str], prefix: str) -> tuple[str, dict[str, Any]]:
    names, params = listed(values)
    return names.replace(":v", f":{prefix}"), {
        prefix + name.removeprefix("v"): value for name, value in params.items()
    }
