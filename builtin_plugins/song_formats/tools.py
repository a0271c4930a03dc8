"""The service ``song_formats.tools``: for plugins that read other containers of such charts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from builtin_plugins.song_formats.arrangement_xml import read_arrangement, read_vocals
from builtin_plugins.song_formats.charts import Item, folded_lyrics, numbered_sections
from builtin_plugins.song_formats.levels import Level
from builtin_plugins.song_formats.scores import Phrase, Score, is_arpeggio
from builtin_plugins.song_formats.wem import convert_wem, wem_type

__all__ = ["SongTools"]


class SongTools:
    """Readers and builders for formats that share these charts. It has no state, so it can be
    pickled and sent to worker processes."""

    def read_xml(self, content: bytes, name: str) -> Score:
        """An arrangement in XML. Raises UnreadableSong."""
        return read_arrangement(content, name)

    def read_vocals_xml(self, content: bytes, name: str) -> list[Item]:
        """Lyrics in XML, ready to be sent. Raises UnreadableSong."""
        return read_vocals(content, name)

    def level(self, difficulty: int, **lists: Sequence[Item]) -> Level:
        """``notes``, ``chords``, ``anchors``, ``hand_shapes`` in the outgoing shapes."""
        return Level(difficulty, **lists)

    def phrase(self, name: str, max_difficulty: int, **flags: bool) -> Phrase:
        """Flags: ``disparity``, ``solo``, ``ignore``."""
        return Phrase(name, max_difficulty, **flags)

    def score(self, **parts: Any) -> Score:
        """See `Score`."""
        return Score(**parts)

    def sections(self, found: Sequence[Item]) -> list[Item]:
        """By time, those whose number is None counted by name."""
        return numbered_sections(found)

    def is_arpeggio(self, display_name: str) -> bool:
        """Whether a template's shown name says so."""
        return is_arpeggio(display_name)

    def lyrics(self, found: Sequence[Item]) -> list[Item]:
        """By time, line ends folded into the syllable before."""
        return folded_lyrics(found)

    def wem_type(self) -> str | None:
        """The media type that `convert_wem` gives; None without a program for it."""
        return wem_type()

    def convert_wem(self, source: Path) -> BinaryIO:
        """The sound in a nameless temporary file. Raises UnreadableSong."""
        return convert_wem(source)
