"""The provider: finds a film or a show in the catalogue, and says it in the words of the SDK."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any, ClassVar
from unicodedata import normalize

from plugin_sdk import (
    EpisodeMetadata,
    MediaMetadata,
    MediaQuery,
    MetadataProvider,
    Person,
    ProviderContext,
    SeasonMetadata,
)

__all__ = ["CatalogueProvider"]

Work = Mapping[str, Any]


class CatalogueProvider(MetadataProvider):
    """Looks in ``catalogue.json``: by id if the query has one that we know, else by title."""

    name: ClassVar = "example"
    display_name: ClassVar = "Silent films"
    source: ClassVar = "OTHER"
    kinds: ClassVar = frozenset({"movie", "tv"})
    local: ClassVar = True
    config_schema: ClassVar = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "yearTolerance": {
                "type": "integer",
                "description": "How many years a query may be off: premieres are often disputed",
                "default": 1,
                "minimum": 0,
                "maximum": 10,
            }
        },
    }

    def __init__(self, config: Mapping[str, Any], ctx: ProviderContext) -> None:
        super().__init__(config, ctx)
        path = Path(__file__).with_name("catalogue.json")
        self._works: Mapping[str, list[Work]] = json.loads(path.read_text(encoding="utf-8"))

    def fetch(self, query: MediaQuery) -> MediaMetadata | None:
        works = self._works.get(query.kind, [])
        work = _by_id(works, query.ids) or self._by_title(works, query.title, query.year)
        return None if work is None else _metadata(work, self.source)

    def fetch_season(self, ids: Mapping[str, str], number: int) -> SeasonMetadata | None:
        show = _by_id(self._works["tv"], ids) or {}
        seasons = (each for each in show.get("seasons", ()) if each["number"] == number)
        season = next(seasons, None)
        return None if season is None else _season(season)

    def _by_title(self, works: list[Work], title: str, year: int | None) -> Work | None:
        wanted, tolerance = _folded(title), self.config.get("yearTolerance", 1)
        for work in works:
            if wanted not in {_folded(each) for each in (work["title"], *work.get("titles", ()))}:
                continue
            if year is None or abs(year - _day(work["released"]).year) <= tolerance:
                return work
        return None


def _by_id(works: list[Work], ids: Mapping[str, str]) -> Work | None:
    own, imdb = ids.get(CatalogueProvider.source), ids.get("IMDB")
    for work in works:
        if work["id"] == own or (imdb and work.get("imdb") == imdb):
            return work
    return None


def _folded(title: str) -> str:
    """The letters and digits of a title, without case and accents, and without an article."""
    plain = normalize("NFKD", title).encode("ascii", "ignore").decode().casefold()
    return re.sub(r"^(the|a|an|le|la|das|der|die)(?= )|[^a-z0-9]", "", plain)


def _day(text: str) -> date:
    return date.fromisoformat(text)


def _metadata(work: Work, source: str) -> MediaMetadata:
    ids = {source: work["id"], **({"IMDB": work["imdb"]} if "imdb" in work else {})}
    return MediaMetadata(
        ids=ids,
        title=work["title"],
        overview=work["overview"],
        release_date=_day(work["released"]),
        runtime_minutes=work["minutes"],
        genres=tuple(work["genres"]),
        people=tuple(_people(work)),
        creator=work.get("creator"),
        network=work.get("network"),
    )


def _people(work: Work) -> Iterator[Person]:
    for name in work.get("directors", ()):
        yield Person(name, "DIRECTOR")
    for name in work.get("writers", ()):
        yield Person(name, "WRITER")
    for name, character in work.get("cast", {}).items():
        yield Person(name, "ACTOR", character)


def _season(season: Mapping[str, Any]) -> SeasonMetadata:
    return SeasonMetadata(
        season_number=season["number"],
        name=season["name"],
        air_date=_day(season["aired"]),
        episodes=tuple(
            EpisodeMetadata(
                episode_number=each["number"],
                name=each["name"],
                air_date=_day(each["aired"]),
                runtime_minutes=each["minutes"],
            )
            for each in season["episodes"]
        ),
    )
