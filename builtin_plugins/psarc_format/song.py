"""A song inside an archive: which entries it is made of."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from builtin_plugins.psarc_format.container import Container
from plugin_sdk import Invalid, UnreadableSong, parse_json

__all__ = ["Attributes", "Contents", "Part", "find_contents"]

Attributes = Mapping[str, Any]

_XML: Final = re.compile(r"songs/arr/([^/]+_(?:lead|rhythm|bass|combo|vocals)[0-9]*)\.xml")
_SNG: Final = re.compile(r"songs/bin/[^/]+/([^/]+)\.sng")
_MANIFEST: Final = re.compile(r"manifests/(?:.+/)?([^/]+)\.json")
_ART: Final = re.compile(r"gfxassets/album_art/[^/]+_(64|128|256)\.dds")
_SOUND: Final = re.compile(r"audio/.+\.wem")
_IGNORED: Final = frozenset({"jvocals", "showlights"})
_KINDS: Final = ("lead", "rhythm", "bass", "combo", "vocals")


@dataclass(frozen=True, slots=True)
class Part:
    """One arrangement, by what its entries are called. ``xml`` beats ``sng``."""

    base: str
    xml: str | None = None
    sng: str | None = None
    attributes: Attributes | None = None

    @property
    def kind(self) -> str:
        """``ArrangementName``, else what the entry is called, in lower case."""
        stated = text(self.attributes, "ArrangementName")
        if stated:
            return stated.lower()
        tail = self.base.rpartition("_")[2].rstrip("0123456789")
        return tail if tail in _KINDS or tail in _IGNORED else ""

    @property
    def name(self) -> str:
        stated = text(self.attributes, "ArrangementName") or self.kind.title() or "Lead"
        properties = (self.attributes or {}).get("ArrangementProperties")
        bonus = isinstance(properties, dict) and properties.get("bonusArr") == 1
        return f"Bonus {stated}" if bonus else stated


@dataclass(frozen=True, slots=True)
class Contents:
    """``parts`` without vocals, in the order of the archive."""

    parts: tuple[Part, ...]
    vocals: Part | None
    art: str | None
    sound: str | None


def find_contents(archive: Container) -> Contents:
    """Raises UnreadableSong when there is no arrangement."""
    names = archive.names
    xml, sng = _by_base(names, _XML), _by_base(names, _SNG)
    attributes: dict[str, Attributes] = {}
    for base, name in _by_base(names, _MANIFEST).items():
        found = _attributes(archive.read(name))
        if found is not None:
            attributes[base] = found
    bases = dict.fromkeys([*attributes, *xml, *sng])
    parts = [
        Part(base, xml.get(base), sng.get(base), attributes.get(base))
        for base in bases
        if base in xml or base in sng
    ]
    played = tuple(part for part in parts if part.kind not in _IGNORED | {"vocals"})
    if not played:
        raise UnreadableSong("the archive holds no arrangement")
    art = [(int(match[1]), name) for name in names if (match := _ART.fullmatch(name.lower()))]
    sounds = [name for name in names if _SOUND.fullmatch(name.lower())]
    return Contents(
        played,
        next((part for part in parts if part.kind == "vocals"), None),
        max(art)[1] if art else None,
        max(sounds, key=archive.size, default=None),
    )


def text(attributes: Attributes | None, key: str) -> str:
    value = (attributes or {}).get(key)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:.15g}"
    return value.strip() if isinstance(value, str) else ""


def number(attributes: Attributes | None, key: str) -> float | None:
    value = (attributes or {}).get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return value


def tuning(attributes: Attributes | None) -> tuple[int, ...] | None:
    value = (attributes or {}).get("Tuning")
    if not isinstance(value, dict):
        return None
    found = [value.get(f"string{i}") for i in range(6)]
    if not all(isinstance(each, int) and abs(each) <= 99 for each in found):
        return None
    return tuple(int(each) for each in found if each is not None)


def _by_base(names: list[str], pattern: re.Pattern[str]) -> dict[str, str]:
    """Names of entries by the part of them that an arrangement's entries share."""
    matches = ((pattern.fullmatch(name.lower()), name) for name in names)
    return {match[1]: name for match, name in matches if match}


def _attributes(content: bytes) -> Attributes | None:
    """``Entries.<id>.Attributes`` of the first entry; None for what is no such manifest."""
    try:
        document = parse_json(content.removeprefix(b"\xef\xbb\xbf"))
    except Invalid:
        return None
    entries = document.get("Entries") if isinstance(document, dict) else None
    for entry in entries.values() if isinstance(entries, dict) else ():
        found = entry.get("Attributes") if isinstance(entry, dict) else None
        if isinstance(found, dict) and found.get("ArrangementName"):
            return found
    return None
