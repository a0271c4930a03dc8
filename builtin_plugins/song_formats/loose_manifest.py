"""The optional manifest of a loose folder (songs contract, section 11)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from builtin_plugins.song_formats.files import FolderFiles, MissingFile
from builtin_plugins.song_formats.json_text import parse_data
from builtin_plugins.song_formats.manifest import MAX_MANIFEST, parse_tuning, parse_year
from builtin_plugins.song_formats.values import clean_text, number, objects
from builtin_plugins.song_formats.yaml_text import YamlFloat, YamlInt, parse_yaml
from plugin_sdk import UnreadableSong

__all__ = ["LooseManifest", "read_loose_manifest"]

_KINDS: Final = {"lead": "Lead", "rhythm": "Rhythm", "bass": "Bass", "combo": "Combo"}


@dataclass(frozen=True, slots=True)
class LooseManifest:
    """What is stated; empty for the rest. ``names``: of arrangements, by their files."""

    title: str = ""
    artist: str = ""
    album: str = ""
    year: int | None = None
    duration: float = 0.0
    tuning: tuple[int, ...] | None = None
    names: Mapping[str, str] = field(default_factory=dict)


def read_loose_manifest(files: FolderFiles, names: Sequence[str]) -> LooseManifest:
    """``manifest.json``, else ``manifest.yaml``. Nothing in it is needed, so a broken one is
    as good as none."""
    document: Any = None
    with suppress(MissingFile, UnreadableSong):
        if "manifest.json" in names:
            document = parse_data(files.read("manifest.json", MAX_MANIFEST), "manifest.json")
        elif "manifest.yaml" in names:
            document = parse_yaml(files.read("manifest.yaml", MAX_MANIFEST))
    if not isinstance(document, dict):
        return LooseManifest()
    duration = number(document.get("duration"))
    return LooseManifest(
        title=_text(document.get("title")),
        artist=_text(document.get("artist")),
        album=_text(document.get("album")),
        year=parse_year(document.get("year")),
        duration=float(duration) if duration is not None and duration >= 0 else 0.0,
        tuning=parse_tuning(document.get("tuning_offsets")),
        names=dict(_names(document.get("arrangements"))),
    )


def _text(value: Any) -> str:
    if isinstance(value, YamlInt | YamlFloat):
        return value.text
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return clean_text(value) if isinstance(value, str) else ""


def _names(value: Any) -> list[tuple[str, str]]:
    found = []
    for item in objects(value):
        kind = _text(item.get("type"))
        name = _text(item.get("name")) or _KINDS.get(kind.lower(), kind)
        file = item.get("file")
        if isinstance(file, str) and name:
            found.append((file, name))
    return found
