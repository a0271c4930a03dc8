"""All settings as one file (plugin contract, 7.2)."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from io import BytesIO
from typing import Any, Final

from builtin_plugins.app_settings.document import KEYS, SharedSettings
from builtin_plugins.app_settings.secret_values import without_secrets
from plugin_sdk import Clock, dump_json
from plugin_sdk.management import HostInfo, PluginManagement, SettingsManagement

__all__ = ["BUNDLE_SCHEMA", "SettingsExport"]

BUNDLE_SCHEMA: Final = "stagebox.settings.v1"


class SettingsExport:
    """Makes bundles."""

    def __init__(
        self,
        info: HostInfo,
        plugins: PluginManagement,
        settings: SettingsManagement,
        shared: SharedSettings,
        clock: Clock,
    ) -> None:
        self._info = info
        self._plugins = plugins
        self._settings = settings
        self._shared = shared
        self._clock = clock

    def filename(self) -> str:
        return f"stagebox-settings-{self._clock.iso()[:10]}.zip"

    def bundle(self) -> bytes:
        """The ZIP file."""
        files = {f"plugins/{id}.json": values for id, values in self._by_plugin().items()}
        manifest = {
            "schema": BUNDLE_SCHEMA,
            "exportedAt": self._clock.iso(),
            "version": self._info.version,
            "plugins": [name.split("/")[1].removesuffix(".json") for name in files],
        }
        return _zip({"manifest.json": manifest, "config.json": self._shared.values(), **files})

    def _by_plugin(self) -> dict[str, dict[str, Any]]:
        """Of every plugin with a value that is not its default: all values but secrets."""
        owner = self._shared.owner
        found: dict[str, dict[str, Any]] = {}
        for entry in self._plugins.entries():
            schema = entry.manifest.settings if entry.manifest is not None else None
            if schema is None:
                continue
            left_out = KEYS if entry.id == owner else ()
            values = self._values(entry.id, schema, left_out)
            if values:
                found[entry.id] = values
        return found

    def _values(
        self, plugin_id: str, schema: Mapping[str, Any], left_out: tuple[str, ...]
    ) -> dict[str, Any]:
        """Empty when all are as they are by default."""
        values = without_secrets(
            dict(self._settings.values(plugin_id)), self._settings.shown(plugin_id)
        )
        properties = schema.get("properties", {})
        known = {
            name: value
            for name, value in values.items()
            if value is not None and name not in left_out
        }
        if all(value == properties.get(name, {}).get("default") for name, value in known.items()):
            return {}
        return known


def _zip(files: Mapping[str, Any]) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, value in files.items():
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o100600 << 16  # a regular file
            archive.writestr(entry, dump_json(value) + "\n")
    return buffer.getvalue()
