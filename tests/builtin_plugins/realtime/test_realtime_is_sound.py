"""Realtime is a sound plugin."""

from __future__ import annotations

from plugin_sdk.testing import PluginSuite


class TestRealtimeIsSound(PluginSuite):
    plugin = "builtin_plugins.realtime:plugin"
