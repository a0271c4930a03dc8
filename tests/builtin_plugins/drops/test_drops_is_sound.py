"""Drops is a sound plugin."""

from __future__ import annotations

from pathlib import Path

from host.testing import TestHost
from plugin_sdk.testing import PluginSuite, leak_check


class TestDropsIsSound(PluginSuite):
    plugin = "builtin_plugins.drops:plugin"

    def test_it_starts_and_stops_in_a_real_host(self, tmp_path: Path) -> None:
        with leak_check(60.0), TestHost(tmp_path / "data") as host:
            assert host.entry("drops").state == "active"
            host.disable("drops")
            assert host.get("/settings").status == 404
            host.enable("drops")
            assert host.get("/settings").status == 200
