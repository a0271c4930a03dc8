"""Importing a plugin's class.

Folder plugins are imported under a private name, so their modules collide with nothing. Code is
read afresh from disk when it has changed since it was imported.
"""

from __future__ import annotations

import importlib
import importlib.util
import itertools
import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Final

from host.plugins.discovery import Found
from plugin_sdk import Plugin

__all__ = ["Loader", "NotAPlugin"]

_PRIVATE: Final = "_stagebox_plugin_"
_numbers: Final = itertools.count(1)
"""Private names are unique in the process: two hosts in one process must not share modules."""


class NotAPlugin(Exception):
    """The module has no attribute that is a subclass of plugin_sdk.Plugin."""


class Loader:
    """Imports classes and remembers from which state of the files they came."""

    def __init__(self) -> None:
        self._stamps: dict[str, dict[str, int]] = {}
        self._folders: set[Path] = set()

    def load(self, found: Found) -> type[Plugin]:
        """Raises NotAPlugin, or whatever the plugin's code raises while it is imported."""
        if found.given is not None:
            return found.given.cls
        if found.source == "folder":
            assert found.folder is not None
            module = self._import_folder(found.id, found.folder)
            return _class_of(module, "plugin", found.id)
        name, _, attribute = found.target.partition(":")
        return _class_of(self._import_installed(found.id, name), attribute, found.id)

    @staticmethod
    def forget(cls: type[Plugin]) -> None:
        """Drops the modules of a folder plugin's class, so that nothing of it is left."""
        root = cls.__module__.partition(".")[0]
        if root.startswith(_PRIVATE):
            _drop(root)

    def _import_folder(self, plugin_id: str, folder: Path) -> ModuleType:
        init = folder / "__init__.py"
        if not init.is_file():
            raise NotAPlugin("the folder has no __init__.py with the attribute plugin")
        readable = "".join(char if char.isalnum() else "_" for char in plugin_id)
        private = f"{_PRIVATE}{next(_numbers)}_{readable}"
        importlib.invalidate_caches()
        if folder in self._folders:
            # Bytecode counts as fresh by the second and the size: an edit may fit into both.
            for cache in list(folder.rglob("__pycache__")):
                shutil.rmtree(cache, ignore_errors=True)
        self._folders.add(folder)
        spec = importlib.util.spec_from_file_location(
            private, init, submodule_search_locations=[str(folder)]
        )
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[private] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            _drop(private)
            raise
        return module

    def _import_installed(self, plugin_id: str, name: str) -> ModuleType:
        package = name if _is_package(name) else name.rpartition(".")[0]
        known = self._stamps.get(plugin_id)
        if known is not None and known != _stamps_of(package or name):
            importlib.invalidate_caches()
            _drop(package or name)
        module = importlib.import_module(name)
        self._stamps[plugin_id] = _stamps_of(package or name)
        return module


def _class_of(module: ModuleType, attribute: str, plugin_id: str) -> type[Plugin]:
    value = getattr(module, attribute, None)
    if value is None:
        raise NotAPlugin(f'the module has no attribute "{attribute}"')
    if not (isinstance(value, type) and issubclass(value, Plugin)):
        raise NotAPlugin(
            f'"{attribute}" of {plugin_id} must be a subclass of plugin_sdk.Plugin, '
            f"not {type(value).__name__}"
        )
    return value


def _is_package(name: str) -> bool:
    module = sys.modules.get(name)
    if module is not None:
        return hasattr(module, "__path__")
    try:
        spec = importlib.util.find_spec(name)
    except ImportError:
        return False
    return spec is not None and spec.submodule_search_locations is not None


def _modules_of(package: str) -> dict[str, ModuleType]:
    prefix = package + "."
    return {
        name: module
        for name, module in list(sys.modules.items())
        if name == package or name.startswith(prefix)
    }


def _stamps_of(package: str) -> dict[str, int]:
    stamps: dict[str, int] = {}
    for module in _modules_of(package).values():
        file = getattr(module, "__file__", None)
        if file:
            try:
                stamps[file] = Path(file).stat().st_mtime_ns
            except OSError:
                stamps[file] = 0
    return stamps


def _drop(package: str) -> None:
    for name in _modules_of(package):
        sys.modules.pop(name, None)
