"""Where an author's plugin lies: one file, a plugin folder, or a project that holds one."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from host.plugins import files
from host.plugins.discovery import is_plugin_id
from host.plugins.manifests import MANIFEST_NAME
from plugin_sdk import Invalid, NotFound, parse_json

__all__ = ["IGNORED", "PluginSource", "find_source", "folders_with", "id_of_file", "only_one"]

IGNORED: Final = files.IGNORED | {"dist", "build", "node_modules"}
"""Folders in which nobody edits a plugin: those that no installation takes, and what is built."""

_NOT_EDITED: Final = frozenset({".pyc", ".db", ".swp"})
_NOT_IN_IDS: Final = re.compile(r"[^a-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class PluginSource:
    """``folder`` is what an installation takes: it holds plugin.json; None for a plugin of one
    ``file``, which has no manifest. ``project`` is the folder of its pyproject.toml, tests and
    README, where there is one."""

    id: str
    folder: Path | None = None
    file: Path | None = None
    project: Path | None = None

    @property
    def watched(self) -> Path:
        """What is edited: the folder, or the file."""
        found = self.folder or self.file
        assert found is not None
        return found

    def stamp(self) -> tuple[tuple[str, int, int], ...]:
        """Names, times and sizes of all files, to notice an edit by."""
        paths = [self.file] if self.file is not None else files.files_below(self.watched, IGNORED)
        found = []
        for path in paths:
            if path.suffix in _NOT_EDITED or path.name.endswith("~"):
                continue
            try:
                status = path.stat()
            except OSError:  # gone since it was listed; the next look tells
                continue
            found.append((str(path), status.st_mtime_ns, status.st_size))
        return tuple(found)

    def put(self, target: Path) -> Path:
        """A plugin folder to install from: the folder itself, or one that is made of the file in
        ``target``. A file that says ``access`` for its routes needs no manifest."""
        if self.folder is not None:
            return self.folder
        assert self.file is not None
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        shutil.copyfile(self.file, target / "__init__.py")
        document = {
            "id": self.id,
            "name": self.id.replace("_", " ").replace("-", " ").title(),
            "version": "0.0.0",
            "sdk": "*",
            "capabilities": ["db", "blobs", "http", "realtime", "websocket", "commands", "paths"],
        }
        (target / MANIFEST_NAME).write_text(json.dumps(document), encoding="utf-8")
        return target


def find_source(path: Path) -> PluginSource:
    """Raises NotFound, or Invalid with what would help."""
    if not path.exists():
        raise NotFound(f'"{path}" does not exist.')
    path = path.resolve()
    if path.is_file():
        return _of_file(path)
    if (path / MANIFEST_NAME).is_file():
        project = path.parent if (path.parent / "pyproject.toml").is_file() else None
        own = path if (path / "pyproject.toml").is_file() else project
        return PluginSource(_id_of(path), folder=path, project=own)
    found = folders_with(path, MANIFEST_NAME)
    if not found:
        raise Invalid(
            f'"{path.name}" holds no {MANIFEST_NAME}, and no folder in it does. Begin a plugin '
            "with `stagebox plugin new ID`, or name a Python file."
        )
    folder = only_one(path, found)
    return PluginSource(_id_of(folder), folder=folder, project=path)


def folders_with(project: Path, name: str) -> list[Path]:
    """The folders of a project, or of its ``src``, that hold a file of this name."""
    return sorted(
        each.parent
        for pattern in (f"*/{name}", f"src/*/{name}")
        for each in project.glob(pattern)
        if each.is_file() and not IGNORED.intersection(each.relative_to(project).parts)
    )


def only_one(project: Path, found: list[Path]) -> Path:
    """Raises Invalid for several."""
    if len(found) > 1:
        names = ", ".join(each.name for each in found)
        raise Invalid(f'"{project.name}" holds several plugins: name one of {names}.')
    return found[0]


def _of_file(path: Path) -> PluginSource:
    if path.suffix != ".py":
        raise Invalid(f'"{path.name}" is no Python file, and no plugin folder.')
    return PluginSource(id_of_file(path), file=path)


def id_of_file(path: Path) -> str:
    """What a plugin of one file is called, which has no manifest to say it."""
    plugin_id = _NOT_IN_IDS.sub("_", path.stem.lower()).strip("_-")
    if plugin_id in ("", "__init__") or not is_plugin_id(plugin_id):
        plugin_id = f"dev_{plugin_id}".rstrip("_")
    return plugin_id


def _id_of(folder: Path) -> str:
    """As far as the manifest can be read: its faults are told when it is installed."""
    try:
        document = parse_json((folder / MANIFEST_NAME).read_bytes())
    except Invalid as error:
        raise Invalid(f"{MANIFEST_NAME}: {error.message}") from None
    found = document.get("id") if isinstance(document, dict) else None
    if not isinstance(found, str) or not is_plugin_id(found):
        raise Invalid(
            f'{MANIFEST_NAME} needs an "id" of lower-case letters, digits, "_", "-" and ".", that '
            "begins with a letter."
        )
    return found
