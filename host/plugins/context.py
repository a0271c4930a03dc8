"""The context of one plugin: every member scoped to it by construction."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from host.access import AccessService
from host.db import Engine, KeyValueData
from host.events import EventBus
from host.jobs import JobService
from host.outbound import OutboundClient
from host.plugins.deprecations import DeprecationLog
from host.plugins.hooks import HookRegistry, PluginHooks
from host.plugins.services import PluginServices, ServiceRegistry
from host.providers import PluginBlobs, ProviderRegistry
from host.realtime import Broadcasting
from host.settings import SettingsStore
from plugin_sdk import (
    Blobs,
    CapabilityMissing,
    Clock,
    Context,
    Data,
    Database,
    Deprecation,
    Events,
    Hooks,
    Http,
    Jobs,
    Logger,
    Manifest,
    Paths,
    Permissions,
    Providers,
    Realtime,
    Services,
    Settings,
)

__all__ = ["PluginContext", "Resources"]


@dataclass
class Resources:
    """What contexts are made of: the parts of one host."""

    engine: Engine
    folders: Path
    temporary: Path
    clock: Clock
    log: Logger
    bus: EventBus
    jobs: JobService
    settings: SettingsStore
    access: AccessService
    providers: ProviderRegistry
    realtime: Broadcasting
    services: ServiceRegistry
    hooks: HookRegistry
    deprecations: DeprecationLog
    recovers: bool = False
    """Whether events that a dead process left are told, now that whoever may want them is there."""


class PluginContext(Context):
    """What a plugin holds. Members are made when first used, so that an idle plugin is small."""

    def __init__(
        self,
        manifest: Manifest,
        resources: Resources,
        *,
        package: Path | None,
        bundled: bool,
        log: Logger,
    ) -> None:
        self._manifest = manifest
        self._resources = resources
        self._package = package
        self._bundled = bundled
        self._log = log
        self._capabilities = frozenset(manifest.capabilities)
        self._services = PluginServices(resources.services, manifest.id, bundled)

    @property
    def plugin_id(self) -> str:
        return self._manifest.id

    @property
    def manifest(self) -> Manifest:
        return self._manifest

    @cached_property
    def data(self) -> Data:
        return KeyValueData(self._resources.engine.open(self.plugin_id))

    @cached_property
    def db(self) -> Database:
        self._need("db")
        return self._resources.engine.open(self.plugin_id)

    @cached_property
    def blobs(self) -> Blobs:
        self._need("blobs")
        providers = self._resources.providers
        return PluginBlobs(self.plugin_id, lambda: providers.active("storage"), providers.faults)

    @cached_property
    def settings(self) -> Settings:
        return self._resources.settings.for_plugin(self.plugin_id)

    @cached_property
    def events(self) -> Events:
        database = self._resources.engine.open(self.plugin_id)
        return self._resources.bus.emitter(self.plugin_id, database)

    @cached_property
    def jobs(self) -> Jobs:
        return self._resources.jobs.of(self.plugin_id)

    @property
    def providers(self) -> Providers:
        return self._resources.providers

    @property
    def services(self) -> Services:
        return self._services

    @property
    def permissions(self) -> Permissions:
        return self._resources.access.permissions

    @cached_property
    def hooks(self) -> Hooks:
        return PluginHooks(self._resources.hooks)

    @cached_property
    def realtime(self) -> Realtime:
        self._need("realtime")
        return self._resources.realtime.of(self._log)

    @cached_property
    def http(self) -> Http:
        private = "http.private" in self._capabilities
        if not private:
            self._need("http")
        return OutboundClient(allow_private=private)

    @cached_property
    def paths(self) -> Paths:
        self._need("paths")
        folder = self._resources.folders / self.plugin_id
        return PluginPaths(folder, self._package or folder, self._resources.temporary)

    @property
    def clock(self) -> Clock:
        return self._resources.clock

    @property
    def log(self) -> Logger:
        return self._log

    def deprecation_listener(self, use: Deprecation) -> None:
        """Where `plugin_sdk.deprecated` tells what this plugin used."""
        self._resources.deprecations.used(self.plugin_id, self._manifest.version, use)

    @property
    def offered(self) -> PluginServices:
        """What the plugin offers, for the host to publish and withdraw."""
        return self._services

    def close(self) -> None:
        """After the plugin is gone: late offers are refused, connections are given back."""
        self._services.close()
        for name in ("settings", "http"):
            member = self.__dict__.get(name)
            if member is not None:
                member.close()

    def _need(self, capability: str) -> None:
        if capability not in self._capabilities:
            raise CapabilityMissing(capability, self.plugin_id)


class PluginPaths(Paths):
    """``context.paths``."""

    def __init__(self, data: Path, package: Path, temporary: Path) -> None:
        self._data = data
        self._package = package
        self._temporary = temporary

    @property
    def data(self) -> Path:
        self._data.mkdir(parents=True, exist_ok=True)
        return self._data

    @property
    def package(self) -> Path:
        return self._package

    def temporary(self) -> AbstractContextManager[Path]:
        return _new_folder(self._temporary)


@contextmanager
def _new_folder(parent: Path) -> Iterator[Path]:
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
