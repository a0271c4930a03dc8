"""Plugins that come as a Python package: what a wheel holds, before pip has touched anything."""

from __future__ import annotations

import configparser
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from packaging.utils import canonicalize_name

from host.plugins.discovery import GROUP, is_plugin_id
from host.plugins.manifests import MANIFEST_NAME, check_manifest, sdk_fits
from host.plugins.packages import DAMAGED, member_text
from host.plugins.register import Register
from plugin_sdk import SDK_VERSION, Conflict, Invalid, Manifest, parse_json
from plugin_sdk.manifest import MAX_MANIFEST_BYTES

__all__ = ["plugins_in", "refuse_taken"]


def plugins_in(wheel: Path) -> list[Manifest]:
    """The manifests of the plugins that a wheel names. Raises Invalid for a package without one,
    or with one that this host would refuse."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            found = [_manifest(archive, *each) for each in _entries(archive)]
    except (*DAMAGED, configparser.Error, UnicodeDecodeError) as error:
        raise Invalid(f"{wheel.name} cannot be read: {error}") from None
    if not found:
        name = wheel.name.partition("-")[0].replace("_", "-")
        raise Invalid(
            f"{name} is no plugin of Stagebox: it has no entry point of the group {GROUP}."
        )
    return found


def _entries(archive: zipfile.ZipFile) -> Iterator[tuple[str, str]]:
    """Plugin id and module."""
    names = [each for each in archive.namelist() if each.endswith(".dist-info/entry_points.txt")]
    for name in names:
        parser = configparser.ConfigParser(delimiters=("=",), interpolation=None)
        parser.optionxform = str  # type: ignore[assignment,method-assign]  # ids keep their case
        parser.read_string(member_text(archive, name))
        if parser.has_section(GROUP):
            for key, value in parser.items(GROUP):
                yield key.strip(), value.partition(":")[0].strip()


def _manifest(archive: zipfile.ZipFile, plugin_id: str, module: str) -> Manifest:
    names = set(archive.namelist())
    package = PurePosixPath(*module.split("."))
    folder = package if f"{package}/__init__.py" in names else package.parent
    path = str(folder / MANIFEST_NAME)
    if path not in names or archive.getinfo(path).file_size > MAX_MANIFEST_BYTES:
        raise Invalid(f"The plugin {plugin_id} has no {MANIFEST_NAME} beside its module {module}.")
    document = parse_json(archive.read(path), unique_keys=True)
    manifest = check_manifest(document, bundled=False, folder=None)
    if manifest.id != plugin_id or not is_plugin_id(plugin_id):
        raise Invalid(f'The entry point "{plugin_id}" names the plugin {manifest.id}.')
    if not sdk_fits(manifest.sdk):
        raise Conflict(f"{plugin_id} needs SDK {manifest.sdk}; this host has {SDK_VERSION}.")
    return manifest


def refuse_taken(manifest: Manifest, distribution: str, register: Register) -> None:
    """Raises Conflict for an id that another plugin has, which would win or be hidden."""
    record = register.find(manifest.id)
    if record is None or canonicalize_name(record.found.distribution) == canonicalize_name(
        distribution
    ):
        return
    there = {
        "built-in": "comes with Stagebox",
        "entry-point": f"comes with the package {record.found.distribution}",
        "folder": "is installed as a folder; uninstall that first, its data stay",
    }[record.found.source]
    raise Conflict(f"There is a plugin {manifest.id} already, which {there}.")
