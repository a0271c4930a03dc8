"""Reading one song whole, wherever that happens: a plain function over plain values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from builtin_plugins.songs.facts import Arrangement, SongFacts, Stem
from builtin_plugins.songs.pictures import is_picture
from plugin_sdk import SongFormat, SongMetadata, SongSource, UnreadableSong

__all__ = ["READING_SECONDS", "Reading", "read_song"]

READING_SECONDS: Final = 60.0
"""A song that takes longer is unreadable (songs contract, 13)."""

_YEARS: Final = range(10_000)


@dataclass(frozen=True, slots=True)
class Reading:
    """What reading gave: facts, or the sentence that says why there are none. ``gone``: the file
    vanished meanwhile. ``fault`` is what an unexpected exception said, for the log only."""

    facts: SongFacts | None = None
    message: str = ""
    gone: bool = False
    fault: str = ""


def read_song(reader: SongFormat, path: str, root: str, mtime: float) -> Reading:
    """Never raises: what a reader raises fails this song only."""
    source = SongSource(Path(root, path), Path(root))
    try:
        found = reader.metadata(source)
        return Reading(_facts(reader, source, found, mtime))
    except UnreadableSong as error:
        return Reading(message=error.message)
    except FileNotFoundError:
        return Reading(message="The file has vanished.", gone=True)
    except OSError as error:
        return Reading(message="The file cannot be read.", fault=repr(error))
    except MemoryError:
        return Reading(message="The song is too large to be read.")
    except Exception as error:
        return Reading(message="The song cannot be read.", fault=repr(error))


def _facts(reader: SongFormat, source: SongSource, found: SongMetadata, mtime: float) -> SongFacts:
    cover = reader.cover(source) if found.has_cover else None
    duration = found.duration if math.isfinite(found.duration) else 0.0
    return SongFacts(
        title=found.title,
        artist=found.artist,
        album=found.album,
        year=found.year if found.year in _YEARS else None,
        duration=max(0.0, duration),
        tuning=found.tuning,
        arrangements=[Arrangement(each.name, each.notes) for each in found.arrangements],
        stems=[
            Stem(each.stem_id, each.default, each.language, each.media_type, each.size)
            for each in found.stems
        ],
        has_lyrics=found.has_lyrics,
        has_cover=cover is not None and is_picture(cover.content),
        audio=found.mix(),
        format=reader.name,
        mtime=mtime,
    )
