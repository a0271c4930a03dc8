"""What packs and loose folders have in common: whose tuning is the song's, and the cover."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from builtin_plugins.song_formats.files import PackFiles
from builtin_plugins.song_formats.pictures import MAX_PICTURE
from plugin_sdk import SongCover

__all__ = ["cover_of", "song_tuning"]

_GUITARS: Final = frozenset({"lead", "rhythm", "combo"})


def song_tuning(stated: Iterable[tuple[str, tuple[int, ...] | None]]) -> tuple[int, ...]:
    """Of arrangements' names and tunings: the first guitar's that states one, else the first that
    is stated, else six zeros (songs contract, 9.3)."""
    found = [(name.casefold(), tuning) for name, tuning in stated if tuning]
    guitars = (tuning for name, tuning in found if name in _GUITARS)
    return next(guitars, None) or next((tuning for _, tuning in found), (0,) * 6)


def cover_of(files: PackFiles, found: tuple[str, str] | None) -> SongCover | None:
    """``found``: name and type of the picture, None without one."""
    if found is None:
        return None
    name, media_type = found
    return SongCover(files.read(name, MAX_PICTURE), media_type, files.path(name))
