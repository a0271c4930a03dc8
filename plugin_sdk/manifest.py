"""``plugin.json``: everything about a plugin that can be known without running its code."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

from plugin_sdk.access import Permission

__all__ = [
    "CAPABILITIES",
    "DEFAULT_PREFIX",
    "MAX_MANIFEST_BYTES",
    "SDK_VERSION",
    "Author",
    "Manifest",
    "ManifestPage",
    "ProviderDeclaration",
    "manifest_schema",
]

SDK_VERSION: Final = "1.0.0"
"""The version of this SDK; a manifest's ``sdk`` is a PEP 440 specifier set over it."""

MAX_MANIFEST_BYTES: Final = 256 * 1024

DEFAULT_PREFIX: Final = "/api/plugins/"
"""Routes of a plugin that claims no prefix answer below this and its id."""

CAPABILITIES: Final[Mapping[str, str]] = {
    "db": "Keeps a relational database of its own",
    "blobs": "Keeps files in the active storage",
    "http": "Sends requests to addresses that an administrator allows",
    "http.private": "Sends requests to private addresses too",
    "realtime": "Sends messages to everybody who listens at the WebSocket",
    "websocket": "Answers WebSocket connections",
    "commands": "Adds commands to the command line",
    "paths": "Keeps files in a folder of its own",
}
"""What a manifest may declare beyond the default set, and how it is shown before enabling."""


@cache
def manifest_schema() -> Mapping[str, Any]:
    """The JSON Schema (2020-12) of plugin.json, ``$id`` ``stagebox:plugin-manifest:1``."""
    text = files("plugin_sdk").joinpath("manifest.schema.json").read_text(encoding="utf-8")
    schema: Mapping[str, Any] = json.loads(text)
    return schema


@dataclass(frozen=True, slots=True)
class Author:
    """Who made the plugin; ``email`` is shown as it is written."""

    name: str
    email: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class ProviderDeclaration:
    """A provider that the manifest announces: the hook ``providers`` must give exactly these."""

    type: str
    name: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class ManifestPage:
    """An HTML file of the plugin's folder, shown under ``title`` and ``icon``."""

    path: str
    title: str
    icon: str = ""
    order: int = 100


@dataclass(frozen=True, slots=True)
class Manifest:
    """A checked plugin.json. ``settings`` is a JSON Schema, or None; paths are relative to the
    plugin's folder; ``requires`` are ``id`` with an optional PEP 440 specifier set.

    ``claims`` are the path prefixes that are this plugin's alone; ``prefix`` is put before each
    of its route paths (empty for bundled plugins that claim several paths and write them out).
    ``protected`` and ``starts_off`` are for bundled plugins: one that cannot be disabled, one
    that is off until an administrator enables it.
    """

    id: str
    name: str
    version: str
    sdk: str
    description: str = ""
    authors: tuple[Author, ...] = ()
    homepage: str | None = None
    license: str | None = None
    requires: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    permissions: tuple[Permission, ...] = ()
    settings: Mapping[str, Any] | None = None
    settings_html: str | None = None
    scripts: tuple[str, ...] = ()
    styles: tuple[str, ...] = ()
    pages: tuple[ManifestPage, ...] = ()
    providers: tuple[ProviderDeclaration, ...] = ()
    prefix: str = ""
    claims: tuple[str, ...] = ()
    protected: bool = False
    starts_off: bool = False

    @property
    def declared(self) -> frozenset[str]:
        """The capabilities and permissions that an administrator agrees to."""
        return frozenset({*self.capabilities, *(each.name for each in self.permissions)})

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Manifest:
        """From a document that fits `manifest_schema`; nothing is checked here."""
        frontend = document.get("frontend", {})
        routes = document.get("routes", {})
        bundled = document.get("bundled", {})
        plugin_id = document["id"]
        paths: Sequence[str] = routes.get("paths", ())
        prefix = "" if paths else routes.get("prefix", DEFAULT_PREFIX + plugin_id)
        return cls(
            id=plugin_id,
            name=document["name"],
            version=document["version"],
            sdk=document["sdk"],
            description=document.get("description", ""),
            authors=tuple(Author(**author) for author in document.get("authors", ())),
            homepage=document.get("homepage"),
            license=document.get("license"),
            requires=tuple(document.get("requires", ())),
            capabilities=tuple(document.get("capabilities", ())),
            permissions=tuple(
                Permission(each["name"], each["description"], plugin_id)
                for each in document.get("permissions", ())
            ),
            settings=document.get("settings"),
            settings_html=document.get("settingsHtml"),
            scripts=tuple(frontend.get("scripts", ())),
            styles=tuple(frontend.get("styles", ())),
            pages=tuple(ManifestPage(**page) for page in frontend.get("pages", ())),
            providers=tuple(
                ProviderDeclaration(**provider) for provider in document.get("providers", ())
            ),
            prefix=prefix,
            claims=tuple(paths) or (prefix,),
            protected=bundled.get("protected", False),
            starts_off=bundled.get("startsOff", False),
        )
