"""Local storage is a sound plugin."""

from __future__ import annotations

from plugin_sdk.testing import PluginSuite


class TestLocalStorageIsSound(PluginSuite):
    plugin = "builtin_plugins.local_storage:plugin"
