"""Tags inside of MP4 files. Matroska's are not read: they hardly ever say more than the name.

The files come from anywhere: a length in one of them may claim gigabytes, or a million parts.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

from tinytag import TinyTag, TinyTagException

__all__ = ["Tags", "read_tags"]

_SUFFIXES: Final = frozenset({".mp4", ".m4v"})
_MAX_READ: Final = 1024 * 1024
_MAX_READS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Tags:
    title: str
    genre: str | None
    released: date | None
    director: str | None
    description: str | None
    minutes: int | None


class _Modest(io.BufferedReader):
    """Refuses to read much at once, or very often."""

    _left = _MAX_READS

    def read(self, size: int | None = -1, /) -> bytes:
        """Raises ValueError."""
        self._left -= 1
        if size is None or not 0 <= size <= _MAX_READ or self._left < 0:
            raise ValueError("The file wants too much to be read.")
        return super().read(size)


def read_tags(path: Path) -> Tags | None:
    """None for a file without a title of its own, of another kind, or that cannot be read."""
    if path.suffix.lower() not in _SUFFIXES:
        return None
    try:
        with _Modest(path.open("rb", buffering=0)) as file:
            found = TinyTag.get(path, file, image=False)
    except (OSError, TinyTagException, ValueError, ArithmeticError, LookupError):
        return None  # whatever a damaged file makes the reader say
    title = _text(found.title)
    if title is None:
        return None
    seconds = found.duration
    return Tags(
        title=title,
        genre=_text(found.genre),
        released=_date(found.year),
        director=_text(found.composer) or _text(found.artist),
        description=_text(found.comment),
        minutes=max(1, round(seconds / 60)) if seconds and 0 < seconds < 10**6 else None,
    )


def _text(value: Any) -> str | None:
    return value.strip()[:20_000] or None if isinstance(value, str) else None


def _date(value: Any) -> date | None:
    """``2009``, ``2009-05-29``, ``2009-05-29T07:00:00Z``."""
    text = value.strip() if isinstance(value, str) else ""
    try:
        return date.fromisoformat(text[:10] if len(text) >= 10 else f"{text[:4]}-01-01")
    except ValueError:
        return None
