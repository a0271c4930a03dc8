# ruff: noqa: S608 (only names of placeholders and constants are put together; values are bound)
"""Films and shows as they are kept: made, matched, filled, joined, removed (media contract, 7.5).

Everything here runs inside the transaction of the folder that is being stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from builtin_plugins.media.folder_memory import FolderMemory
from builtin_plugins.media.ids import Ids
from builtin_plugins.media.names import folded
from builtin_plugins.media.statements import chunks, named_list
from plugin_sdk import Clock, Database, Events, MediaMetadata, Person, Row

__all__ = ["MOVIE", "TV_SHOW", "Artwork", "Catalogue", "day", "text"]

MOVIE: Final = "MOVIE"
TV_SHOW: Final = "TV_SHOW"
_GENRES: Final[Mapping[str, tuple[str, ...]]] = {
    "sci-fi": ("Science Fiction",),
    "scifi": ("Science Fiction",),
    "sci fi": ("Science Fiction",),
    "sci-fi & fantasy": ("Science Fiction",),
    "action & adventure": ("Action",),
    "war & politics": ("War",),
}
_MAX_PEOPLE: Final = 100


@dataclass(frozen=True, slots=True)
class Artwork:
    """Where poster and backdrop of a match are now, stored here or still where they were; the
    sources are the addresses that the provider gave."""

    poster_url: str | None = None
    backdrop_url: str | None = None
    poster_source: str | None = None
    backdrop_source: str | None = None


def text(value: Any) -> str | None:
    """A text worth keeping: "" counts as none, and so does what is no text."""
    if not isinstance(value, str):
        return None
    cleaned = "".join(c for c in value if c != "\0" and not "\ud800" <= c <= "\udfff").strip()
    return cleaned or None


def day(value: Any) -> str | None:
    return value.isoformat()[:10] if isinstance(value, date) else None


def _positive(value: Any) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e9:
        return float(value)
    return None


def _minutes(value: Any) -> int | None:
    number = _positive(value)
    return int(number) or None if number is not None else None


class Catalogue:
    def __init__(
        self, database: Database, ids: Ids, clock: Clock, events: Events, memory: FolderMemory
    ) -> None:
        self._db = database
        self._ids = ids
        self._clock = clock
        self._events = events
        self.memory = memory

    # Media

    def find(self, kind: str, ids: Mapping[str, str]) -> str | None:
        """The media with one of these external ids, the first that is known."""
        for source, value in ids.items():
            found = self._db.value(
                "SELECT media_id FROM external_id WHERE type = :type AND source = :source"
                " AND external_id = :value",
                {"type": kind, "source": source, "value": value},
            )
            if found is not None:
                return str(found)
        return None

    def artwork(self, media_id: str) -> Artwork:
        row = self._db.one(
            "SELECT poster_url, backdrop_url, poster_source, backdrop_source FROM media"
            " WHERE id = :id",
            {"id": media_id},
        )
        return Artwork() if row is None else Artwork(**row)

    def pictured(self, urls: Sequence[str]) -> set[str]:
        """Those of the addresses that some poster or backdrop has."""
        names, values = named_list("u", urls)
        rows = self._db.query(
            f"SELECT poster_url AS url FROM media WHERE poster_url IN ({names})"
            f" UNION SELECT backdrop_url FROM media WHERE backdrop_url IN ({names})",
            values,
        )
        return {row["url"] for row in rows}

    def is_matched(self, media_id: str) -> bool:
        provider = self._db.value(
            "SELECT metadata_provider FROM media WHERE id = :id", {"id": media_id}
        )
        return provider is not None

    def external_ids(self, media_id: str) -> dict[str, str]:
        rows = self._db.query(
            "SELECT source, external_id FROM external_id WHERE media_id = :id ORDER BY source",
            {"id": media_id},
        )
        return {row["source"]: row["external_id"] for row in rows}

    def create(self, kind: str, title: str) -> str:
        """A media row that nobody has told anything about yet."""
        now, media_id = self._clock.ms(), self._ids.new()
        self._db.table("media").insert(
            {
                "id": media_id,
                "type": kind,
                "title": title,
                "folded": folded(title),
                "created_at": now,
                "updated_at": now,
            }
        )
        self._events.emit("media.item_added", {"id": media_id, "type": kind, "title": title})
        return media_id

    def fill(
        self,
        media_id: str,
        metadata: MediaMetadata,
        provider: str,
        source: str,
        artwork: Artwork,
    ) -> None:
        """Stores what a provider answered; the row's time changes only if something else does."""
        row = self._db.table("media").get(media_id)
        assert row is not None
        title = text(metadata.title) or row["title"]
        values: Row = {
            "title": title,
            "folded": folded(title),
            "description": text(metadata.overview),
            "poster_url": artwork.poster_url,
            "plain_poster_url": text(metadata.plain_poster_url),
            "backdrop_url": artwork.backdrop_url,
            "logo_url": text(metadata.logo_url),
            "release_date": day(metadata.release_date),
            "rating": _positive(metadata.rating),
            "metadata_provider": provider,
        }
        before = row["poster_url"] or row["backdrop_url"]
        if (values["poster_url"] or values["backdrop_url"]) != before:
            values |= {"colors": None, "colors_failures": 0, "colors_failed_at": None}
        changes = {name: value for name, value in values.items() if row[name] != value}
        changed = bool(changes)
        changed |= self._set_ids(row["type"], media_id, metadata.ids, source)
        changed |= self._set_genres(media_id, metadata.genres)
        changed |= self._set_people(media_id, metadata.people, source)
        if changed:
            changes["updated_at"] = self._clock.ms()
        for name in ("poster_source", "backdrop_source"):  # nobody is shown these
            if row[name] != getattr(artwork, name):
                changes[name] = getattr(artwork, name)
        if changes:
            self._db.table("media").update(media_id, changes)

    def remove_empty(self, media_ids: Iterable[str]) -> int:
        """Removes those of the media that have no film and no episode left, and their empty
        seasons; returns how many."""
        removed = 0
        for some in chunks(list(dict.fromkeys(media_ids))):
            names, values = named_list("m", some)
            self._db.execute(
                f"DELETE FROM season WHERE show_id IN (SELECT id FROM tvshow WHERE media_id IN"
                f" ({names})) AND NOT EXISTS (SELECT 1 FROM episode WHERE season_id = season.id)",
                values,
            )
            empty = self._db.query(
                f"SELECT id, type, title FROM media WHERE id IN ({names})"
                " AND NOT EXISTS (SELECT 1 FROM movie WHERE media_id = media.id)"
                " AND NOT EXISTS (SELECT 1 FROM tvshow t JOIN season s ON s.show_id = t.id"
                " WHERE t.media_id = media.id)",
                values,
            )
            for row in empty:
                self._db.table("media").delete(row["id"])
                self._events.emit("media.item_removed", dict(row))
            removed += len(empty)
        return removed

    def _set_ids(self, kind: str, media_id: str, ids: Mapping[str, str], first: str) -> bool:
        """External ids belong to one media each: one that another has stays there."""
        known = self.external_ids(media_id)
        wanted = {
            source: value
            for source in sorted(ids, key=lambda each: (each != first, each))
            if (value := text(ids[source])) is not None
        }
        changed = False
        for source, value in wanted.items():
            if known.get(source) == value or self.find(kind, {source: value}) is not None:
                continue
            table = self._db.table("external_id")
            table.delete_where(
                "media_id = :id AND source = :source", {"id": media_id, "source": source}
            )
            row = {"type": kind, "source": source, "external_id": value, "media_id": media_id}
            table.insert(row)
            changed = True
        return changed

    def _set_genres(self, media_id: str, genres: Sequence[str]) -> bool:
        wanted: set[str] = set()
        for each in genres:
            name = text(each)
            if name is not None:
                wanted.update(_GENRES.get(name.casefold(), (name,)))
        rows = self._db.query(
            "SELECT g.id, g.name FROM media_genre l JOIN genre g ON g.id = l.genre_id"
            " WHERE l.media_id = :id",
            {"id": media_id},
        )
        known = {row["name"]: row["id"] for row in rows}
        if known.keys() == wanted:
            return False
        for name in known.keys() - wanted:
            self._db.table("media_genre").delete((media_id, known[name]))
        for name in sorted(wanted - known.keys()):
            genre = self._number("genre", "name", {"name": name})
            self._db.table("media_genre").insert({"media_id": media_id, "genre_id": genre})
        return True

    def _set_people(self, media_id: str, people: Sequence[Person], source: str) -> bool:
        wanted = []
        for each in people[:_MAX_PEOPLE]:
            name = text(each.name)
            if name is not None:
                outside = text(each.external_id)
                key = f"{source}:{outside}" if outside else folded(name)
                wanted.append((key, name, each.role, text(each.character)))
        rows = self._db.query(
            "SELECT p.key, p.name, l.role, l.character FROM media_person l"
            " JOIN person p ON p.id = l.person_id WHERE l.media_id = :id ORDER BY l.position",
            {"id": media_id},
        )
        known = [(row["key"], row["name"], row["role"], row["character"]) for row in rows]
        if [(key, *rest) for key, _, *rest in known] == [(key, *rest) for key, _, *rest in wanted]:
            return False
        links = self._db.table("media_person")
        links.delete_where("media_id = :id", {"id": media_id})
        for position, (key, name, role, character) in enumerate(wanted):
            person = self._number("person", "key", {"key": key, "name": name})
            links.insert(
                {
                    "media_id": media_id,
                    "position": position,
                    "person_id": person,
                    "role": role,
                    "character": character,
                }
            )
        return True

    def _number(self, table: str, column: str, row: Mapping[str, Any]) -> Any:
        """The id of the row with that unique column, made if there is none."""
        found = self._db.value(
            f"SELECT id FROM {table} WHERE {column} = :value",
            {"value": row[column]},
        )
        return found if found is not None else self._db.table(table).insert(row)

    # Films

    def film_length(self, metadata: MediaMetadata) -> Row:
        """What a film's file gets of the metadata."""
        return {
            "duration": _minutes(metadata.runtime_minutes),
            "trailer_url": text(metadata.trailer_url),
        }

    def add_movie(self, media_id: str, file_id: str, values: Row) -> str:
        now = self._clock.ms()
        row = {"id": self._ids.new(), "media_id": media_id, "file_id": file_id, **values}
        self._db.table("movie").insert({**row, "created_at": now, "updated_at": now})
        return str(row["id"])

    def change_movie(self, movie: Row, values: Row) -> None:
        changes = {name: value for name, value in values.items() if movie[name] != value}
        if changes:
            changes["updated_at"] = self._clock.ms()
            self._db.table("movie").update(movie["id"], changes)

    # Shows

    def show(self, media_id: str) -> str:
        """The show of a media row, made if there is none."""
        found = self._db.value("SELECT id FROM tvshow WHERE media_id = :id", {"id": media_id})
        if found is not None:
            return str(found)
        now, show_id = self._clock.ms(), self._ids.new()
        self._db.table("tvshow").insert(
            {"id": show_id, "media_id": media_id, "created_at": now, "updated_at": now}
        )
        return show_id

    def change_show(self, show_id: str, metadata: MediaMetadata) -> None:
        row = self._db.table("tvshow").get(show_id)
        assert row is not None
        values = {"creator": text(metadata.creator), "network": text(metadata.network)}
        changes: Row = {name: value for name, value in values.items() if row[name] != value}
        if changes:
            changes["updated_at"] = self._clock.ms()
            self._db.table("tvshow").update(show_id, changes)

    def season(self, show_id: str, number: int) -> Row:
        """The season, made if there is none."""
        row = self._db.one(
            "SELECT * FROM season WHERE show_id = :id AND number = :number",
            {"id": show_id, "number": number},
        )
        if row is None:
            season_id = self._ids.new()
            row = {"id": season_id, "show_id": show_id, "number": number}
            self._db.table("season").insert({**row, "name": f"Season {number}"})
            row = self._db.table("season").get(season_id)
            assert row is not None
        return row

    def add_episode(self, season_id: str, number: int, file_id: str, values: Row) -> None:
        row = {"id": self._ids.new(), "season_id": season_id, "number": number, "file_id": file_id}
        self._db.table("episode").insert({**row, "title": f"Episode {number}", **values})
