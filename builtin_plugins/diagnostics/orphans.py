"""Plugin folders that are there but not loaded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from plugin_sdk import StageboxError, parse_json
from plugin_sdk.management import PluginEntry
from plugin_sdk.manifest import MAX_MANIFEST_BYTES

__all__ = ["orphans"]

_MOST: Final = 500


def orphans(folder: Path, entries: Sequence[PluginEntry]) -> list[dict[str, Any]]:
    """``dir``, ``id``, ``name``, ``version`` (None where they cannot be read) and ``reason``."""
    by_folder = {
        entry.folder.name: entry
        for entry in entries
        if entry.source == "folder" and entry.folder is not None
    }
    by_id = {entry.id: entry for entry in entries}
    found: list[dict[str, Any]] = []
    for path in _plugin_folders(folder):
        entry = by_folder.get(path.name)
        if entry is not None and entry.state == "active":
            continue
        said = _manifest(path)
        found.append(
            {
                "dir": path.name,
                **{key: _text(said.get(key)) for key in ("id", "name", "version")},
                "reason": _reason(entry, path, by_id),
            }
        )
    return found


def _plugin_folders(folder: Path) -> Iterator[Path]:
    try:
        names = sorted(path for path in folder.iterdir() if (path / "plugin.json").is_file())
    except OSError:
        return
    yield from names[:_MOST]


def _reason(entry: PluginEntry | None, path: Path, by_id: Mapping[str, PluginEntry]) -> str:
    if entry is not None:
        fault = entry.fault
        return entry.state if fault is None else f"{entry.state}: {fault.code}: {fault.message}"
    if path.name.startswith((".", "_")):
        return "skipped: the name begins with . or _"
    if path.name in by_id:
        return f"another plugin of that id is installed ({by_id[path.name].source})"
    return "skipped: the name is no id of a plugin"


def _manifest(path: Path) -> Mapping[str, Any]:
    try:
        with (path / "plugin.json").open("rb") as file:
            document = parse_json(file.read(MAX_MANIFEST_BYTES + 1))
    except (OSError, StageboxError):
        return {}
    return document if isinstance(document, Mapping) else {}


def _text(value: Any) -> str | None:
    return value[:200] if isinstance(value, str) else None
