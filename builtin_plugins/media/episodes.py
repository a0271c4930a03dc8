"""Which episodes of which show a file holds (media contract, 7.4)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["Mark", "episode_mark", "is_season_folder", "season_of", "show_place"]

_MAX_RANGE: Final = 50
_SEASON: Final = re.compile(
    r"(?:season|series|staffel|saison)[ ._-]*([0-9]{1,4})|s([0-9]{1,2})|(specials?)",
    re.IGNORECASE,
)
_NUMBERED: Final = re.compile(r"S([0-9]{1,4})[ ._-]?E([0-9]{1,4})(?![0-9])", re.IGNORECASE)
_FURTHER: Final = re.compile(r"([ ._-]?)E([0-9]{1,4})(?![0-9])", re.IGNORECASE)
_RANGE_END: Final = re.compile(r"-E?([0-9]{1,4})(?![^\W_])", re.IGNORECASE)
_CROSSED: Final = re.compile(r"(?<![0-9])([0-9]{1,2})x([0-9]{1,3})(?![0-9])", re.IGNORECASE)
_SPELLED: Final = re.compile(
    r"season[ ._-]*([0-9]{1,4})(?![0-9]).*?episode[ ._-]*([0-9]{1,4})(?![0-9])",
    re.IGNORECASE | re.DOTALL,
)
_LETTERED: Final = re.compile(
    r"(?<![^\W_])(?:episode|ep|e)[ ._-]*([0-9]{1,4})(?![0-9])", re.IGNORECASE
)
_LEADING: Final = re.compile(r"([0-9]{1,3})(?=[ ._-]|$)")


@dataclass(frozen=True, slots=True)
class Mark:
    """``begins`` is where the mark stands in the name."""

    season: int
    episodes: tuple[int, ...]
    begins: int


def season_of(folder: str) -> int | None:
    """The number of a season folder; None for a folder that is none."""
    found = _SEASON.fullmatch(folder)
    if found is None:
        return None
    return 0 if found[3] else int(found[1] or found[2])


def is_season_folder(folder: str) -> bool:
    return _SEASON.fullmatch(folder) is not None


def show_place(folders: Sequence[str]) -> int:
    """How many of ``folders`` (from below the scan root) lead to the show's folder, itself
    included; 0 when there is none."""
    count = len(folders)
    while count and is_season_folder(folders[count - 1]):
        count -= 1
    return count


def episode_mark(stem: str, folders: Sequence[str]) -> Mark | None:
    """What stands in a file's name, or else in the season folder around it."""
    found = _NUMBERED.search(stem)
    if found is not None:
        return Mark(int(found[1]), _listed(stem, found), found.start())
    for pattern in (_CROSSED, _SPELLED):
        found = pattern.search(stem)
        if found is not None:
            return Mark(int(found[1]), (int(found[2]),), found.start())
    season = season_of(folders[-1]) if folders else None
    if season is None:
        return None
    found = _LETTERED.search(stem) or _LEADING.match(stem)
    return None if found is None else Mark(season, (int(found[1]),), found.start())


def _listed(stem: str, mark: re.Match[str]) -> tuple[int, ...]:
    """The episodes behind ``S01E01``: further ones, or all up to the end of a range."""
    first = int(mark[2])
    further: list[tuple[str, int]] = []
    end = mark.end()
    while (found := _FURTHER.match(stem, end)) is not None:
        further.append((found[1], int(found[2])))
        end = found.end()
    if len(further) > 1 or (further and further[0][0] != "-"):
        return tuple(dict.fromkeys((first, *(number for _, number in further))))
    last = _RANGE_END.match(stem, mark.end())
    if last is not None and 0 < int(last[1]) - first <= _MAX_RANGE:
        return tuple(range(first, int(last[1]) + 1))
    return (first,)
