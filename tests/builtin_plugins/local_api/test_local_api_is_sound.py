"""The local API is a sound plugin."""

from __future__ import annotations

from plugin_sdk.testing import FakeContext, PluginSuite


class HostInfo:
    version = "1.2.3"

    def websocket_url(self) -> str | None:
        return None

    def exposed(self) -> bool:
        return False


class TestLocalApiIsSound(PluginSuite):
    plugin = "builtin_plugins.local_api:plugin"

    def prepare(self, context: FakeContext) -> None:
        context.services.add("host.info", HostInfo())
