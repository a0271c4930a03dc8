"""The five settings that clients share (plugin contract, 7.1), and whose they are."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

from builtin_plugins.app_settings.shapes import SETTINGS
from plugin_sdk import Invalid, NotFound, Problem
from plugin_sdk.management import SettingsManagement

__all__ = ["KEYS", "SharedSettings", "is_readable_folder"]

KEYS: Final[tuple[str, ...]] = tuple(SETTINGS["properties"])
_SONGS: Final = "songs"


class SharedSettings:
    """The values are settings of the plugin ``songs``, active or not; where that is not installed
    they are those of this plugin (``own_id``)."""

    def __init__(self, settings: SettingsManagement, own_id: str) -> None:
        self._settings = settings
        self._own_id = own_id

    @property
    def owner(self) -> str:
        """The plugin whose settings these are right now."""
        try:
            schema = self._settings.schema(_SONGS) or {}
        except NotFound:
            return self._own_id
        return _SONGS if set(KEYS) <= schema.get("properties", {}).keys() else self._own_id

    def values(self) -> dict[str, Any]:
        """All five, as they are in force."""
        found = self._settings.values(self.owner)
        return {key: found[key] for key in KEYS}

    def update(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Changes some, None returns one to its default; all or none. Raises Invalid, and
        Conflict for a value that the operator's file decides."""
        owner = self.owner
        found = self._own_problems(changes, owner)
        if found:
            others = self._settings.problems(owner, changes, partial=True)
            places = {each.path for each in found}
            details = [*found, *(each for each in others if each.path not in places)]
            first = found[0]
            raise Invalid(
                f"The settings are not valid: {first.path} {first.message}.", details=details
            )
        self._settings.update(owner, changes)
        return self.values()

    def _own_problems(self, changes: Mapping[str, Any], owner: str) -> list[Problem]:
        """What the owner's schema does not forbid."""
        owners: Mapping[str, Any] = (self._settings.schema(owner) or {}).get("properties", {})
        found = [
            Problem(key, "is no setting that clients share")
            for key in changes
            if key in owners and key not in KEYS
        ]
        folder = changes.get("dlcDir")
        if folder and not (isinstance(folder, str) and is_readable_folder(folder)):
            sentence = "must be the absolute path of an existing readable directory"
            found.append(Problem("dlcDir", sentence))
        return found


def is_readable_folder(path: str) -> bool:
    """Whether it is the absolute path of a directory that can be listed."""
    try:
        is_folder = os.path.isabs(path) and os.path.isdir(path)  # noqa: PTH112, PTH117 - texts
        return is_folder and os.access(path, os.R_OK | os.X_OK)
    except ValueError:  # U+0000 inside
        return False
