"""What an author works with: a new plugin, one that reloads as it is edited, a package of it."""

from host.authoring.development import Development
from host.authoring.packing import pack
from host.authoring.scaffold import scaffold
from host.authoring.sources import PluginSource, find_source

__all__ = ["Development", "PluginSource", "find_source", "pack", "scaffold"]
