"""Reads open song packs and loose song folders: the song formats ``sloppak`` and ``loose``."""

from __future__ import annotations

from builtin_plugins.song_formats.loose import LooseFormat
from builtin_plugins.song_formats.sloppak import SloppakFormat
from builtin_plugins.song_formats.tools import SongTools
from plugin_sdk import Plugin, Provider


class SongFormats(Plugin):
    """The formats, and the service ``song_formats.tools`` for readers of other containers
    that hold the same charts."""

    def enable(self) -> None:
        self.context.services.offer("song_formats.tools", SongTools())

    def providers(self) -> list[Provider]:
        return [
            Provider("song_format", SloppakFormat.name, SloppakFormat()),
            Provider("song_format", LooseFormat.name, LooseFormat()),
        ]


plugin = SongFormats
