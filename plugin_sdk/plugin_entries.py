"""What the host tells of plugins to those that manage it; see `plugin_sdk.management`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from plugin_sdk.access import Permission
from plugin_sdk.manifest import DEFAULT_PREFIX, Manifest
from plugin_sdk.pages import Page, Panel

__all__ = [
    "DeprecatedUse",
    "DiagnosticsAnswer",
    "Holding",
    "InstallPlan",
    "PluginConflict",
    "PluginEntry",
    "PluginFault",
    "PluginState",
]

PluginState = Literal["active", "disabled", "errored", "quarantined", "incompatible"]


@dataclass(frozen=True, slots=True)
class PluginFault:
    """Why a plugin is not active: a code of section 14 of the plugin contract, one line without
    absolute paths, and the incident that the log repeats."""

    code: str
    message: str
    incident: str | None = None


@dataclass(frozen=True, slots=True)
class PluginConflict:
    """Another find of the same id, which lost."""

    source: str
    version: str
    message: str


@dataclass(frozen=True, slots=True)
class PluginEntry:
    """A found plugin in whatever state. ``enabled`` is the stored wish, ``state`` the fact.

    ``manifest`` is None when it cannot be read; ``raw`` holds what could be read of it.
    ``folder`` holds plugin.json."""

    id: str
    state: PluginState
    enabled: bool
    source: Literal["built-in", "entry-point", "folder"]
    protected: bool
    folder: Path | None
    manifest: Manifest | None
    raw: Mapping[str, Any]
    fault: PluginFault | None = None
    conflicts: tuple[PluginConflict, ...] = ()
    pages: tuple[Page, ...] = ()
    panels: tuple[Panel, ...] = ()
    calls: int = 0
    failures: int = 0
    seconds: float = 0.0
    """Spent in its calls in this process, as ``calls`` and ``failures``."""
    confirmed: frozenset[str] | None = None
    """The capabilities and permissions that a person agreed to by enabling it; None when nobody
    ever did."""

    @property
    def bundled(self) -> bool:
        return self.source == "built-in"

    @property
    def added(self) -> list[str]:
        """What it declares beyond that."""
        if self.manifest is None or self.confirmed is None:
            return []
        return sorted(self.manifest.declared - self.confirmed)

    def as_json(self) -> dict[str, Any]:
        """The plugin entry of section 10.1 of the plugin contract. What could not be read from a
        broken manifest is empty; the front end is listed only while the plugin is active, pages of
        the manifest before those of its code. ``frontend.panels`` and ``routes.paths`` are there
        only where a plugin has panels, or claims paths beside a prefix; ``added`` only where one
        declares more than an administrator agreed to."""
        manifest = self.manifest
        fault = self.fault
        entry: dict[str, Any] = {
            "id": self.id,
            "name": self._text("name") or self.id,
            "version": self._text("version"),
            "sdk": self._text("sdk"),
            "description": self._text("description"),
            "authors": [],
            "homepage": None,
            "license": None,
            "state": self.state,
            "enabled": self.enabled,
            "bundled": self.bundled,
            "protected": self.protected,
            "source": self.source,
            "error": asdict(fault) if fault else None,
            "requires": [],
            "capabilities": [],
            "permissions": [],
            "providers": [],
            "routes": {"prefix": DEFAULT_PREFIX + self.id},
            "hasSettings": False,
            "hasSettingsHtml": False,
            "settingsSchema": None,
            "frontend": {"scripts": [], "styles": [], "pages": []},
            "conflicts": [asdict(conflict) for conflict in self.conflicts],
        }
        if self.added:
            entry["added"] = self.added
        if manifest is not None:
            entry.update(_manifest_json(manifest))
            if self.state == "active":
                entry["frontend"] = self._frontend_json(manifest)
        return entry

    def _frontend_json(self, manifest: Manifest) -> dict[str, Any]:
        def file(path: str) -> str:
            return f"{DEFAULT_PREFIX}{manifest.id}/file/{quote(path)}?v={manifest.version}"

        files = [{**asdict(page), "url": file(page.path)} for page in manifest.pages]
        routes = [{**asdict(page), "url": manifest.prefix + page.path} for page in self.pages]
        panels = [{**asdict(panel), "url": manifest.prefix + panel.path} for panel in self.panels]
        return {
            "scripts": [file(path) for path in manifest.scripts],
            "styles": [file(path) for path in manifest.styles],
            "pages": [*files, *routes],
            **({"panels": panels} if panels else {}),
        }

    def _text(self, key: str) -> str:
        value = self.raw.get(key, "") if self.manifest is None else getattr(self.manifest, key)
        return value if isinstance(value, str) else ""


def _manifest_json(manifest: Manifest) -> dict[str, Any]:
    return {
        "authors": [
            {key: value for key, value in asdict(author).items() if value is not None}
            for author in manifest.authors
        ],
        "homepage": manifest.homepage,
        "license": manifest.license,
        "requires": list(manifest.requires),
        "capabilities": list(manifest.capabilities),
        "permissions": [
            {"name": each.name, "description": each.description} for each in manifest.permissions
        ],
        "providers": [{"type": each.type, "name": each.name} for each in manifest.providers],
        "routes": {
            "prefix": manifest.claims[0],
            **({} if manifest.prefix else {"paths": list(manifest.claims)}),
        },
        "hasSettings": manifest.settings is not None,
        "hasSettingsHtml": manifest.settings_html is not None,
        "settingsSchema": manifest.settings,
    }


@dataclass(frozen=True, slots=True)
class InstallPlan:
    """What an installation would bring, before a line of it has run. ``added_capabilities`` and
    ``added_permissions`` are those that the installed version does not declare. ``packages`` are
    the Python packages that it requires, ``problems`` a sentence for each that is not there as it
    needs it, naming the other plugin that needs it otherwise."""

    manifest: Manifest
    source: str
    replaces: str | None
    added_capabilities: tuple[str, ...]
    added_permissions: tuple[Permission, ...]
    packages: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Holding:
    """Something that is kept of a plugin: how many rows, keys or files, and how many bytes where
    that is known.

    Kinds: ``database`` (all of it; ``rows`` is 1), ``keys``, ``table`` (with its ``name``),
    ``events`` that nobody has heard yet, ``blobs``, ``files``, ``settings``, ``jobs``,
    ``schedules``, ``deprecations``, ``elsewhere`` (``name`` says in which plugin, and what),
    ``code``."""

    kind: str
    name: str
    rows: int
    bytes: int | None = None

    def as_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "name": self.name, "rows": self.rows, "bytes": self.bytes}


@dataclass(frozen=True, slots=True)
class DeprecatedUse:
    """What a version of a plugin used while it ran, and has to replace before the SDK's version
    ``removed_in``: how often, where last (file and line), and when first and last, in milliseconds
    since the epoch. See `plugin_sdk.deprecated`."""

    plugin_id: str
    name: str
    plugin_version: str
    since: str
    removed_in: str
    instead: str
    place: str
    count: int
    first_seen: int
    last_seen: int


@dataclass(frozen=True, slots=True)
class DiagnosticsAnswer:
    """What a plugin's ``diagnostics`` hook gave, or one sentence why it gave nothing."""

    value: Mapping[str, Any] | str | bytes | None = None
    error: str | None = None
