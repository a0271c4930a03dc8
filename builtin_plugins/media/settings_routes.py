"""Settings and metadata providers over HTTP (media contract, 5.8, 5.9)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from builtin_plugins.media.answers import success
from builtin_plugins.media.fields import Fields, problem, read_body
from builtin_plugins.media.provider_rows import MASK, NAME_PATTERN, ProviderRows, config_text
from builtin_plugins.media.scan_options import check_scan_settings
from plugin_sdk import Invalid, Logger, MetadataProvider, Request, Response, Settings

__all__ = ["ProviderRoutes", "SettingsRoutes"]

_KEY: Final = "tmdbApiKey"
_OPEN: Final = ("port", "enableRouteGuards", "firstRun", "scanSettings")
_UPDATED: Final = "Settings updated successfully"
_NO_PROFILE: Final = (
    "Route guards take effect once a profile exists; until then everything stays open"
)
MAX_CONFIG_BYTES: Final = 16 * 1024


class SettingsRoutes:
    """The same values as the plugin's settings everywhere else."""

    def __init__(
        self,
        settings: Settings,
        rows: ProviderRows,
        governed: Callable[[], bool],
        log: Logger,
    ) -> None:
        self._settings = settings
        self._rows = rows
        self._governed = governed
        self._log = log

    def shown(self) -> dict[str, Any]:
        """The settings object; a key is never sent back."""
        shown: dict[str, Any] = {_KEY: MASK} if self._settings.get(_KEY) else {}
        return {**shown, **{name: self._settings[name] for name in _OPEN}}

    def put(self, request: Request) -> Response:
        fields = read_body(request)
        changes = self._changes(fields)
        if _KEY in changes:
            self._rows.change_key(changes[_KEY], lambda: self._settings.update(changes))
        elif changes:
            self._settings.update(changes)
        message = _UPDATED
        if changes.get("enableRouteGuards") and not self._governed():
            self._log.warning("Route guards are on, but there is no profile: all is open.")
            message = f"{_UPDATED}. {_NO_PROFILE}"
        return success(self.shown(), message)

    def finish_first_run(self) -> Response:
        self._settings.update({"firstRun": False})
        return success(None)

    def reset(self) -> Response:
        """All back to their defaults, but the key is kept."""
        self._settings.update(dict.fromkeys(_OPEN))
        return success(self.shown())

    def reset_scan(self) -> Response:
        self._settings.update({"scanSettings": None})
        return success(self.shown())

    def _changes(self, fields: Fields) -> dict[str, Any]:
        changes: dict[str, Any] = {}
        if _KEY in fields:
            key = fields.required_text(_KEY, 0, 256)
            if key != MASK:
                changes[_KEY] = key
        port = fields.integer("port", 1000, 65535)
        if port is not None:
            changes["port"] = port
        for name in ("enableRouteGuards", "firstRun"):
            value = fields.boolean(name)
            if value is not None:
                changes[name] = value
        if "scanSettings" in fields:
            given = fields.value("scanSettings")
            changes["scanSettings"] = check_scan_settings(given, "scanSettings")
        return changes


class ProviderRoutes:
    def __init__(
        self,
        rows: ProviderRows,
        check: Callable[[type[MetadataProvider], Mapping[str, Any]], None],
    ) -> None:
        """``check`` raises Invalid for a config that the implementation's schema refuses."""
        self._rows = rows
        self._check = check

    def list(self) -> Response:
        return success([self._rows.shown(row) for row in self._rows.all()])

    def get(self, name: str) -> Response:
        return success(self._rows.shown(self._rows.get(name)))

    def post(self, request: Request) -> Response:
        fields = read_body(request)
        given = fields.value("name")
        if given is None or (isinstance(given, str) and not given.strip()):
            raise problem("name", "Provider name is required")
        name = fields.required_text("name", 1, 64).lower()
        if not NAME_PATTERN.fullmatch(name):
            raise fields.refuse("name", "must be made of a-z, 0-9, dot, underscore and dash")
        values = self._values(fields)
        config = values.get("config", {})
        self._refuse_unfit(name, config)
        self._rows.put(
            name,
            enabled=values.get("enabled", True),
            priority=values.get("priority", 0),
            config=config,
        )
        return success(self._rows.shown(self._rows.get(name)), "Provider configured successfully")

    def put(self, request: Request, name: str) -> Response:
        values = self._values(read_body(request))
        row = self._rows.get(name)
        if "config" in values:
            self._refuse_unfit(row.name, values["config"])
        changed = self._rows.change(name, values)
        return success(self._rows.shown(changed), "Provider updated successfully")

    def delete(self, name: str) -> Response:
        self._rows.delete(name)
        return success(None, "Provider deleted successfully")

    def _values(self, fields: Fields) -> dict[str, Any]:
        values: dict[str, Any] = {
            "enabled": fields.boolean("enabled"),
            "priority": fields.integer("priority", 0, 1_000_000),
        }
        if "config" in fields:
            config = fields.value("config")
            if not isinstance(config, Mapping):
                raise fields.refuse("config", "must be an object")
            if len(config_text(config).encode()) > MAX_CONFIG_BYTES:
                raise fields.refuse("config", "is larger than 16 KiB")
            values["config"] = dict(config)
        return {name: value for name, value in values.items() if value is not None}

    def _refuse_unfit(self, name: str, config: Mapping[str, Any]) -> None:
        """By the schema of the implementation, where there is one."""
        known = self._rows.find(name)
        full = self._rows.unmasked(known, config)
        implementation = self._rows.implementation_of(name, full)
        if implementation is None:
            return
        try:
            self._check(implementation, full)
        except Invalid as error:
            first = error.details[0] if error.details else None
            path = f"config.{first.path}" if first is not None and first.path else "config"
            raise problem(path, first.message if first is not None else error.message) from None
