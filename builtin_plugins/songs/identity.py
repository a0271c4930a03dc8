"""What a song is called: filename, trackId, and texts as they are compared (songs contract, 1)."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import Final

__all__ = [
    "KEY_LENGTH",
    "clean",
    "filename_of",
    "fold",
    "is_clean",
    "is_track_id",
    "letter_of",
    "track_id_of",
]

KEY_LENGTH: Final = 255
"""Characters of a folded text that count in sorting, as many as an edit may have: the rows of
PostgreSQL's indexes are limited to 2,704 bytes, and two such texts stand in one."""

_LONGEST: Final = 1000
_TRACK_ID: Final = re.compile(r"track_[0-9a-f]{32}")
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")


def filename_of(relative_path: str) -> str:
    """The path below the song folder, ``/`` between segments, in NFC."""
    return unicodedata.normalize("NFC", relative_path)


def track_id_of(filename: str) -> str:
    """The same path gives the same id, on every machine. Raises UnicodeEncodeError for a name
    that is no Unicode text."""
    return "track_" + hashlib.sha256(filename.encode()).hexdigest()[:32]


def is_track_id(text: str) -> bool:
    return _TRACK_ID.fullmatch(text) is not None


def fold(text: str) -> str:
    """F(s): twice (NFKD, without nonspacing marks, case-folded), blanks made one and trimmed."""
    if text.isascii():
        return " ".join(text.lower().split())
    for _ in range(2):
        apart = unicodedata.normalize("NFKD", text)
        text = "".join(c for c in apart if unicodedata.category(c) != "Mn").casefold()
    return " ".join(text.split())


def letter_of(artist_key: str) -> str:
    """The letter under which a folded artist is listed: A to Z, or ``#``."""
    first = artist_key[:1]
    return first.upper() if "a" <= first <= "z" else "#"


def is_clean(text: str) -> bool:
    """Whether `clean` leaves it, and every part of it, as it is; a quick look, no last word."""
    return len(text) <= _LONGEST and text.isascii() and "\0" not in text


def clean(text: str) -> str:
    """A text from a file as it can be kept: no U+0000, no lone surrogate, not endless."""
    if is_clean(text):
        return text
    return _UNSTORABLE.sub("\ufffd", text[:_LONGEST])
