"""Providers: what plugins offer under a type and a name, and which of them is active."""

from host.providers.blobs import PluginBlobs
from host.providers.registry import ProviderRegistry
from host.providers.selection import Registered
from host.providers.trial import Asker, try_provider

__all__ = ["Asker", "PluginBlobs", "ProviderRegistry", "Registered", "try_provider"]
