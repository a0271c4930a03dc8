"""Finding plugins: bundled ones, those that pip installed, and folders in the data directory.

Nothing of a plugin is imported here (section 11.1 of the plugin contract).
"""

from __future__ import annotations

import importlib.machinery
import importlib.metadata
import importlib.util
import os
import re
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from host.plugins.manifests import MANIFEST_NAME
from plugin_sdk import Plugin
from plugin_sdk.management import PluginConflict

__all__ = [
    "GROUP",
    "Discovery",
    "Found",
    "Given",
    "InstalledPlugins",
    "Source",
    "find_folders",
    "find_installed",
    "is_plugin_id",
    "ranked",
]

GROUP: Final = "stagebox.plugins"
BUNDLED_DISTRIBUTION: Final = "stagebox"
RESERVED_IDS: Final = frozenset({"host", "permissions", "providers"})
"""Words of the routes below /api/plugins, and the host itself as a source of events and data."""

Source = Literal["built-in", "entry-point", "folder"]
_STRENGTH: Final[Mapping[Source, int]] = {"built-in": 0, "entry-point": 1, "folder": 2}
_ID: Final = re.compile(r"[a-z][a-z0-9_-]*(\.[a-z0-9][a-z0-9_-]*)*")


def is_plugin_id(text: str) -> bool:
    """Whether this is a plugin id by the manifest's schema."""
    return 2 <= len(text) <= 64 and _ID.fullmatch(text) is not None and text not in RESERVED_IDS


