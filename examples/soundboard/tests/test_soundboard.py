from __future__ import annotations

from plugin_sdk.testing import PluginSuite


class TestSoundboardIsSound(PluginSuite):
    plugin = "soundboard:plugin"
