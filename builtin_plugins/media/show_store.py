"""Shows, seasons and episodes on their way into the database, inside a folder's transaction."""

from __future__ import annotations

from builtin_plugins.media.catalogue import TV_SHOW, Catalogue, day, text
from builtin_plugins.media.chain import SeasonFound
from builtin_plugins.media.discovery import FoundFile, is_gone
from builtin_plugins.media.lookups import Answer
from plugin_sdk import Database, EpisodeMetadata, Logger, Row

__all__ = ["ShowStore"]


class ShowStore:
    def __init__(self, database: Database, catalogue: Catalogue, log: Logger) -> None:
        self._db = database
        self._catalogue = catalogue
        self._log = log

    def media(self, key: str, title: str, answer: Answer | None) -> str:
        """The media of the show behind a key: the one with the ids of the match, else the one
        that the key leads to, else a new one. An unmatched row is filled in place."""
        current = self._db.value("SELECT media_id FROM show_key WHERE key = :key", {"key": key})
        metadata = answer.metadata if answer is not None else None
        if answer is None or metadata is None:
            media_id = current or self._catalogue.create(TV_SHOW, title)
        else:
            found = self._catalogue.find(TV_SHOW, metadata.ids)
            media_id = found or current or self._catalogue.create(TV_SHOW, metadata.title)
            if answer.artwork is not None:
                row, source = answer.found.row, answer.found.source
                self._catalogue.fill(media_id, metadata, row, source, answer.artwork)
        if current is not None and current != media_id:
            self._join(current, media_id)
        if current != media_id:
            self._db.table("show_key").upsert({"key": key, "media_id": media_id})
        return str(media_id)

    def episodes(self, media_id: str) -> set[tuple[int, int]]:
        """The (season, number) of all episodes of a show."""
        rows = self._db.query(
            "SELECT s.number AS season, e.number FROM tvshow t JOIN season s ON s.show_id = t.id"
            " JOIN episode e ON e.season_id = s.id WHERE t.media_id = :id",
            {"id": media_id},
        )
        return {(row["season"], row["number"]) for row in rows}

    def season(self, show_id: str, number: int, found: SeasonFound | None) -> Row:
        row = self._catalogue.season(show_id, number)
        if found is None:
            return row
        values: Row = {"failed": found.error}
        if found.season is not None:
            said = found.season
            values |= {
                "name": text(said.name) or f"Season {number}",
                "overview": text(said.overview),
                "air_date": day(said.air_date),
                "poster_url": text(said.poster_url),
            }
        changes = {name: value for name, value in values.items() if row[name] != value}
        if changes:
            self._db.table("season").update(row["id"], changes)
        return row

    def place(
        self,
        season: Row,
        number: int,
        file_id: str,
        film: FoundFile,
        found: SeasonFound | None,
    ) -> None:
        """Gives an episode its file. Of two files the one with the smaller path has it, as long
        as that is there."""
        values = _episode_values(found, number)
        row = self._db.one(
            "SELECT e.*, f.path FROM episode e JOIN file f ON f.id = e.file_id"
            " WHERE e.season_id = :season AND e.number = :number",
            {"season": season["id"], "number": number},
        )
        if row is None:
            self._catalogue.add_episode(season["id"], number, file_id, values)
            return
        if row["file_id"] != file_id:
            if film.path > row["path"] and not is_gone(row["path"]):
                self._log.info(
                    "Two files hold S%02dE%02d; this one is not used: %s",
                    *(season["number"], number, film.name),
                )
            else:
                values["file_id"] = file_id
                self._catalogue.memory.forget()
        changes = {name: value for name, value in values.items() if row[name] != value}
        if changes:
            self._db.table("episode").update(row["id"], changes)

    def forget_film(self, file_id: str) -> None:
        """The file was scanned as a film before: it is an episode now."""
        media_id = self._db.value("SELECT media_id FROM movie WHERE file_id = :id", {"id": file_id})
        if media_id is not None:
            self._catalogue.memory.forget()
            self._db.table("movie").delete_where("file_id = :id", {"id": file_id})
            self._catalogue.remove_empty([media_id])

    def _join(self, old: str, new: str) -> None:
        """A match showed that two rows are one show: seasons and episodes move, the old row
        goes."""
        show_id = self._catalogue.show(new)
        self._catalogue.memory.forget()
        rows = self._db.query(
            "SELECT e.id, e.number, e.file_id, s.number AS season, f.path FROM episode e"
            " JOIN season s ON s.id = e.season_id JOIN tvshow t ON t.id = s.show_id"
            " JOIN file f ON f.id = e.file_id WHERE t.media_id = :id",
            {"id": old},
        )
        for row in rows:
            season = self._catalogue.season(show_id, row["season"])
            there = self._db.one(
                "SELECT e.id, f.path FROM episode e JOIN file f ON f.id = e.file_id"
                " WHERE e.season_id = :season AND e.number = :number",
                {"season": season["id"], "number": row["number"]},
            )
            if there is None:
                self._db.table("episode").update(row["id"], {"season_id": season["id"]})
            elif row["path"] < there["path"]:
                self._db.table("episode").update(there["id"], {"file_id": row["file_id"]})
        self._db.execute(
            "UPDATE show_key SET media_id = :new WHERE media_id = :old", {"new": new, "old": old}
        )
        self._db.execute(
            "DELETE FROM episode WHERE season_id IN (SELECT s.id FROM season s"
            " JOIN tvshow t ON t.id = s.show_id WHERE t.media_id = :old)",
            {"old": old},
        )
        self._catalogue.remove_empty([old])


def _episode_values(found: SeasonFound | None, number: int) -> Row:
    """What a provider says about an episode; nothing where it says nothing."""
    said: EpisodeMetadata | None = None
    if found is not None and found.season is not None:
        same = (each for each in found.season.episodes if each.episode_number == number)
        said = next(same, None)
    if said is None:
        return {}
    minutes = said.runtime_minutes
    return {
        "title": text(said.name) or f"Episode {number}",
        "overview": text(said.overview),
        "air_date": day(said.air_date),
        "runtime": minutes if isinstance(minutes, int) and 0 < minutes < 1_000_000 else None,
        "still_url": text(said.still_url),
    }
