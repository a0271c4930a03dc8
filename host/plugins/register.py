"""The register: every plugin that was found, and what is known of it."""

from __future__ import annotations

import threading
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from host.plugins.discovery import (
    Discovery,
    Found,
    Given,
    InstalledPlugins,
    find_folders,
    ranked,
)
from host.plugins.manifests import ManifestInvalid, ManifestReader, check_manifest, sdk_fits
from host.plugins.starting import Running
from host.plugins.wishes import Wish
from host.settings import SettingsStore
from host.suggestions import suggestion_suffix
from plugin_sdk import SDK_VERSION, Logger, Manifest, NotFound, Problem
from plugin_sdk.management import PluginConflict, PluginEntry, PluginFault, PluginState

__all__ = ["Record", "Register"]


@dataclass(slots=True)
class Record:
    """What is known of one plugin id. ``busy`` while a change of it is under way."""

    found: Found
    manifest: Manifest | None = None
    raw: Mapping[str, Any] = field(default_factory=dict)
    state: PluginState = "disabled"
    fault: PluginFault | None = None
    running: Running | None = None
    conflicts: tuple[PluginConflict, ...] = ()
    busy: bool = False

    def wished(self, wish: Wish | None) -> bool:
        """Whether it is to be on: built-ins as shipped, third-party plugins only when asked for."""
        if wish is not None:
            return wish.enabled
        starts_off = self.manifest is not None and self.manifest.starts_off
        return self.found.bundled and not starts_off

    @property
    def asks_for(self) -> frozenset[str] | None:
        """What an administrator agrees to by enabling it; None for built-ins, and where nobody
        can tell."""
        if self.manifest is None or self.found.bundled:
            return None
        return self.manifest.declared

    @property
    def protected(self) -> bool:
        """Whether it is needed to run the host."""
        return self.manifest is not None and self.manifest.protected


