"""``.nfo`` files: XML as Kodi writes it (https://kodi.wiki/view/NFO_files).

They come from anywhere, so nothing in them is believed: no document type and no entities, limits on
size and depth, and what is no text, number or date counts as nothing.
"""

from __future__ import annotations

import math
import os
import re
import stat
from collections.abc import Iterator
from datetime import MAXYEAR, MINYEAR, date
from pathlib import Path
from typing import Any, Final
from xml.etree.ElementTree import Element, ParseError, fromstring
from xml.parsers import expat

from builtin_plugins.local_files.addresses import public_address

__all__ = ["Nfo", "read_nfo"]

MAX_BYTES: Final = 1024 * 1024
_MAX_DEPTH: Final = 16
_MAX_ELEMENTS: Final = 20_000
_MINUTES: Final = re.compile(r"([0-9]{1,4})")
_MULTIPLE: Final = re.compile(rb"</episodedetails>\s*(?=<episodedetails)")


class Nfo:
    """One root element, asked by the names of its children."""

    def __init__(self, root: Element) -> None:
        self.kind = root.tag
        """``movie``, ``tvshow``, ``episodedetails``, ``season``."""
        self._root = root

    def text(self, *names: str) -> str | None:
        """Of the first child that has any."""
        for name in names:
            for each in self._root.iterfind(name):
                if (found := _clean(each.text)) is not None:
                    return found
        return None

    def texts(self, name: str) -> list[str]:
        """Of all children of that name, each once, in order."""
        found = (_clean(each.text) for each in self._root.iterfind(name))
        return list(dict.fromkeys(text for text in found if text is not None))

    def whole(self, *names: str) -> int | None:
        """A whole number from 0 to 99,999."""
        text = self.text(*names)
        if text is None or not (text.isascii() and text.isdigit()) or len(text) > 5:
            return None
        return int(text)

    def minutes(self) -> int | None:
        """``<runtime>``: ``136``, also ``136 min``."""
        found = _MINUTES.match(self.text("runtime") or "")
        return int(found[1]) or None if found else None

    def first_day(self, name: str) -> date | None:
        """Of a year, of which no more may be known."""
        year = self.whole(name) or 0
        return date(year, 1, 1) if MINYEAR <= year <= MAXYEAR else None

    def date(self, *names: str) -> date | None:
        for name in names:
            text = self.text(name) or ""
            try:
                return date.fromisoformat(text[:10])
            except ValueError:
                continue
        return None

    def rating(self) -> float | None:
        """0 to 10: the default of ``<ratings>``, else its first, else ``<rating>``."""
        listed = list(self._root.iterfind("ratings/rating"))
        listed.sort(key=lambda each: each.get("default") != "true")
        for each in listed:
            value = _number(each.findtext("value"))
            most = _number(each.get("max")) or 10
            if value is not None and 0 <= value <= most:
                return round(value * 10 / most, 3)
        value = _number(self.text("rating"))
        return value if value is not None and 0 <= value <= 10 else None

    def ids(self) -> dict[str, str]:
        """Of other sources: ``TMDB``, ``IMDB``, ``TVDB``."""
        found: dict[str, str] = {}
        for each in self._root.iterfind("uniqueid"):
            source = (each.get("type") or "").upper()
            identity = _clean(each.text) or ""
            if source in ("TMDB", "IMDB", "TVDB") and 0 < len(identity) <= 40:
                found.setdefault(source, identity)
        imdb = self.text("imdbid", "id") or ""
        if re.fullmatch(r"tt[0-9]{5,10}", imdb):
            found.setdefault("IMDB", imdb)
        if (tmdb := self.whole("tmdbid")) is not None:
            found.setdefault("TMDB", str(tmdb))
        return found

    def people(self) -> Iterator[tuple[str, str, str | None]]:
        """Name, role, character."""
        for tag, role in (("director", "DIRECTOR"), ("credits", "WRITER")):
            for text in self.texts(tag):
                yield text, role, None
        for each in self._root.iterfind("actor"):
            name = _clean(each.findtext("name"))
            if name is not None:
                yield name, "ACTOR", _clean(each.findtext("role"))

    def picture(self, *aspects: str) -> str | None:
        """An address of the first ``<thumb>`` with one of these aspects."""
        for aspect in aspects:
            for each in self._root.iterfind("thumb"):
                found = public_address(each.text or "")
                own = (each.get("aspect") or "poster") == aspect and not each.get("season")
                if own and found is not None:
                    return found
        return None

    def backdrop(self) -> str | None:
        """An address of the first picture in ``<fanart>``."""
        for each in self._root.iterfind("fanart/thumb"):
            if found := public_address(each.text or ""):
                return found
        return None


def read_nfo(path: Path) -> list[Nfo]:
    """What a file says: one thing, or several episodes one after the other; nothing when it cannot
    be read, is too large, or is no XML (some hold but an address)."""
    try:
        with open(path, "rb", opener=_open_at_once) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return []
            content = file.read(MAX_BYTES + 1)
    except OSError:
        return []
    if len(content) > MAX_BYTES:
        return []
    found = []
    for part in _MULTIPLE.sub(b"</episodedetails>\0", content).split(b"\0"):
        root = _parsed(part)
        if root is not None:
            found.append(Nfo(root))
    return found


def _open_at_once(path: str, flags: int) -> int:
    """A named pipe of that name would be waited for, for ever."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


class _Refused(Exception):
    pass


def _parsed(content: bytes) -> Element | None:
    """The first root element; what stands behind it (an address, often) does not matter."""
    try:
        end = _checked_length(content)
        return fromstring(content[:end])  # noqa: S314  # checked in the line above
    except (_Refused, expat.ExpatError, ParseError, ValueError, LookupError):
        return None


def _checked_length(content: bytes) -> int:
    """Bytes up to the end of the root element. A pass of its own, so that what is refused is seen
    before a parser acts on it. Raises _Refused, expat.ExpatError."""
    parser = expat.ParserCreate()
    depth = seen = 0
    end = -1

    def refuse(*_: Any) -> None:
        raise _Refused

    def begin(*_: Any) -> None:
        nonlocal depth, seen
        depth, seen = depth + 1, seen + 1
        if depth > _MAX_DEPTH or seen > _MAX_ELEMENTS:
            raise _Refused

    def finish(_: str) -> None:
        nonlocal depth, end
        depth -= 1
        if depth == 0 and end < 0:
            end = content.index(b">", parser.CurrentByteIndex) + 1

    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    parser.StartElementHandler, parser.EndElementHandler = begin, finish
    try:
        parser.Parse(content, True)
    except expat.ExpatError:
        if end < 0:
            raise
    return end


def _clean(text: str | None) -> str | None:
    if text is None:
        return None
    kept = "".join(c for c in text if c.isprintable() or c in "\n\t").strip()
    return kept[:20_000] or None


def _number(text: str | None) -> float | None:
    try:
        value = float((text or "").strip().replace(",", "."))
    except ValueError:
        return None
    return value if math.isfinite(value) else None
