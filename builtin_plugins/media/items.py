# ruff: noqa: S608 (only names of placeholders and constants are put together; values are bound)
"""Films and shows as clients see them: lists, details, search (media contract, 5.2 to 5.4)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import chain, zip_longest
from typing import Any, Final

from builtin_plugins.media.catalogue import MOVIE, TV_SHOW
from builtin_plugins.media.names import folded
from builtin_plugins.media.statements import named_list
from plugin_sdk import Clock, Database, NotFound, Row

__all__ = ["Items"]

NEWEST: Final = 10
SHOWN: Final = 10
"""Of a search; of the twenty of each kind that come into question the last ten never show."""

_MEDIA: Final = ", ".join(
    f"m.{name} AS m_{name}"
    for name in (
        "id",
        "type",
        "title",
        "description",
        "poster_url",
        "plain_poster_url",
        "backdrop_url",
        "logo_url",
        "colors",
        "release_date",
        "rating",
        "metadata_provider",
        "created_at",
        "updated_at",
    )
)
_MOVIES: Final = (
    f"SELECT v.*, f.path, f.size, f.mtime_ns, {_MEDIA}"
    " FROM movie v JOIN file f ON f.id = v.file_id JOIN media m ON m.id = v.media_id"
)
_SHOWS: Final = f"SELECT t.*, {_MEDIA} FROM tvshow t JOIN media m ON m.id = t.media_id"
# The newest media are picked first, by the index alone: a film without a file does not exist.
_NEWEST: Final = (
    "m.id IN (SELECT id FROM media WHERE type = :type ORDER BY created_at DESC, id DESC"
    " LIMIT :limit)"
)
_MATCHING: Final = (
    "m.id IN (SELECT id FROM media WHERE type = :type AND instr(folded, :text) > 0"
    " ORDER BY folded, id LIMIT :limit)"
)


class Items:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._db = database
        self._clock = clock

    def newest_movies(self) -> list[dict[str, Any]]:
        rows = self._db.query(
            f"{_MOVIES} WHERE {_NEWEST}"
            " ORDER BY m.created_at DESC, m.id DESC, v.id DESC LIMIT :limit",
            {"type": MOVIE, "limit": NEWEST},
        )
        return self._movies(rows)

    def movie(self, movie_id: str) -> dict[str, Any]:
        """Raises NotFound."""
        rows = self._db.query(f"{_MOVIES} WHERE v.id = :id", {"id": movie_id})
        if not rows:
            raise NotFound(f"Movie with identifier '{movie_id}' not found", code="RESOURCE")
        return self._movies(rows)[0]

    def newest_shows(self) -> list[dict[str, Any]]:
        rows = self._db.query(
            f"{_SHOWS} WHERE {_NEWEST} ORDER BY m.created_at DESC, m.id DESC LIMIT :limit",
            {"type": TV_SHOW, "limit": NEWEST},
        )
        return self._shows(rows)

    def show(self, show_id: str) -> dict[str, Any]:
        """With seasons and episodes; raises NotFound."""
        rows = self._db.query(f"{_SHOWS} WHERE t.id = :id", {"id": show_id})
        if not rows:
            raise NotFound(f"TV Show with identifier '{show_id}' not found", code="RESOURCE")
        return {**self._shows(rows)[0], "seasons": self._seasons(show_id)}

    def search(self, query: str) -> dict[str, Any]:
        """Titles that hold the text literally; ten in all, films and shows in turn (5.2)."""
        params = {"text": folded(query), "limit": SHOWN}
        movies = self._db.query(
            f"{_MOVIES} WHERE {_MATCHING} ORDER BY m.folded, m.id, v.id LIMIT :limit",
            {**params, "type": MOVIE},
        )
        shows = self._db.query(
            f"{_SHOWS} WHERE {_MATCHING} ORDER BY m.folded, m.id LIMIT :limit",
            {**params, "type": TV_SHOW},
        )
        turns = zip_longest(((row, 0) for row in movies), ((row, 1) for row in shows))
        shown = [each for each in chain.from_iterable(turns) if each is not None][:SHOWN]
        chosen: tuple[list[Row], list[Row]] = ([], [])
        for row, kind in shown:
            chosen[kind].append(row)
        details = self._details([row for row, _ in shown])
        return {
            "movies": [self._movie(row, details) for row in chosen[0]],
            "tvShows": [self._show(row, details) for row in chosen[1]],
        }

    def stream(self, stream_id: str) -> Row | None:
        """Path, resolved path, and what the file is called: ``title``, for an episode also
        ``season`` and ``episode``."""
        row = self._db.one(
            "SELECT f.path, f.resolved, m.title FROM movie v JOIN file f ON f.id = v.file_id"
            " JOIN media m ON m.id = v.media_id WHERE v.id = :id",
            {"id": stream_id},
        )
        return row or self._db.one(
            "SELECT f.path, f.resolved, m.title, s.number AS season, e.number AS episode"
            " FROM episode e JOIN file f ON f.id = e.file_id JOIN season s ON s.id = e.season_id"
            " JOIN tvshow t ON t.id = s.show_id JOIN media m ON m.id = t.media_id"
            " WHERE e.id = :id",
            {"id": stream_id},
        )

    # Shapes

    def _movies(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        details = self._details(rows)
        return [self._movie(row, details) for row in rows]

    def _shows(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        details = self._details(rows)
        return [self._show(row, details) for row in rows]

    def _movie(self, row: Row, details: Details) -> dict[str, Any]:
        return {
            "id": row["id"],
            "duration": row["duration"],
            "trailerUrl": row["trailer_url"],
            **self._file(row),
            "mediaId": row["media_id"],
            "streamUrl": f"/api/v1/stream/{row['id']}",
            "createdAt": self._clock.iso(row["created_at"]),
            "updatedAt": self._clock.iso(row["updated_at"]),
            "media": self._media(row, details),
        }

    def _show(self, row: Row, details: Details) -> dict[str, Any]:
        return {
            "id": row["id"],
            "creator": row["creator"],
            "network": row["network"],
            "mediaId": row["media_id"],
            "createdAt": self._clock.iso(row["created_at"]),
            "updatedAt": self._clock.iso(row["updated_at"]),
            "media": self._media(row, details),
        }

    def _file(self, row: Row) -> dict[str, Any]:
        return {
            "filePath": row["path"],
            "fileSize": str(row["size"]),
            "fileModifiedAt": self._clock.iso(row["mtime_ns"] // 1_000_000),
        }

    def _media(self, row: Row, details: Details) -> dict[str, Any]:
        media_id = row["m_id"]
        return {
            "id": media_id,
            "title": row["m_title"],
            "type": row["m_type"],
            "description": row["m_description"],
            "posterUrl": row["m_poster_url"],
            "plainPosterUrl": row["m_plain_poster_url"],
            "backdropUrl": row["m_backdrop_url"],
            "logoUrl": row["m_logo_url"],
            "meshGradientColors": json.loads(row["m_colors"]) if row["m_colors"] else [],
            "releaseDate": _midnight(row["m_release_date"]),
            "rating": row["m_rating"],
            "genres": details.genres.get(media_id, []),
            "externalIds": details.ids.get(media_id, []),
            "metadataProvider": row["m_metadata_provider"],
            "createdAt": self._clock.iso(row["m_created_at"]),
            "updatedAt": self._clock.iso(row["m_updated_at"]),
        }

    def _seasons(self, show_id: str) -> list[dict[str, Any]]:
        params = {"id": show_id}
        rows = self._db.query(
            "SELECT e.*, s.number AS season, f.path, f.size, f.mtime_ns FROM season s"
            " JOIN episode e ON e.season_id = s.id JOIN file f ON f.id = e.file_id"
            " WHERE s.show_id = :id ORDER BY s.number, e.number",
            params,
        )
        episodes: dict[str, list[dict[str, Any]]] = {}
        for row in rows:
            episodes.setdefault(row["season_id"], []).append(self._episode(row))
        seasons = self._db.query("SELECT * FROM season WHERE show_id = :id ORDER BY number", params)
        return [
            {
                "id": row["id"],
                "seasonNumber": row["number"],
                "name": row["name"],
                "overview": row["overview"],
                "airDate": _midnight(row["air_date"]),
                "posterUrl": row["poster_url"],
                "tvShowId": show_id,
                "episodes": episodes[row["id"]],
            }
            for row in seasons
            if row["id"] in episodes
        ]

    def _episode(self, row: Row) -> dict[str, Any]:
        return {
            "id": row["id"],
            "episodeNumber": row["number"],
            "seasonNumber": row["season"],
            "title": row["title"],
            "overview": row["overview"],
            "airDate": _midnight(row["air_date"]),
            "runtime": row["runtime"],
            "stillUrl": row["still_url"],
            **self._file(row),
            "seasonId": row["season_id"],
            "streamUrl": f"/api/v1/stream/{row['id']}",
        }

    def _details(self, rows: Sequence[Row]) -> Details:
        """Genres and external ids of all of them, in two statements."""
        details = Details()
        media_ids = sorted({row["m_id"] for row in rows})
        if not media_ids:
            return details
        names, values = named_list("m", media_ids)
        for row in self._db.query(
            "SELECT l.media_id, g.name FROM media_genre l JOIN genre g ON g.id = l.genre_id"
            f" WHERE l.media_id IN ({names}) ORDER BY g.name",
            values,
        ):
            details.genres.setdefault(row["media_id"], []).append(row["name"])
        for row in self._db.query(
            "SELECT media_id, source, external_id FROM external_id"
            f" WHERE media_id IN ({names}) ORDER BY source",
            values,
        ):
            shown = {"source": row["source"], "externalId": row["external_id"]}
            details.ids.setdefault(row["media_id"], []).append(shown)
        return details


class Details:
    """Of several media, by their id."""

    def __init__(self) -> None:
        self.genres: dict[str, list[str]] = {}
        self.ids: dict[str, list[dict[str, str]]] = {}


def _midnight(day: str | None) -> str | None:
    return None if day is None else f"{day}T00:00:00.000Z"
