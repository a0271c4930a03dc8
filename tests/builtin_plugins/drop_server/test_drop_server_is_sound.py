"""The drop server is a sound plugin."""

from __future__ import annotations

from pathlib import Path

import pytest

from host.plugins.manifests import check_manifest
from host.testing import TestHost
from plugin_sdk import Manifest, parse_json
from plugin_sdk.testing import PluginSuite, leak_check


class TestDropServerIsSound(PluginSuite):
    plugin = "builtin_plugins.drop_server:plugin"
    # The kit reads manifests as strangers may write them: they must not say "bundled".

    @pytest.fixture
    def manifest(self, plugin_folder: Path) -> Manifest:
        document = parse_json((plugin_folder / "plugin.json").read_bytes(), unique_keys=True)
        return check_manifest(document, bundled=True, folder=plugin_folder)

    def test_the_manifest_can_be_read(self, plugin_folder: Path) -> None:
        document = parse_json((plugin_folder / "plugin.json").read_bytes())
        assert check_manifest(document, bundled=True, folder=plugin_folder).starts_off

    def test_it_starts_and_stops_in_a_real_host(self, tmp_path: Path) -> None:
        with leak_check(), TestHost(tmp_path / "data") as host:
            assert host.entry("drop_server").state == "disabled"
            assert host.enable("drop_server").state == "active"
            assert "POST" in host.options("/drops/x").headers["allow"]
