"""The application settings are a sound plugin, and say the same in all places."""

from __future__ import annotations

import json
from pathlib import Path

import builtin_plugins.app_settings as app_settings
from builtin_plugins.app_settings.shapes import SETTINGS
from plugin_sdk.testing import FakeContext, PluginSuite


class TestAppSettingsIsSound(PluginSuite):
    plugin = "builtin_plugins.app_settings:plugin"

    def prepare(self, context: FakeContext) -> None:
        for name in ("info", "plugins", "settings"):
            context.services.add(f"host.{name}", object())


def test_manifest_and_routes_ask_for_the_same() -> None:
    manifest = json.loads((Path(app_settings.__file__).parent / "plugin.json").read_text())
    rules = {
        name: {
            key: value
            for key, value in schema.items()
            if key not in ("title", "description", "default")
        }
        for name, schema in manifest["settings"]["properties"].items()
    }
    asked = {
        name: {key: value for key, value in schema.items() if key != "description"}
        for name, schema in SETTINGS["properties"].items()
    }
    assert rules == asked
