"""Looks up songs, albums and artists in MusicBrainz: the metadata provider ``musicbrainz``."""

from __future__ import annotations

from builtin_plugins.musicbrainz.cache import create_cache
from builtin_plugins.musicbrainz.limiter import create_turns
from builtin_plugins.musicbrainz.provider import provider_class
from plugin_sdk import Database, Plugin, Provider, migration


class MusicBrainz(Plugin):
    @migration("0001-answers-and-turns")
    def _create(self, db: Database) -> None:
        create_cache(db)
        create_turns(db)

    def providers(self) -> list[Provider]:
        # The class, not an instance: whoever asks makes one for each row of its settings.
        return [Provider("metadata", "musicbrainz", provider_class(self.context))]


plugin = MusicBrainz
