"""Manifests of bundled plugins may say ``bundled``; those that strangers write, which is all that
the kit reads, may not."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest

from host.plugins.manifests import check_manifest
from plugin_sdk import Manifest, parse_json
from plugin_sdk.testing import PluginSuite

__all__ = ["BundledSuite"]


class BundledSuite(PluginSuite):
    """`PluginSuite` for one whose manifest does. ``bundled``: what is true of that then."""

    bundled: ClassVar[str]

    @pytest.fixture
    def manifest(self, plugin_folder: Path) -> Manifest:
        document = parse_json((plugin_folder / "plugin.json").read_bytes(), unique_keys=True)
        return check_manifest(document, bundled=True, folder=plugin_folder)

    def test_the_manifest_can_be_read(self, manifest: Manifest) -> None:
        assert getattr(manifest, self.bundled) is True
