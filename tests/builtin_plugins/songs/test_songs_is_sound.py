"""Songs is a sound plugin."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from host.testing import TestHost
from plugin_sdk.testing import FakeContext, PluginSuite, leak_check


class NothingToTakeOver:
    """The part of host.settings that is asked at the start."""

    def schema(self, plugin_id: str) -> dict[str, Any]:
        return {"properties": {}}

    def values(self, plugin_id: str) -> dict[str, Any]:
        return {}

    def pinned(self, plugin_id: str) -> frozenset[str]:
        return frozenset()


class TestSongsIsSound(PluginSuite):
    plugin = "builtin_plugins.songs:plugin"

    def prepare(self, context: FakeContext) -> None:
        context.services.add("host.settings", NothingToTakeOver())
        context.services.add("host.info", SimpleNamespace(life="one"))

    def test_a_host_switches_it_off_and_on(self, tmp_path: Path) -> None:
        with leak_check(), TestHost(tmp_path / "data") as host:
            assert host.entry("songs").state == "active"
            host.disable("songs")
            assert host.get("/api/library").status == 404
            host.enable("songs")
            assert host.get("/api/library").json() == {
                "songs": [],
                "total": 0,
                "page": 0,
                "size": 50,
            }
