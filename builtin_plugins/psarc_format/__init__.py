"""Reads songs in PSARC archives: the song format ``psarc``. No key ships with the product."""

from __future__ import annotations

from builtin_plugins.psarc_format.provider import PsarcFormat
from plugin_sdk import Plugin, Provider


class PsarcSongs(Plugin):
    def providers(self) -> list[Provider]:
        reader = PsarcFormat(self.context.settings, self.context.services)
        return [Provider("song_format", PsarcFormat.name, reader)]


plugin = PsarcSongs
