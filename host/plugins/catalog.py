"""The catalog: all that active plugins contribute, frozen, and swapped whole.

A request reads the catalog once; a plugin appears in it, or is gone from it, in one assignment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from host.plugins.gate import Gate
from plugin_sdk import (
    Command,
    Job,
    Manifest,
    Page,
    Panel,
    Plugin,
    Provider,
    Request,
    RequestFilter,
    Route,
    StageboxError,
    Subscription,
    WebSocketRoute,
)

__all__ = ["Catalog", "Endpoint", "ErrorBody", "Published", "WebSocketEndpoint"]

ErrorBody = Callable[[StageboxError, Request], Any]


@dataclass(frozen=True, slots=True, eq=False)
class Endpoint:
    """An HTTP route at its full path."""

    plugin_id: str
    path: str
    route: Route
    gate: Gate
    error_body: ErrorBody | None = None


@dataclass(frozen=True, slots=True, eq=False)
class WebSocketEndpoint:
    """A WebSocket route at its full path (without fields)."""

    plugin_id: str
    path: str
    route: WebSocketRoute
    gate: Gate


@dataclass(frozen=True, slots=True, eq=False)
class Published:
    """All contributions of one active plugin. The same object as long as the plugin stays
    active, so whatever is compiled from it can be kept."""

    plugin_id: str
    manifest: Manifest
    gate: Gate
    plugin: Plugin | None = None
    endpoints: tuple[Endpoint, ...] = ()
    websockets: tuple[WebSocketEndpoint, ...] = ()
    providers: tuple[Provider, ...] = ()
    subscriptions: tuple[Subscription, ...] = ()
    jobs: tuple[Job, ...] = ()
    commands: tuple[Command, ...] = ()
    pages: tuple[Page, ...] = ()
    panels: tuple[Panel, ...] = ()
    services: Mapping[str, object] = field(default_factory=dict)
    error_body: ErrorBody | None = None
    filters: tuple[RequestFilter, ...] = ()

    @property
    def claims(self) -> tuple[str, ...]:
        """The path prefixes that are this plugin's alone."""
        return self.manifest.claims


@dataclass(frozen=True, slots=True, eq=False)
class Catalog:
    """``plugins`` in order of their start; ``version`` grows with every swap."""

    version: int = 0
    plugins: Mapping[str, Published] = field(default_factory=dict)

    def with_plugin(self, published: Published) -> Catalog:
        return Catalog(self.version + 1, {**self.plugins, published.plugin_id: published})

    def without(self, plugin_id: str) -> Catalog:
        rest = {key: value for key, value in self.plugins.items() if key != plugin_id}
        return Catalog(self.version + 1, rest)
