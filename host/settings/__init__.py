"""Settings of plugins: what the schema says, what was stored, what the operator's file pins."""

from host.settings.secrets import MASK
from host.settings.store import SettingsStore
from host.settings.view import PluginSettings

__all__ = ["MASK", "PluginSettings", "SettingsStore"]
