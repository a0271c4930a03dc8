"""Services: objects that plugins, and the host, offer to others by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from plugin_sdk import Forbidden, Invalid, ProviderUnavailable, Services

__all__ = ["PluginServices", "ServiceRegistry"]

_HOST: Final = "host."
_REST: Final = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*")


class ServiceRegistry:
    """What is offered right now. Swapped whole, so that nobody sees half of a plugin."""

    def __init__(self) -> None:
        self._host: dict[str, object] = {}
        self._offered: Mapping[str, object] = {}

    def provide(self, name: str, service: object) -> None:
        """A service of the host itself."""
        self._host[_HOST + name] = service

    def publish(self, offered: Mapping[str, object]) -> None:
        """Replaces everything that plugins offer."""
        self._offered = dict(offered)

    def find(self, name: str, *, bundled: bool) -> Any | None:
        if name.startswith(_HOST):
            if not bundled:
                raise Forbidden(f"The service {name} is for bundled plugins only.")
            return self._host.get(name)
        return self._offered.get(name)


class PluginServices(Services):
    """``context.services`` of one plugin."""

    def __init__(self, registry: ServiceRegistry, plugin_id: str, bundled: bool) -> None:
        self._registry = registry
        self._plugin_id = plugin_id
        self._bundled = bundled
        self._closed = False
        self.offered: dict[str, object] = {}

    def offer(self, name: str, service: object) -> None:
        prefix = self._plugin_id + "."
        if not name.startswith(prefix) or not _REST.fullmatch(name[len(prefix) :]):
            raise Invalid(
                f'A service of {self._plugin_id} must be named "{prefix}<name>", not "{name}".'
            )
        if self._closed:
            raise Invalid(f"Plugin {self._plugin_id} is off; it cannot offer {name} any more.")
        self.offered[name] = service

    def get(self, name: str) -> Any:
        service = self.find(name)
        if service is None:
            raise ProviderUnavailable(f"Nobody offers the service {name} right now.")
        return service

    def find(self, name: str) -> Any | None:
        return self._registry.find(name, bundled=self._bundled)

    def close(self) -> None:
        self._closed = True
        self.offered.clear()
