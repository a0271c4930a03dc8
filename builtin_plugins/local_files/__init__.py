"""What is known of films and shows without asking anybody: the provider ``local_files``."""

from __future__ import annotations

from builtin_plugins.local_files.provider import provider_class
from plugin_sdk import Plugin, Provider


class LocalFiles(Plugin):
    def providers(self) -> list[Provider]:
        return [Provider("metadata", "local_files", provider_class(self.context.data))]


plugin = LocalFiles
