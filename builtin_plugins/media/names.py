"""What a file's or a folder's name says: ids, title and year (media contract, 7.4)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

__all__ = ["Named", "folded", "movie_name", "read_name", "show_name", "stem_of"]

FIRST_YEAR: Final = 1888
_ALONE_BEFORE: Final = r"(?<![^\W_])"  # no letter and no digit on that side
_ALONE_AFTER: Final = r"(?![^\W_])"

_ID: Final = re.compile(
    r"[\[{]?\b(?:(tmdb|tvdb)(?:id)?[-:=]([0-9]{1,12})|(imdb)(?:id)?[-:=](tt[0-9]{1,12}))"
    + _ALONE_AFTER
    + r"[\]}]?",
    re.IGNORECASE,
)
_YEAR: Final = re.compile(_ALONE_BEFORE + r"([0-9]{4})" + _ALONE_AFTER)
_GROUP: Final = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|\{[^{}]*\}")
_QUALITY: Final = re.compile(
    _ALONE_BEFORE
    + r"(?:480p|576p|720p|1080p|1080i|2160p|4320p|blu-?ray|bdrip|brrip|webrip|web-?dl|hdtv"
    + r"|dvdrip|hdrip|remux|x26[45]|h\.?26[45]|hevc|xvid|divx)"
    + _ALONE_AFTER,
    re.IGNORECASE,
)
_EDGES: Final = " -._([{"


@dataclass(frozen=True, slots=True)
class Named:
    """``ids`` maps a source (``TMDB``, ``IMDB``, ``TVDB``) to its id."""

    title: str
    year: int | None = None
    ids: Mapping[str, str] = field(default_factory=dict)


def folded(text: str) -> str:
    """Normalised to NFC and folded in full, for comparing and searching (contract, 5.2)."""
    if text.isascii():
        return text.lower()
    from unicodedata import normalize

    return normalize("NFC", normalize("NFC", text).casefold())


def stem_of(name: str) -> str:
    """A file's name without its extension."""
    stem, dot, _ = name.rpartition(".")
    return stem if dot and stem else name


def read_name(name: str, last_year: int) -> Named:
    """A name without extension. ``last_year`` is the latest that counts as a year."""
    ids: dict[str, str] = {}
    bare = _ID.sub(lambda found: _noted(found, ids), name)
    years = [each for each in _YEAR.finditer(bare) if FIRST_YEAR <= int(each[1]) <= last_year]
    quality = _QUALITY.search(bare)
    chosen = _year(bare, years, quality.start() if quality else len(bare)) if years else None
    if chosen is not None:
        title = _title(bare[: chosen.start()])
        return Named(title or name, int(chosen[1]), ids)
    return Named(_title(bare[: quality.start()] if quality else bare) or name, None, ids)


def movie_name(folders: Sequence[str], stem: str, last_year: int) -> Named:
    """A film in ``folders``, the batch folder first (none for one directly in the root)."""
    own = read_name(stem, last_year)
    if not folders:
        return own
    around = [read_name(each, last_year) for each in reversed(folders)]
    ids: dict[str, str] = {}
    for each in (own, *around):
        for source, value in each.ids.items():
            ids.setdefault(source, value)
    named = own
    if own.year is None:
        named = next((each for each in around if each.year is not None), own)
    return Named(named.title, named.year, ids)


def show_name(name: str, last_year: int) -> Named:
    """A show, by its folder or by what stands before the episode mark."""
    return read_name(name, last_year)


def _noted(found: re.Match[str], ids: dict[str, str]) -> str:
    source = found[1] or found[3]
    ids.setdefault(source.upper(), (found[2] or found[4]).lower())
    return ""


def _year(name: str, years: list[re.Match[str]], quality: int) -> re.Match[str] | None:
    """The last one in brackets; else the last bare one before the first quality token that does
    not begin the name."""
    groups = [each.span() for each in _GROUP.finditer(name) if each[0][0] != "{"]
    enclosed = [year for year in years if any(start < year.start() < end for start, end in groups)]
    if enclosed:
        return enclosed[-1]
    begin = len(name) - len(name.lstrip())
    bare = [year for year in years if begin < year.start() < quality]
    return bare[-1] if bare else None


def _title(text: str) -> str:
    text = _GROUP.sub("", text)
    if " " not in text:
        text = text.replace(".", " ")
    return " ".join(text.replace("_", " ").split()).strip(_EDGES)
