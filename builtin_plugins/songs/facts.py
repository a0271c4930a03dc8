"""What is known of a song: from its file, and with the edits of people on top."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self

from builtin_plugins.songs.identity import clean, is_clean
from plugin_sdk import Row

__all__ = ["EDITABLE", "Arrangement", "Edits", "SongFacts", "Stem", "compact"]

EDITABLE: Final = ("title", "artist", "album", "year", "coverImage")
"""What can be overridden, in the order in which it is listed."""

_LONGEST_ARTIST: Final = 400
"""Its spelling stands in an index beside its key; what is ASCII may be longer."""

compact: Final = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), allow_nan=False, check_circular=False
).encode
"""A value as JSON text."""


@dataclass(frozen=True, slots=True)
class Arrangement:
    """``notes``: single notes and chords of the chart."""

    name: str
    notes: int = 0


@dataclass(frozen=True, slots=True)
class Stem:
    """``mime_type`` and ``size`` are None when its file is missing."""

    stem_id: str
    default: bool = False
    language: str | None = None
    mime_type: str | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True)
class SongFacts:
    """A song as its file tells it; ``duration`` in seconds, ``mtime`` seconds since the epoch.

    ``audio`` is the index of the stem that is the full mix, None without audio."""

    title: str = ""
    artist: str = ""
    album: str = ""
    year: int | None = None
    duration: float = 0.0
    tuning: Sequence[int] = ()
    arrangements: Sequence[Arrangement] = ()
    stems: Sequence[Stem] = ()
    has_lyrics: bool = False
    has_cover: bool = False
    audio: int | None = None
    format: str = ""
    mtime: float = 0.0

    def to_json(self) -> str:
        """Compact, to be read back by `from_json`."""
        value = [
            [self.title, self.artist, self.album, self.year, self.duration, list(self.tuning)],
            [[each.name, each.notes] for each in self.arrangements],
            [[s.stem_id, s.default, s.language, s.mime_type, s.size] for s in self.stems],
            [self.has_lyrics, self.has_cover, self.audio, self.format, self.mtime],
        ]
        return compact(value)

    @classmethod
    def from_json(cls, text: str) -> Self:
        song, arrangements, stems, rest = json.loads(text)
        values = [
            *song,
            [Arrangement(*each) for each in arrangements],
            [Stem(*each) for each in stems],
            *rest,
        ]
        return cls(*values)

    def storable(self) -> Self:
        """With texts that a database takes."""
        texts = [self.title, self.artist, self.album]
        texts += [each.name for each in self.arrangements]
        for stem in self.stems:
            texts += [stem.stem_id, stem.language or ""]
        if is_clean("".join(texts)):  # nearly always
            return self
        return replace(
            self,
            title=clean(self.title),
            artist=clean(self.artist)[:_LONGEST_ARTIST],
            album=clean(self.album),
            arrangements=[Arrangement(clean(a.name), a.notes) for a in self.arrangements],
            stems=[
                Stem(
                    clean(s.stem_id),
                    s.default,
                    None if s.language is None else clean(s.language),
                    s.mime_type,
                    s.size,
                )
                for s in self.stems
            ],
        )


@dataclass(frozen=True, slots=True)
class Edits:
    """The override layer of a song (songs contract, 5.4). None is no override; a ``year`` of
    ``""`` is unknown. ``cover`` marks the uploaded cover, another text for each."""

    title: str | None = None
    artist: str | None = None
    album: str | None = None
    year: str | None = None
    cover: str | None = None
    revision: int = 0
    fields: Sequence[str] = field(init=False, default=())
    """Names of the overridden fields."""

    def __post_init__(self) -> None:
        values = (self.title, self.artist, self.album, self.year, self.cover)
        named = tuple(n for n, v in zip(EDITABLE, values, strict=True) if v is not None)
        object.__setattr__(self, "fields", named)

    @classmethod
    def of(cls, row: Row | Mapping[str, Any] | None) -> Self:
        """From a row of ``edits``; without one there are none."""
        if row is None or row["revision"] is None:
            return cls()
        names = ("title", "artist", "album", "year", "cover", "revision")
        return cls(**{name: row[name] for name in names})

    def over(self, facts: SongFacts) -> SongFacts:
        """The song as it is shown."""
        if not self.fields:
            return facts
        year = facts.year
        if self.year is not None:
            year = int(self.year) if self.year else None
        return replace(
            facts,
            title=facts.title if self.title is None else self.title,
            artist=facts.artist if self.artist is None else self.artist,
            album=facts.album if self.album is None else self.album,
            year=year,
            has_cover=facts.has_cover or self.cover is not None,
        )
