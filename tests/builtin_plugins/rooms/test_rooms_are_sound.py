"""The rooms are a sound plugin. Alone in their module: beside a host that others use, what that one
begins meanwhile would be theirs."""

from __future__ import annotations

from pathlib import Path

from host.testing import TestHost
from plugin_sdk.testing import FakeContext, PluginSuite, leak_check


class TestRoomsAreSound(PluginSuite):
    plugin = "builtin_plugins.rooms:plugin"

    def prepare(self, context: FakeContext) -> None:
        context.services.add("host.settings", object())

    def test_it_starts_and_stops_in_a_real_host(self, tmp_path: Path) -> None:
        with leak_check(), TestHost(tmp_path / "data") as host:
            assert host.entry("rooms").state == "active"
            assert "POST" in host.options("/messages").headers["allow"]
