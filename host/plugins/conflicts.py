"""What a plugin may claim: path prefixes, routes, providers (section 11.3 of the contract)."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Final

from plugin_sdk import Manifest, Provider, Route, WebSocketRoute
from plugin_sdk.management import PluginFault
from plugin_sdk.manifest import DEFAULT_PREFIX

__all__ = ["METHODS", "claim_conflict", "full_path", "provider_conflict", "route_conflict"]

RESERVED_SEGMENTS: Final = frozenset({"file", "settings", "config", "enable", "disable", "purge"})
"""First segments below /api/plugins/<id> that belong to the host's plugin routes."""

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

_PATH: Final = re.compile(r"(/([A-Za-z0-9._~!$&'()*+,;=:@-]|\{[A-Za-z_][A-Za-z0-9_]*(:path)?\})+)+")
_ROOT: Final = "/"
_FIELD: Final = re.compile(r"\{[^}]*\}")


def _lies_in(path: str, prefix: str) -> bool:
    """In the root lies the root alone: who claims it does not claim everything."""
    return path == prefix or path.startswith(prefix + "/")


def claim_conflict(
    manifest: Manifest,
    others: Mapping[str, Iterable[str]],
    host_paths: Iterable[str],
    neighbours: Container[str] = frozenset(),
) -> PluginFault | None:
    """A clash of this plugin's claimed prefixes with the host or with other found plugins.

    ``others`` maps ids to claims. The plugins' own area below /api/plugins/ is shared by id.
    ``neighbours`` are ids whose claims may lie inside of this plugin's, and the other way round:
    the longest prefix decides, as one contract may be shared by several plugins."""
    for claim in manifest.claims:
        if claim == DEFAULT_PREFIX + manifest.id:
            continue
        for path in host_paths:
            if _lies_in(claim, path) or _lies_in(path, claim):
                return _conflict(f"the prefix {claim} collides with {path} of the host")
        for owner, theirs in others.items():
            for path in theirs:
                if owner == manifest.id or path == DEFAULT_PREFIX + owner:
                    continue
                nested = _lies_in(claim, path) or _lies_in(path, claim)
                if claim == path or (nested and owner not in neighbours):
                    return _conflict(f"the prefix {claim} collides with {path} of plugin {owner}")
    return None


def full_path(manifest: Manifest, path: str) -> str:
    """A route's path behind the plugin's prefix."""
    return manifest.prefix + path


def route_conflict(
    manifest: Manifest, routes: Sequence[Route | WebSocketRoute]
) -> PluginFault | None:
    """A route that may not be: malformed, outside the claims, reserved, or declared twice."""
    seen: set[tuple[str, str]] = set()
    for route in routes:
        method = route.method if isinstance(route, Route) else "WEBSOCKET"
        path = full_path(manifest, route.path)
        if method not in METHODS and method != "WEBSOCKET":
            return _conflict(f'"{method}" is no method of a route: {", ".join(METHODS)}')
        if not route.path.startswith("/") or not (_PATH.fullmatch(path) or path == _ROOT):
            return _conflict(f'"{route.path}" is no route path: begin with "/", end without one')
        if not any(_lies_in(path, claim) for claim in manifest.claims):
            return _conflict(f"{path} lies outside of {', '.join(manifest.claims)}")
        if manifest.prefix == DEFAULT_PREFIX + manifest.id:
            first = route.path.split("/")[1]
            if first in RESERVED_SEGMENTS:
                return _conflict(f'"/{first}" is reserved below {manifest.prefix}')
        if method == "WEBSOCKET" and "{" in path:
            return _conflict(f"the WebSocket path {path} must not have fields")
        key = (method, _FIELD.sub("{}", path))
        if key in seen:
            return _conflict(f"{method} {path} is declared twice")
        seen.add(key)
    return None


def provider_conflict(
    manifest: Manifest, providers: Sequence[Provider], taken: Mapping[tuple[str, str], str]
) -> PluginFault | None:
    """A provider that the manifest does not declare, or that another plugin holds."""
    declared = {(each.type, each.name) for each in manifest.providers}
    for provider in providers:
        key = (provider.type, provider.name)
        if key not in declared:
            text = f'the provider {key[0]} "{key[1]}" is not declared in plugin.json'
            return PluginFault("PROVIDER_CONFLICT", text)
        owner = taken.get(key, manifest.id)
        if owner != manifest.id:
            text = f'the provider {key[0]} "{key[1]}" belongs to plugin {owner}'
            return PluginFault("PROVIDER_CONFLICT", text)
    return None


def _conflict(text: str) -> PluginFault:
    return PluginFault("ROUTE_CONFLICT", text[0].upper() + text[1:] + ".")
