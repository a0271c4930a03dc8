"""Metadata of a few silent films, from a catalogue that is shipped along."""

from __future__ import annotations

from collections.abc import Sequence

from plugin_sdk import Plugin, Provider

from .catalogue import CatalogueProvider


class SilentFilms(Plugin):
    def providers(self) -> Sequence[Provider]:
        # The class, not an instance: whoever asks makes one for each row of its settings.
        return [Provider("metadata", CatalogueProvider.name, CatalogueProvider)]


plugin = SilentFilms
