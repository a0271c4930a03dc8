"""The plugin in a host: off until somebody switches it on."""

from __future__ import annotations

import json
from pathlib import Path

import builtin_plugins.psarc_format
from builtin_plugins.song_formats import SongFormats
from host.testing import TestHost
from plugin_sdk.testing import FakeContext, leak_check
from tests.bundled import BundledSuite


class TestPsarcFormatIsSound(BundledSuite):
    plugin = "builtin_plugins.psarc_format:plugin"
    bundled = "starts_off"

    def test_it_starts_and_stops_in_a_real_host(self, tmp_path: Path) -> None:
        with leak_check(), TestHost(tmp_path / "data") as host:
            assert host.entry("psarc_format").state == "disabled"
            assert host.enable("psarc_format").state == "active"


def test_it_starts_off_and_brings_no_keys():
    folder = Path(builtin_plugins.psarc_format.__file__).parent
    manifest = json.loads((folder / "plugin.json").read_text())
    assert manifest["bundled"] == {"startsOff": True}
    properties = manifest["settings"]["properties"]
    assert all(each["default"] == "" and each["writeOnly"] for each in properties.values())


def test_it_needs_the_song_formats_beside_it():
    with FakeContext("song_formats") as songs, FakeContext("psarc_format") as context:
        songs.start(SongFormats)
        context.services.add("song_formats.tools", songs.services.get("song_formats.tools"))
        context.start(builtin_plugins.psarc_format.plugin)
        reader = context.providers.get("song_format", "psarc")
        assert reader.claims(Path("a/B.PSARC"), None)
        assert not reader.claims(Path("a/b.psarc"), [])
