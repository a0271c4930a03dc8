"""Media is a sound plugin."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from host.testing import TestHost
from plugin_sdk.testing import FakeContext, PluginSuite, leak_check


class TestMediaIsSound(PluginSuite):
    plugin = "builtin_plugins.media:plugin"

    def prepare(self, context: FakeContext) -> None:
        plugins = SimpleNamespace(entry=lambda _id: SimpleNamespace(enabled=True))
        context.services.add("host.plugins", plugins)
        context.services.add("host.info", SimpleNamespace(listeners=lambda: ()))

    def test_it_starts_and_stops_in_a_real_host(self, tmp_path: Path) -> None:
        with leak_check(60.0), TestHost(tmp_path / "data") as host:
            assert host.entry("media").state == "active"
            host.disable("media")
            assert host.get("/api/v1/movies").status == 404
            assert host.get("/api/v1/logs").status == 200
            host.enable("media")
            assert host.get("/api/v1/movies").status == 200