@dataclass(frozen=True, slots=True)
class Given:
    """A plugin handed over in person (by a test, or `stagebox plugin dev`): a class with its
    manifest document, which need not lie in a file. It counts as a folder."""

    cls: type[Plugin]
    document: Mapping[str, object]
    folder: Path | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A plugin somewhere. ``folder`` holds plugin.json; ``target`` is ``module:attribute`` for
    an entry point."""

    id: str
    source: Source
    folder: Path | None
    target: str = ""
    distribution: str = ""
    version: str = ""
    given: Given | None = None

    @property
    def bundled(self) -> bool:
        return self.source == "built-in"


@dataclass(frozen=True, slots=True)
class Discovery:
    """What was found, by id, and the losers of each id."""

    found: Mapping[str, Found]
    conflicts: Mapping[str, tuple[PluginConflict, ...]] = field(default_factory=dict)


def ranked(everything: Iterable[Found]) -> Discovery:
    """One plugin for each id: built-in beats package beats folder, and among packages the name
    of the distribution decides."""
    winners: dict[str, Found] = {}
    losers: dict[str, list[PluginConflict]] = {}
    for found in sorted(everything, key=lambda each: (_STRENGTH[each.source], each.distribution)):
        winner = winners.setdefault(found.id, found)
        if winner is not found:
            losers.setdefault(found.id, []).append(_lost(found, winner))
    ordered = {plugin_id: winners[plugin_id] for plugin_id in sorted(winners)}
    return Discovery(ordered, {key: tuple(value) for key, value in losers.items()})


def _lost(found: Found, winner: Found) -> PluginConflict:
    kinds = {"built-in": "a built-in plugin", "entry-point": "a package", "folder": "a folder"}
    text = f"The id {found.id} is taken by {kinds[winner.source]}; this one is not loaded."
    return PluginConflict(found.source, found.version, text)


class InstalledPlugins:
    """What `find_installed` finds, looked for again only when a folder of ``sys.path`` changed:
    that is where installing and removing a package leaves its trace."""

    def __init__(self) -> None:
        self._stamp: tuple[tuple[str, int], ...] | None = None
        self._found: list[Found] = []
        self._warnings: list[str] = []
        self._lock = threading.Lock()

    def find(self, warnings: list[str]) -> list[Found]:
        """Adds to ``warnings`` what was passed over, and why."""
        with self._lock:
            stamp = _stamp()  # before looking: what changes meanwhile is looked for next time
            if stamp != self._stamp:
                self._warnings = []
                self._found = find_installed(self._warnings)
                self._stamp = stamp
            warnings.extend(self._warnings)
            return self._found


def _stamp() -> tuple[tuple[str, int], ...]:
    """The folders (and archives) that packages are imported from, and when they last changed."""
    found = []
    for path in sys.path:
        try:
            found.append((path, Path(path or ".").stat().st_mtime_ns))
        except OSError:
            found.append((path, 0))
    return tuple(found)


def find_installed(warnings: list[str]) -> list[Found]:
    """Plugins of installed packages, by their entry points; nothing of them is imported."""
    found: list[Found] = []
    packages: dict[int, tuple[str, str]] = {}  # whose metadata are read once, not for each entry
    for entry in _entry_points(warnings):
        distribution, version = "", ""
        if entry.dist is not None:
            if id(entry.dist) not in packages:
                packages[id(entry.dist)] = _name_and_version(entry.dist)
            distribution, version = packages[id(entry.dist)]
        if not distribution:
            warnings.append(
                f'A package names the plugin "{entry.name}", but not itself: it was removed or '
                "installed by half. Install it again."
            )
            continue
        if not is_plugin_id(entry.name):
            warnings.append(
                f'The package {distribution} names a plugin "{entry.name}", which is no plugin id.'
            )
            continue
        source: Source = "built-in" if distribution == BUNDLED_DISTRIBUTION else "entry-point"
        module, _, attribute = entry.value.partition(":")
        target = f"{module.strip()}:{attribute.partition('[')[0].strip() or 'plugin'}"
        folder = _folder_of(module.strip())
        found.append(Found(entry.name, source, folder, target, distribution, version))
    return found


def _entry_points(warnings: list[str]) -> list[importlib.metadata.EntryPoint]:
    try:
        return list(importlib.metadata.entry_points(group=GROUP))
    except Exception:  # the library stops at the first file that it cannot read, whosever it is
        return list(_readable_entry_points(warnings))


def _readable_entry_points(warnings: list[str]) -> Iterator[importlib.metadata.EntryPoint]:
    """Package by package; of several with one name the first on ``sys.path`` counts."""
    seen: set[str] = set()
    for package in importlib.metadata.distributions():
        name = _name_and_version(package)[0]
        if name in seen:
            continue
        seen.add(name)
        try:
            yield from package.entry_points.select(group=GROUP)
        except Exception as error:  # see above
            warnings.append(f"The entry points of the package {name} cannot be read: {error}")


def _name_and_version(package: importlib.metadata.Distribution) -> tuple[str, str]:
    """Empty texts where the package does not say: its metadata file may be missing."""
    try:
        metadata = package.metadata
        return str(metadata["Name"] or ""), str(metadata["Version"] or "")
    except (OSError, ValueError, KeyError):
        return "", ""


def _folder_of(module: str) -> Path | None:
    """The folder in which a module's file lies, without importing the module or a parent."""
    first, *rest = module.split(".")
    try:
        spec = importlib.util.find_spec(first)
    except (ImportError, ValueError):
        return None
    for name in rest:
        if spec is None or not spec.submodule_search_locations:
            return None
        locations = list(spec.submodule_search_locations)
        spec = importlib.machinery.PathFinder.find_spec(name, locations)
    if spec is None:
        return None
    if spec.origin is not None and spec.has_location:
        return Path(spec.origin).parent
    return None


def find_folders(root: Path, warnings: list[str]) -> list[Found]:
    """Plugin folders of the data directory: one directory listing."""
    try:
        with os.scandir(root) as entries:
            names = sorted(each.name for each in entries)
    except FileNotFoundError:
        return []
    found: list[Found] = []
    for name in names:
        if name.startswith((".", "_")):
            continue
        try:
            if not (root / name / MANIFEST_NAME).exists():
                continue  # only the data of a plugin of another form
        except OSError as error:  # not ours to read
            warnings.append(f'The folder "{name}" cannot be looked into: {error.strerror}.')
            continue
        if not is_plugin_id(name):
            warnings.append(
                f'The folder "{name}" holds a plugin.json, but its name is no plugin id.'
            )
            continue
        found.append(Found(name, "folder", root / name))
    return found
