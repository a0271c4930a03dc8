"""Plugin data is a sound plugin."""

from __future__ import annotations

from plugin_sdk.testing import FakeContext, PluginSuite


class TestPluginDataIsSound(PluginSuite):
    plugin = "builtin_plugins.plugin_data:plugin"

    def prepare(self, context: FakeContext) -> None:
        context.services.add("host.data", object())
        context.services.add("host.settings", object())
