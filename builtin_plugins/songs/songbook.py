"""Looking up one song: its row, what its file says and what was edited."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from builtin_plugins.songs.facts import Edits, SongFacts
from builtin_plugins.songs.identity import is_track_id
from builtin_plugins.songs.rows import iso
from plugin_sdk import Database, NotFound, Row, tuning_name, tuning_sort_key

__all__ = ["Song", "Songbook"]

_SELECT: Final = (
    "SELECT s.id, s.track_id, s.filename, s.path, s.format, s.signature, t.created_at, "
    "t.modified_at, d.facts, e.title, e.artist, e.album, e.year, e.cover, e.revision "
    "FROM songs s JOIN tracks t ON t.id = s.id JOIN documents d ON d.id = s.id "
    "LEFT JOIN edits e ON e.id = s.id WHERE s.track_id = :track_id"
)


@dataclass(frozen=True, slots=True)
class Song:
    """A song with its track. ``facts`` are its file's, ``shown`` has the edits applied."""

    id: int
    track_id: str
    filename: str
    path: str
    format: str
    signature: str
    created_at: int
    modified_at: int
    facts: SongFacts
    edits: Edits

    @property
    def shown(self) -> SongFacts:
        return self.edits.over(self.facts)

    def track(self) -> dict[str, Any]:
        """Track of section 5.1."""
        shown = self.shown
        return {
            "id": self.id,
            "trackId": self.track_id,
            "filename": self.filename,
            "title": shown.title,
            "artist": shown.artist,
            "album": shown.album,
            "year": shown.year,
            "duration": shown.duration,
            "tuning": list(shown.tuning),
            "tuningName": tuning_name(shown.tuning),
            "tuningSortKey": tuning_sort_key(shown.tuning),
            "hasLyrics": shown.has_lyrics,
            "hasCover": shown.has_cover,
            "format": shown.format,
            "stemCount": len(shown.stems),
            "arrangements": self.arrangements(),
            "edited": list(self.edits.fields),
            "createdAt": iso(self.created_at),
            "modifiedAt": iso(self.modified_at),
        }

    def data(self) -> dict[str, Any]:
        """What section 5.2 gives."""
        return {
            "id": self.id,
            "trackId": self.track_id,
            "originalFilename": self.filename,
            "arrangements": self.arrangements(),
            "coverImageStorageId": f"cover_{self.track_id}" if self.shown.has_cover else None,
            "audioFileStorageId": None if self.facts.audio is None else f"audio_{self.track_id}",
        }

    def arrangements(self) -> list[Mapping[str, Any]]:
        return [
            {"index": index, "name": each.name, "notes": each.notes}
            for index, each in enumerate(self.facts.arrangements)
        ]

    def stems(self) -> list[dict[str, Any]]:
        """StemData of section 5.3, by stemIndex."""
        return [
            {
                "id": self.id * _STEMS + index + 1,
                "trackId": self.track_id,
                "stemIndex": index,
                "arrangement": stem.stem_id,
                "stemId": stem.stem_id,
                "default": stem.default,
                "language": stem.language,
                "mimeType": stem.mime_type,
                "size": stem.size,
                "stemAudioFileStorageId": (
                    None if stem.mime_type is None else f"stem_{self.track_id}_{index}"
                ),
            }
            for index, stem in enumerate(self.facts.stems)
        ]


_STEMS: Final = 100_000
"""Stems have no rows: their ids are the song's, which is never used again, with room for each."""


class Songbook:
    def __init__(self, db: Database) -> None:
        self._db = db

    def find(self, track_id: str) -> Song | None:
        """None for a song that is unknown, deleted or an orphan."""
        if not is_track_id(track_id):
            return None
        row = self._db.one(_SELECT, {"track_id": track_id})
        return None if row is None else _song(row)

    def get(self, track_id: str) -> Song:
        """Raises NotFound."""
        found = self.find(track_id)
        if found is None:
            raise NotFound("There is no such track.")
        return found

    def id_of(self, track_id: str) -> int:
        """The number of a song that has a track; raises NotFound."""
        found = None
        if is_track_id(track_id):
            sql = "SELECT id FROM tracks WHERE track_id = :track_id"
            found = self._db.value(sql, {"track_id": track_id})
        if found is None:
            raise NotFound("There is no such track.")
        return int(found)


def _song(row: Row) -> Song:
    return Song(
        row["id"],
        row["track_id"],
        row["filename"],
        row["path"],
        row["format"],
        row["signature"],
        row["created_at"],
        row["modified_at"],
        SongFacts.from_json(row["facts"]),
        Edits.of(row),
    )
