"""What the host hands to a plugin: few members, each scoped to this plugin by construction."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from plugin_sdk.access import Permissions
from plugin_sdk.blobs import Blobs
from plugin_sdk.data import Data
from plugin_sdk.database import Database
from plugin_sdk.events import Events
from plugin_sdk.jobs import Jobs
from plugin_sdk.manifest import Manifest
from plugin_sdk.outbound import Http
from plugin_sdk.providers import Providers, Services
from plugin_sdk.realtime import Realtime

__all__ = ["Clock", "Context", "HookResult", "Hooks", "Logger", "Paths", "Settings"]

Logger = logging.Logger | logging.LoggerAdapter[logging.Logger]


class Clock(Protocol):
    """``context.clock``: the host's clock, which tests can move."""

    def time(self) -> float:
        """Seconds since the epoch."""
        ...

    def ms(self) -> int:
        """Milliseconds since the epoch."""
        ...

    def now(self) -> datetime:
        """In UTC, with time zone."""
        ...

    def iso(self, ms: int | None = None) -> str:
        """``2026-05-01T12:00:00.000Z``: of the given milliseconds, or of now."""
        ...


class Paths(Protocol):
    """``context.paths`` (capability ``paths``)."""

    @property
    def data(self) -> Path:
        """The plugin's own folder, for files of its own; kept until purge."""
        ...

    @property
    def package(self) -> Path:
        """Where the plugin's code and plugin.json lie; not to be written."""
        ...

    def temporary(self) -> AbstractContextManager[Path]:
        """A new empty folder that is removed afterwards."""
        ...


class Settings(Protocol):
    """``context.settings``: effective values of the properties of the manifest's schema.

    Reading sees every change at once, whoever made it. A property without value and default is
    None.
    """

    def __getitem__(self, name: str) -> Any: ...
    def __iter__(self) -> Iterator[str]: ...
    def __len__(self) -> int: ...
    def __contains__(self, name: object) -> bool: ...
    def get(self, name: str, default: Any = None) -> Any: ...
    def as_dict(self) -> dict[str, Any]:
        """All effective values at this moment."""
        ...

    def update(self, changes: Mapping[str, Any]) -> None:
        """Stores some values; None returns a property to its default. All are checked before one
        is stored: raises Invalid with details, or Conflict for a value that the operator's file
        pins."""
        ...

    def on_change(self, callback: Callable[[frozenset[str]], object]) -> None:
        """Calls back with the names of changed properties, until the plugin is switched off."""
        ...


class HookResult(Protocol):
    """What one plugin answered to a hook call."""

    @property
    def plugin_id(self) -> str: ...
    @property
    def value(self) -> Any: ...
    @property
    def error(self) -> Exception | None: ...


class Hooks(Protocol):
    """``context.hooks``: calling hooks whose specification this plugin brought (``hookspecs``)."""

    def call(self, name: str, **arguments: Any) -> list[HookResult]:
        """Asks every active plugin that implements the hook, each fenced from the others, in
        the order of pluggy (last registered first, ``tryfirst``, ``trylast``)."""
        ...

    def first(self, name: str, **arguments: Any) -> Any:
        """The first answer that is not None. What the answering plugin raises comes through."""
        ...

    def implemented(self, name: str) -> bool:
        """Whether anybody would be asked, for arguments that are costly to make."""
        ...


class Context(Protocol):
    """``plugin.context``. Members marked with a capability raise CapabilityMissing unless the
    manifest declares it."""

    @property
    def plugin_id(self) -> str: ...
    @property
    def manifest(self) -> Manifest:
        """The plugin's own plugin.json, checked."""
        ...

    @property
    def data(self) -> Data: ...
    @property
    def db(self) -> Database:
        """Capability ``db``."""
        ...

    @property
    def blobs(self) -> Blobs:
        """Capability ``blobs``."""
        ...

    @property
    def settings(self) -> Settings: ...
    @property
    def events(self) -> Events: ...
    @property
    def jobs(self) -> Jobs: ...
    @property
    def providers(self) -> Providers: ...
    @property
    def services(self) -> Services: ...
    @property
    def permissions(self) -> Permissions: ...
    @property
    def hooks(self) -> Hooks: ...
    @property
    def realtime(self) -> Realtime:
        """Capability ``realtime``."""
        ...

    @property
    def http(self) -> Http:
        """Capability ``http``; private addresses need ``http.private``."""
        ...

    @property
    def paths(self) -> Paths:
        """Capability ``paths``."""
        ...

    @property
    def clock(self) -> Clock: ...
    @property
    def log(self) -> Logger: ...
