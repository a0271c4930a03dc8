"""The manifest of a pack (songs contract, 9.2 to 9.4)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from builtin_plugins.song_formats.files import check_pointer
from builtin_plugins.song_formats.values import clean_text, items, number, objects, plain, whole
from builtin_plugins.song_formats.yaml_text import YamlFloat, YamlInt, parse_yaml
from plugin_sdk import UnreadableSong

__all__ = [
    "MAX_MANIFEST",
    "Manifest",
    "ManifestArrangement",
    "ManifestStem",
    "parse_manifest",
    "parse_tuning",
    "parse_year",
]

MAX_MANIFEST: Final = 1024 * 1024
MAX_STRINGS: Final = 12

_NUMBER: Final = "(0|[1-9][0-9]*)"
_PRE: Final = "(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_BUILD: Final = "[0-9A-Za-z-]+"
_SEMVER: Final = re.compile(  # Semantic Versioning 2.0.0, 2, 9 and 10
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(-{_PRE}(\.{_PRE})*)?(\+{_BUILD}(\.{_BUILD})*)?"
)
_POINTERS: Final = (
    "lyrics",
    "cover",
    "preview",
    "song_timeline",
    "drum_tab",
    "vocal_pitch",
    "vocal_pitch_contour",
    "keys",
    "harmony",
    "rigs",
)
_KEPT: Final = (
    "album_artist",
    "track",
    "disc",
    "genres",
    "language",
    "authors",
    "lyrics_source",
)
_TRUE: Final = frozenset({"true", "on", "yes"})
_YEARS: Final = range(10_000)


@dataclass(frozen=True, slots=True)
class ManifestArrangement:
    """``file`` is None for one that has only a notation."""

    id: str
    name: str
    file: str | None
    tuning: tuple[int, ...] | None = None
    capo: int | None = None
    cent_offset: float | None = None


@dataclass(frozen=True, slots=True)
class ManifestStem:
    id: str
    file: str
    codec: str | None = None
    language: str | None = None
    default: bool = False


@dataclass(frozen=True, slots=True)
class Manifest:
    """``free_cover``: there may be a cover at the root that the manifest does not name."""

    title: str
    artist: str
    duration: float
    arrangements: tuple[ManifestArrangement, ...]
    stems: tuple[ManifestStem, ...]
    album: str = ""
    year: int | None = None
    lyrics: str | None = None
    cover: str | None = None
    free_cover: bool = False
    timeline: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


def parse_manifest(content: bytes) -> Manifest:
    """Raises UnreadableSong, naming the key that is wrong."""
    document = parse_yaml(content)
    if not isinstance(document, dict):
        raise UnreadableSong("the manifest is no mapping")
    _check_version(document)
    _check_pointers(document)
    arrangements = _needed_list(document, "arrangements")
    stems = _needed_list(document, "stems")
    pointers = {name: _pointer(document.get(name)) for name in _POINTERS}
    return Manifest(
        title=_needed_text(document, "title", "title"),
        artist=_needed_text(document, "artist", "artist"),
        duration=_duration(document.get("duration")),
        arrangements=tuple(_arrangement(each, i) for i, each in enumerate(arrangements)),
        stems=tuple(_stem(each, i) for i, each in enumerate(stems)),
        album=album if (album := _text(document.get("album"))) is not None else "",
        year=parse_year(document.get("year")),
        lyrics=pointers["lyrics"] or _original_lyrics(document),
        cover=pointers["cover"],
        free_cover="feedpak_version" not in document and pointers["cover"] is None,
        timeline=pointers["song_timeline"],
        extra={key: plain(document[key]) for key in _KEPT if document.get(key) is not None},
    )


def parse_tuning(value: Any) -> tuple[int, ...] | None:
    """Semitones, 1 to 12 strings; None for everything else."""
    found = [whole(each) for each in items(value)]
    if not 1 <= len(found) <= MAX_STRINGS or any(each is None or abs(each) > 99 for each in found):
        return None
    return tuple(each for each in found if each is not None)


def _check_version(document: Mapping[str, Any]) -> None:
    if "feedpak_version" not in document:
        return
    version = document["feedpak_version"]
    match = _SEMVER.fullmatch(version) if isinstance(version, str) else None
    if match is None:
        raise UnreadableSong("feedpak_version is no version such as 1.0.0")
    if match.group(1) not in ("0", "1"):
        raise UnreadableSong(f"feedpak_version {version} is newer than this reader knows")


def _check_pointers(document: Mapping[str, Any]) -> None:
    pointers = [(name, document.get(name)) for name in _POINTERS]
    for list_name, keys in (
        ("arrangements", ("file", "notation")),
        ("stems", ("file",)),
        ("lyric_tracks", ("file",)),
    ):
        for each in objects(document.get(list_name)):
            pointers += [(f"{list_name}.{key}", each.get(key)) for key in keys]
    for name, value in pointers:
        if isinstance(value, str) and value and not check_pointer(value):
            raise UnreadableSong(f"{name} points to a place that is not inside the pack")


def _pointer(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _original_lyrics(document: Mapping[str, Any]) -> str | None:
    for track in objects(document.get("lyric_tracks")):
        if track.get("kind") == "original" and (file := _pointer(track.get("file"))):
            return file
    return None


def _needed_list(document: Mapping[str, Any], key: str) -> list[Any]:
    found = items(document.get(key))
    if not found:
        raise UnreadableSong(f"{key} is missing, or no list with an entry")
    return found


def _needed_text(item: Mapping[str, Any], key: str, label: str) -> str:
    """Numbers are taken as they are written."""
    value = item.get(key)
    if isinstance(value, YamlInt | YamlFloat):
        return value.text
    if not isinstance(value, str):
        raise UnreadableSong(f"{label} is missing, or no text")
    return clean_text(value)


def _text(value: Any) -> str | None:
    return clean_text(value) if isinstance(value, str) else None


def _duration(value: Any) -> float:
    found = number(value)
    if found is None or found < 0:
        raise UnreadableSong("duration is missing, or no number of seconds")
    return float(found)


def parse_year(value: Any) -> int | None:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value.strip()):
        value = int(value)
    found = int(value) if isinstance(value, int) and not isinstance(value, bool) else None
    return found if found in _YEARS else None


def _entry(value: Any, label: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise UnreadableSong(f"{label} is no mapping")
    if not _needed_text(value, "id", f"{label}.id").strip():
        raise UnreadableSong(f"{label}.id is empty")
    return value


def _arrangement(value: Any, index: int) -> ManifestArrangement:
    label = f"arrangements[{index}]"
    entry = _entry(value, label)
    file, notation = _pointer(entry.get("file")), _pointer(entry.get("notation"))
    if file is None and notation is None:
        raise UnreadableSong(f"{label} has neither file nor notation")
    identity = _needed_text(entry, "id", f"{label}.id")
    name = entry.get("name")
    cents = number(entry.get("centOffset"))
    return ManifestArrangement(
        id=identity,
        name=(name.text if isinstance(name, YamlInt | YamlFloat) else _text(name)) or identity,
        file=file,
        tuning=parse_tuning(entry.get("tuning")),
        capo=whole(entry.get("capo"), 0),
        cent_offset=None if cents is None else cents + 0,
    )


def _stem(value: Any, index: int) -> ManifestStem:
    label = f"stems[{index}]"
    entry = _entry(value, label)
    file = _pointer(entry.get("file"))
    if file is None:
        raise UnreadableSong(f"{label}.file is missing, or no path")
    default = entry.get("default")
    return ManifestStem(
        id=_needed_text(entry, "id", f"{label}.id"),
        file=file,
        codec=_text(entry.get("codec")),
        language=_text(entry.get("language")) or None,
        default=default.strip().lower() in _TRUE if isinstance(default, str) else default is True,
    )
