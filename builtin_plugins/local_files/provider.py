"""The metadata provider: what lies beside the files that are asked about.

A question must say where they are: ``extra["path"]`` is the absolute path of a film's file, or of a
show's folder.
"""

from __future__ import annotations

import hashlib
import os
import threading
import unicodedata
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Final

from builtin_plugins.local_files.nfo import Nfo, read_nfo
from builtin_plugins.local_files.tags import Tags, read_tags
from plugin_sdk import (
    Data,
    EpisodeMetadata,
    MediaMetadata,
    MediaQuery,
    MetadataProvider,
    Person,
    ProviderContext,
    SeasonMetadata,
)

__all__ = ["LocalFilesProvider", "provider_class"]

_MAX_FILES: Final = 10_000
_MAX_DEPTH: Final = 2
Seasons = Mapping[int, tuple[Nfo | None, Mapping[int, Nfo]]]


class LocalFilesProvider(MetadataProvider):
    """Answers from ``<film>.nfo`` or ``movie.nfo`` beside a film, then from the tags inside of it;
    from ``tvshow.nfo`` in a show's folder, and the ``.nfo`` files of its episodes below."""

    name = "local_files"
    display_name = "Local files"
    source = "OTHER"
    kinds = frozenset({"movie", "tv"})
    config_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "properties": {"type": {"type": "string"}},
    }
    local = True

    def __init__(self, config: Mapping[str, Any], ctx: ProviderContext) -> None:
        super().__init__(config, ctx)
        self._lock = threading.Lock()
        self._seasons: tuple[str, Seasons] | None = None

    @classmethod
    @abstractmethod
    def _data(cls) -> Data:
        """Where it is remembered in which folder a show is."""

    def fetch(self, query: MediaQuery) -> MediaMetadata | None:
        given = query.extra.get("path")
        if query.kind not in self.kinds or not isinstance(given, str):
            return None
        path = Path(given)
        return self._film(path) if query.kind == "movie" else self._show(path)

    def fetch_season(self, ids: Mapping[str, str], number: int) -> SeasonMetadata | None:
        identity = ids.get(self.source, "")
        folder = self._data().get(f"show {identity}") if identity else None
        if not isinstance(folder, str):
            return None
        season, episodes = self._read_seasons(folder).get(number, (None, {}))
        if season is None and not episodes:
            return None
        return SeasonMetadata(
            season_number=number,
            name=season.text("title", "name") if season else None,
            overview=season.text("plot", "outline") if season else None,
            air_date=season.date("premiered", "aired") if season else None,
            poster_url=season.picture("poster") if season else None,
            episodes=tuple(_episode(each, episodes[each]) for each in sorted(episodes)),
        )

    def _film(self, path: Path) -> MediaMetadata | None:
        for beside in (path.with_suffix(".nfo"), path.with_name("movie.nfo")):
            for nfo in read_nfo(beside):
                if nfo.kind == "movie" and (found := self._metadata(nfo)) is not None:
                    return found
        tags = read_tags(path)
        return None if tags is None else self._tagged(tags)

    def _show(self, folder: Path) -> MediaMetadata | None:
        for nfo in read_nfo(folder / "tvshow.nfo"):
            found = self._metadata(nfo) if nfo.kind == "tvshow" else None
            if found is not None:
                self._data().set(f"show {found.ids[self.source]}", str(folder))
                return found
        return None

    def _metadata(self, nfo: Nfo) -> MediaMetadata | None:
        title = nfo.text("title", "originaltitle")
        if title is None:
            return None
        released = nfo.date("premiered", "releasedate", "aired") or nfo.first_day("year")
        year = nfo.whole("year") or (released.year if released else None)
        ids = nfo.ids()
        people = tuple(Person(name, role, character) for name, role, character in nfo.people())
        return MediaMetadata(
            ids={**ids, self.source: _identity(title, year, ids)},
            title=title,
            overview=nfo.text("plot", "outline"),
            release_date=released,
            rating=nfo.rating(),
            runtime_minutes=nfo.minutes(),
            poster_url=nfo.picture("poster"),
            plain_poster_url=nfo.picture("keyart"),
            backdrop_url=nfo.backdrop() or nfo.picture("landscape"),
            logo_url=nfo.picture("clearlogo"),
            genres=tuple(nfo.texts("genre")),
            people=people,
            creator=next((each.name for each in people if each.role == "WRITER"), None),
            network=nfo.text("studio"),
        )

    def _tagged(self, tags: Tags) -> MediaMetadata:
        year = tags.released.year if tags.released else None
        return MediaMetadata(
            ids={self.source: _identity(tags.title, year, {})},
            title=tags.title,
            overview=tags.description,
            release_date=tags.released,
            runtime_minutes=tags.minutes,
            genres=(tags.genre,) if tags.genre else (),
            people=(Person(tags.director, "DIRECTOR"),) if tags.director else (),
        )

    def _read_seasons(self, folder: str) -> Seasons:
        """All seasons of a show at one go: they are asked for one after the other."""
        with self._lock:
            if self._seasons is None or self._seasons[0] != folder:
                self._seasons = (folder, _seasons_below(Path(folder), self.ctx))
            return self._seasons[1]


def provider_class(data: Data) -> type[LocalFilesProvider]:
    """The class that is registered: it has the plugin's data, so that whoever makes an instance
    of it need not."""

    class Bound(LocalFilesProvider):
        @classmethod
        def _data(cls) -> Data:
            return data

    return Bound


def _identity(title: str, year: int | None, ids: Mapping[str, str]) -> str:
    """The same for two files of one film, wherever they are: by a foreign id, else by name and
    year."""
    folded = unicodedata.normalize("NFC", title).casefold()
    known = sorted(ids.items())[:1] or [("title", f"{folded}\0{year or ''}")]
    return hashlib.sha256(repr(known).encode("utf-8", "backslashreplace")).hexdigest()[:24]


def _episode(number: int, nfo: Nfo) -> EpisodeMetadata:
    return EpisodeMetadata(
        episode_number=number,
        name=nfo.text("title"),
        overview=nfo.text("plot", "outline"),
        air_date=nfo.date("aired", "premiered"),
        runtime_minutes=nfo.minutes(),
        still_url=nfo.picture("thumb", "poster"),
    )


def _seasons_below(folder: Path, ctx: ProviderContext) -> Seasons:
    found: dict[int, tuple[Nfo | None, dict[int, Nfo]]] = {}
    for path in _nfo_files(folder, _MAX_DEPTH):
        if ctx.stopping:
            break
        for nfo in read_nfo(path):
            number = nfo.whole("season", "seasonnumber")
            if number is None:
                continue
            season, episodes = found.get(number, (None, {}))
            if nfo.kind == "season":
                season = season or nfo
            elif nfo.kind == "episodedetails" and (episode := nfo.whole("episode")) is not None:
                episodes.setdefault(episode, nfo)
            found[number] = (season, episodes)
    return found


def _nfo_files(folder: Path, depth: int) -> Iterator[Path]:
    """In the folder and its folders, no links followed, a bounded number."""
    pending, seen = [(folder, depth)], 0
    while pending:
        where, left = pending.pop()
        try:
            entries = sorted(os.scandir(where), key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in entries:
            seen += 1
            if seen > _MAX_FILES:
                return
            if entry.is_dir(follow_symlinks=False):
                if left:
                    pending.append((Path(entry.path), left - 1))
            elif entry.name.lower().endswith(".nfo") and entry.is_file(follow_symlinks=False):
                yield Path(entry.path)
