"""Diagnostics is a sound plugin."""

from __future__ import annotations

from plugin_sdk.testing import FakeContext, PluginSuite


class Info:
    def keep_log(self, level: str | None) -> None:
        """There is no log."""


class TestDiagnosticsIsSound(PluginSuite):
    plugin = "builtin_plugins.diagnostics:plugin"

    def prepare(self, context: FakeContext) -> None:
        context.services.add("host.info", Info())
        for name in ("plugins", "settings"):
            context.services.add(f"host.{name}", object())
