"""Providers: implementations of a type, offered by plugins, used by others without an import."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

__all__ = ["HOST_PROVIDER_TYPES", "Provider", "ProviderEntry", "Providers", "Services"]

HOST_PROVIDER_TYPES: Final = ("storage", "metadata", "auth", "song_format", "realtime")
"""Types whose interface the SDK defines; a plugin may invent others (``[a-z][a-z0-9_]*``)."""


@dataclass(frozen=True, slots=True)
class Provider:
    """One contribution: (type, name) as declared under ``providers`` in the manifest.

    ``implementation`` is an instance, or a class where the type says so (``metadata``)."""

    type: str
    name: str
    implementation: Any


@dataclass(frozen=True, slots=True)
class ProviderEntry:
    """A registered provider as a listing shows it. ``chosen`` is the stored choice."""

    type: str
    name: str
    plugin_id: str
    active: bool
    chosen: bool


class Providers(Protocol):
    """``context.providers``: the way to what other plugins offer. Ask anew each time: the active
    one changes when an admin chooses another or its owner is switched off."""

    def active(self, type: str) -> Any:
        """The active implementation of a single type; raises ProviderUnavailable."""
        ...

    def get(self, type: str, name: str) -> Any:
        """An implementation by its name; raises ProviderUnavailable."""
        ...

    def chain(self, type: str) -> Sequence[Any]:
        """All implementations in the order of asking."""
        ...

    def entries(self, type: str | None = None) -> Sequence[ProviderEntry]:
        """What is registered, in order of registration (chains: in order of asking)."""
        ...


class Services(Protocol):
    """``context.services``: objects that one plugin offers to others under a dotted name.

    Use a provider where several may compete for a role; a service is the one interface of one
    plugin (``rooms.store``). Names that begin with ``host.`` are the host's own and are handed
    to bundled plugins only.
    """

    def offer(self, name: str, service: object) -> None:
        """Offers it until the plugin is switched off. The name must begin with the plugin's own
        id and a dot; raises Invalid. Call it in ``enable``."""
        ...

    def get(self, name: str) -> Any:
        """Raises ProviderUnavailable when nobody offers it now, Forbidden for a host service
        that is not for this plugin."""
        ...

    def find(self, name: str) -> Any | None:
        """As `get`, but None when nobody offers it."""
        ...
