"""Finding file names of songs in texts, however many there are."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import PurePosixPath
from typing import Final

__all__ = ["SongNames"]

_SHORTEST: Final = 6
_SUFFIX: Final = re.compile(r"\.(?:sloppak|feedpak|psarc)(?!\w)", re.IGNORECASE)
_BORDER: Final = re.compile(r'[/\\"<>|\x00-\x1f]|: ')
"""Where a path component begins at the latest. It may hold spaces, and there may be no path around
it at all: rather a word too many is replaced than half a name shown."""
_LONGEST_COMPONENT: Final = 255
_WORD: Final = re.compile(r"\w")


class SongNames:
    """Known names, with their suffix or (from six characters on) without it, and path components
    that end like a song does.

    Known names are looked up by their first six characters where a word may begin, then by the
    lengths that such names have, so that the cost does not grow with the library. Names with
    fewer characters in all are left to the suffix rule.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names: set[str] = set()
        lengths: dict[str, set[int]] = {}
        for name in names:
            for text in (name, PurePosixPath(name).stem):
                if len(text) >= _SHORTEST:
                    self._names.add(text)
                    lengths.setdefault(text[:_SHORTEST], set()).add(len(text))
        firsts = re.escape("".join({name[0] for name in self._names}))
        self._start = re.compile(rf"(?<!\w)(?=[{firsts}])") if firsts else None
        self._lengths = {start: sorted(found, reverse=True) for start, found in lengths.items()}

    def replace(self, text: str, mark: Callable[[str], str]) -> str:
        """``mark`` gives what to put in the place of a name."""
        if self._start is not None:
            text = self._without_known(self._start, text, mark)
        return _without_suffixed(text, mark)

    def _without_known(
        self, start_of_any: re.Pattern[str], text: str, mark: Callable[[str], str]
    ) -> str:
        pieces: list[str] = []
        done = 0
        for found in start_of_any.finditer(text):
            start = found.start()
            if start < done:
                continue
            name = self._longest_at(text, start)
            if name is not None:
                pieces += [text[done:start], mark(name)]
                done = start + len(name)
        return "".join([*pieces, text[done:]])

    def _longest_at(self, text: str, start: int) -> str | None:
        for length in self._lengths.get(text[start : start + _SHORTEST], ()):
            name = text[start : start + length]
            if name in self._names and not _WORD.match(text, start + length):
                return name
        return None


def _without_suffixed(text: str, mark: Callable[[str], str]) -> str:
    pieces: list[str] = []
    done = 0
    for found in _SUFFIX.finditer(text):
        earliest = max(done, found.start() - _LONGEST_COMPONENT)
        start = earliest
        for border in _BORDER.finditer(text, earliest, found.start()):
            start = border.end()
        begin = start + len(text[start : found.start()]) - len(text[start : found.start()].lstrip())
        if begin == found.start():  # a suffix alone names nothing
            continue
        pieces += [text[done:begin], mark(text[begin : found.end()])]
        done = found.end()
    return "".join([*pieces, text[done:]])
