"""Looks up films and shows in The Movie Database: the metadata provider ``tmdb``."""

from __future__ import annotations

import os

from builtin_plugins.tmdb.provider import provider_class
from builtin_plugins.tmdb.service import Defaults
from plugin_sdk import Plugin, Provider


class Tmdb(Plugin):
    def providers(self) -> list[Provider]:
        # The class, not an instance: whoever asks makes one for each row of its settings.
        defaults = Defaults.of_environment(os.environ, self.context.log)
        return [Provider("metadata", "tmdb", provider_class(self.context.http, defaults))]


plugin = Tmdb
