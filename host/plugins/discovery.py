"""Finding plugins: bundled ones, those that pip installed, and folders in the data directory.

Nothing of a plugin is imported here (section 11.1 of the plugin contract).
"""

from __future__ import annotations

import importlib.machinery
import importlib.metadata
import importlib.util
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from host.plugins.manifests import MANIFEST_NAME
from plugin_sdk import Plugin
from plugin_sdk.management import PluginConflict

__all__ = ["GROUP", "Discovery", "Found", "Given", "Source", "find_plugins", "is_plugin_id"]

GROUP: Final = "stagebox.plugins"
BUNDLED_DISTRIBUTION: Final = "stagebox"
RESERVED_IDS: Final = frozenset({"providers", "permissions"})

Source = Literal["built-in", "entry-point", "folder"]
_STRENGTH: Final[Mapping[Source, int]] = {"built-in": 0, "entry-point": 1, "folder": 2}
_ID: Final = re.compile(r"[a-z][a-z0-9_-]*(\.[a-z0-9][a-z0-9_-]*)*")


def is_plugin_id(text: str) -> bool:
    """Whether this is a plugin id by the manifest's schema."""
    return 2 <= len(text) <= 64 and _ID.fullmatch(text) is not None and text not in RESERVED_IDS


@dataclass(frozen=True, slots=True)
class Found:
    """A plugin somewhere. ``folder`` holds plugin.json; ``target`` is ``module:attribute`` for
    an entry point; ``cls`` is given by tests and by `stagebox plugin dev`."""

    id: str
    source: Source
    folder: Path | None
    target: str = ""
    distribution: str = ""
    version: str = ""
    cls: type[Plugin] | None = None
    document: Mapping[str, object] | None = None

    @property
    def bundled(self) -> bool:
        return self.source == "built-in"


@dataclass(frozen=True, slots=True)
class Given:
    """A plugin handed over in person: a class with its manifest document, which need not lie in
    a file. It counts as a folder."""

    cls: type[Plugin]
    document: Mapping[str, object]
    folder: Path | None = None


@dataclass(frozen=True, slots=True)
class Discovery:
    """What was found, by id, with the losers of each id, and what was passed over and why."""

    found: Mapping[str, Found]
    conflicts: Mapping[str, tuple[PluginConflict, ...]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def find_plugins(
    folders: Path | None, *, bundled_only: bool = False, given: Sequence[Given] = ()
) -> Discovery:
    """Looks everywhere. ``bundled_only``: third-party plugins are not even listed as found."""
    warnings: list[str] = []
    everything = list(_from_entry_points(warnings))
    if bundled_only:
        everything = [found for found in everything if found.bundled]
    else:
        everything += [
            Found(str(each.document["id"]), "folder", each.folder, cls=each.cls, document=each.document)
            for each in given
        ]
        if folders is not None:
            everything += _from_folders(folders, warnings)
    winners: dict[str, Found] = {}
    losers: dict[str, list[PluginConflict]] = {}
    for found in sorted(everything, key=lambda each: (_STRENGTH[each.source], each.distribution)):
        winner = winners.setdefault(found.id, found)
        if winner is not found:
            losers.setdefault(found.id, []).append(_lost(found, winner))
    ordered = {plugin_id: winners[plugin_id] for plugin_id in sorted(winners)}
    return Discovery(
        ordered, {key: tuple(value) for key, value in losers.items()}, tuple(warnings)
    )


def _lost(found: Found, winner: Found) -> PluginConflict:
    kinds = {"built-in": "a built-in plugin", "entry-point": "a package", "folder": "a folder"}
    text = f"The id {found.id} is taken by {kinds[winner.source]}; this one is not loaded."
    return PluginConflict(found.source, found.version, text)


def _from_entry_points(warnings: list[str]) -> Iterable[Found]:
    for entry in importlib.metadata.entry_points(group=GROUP):
        distribution = entry.dist.name if entry.dist is not None else ""
        version = entry.dist.version if entry.dist is not None else ""
        if not is_plugin_id(entry.name):
            warnings.append(
                f'The package {distribution} names a plugin "{entry.name}", which is no plugin id.'
            )
            continue
        source: Source = "built-in" if distribution == BUNDLED_DISTRIBUTION else "entry-point"
        module, _, attribute = entry.value.partition(":")
        target = f"{module.strip()}:{attribute.partition('[')[0].strip() or 'plugin'}"
        yield Found(
            entry.name, source, _folder_of(module.strip()), target, distribution, version
        )


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


def _from_folders(root: Path, warnings: list[str]) -> Iterable[Found]:
    try:
        folders = sorted(root.iterdir())
    except FileNotFoundError:
        return
    for folder in folders:
        name = folder.name
        if name.startswith((".", "_")) or not folder.is_dir():
            continue
        if not (folder / MANIFEST_NAME).exists():
            continue  # only the data of a plugin of another form
        if not is_plugin_id(name):
            warnings.append(f'The folder "{name}" holds a plugin.json, but its name is no plugin id.')
            continue
        yield Found(name, "folder", folder)