class Register:
    """Looks for plugins and reads their manifests; runs nothing of them.

    Its lock is held for short moments only, never while a plugin's code runs.
    """

    def __init__(
        self,
        folders: Path,
        settings: SettingsStore,
        log: Logger,
        *,
        bundled_only: bool = False,
        bundled: Container[str] | None = None,
        given: Sequence[Given] = (),
    ) -> None:
        """``bundled`` are the built-ins that there are, if not all of them."""
        self._folders = folders
        self._settings = settings
        self._log = log
        self._bundled_only = bundled_only
        self._bundled = bundled
        self._given = tuple(given)
        self._reader = ManifestReader()
        self._records: dict[str, Record] = {}
        self._packages = InstalledPlugins()
        self._installed: list[Found] | None = None
        self._lock = threading.RLock()
        self._warned: set[str] = set()

    def look(self, *, packages: bool = False) -> None:
        """Looks anew: at folders each time, at installed packages when asked to."""
        warnings: list[str] = []
        if packages or self._installed is None:
            self._installed = [
                each for each in self._packages.find(warnings) if self._is_there(each)
            ]
        discovery = ranked(self._everything(self._installed, warnings))
        self._warn(warnings)
        with self._lock:
            self._take_over(discovery)

    def _is_there(self, found: Found) -> bool:
        return not found.bundled or self._bundled is None or found.id in self._bundled

    def _everything(self, installed: list[Found], warnings: list[str]) -> list[Found]:
        if self._bundled_only:
            return [found for found in installed if found.bundled]
        given = [
            Found(str(each.document["id"]), "folder", each.folder, given=each)
            for each in self._given
        ]
        return [*installed, *given, *find_folders(self._folders, warnings)]

    def _take_over(self, discovery: Discovery) -> None:
        for plugin_id, found in discovery.found.items():
            record = self._records.get(plugin_id)
            idle = record is not None and record.running is None and not record.busy
            if record is None or (idle and record.found != found):
                record = self._records[plugin_id] = Record(found)
                idle = True
            record.conflicts = discovery.conflicts.get(plugin_id, ())
            if idle:
                self._glance(record)
        for plugin_id in [key for key in self._records if key not in discovery.found]:
            if self._records[plugin_id].running is None:
                del self._records[plugin_id]

    def _glance(self, record: Record) -> None:
        """Notes what the manifest tells, and keeps what an attempt found wrong with the code."""
        from_manifest = ("MANIFEST_INVALID", "SDK_INCOMPATIBLE")
        if record.fault is not None and record.fault.code in from_manifest:
            record.state, record.fault = "disabled", None
        fault = self.examine(record)
        if fault is not None:
            record.fault = fault
            record.state = "incompatible" if fault.code == "SDK_INCOMPATIBLE" else "errored"

    def examine(self, record: Record) -> PluginFault | None:
        """Reads the manifest, again if it changed; returns what is wrong with it."""
        try:
            manifest = self._read(record.found)
        except ManifestInvalid as error:
            record.manifest, record.raw = None, error.raw
            return PluginFault("MANIFEST_INVALID", error.message[:300])
        if manifest != record.manifest:
            record.manifest = manifest
            self._settings.define(manifest.id, manifest.settings)
        if sdk_fits(manifest.sdk):
            return None
        text = f"It needs SDK {manifest.sdk}; this host has {SDK_VERSION}."
        return PluginFault("SDK_INCOMPATIBLE", text)

    def _read(self, found: Found) -> Manifest:
        if found.given is not None:
            manifest = check_manifest(
                dict(found.given.document), bundled=False, folder=found.folder
            )
        elif found.folder is None:
            raise ManifestInvalid([Problem("", "the module it should lie beside is not there")])
        else:
            manifest = self._reader.read(found.folder, bundled=found.bundled)
        if manifest.id != found.id:
            what = "folder" if found.source == "folder" else "entry point"
            text = f'must equal the name of the {what}, "{found.id}"'
            raise ManifestInvalid([Problem("id", text)])
        return manifest

    def _warn(self, warnings: list[str]) -> None:
        for warning in warnings:
            with self._lock:
                known = warning in self._warned
                self._warned.add(warning)
            if not known:
                self._log.warning(warning)

    # Reading

    @property
    def warnings(self) -> list[str]:
        """What was passed over, and why."""
        with self._lock:
            return sorted(self._warned)

    def ids(self) -> list[str]:
        with self._lock:
            return sorted(self._records)

    def record(self, plugin_id: str) -> Record:
        """Raises NotFound."""
        try:
            return self._records[plugin_id]
        except KeyError:
            hint = suggestion_suffix(plugin_id, self.ids())
            end = f";{hint}" if hint else "."
            raise NotFound(f'There is no plugin "{plugin_id}"{end}') from None

    def find(self, plugin_id: str) -> Record | None:
        return self._records.get(plugin_id)

    def claims(self, but: str, active: Container[str]) -> dict[str, tuple[str, ...]]:
        """The path prefixes that a newcomer must not touch: those of built-ins, whatever their
        state, and of plugins at work."""
        with self._lock:
            return {
                key: record.manifest.claims
                for key, record in self._records.items()
                if record.manifest is not None
                and key != but
                and (record.found.bundled or key in active)
            }

    def neighbours(self, plugin_id: str) -> frozenset[str]:
        """The other bundled plugins, for one that is bundled: they were made to fit together."""
        with self._lock:
            if not self._records[plugin_id].found.bundled:
                return frozenset()
            return frozenset(key for key, each in self._records.items() if each.found.bundled)

    def manifests(self) -> dict[str, Manifest]:
        """Of every plugin whose manifest could be read."""
        with self._lock:
            return {
                key: record.manifest
                for key, record in self._records.items()
                if record.manifest is not None
            }

    def entry(self, plugin_id: str, wish: Wish | None) -> PluginEntry:
        """Raises NotFound."""
        record = self.record(plugin_id)
        running = record.running
        gate = running.published.gate if running else None
        return PluginEntry(
            id=plugin_id,
            state=record.state,
            enabled=record.wished(wish),
            source=record.found.source,
            protected=record.protected,
            folder=record.found.folder,
            manifest=record.manifest,
            raw=record.raw,
            fault=record.fault,
            conflicts=record.conflicts,
            pages=running.published.pages if running else (),
            panels=running.published.panels if running else (),
            calls=gate.calls if gate else 0,
            failures=gate.failures if gate else 0,
            seconds=gate.seconds if gate else 0.0,
            confirmed=wish.confirmed if wish else None,
        )
