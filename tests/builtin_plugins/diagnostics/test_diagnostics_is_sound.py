"""Diagnostics is a sound plugin."""

from __future__ import annotations

from plugin_sdk.testing import FakeContext, PluginSuite


class TestDiagnosticsIsSound(PluginSuite):
    plugin = "builtin_plugins.diagnostics:plugin"

    def prepare(self, context: FakeContext) -> None:
        for name in ("info", "plugins", "settings"):
            context.services.add(f"host.{name}", object())
