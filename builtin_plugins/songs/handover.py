"""The settings that clients share become this plugin's: those that were made before it was there
are taken over from ``app_settings`` once (plugin contract, 7.1)."""

from __future__ import annotations

from typing import Final

from plugin_sdk import Context, StageboxError
from plugin_sdk.management import SettingsManagement

__all__ = ["take_over"]

_FORMER: Final = "app_settings"
_KEYS: Final = (
    "dlcDir",
    "psarcPlatform",
    "defaultArrangement",
    "avOffsetMs",
    "demucsServerUrl",
)
_DONE: Final = "settings taken over"


def take_over(context: Context) -> None:
    """What the operator's file pins stays there."""
    if context.data.get(_DONE):
        return
    settings: SettingsManagement = context.services.get("host.settings")
    try:
        properties = (settings.schema(_FORMER) or {})["properties"]
        former = settings.values(_FORMER)
        pinned = settings.pinned(_FORMER) | settings.pinned(context.plugin_id)
        changed = {
            key: former[key]
            for key in _KEYS
            if key not in pinned and former[key] != properties[key].get("default")
        }
        if changed:
            context.settings.update(changed)
            settings.update(_FORMER, dict.fromkeys(changed))
    except (StageboxError, KeyError) as error:  # without them the library works too
        context.log.warning("Settings of %s were not taken over: %s", _FORMER, error)
    context.data.set(_DONE, True)
