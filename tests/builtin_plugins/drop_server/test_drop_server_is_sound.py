"""The drop server is a sound plugin."""

from __future__ import annotations

from pathlib import Path

from host.testing import TestHost
from plugin_sdk.testing import leak_check
from tests.bundled import BundledSuite


class TestDropServerIsSound(BundledSuite):
    plugin = "builtin_plugins.drop_server:plugin"
    bundled = "starts_off"

    def test_it_starts_and_stops_in_a_real_host(self, tmp_path: Path) -> None:
        with leak_check(60.0), TestHost(tmp_path / "data") as host:
            assert host.entry("drop_server").state == "disabled"
            assert host.enable("drop_server").state == "active"
            assert "POST" in host.options("/drops/x").headers["allow"]
