"""Bodies and answers of the plugin routes, as JSON Schemas and as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from plugin_sdk import Clock, ProviderEntry, Schema
from plugin_sdk.management import AuditEntry, DeprecatedUse, Holding, SettingSource

__all__ = [
    "AUDIT",
    "AUDIT_QUERY",
    "CHOICE",
    "DEPRECATIONS",
    "INSTALL_QUERY",
    "MAX_AUDIT_PAGE",
    "PERMISSIONS",
    "PLUGIN",
    "PLUGINS",
    "PROVIDERS",
    "PURGE",
    "SOURCES",
    "UNINSTALL_QUERY",
    "VERSION",
    "audit_json",
    "deprecation_json",
    "holdings_json",
    "provider_json",
    "sources_json",
]

_TEXT: Final = {"type": "string"}
_TEXT_OR_NULL: Final = {"type": ["string", "null"]}
_TEXTS: Final = {"type": "array", "items": _TEXT}

_SHOWN: Final = {
    "type": "object",
    "required": ["path", "title", "order", "url"],
    "properties": {
        "path": _TEXT,
        "title": _TEXT,
        "icon": _TEXT,
        "order": {"type": "integer"},
        "url": _TEXT,
    },
}

PLUGIN: Final[Schema] = {
    "title": "Plugin",
    "type": "object",
    "required": ["id", "name", "version", "state", "enabled", "bundled", "source", "error"],
    "properties": {
        "id": _TEXT,
        "name": _TEXT,
        "version": _TEXT,
        "sdk": _TEXT,
        "description": _TEXT,
        "authors": {"type": "array", "items": {"type": "object"}},
        "homepage": _TEXT_OR_NULL,
        "license": _TEXT_OR_NULL,
        "state": {"enum": ["active", "disabled", "errored", "quarantined", "incompatible"]},
        "enabled": {"type": "boolean"},
        "bundled": {"type": "boolean"},
        "protected": {"type": "boolean"},
        "source": {"enum": ["built-in", "entry-point", "folder"]},
        "error": {
            "type": ["object", "null"],
            "properties": {"code": _TEXT, "message": _TEXT, "incident": _TEXT_OR_NULL},
        },
        "requires": _TEXTS,
        "capabilities": _TEXTS,
        "permissions": {"type": "array", "items": {"type": "object"}},
        "providers": {"type": "array", "items": {"type": "object"}},
        "routes": {
            "type": "object",
            "properties": {
                "prefix": _TEXT,
                "paths": {**_TEXTS, "description": "Of one that claims paths, not a prefix"},
            },
        },
        "hasSettings": {"type": "boolean"},
        "hasSettingsHtml": {"type": "boolean"},
        "settingsSchema": {"type": ["object", "null"]},
        "frontend": {
            "type": "object",
            "properties": {
                "scripts": _TEXTS,
                "styles": _TEXTS,
                "pages": {"type": "array", "items": _SHOWN},
                "panels": {"type": "array", "items": _SHOWN, "description": "If it has any"},
            },
        },
        "added": {
            **_TEXTS,
            "description": "Capabilities and permissions beyond those that were confirmed by "
            "enabling it before, if there are any; enabling it confirms them",
        },
        "conflicts": {"type": "array", "items": {"type": "object"}},
    },
}
PLUGINS: Final[Schema] = {"type": "array", "items": PLUGIN}

SOURCES: Final[Schema] = {
    "type": "object",
    "additionalProperties": {
        "type": "object",
        "required": ["source"],
        "properties": {
            "source": {"enum": ["default", "stored", "file"]},
            "where": {**_TEXT, "description": "File and table, of one that a file decides"},
        },
    },
}

PURGE: Final[Schema] = {
    "type": "object",
    "properties": {"scope": {"enum": ["data", "all"], "default": "data"}},
}

CHOICE: Final[Schema] = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": {"type": "string", "minLength": 1, "maxLength": 40}},
}

_PROVIDER: Final = {
    "type": "object",
    "properties": {
        "name": _TEXT,
        "pluginId": _TEXT,
        "active": {"type": "boolean"},
        "chosen": {"type": "boolean"},
    },
}
PROVIDERS: Final[Schema] = {
    "type": "object",
    "additionalProperties": {"type": "array", "items": _PROVIDER},
}

PERMISSIONS: Final[Schema] = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"name": _TEXT, "description": _TEXT, "pluginId": _TEXT_OR_NULL},
    },
}

VERSION: Final[Schema] = {
    "type": "object",
    "properties": {
        "version": _TEXT,
        "gitSha": _TEXT,
        "buildDate": _TEXT,
        "sdk": _TEXT,
        "sourceUrl": _TEXT_OR_NULL,
        "licenseUrl": _TEXT_OR_NULL,
    },
}


_SWITCH: Final = {"type": "boolean", "default": False}

INSTALL_QUERY: Final[Schema] = {
    "type": "object",
    "properties": {"preview": _SWITCH, "accept": _SWITCH},
}
UNINSTALL_QUERY: Final[Schema] = {
    "type": "object",
    "properties": {"purge": _SWITCH, "preview": _SWITCH},
}

DEPRECATIONS: Final[Schema] = {
    "type": "array",
    "items": {
        "title": "DeprecatedUse",
        "type": "object",
        "properties": {
            "pluginId": _TEXT,
            "pluginVersion": _TEXT,
            "name": _TEXT,
            "since": _TEXT,
            "removedIn": _TEXT,
            "instead": _TEXT,
            "place": _TEXT,
            "count": {"type": "integer"},
            "firstSeen": _TEXT,
            "lastSeen": _TEXT,
        },
    },
}

MAX_AUDIT_PAGE: Final = 1000
AUDIT_QUERY: Final[Schema] = {
    "type": "object",
    "properties": {
        "limit": {"type": "integer", "minimum": 1, "maximum": MAX_AUDIT_PAGE, "default": 100},
        "before": {"type": "integer", "minimum": 1},
    },
}
AUDIT: Final[Schema] = {
    "type": "array",
    "items": {
        "title": "AuditEntry",
        "type": "object",
        "properties": {
            "id": {"type": "integer"},
            "at": _TEXT,
            "principal": {"type": "object", "properties": {"id": _TEXT, "name": _TEXT}},
            "action": _TEXT,
            "summary": _TEXT,
            "pluginId": _TEXT,
            "peer": _TEXT,
        },
    },
}


def holdings_json(found: Sequence[Holding]) -> dict[str, Any]:
    """What there is of a plugin; the sums are over all but code. A database's bytes have those of
    its keys and tables in them."""
    kept = [each for each in found if each.kind != "code"]
    return {
        "rows": sum(each.rows for each in kept if each.kind != "database"),
        "bytes": sum(each.bytes or 0 for each in kept),
        "holdings": [each.as_json() for each in found],
    }


def deprecation_json(use: DeprecatedUse, clock: Clock) -> dict[str, Any]:
    """An item of `DEPRECATIONS`."""
    return {
        "pluginId": use.plugin_id,
        "pluginVersion": use.plugin_version,
        "name": use.name,
        "since": use.since,
        "removedIn": use.removed_in,
        "instead": use.instead,
        "place": use.place,
        "count": use.count,
        "firstSeen": clock.iso(use.first_seen),
        "lastSeen": clock.iso(use.last_seen),
    }


def audit_json(entry: AuditEntry, clock: Clock) -> dict[str, Any]:
    """An entry of the audit trail; values that were sent are not part of it."""
    return {
        "id": entry.id,
        "at": clock.iso(entry.at),
        "principal": {"id": entry.principal_id, "name": entry.principal_name},
        "action": entry.action,
        "summary": entry.summary,
        "pluginId": entry.plugin_id,
        "peer": entry.peer,
    }


def provider_json(entry: ProviderEntry) -> dict[str, Any]:
    """A provider as section 12 of the plugin contract shows it."""
    return {
        "name": entry.name,
        "pluginId": entry.plugin_id,
        "active": entry.active,
        "chosen": entry.chosen,
    }


def sources_json(plugin_id: str, sources: Mapping[str, SettingSource]) -> dict[str, Any]:
    """`SOURCES`."""
    table = f'plugins."{plugin_id}"' if "." in plugin_id else f"plugins.{plugin_id}"
    where = {"where": f"stagebox.toml [{table}]"}
    return {
        name: {"source": source, **(where if source == "file" else {})}
        for name, source in sources.items()
    }
