"""Data directories with plugins in them, ready to be served."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from host.app import Host
from host.config import load_config
from tests.benchmarks.processes import Child

__all__ = ["BENCH_PLUGIN", "add_plugin", "add_small_plugins", "prepare", "serve", "small_plugin"]

BENCH_PLUGIN = Path(__file__).parent / "plugins" / "bench"

_SMALL = '''"""A small plugin: a route, an event handler, a setting, a value kept."""

from plugin_sdk import Plugin, event_handler, route

VERSION = "{version}"


class plugin(Plugin):
    @route("GET", "/hello", access="open")
    def hello(self, request):
        """Say hello"""
        return {{"hello": self.context.settings["greeting"], "version": VERSION}}

    @route("POST", "/notes", body={{"type": "object"}})
    def note(self, request):
        """Keep a note"""
        self.context.data.set("note", request.body)

    @event_handler("{plugin_id}.noted")
    def noted(self, event):
        self.context.data.set("last", event.data)
'''


def small_plugin(folder: Path, version: str = "1.0.0") -> Path:
    """Writes a small plugin; its id is the folder's name."""
    folder.mkdir(parents=True, exist_ok=True)
    manifest = {
        "id": folder.name,
        "name": folder.name.title(),
        "version": version,
        "sdk": ">=1,<2",
        "settings": {
            "type": "object",
            "properties": {"greeting": {"type": "string", "default": "world"}},
        },
    }
    (folder / "plugin.json").write_text(json.dumps(manifest), encoding="utf-8")
    code = _SMALL.format(version=version, plugin_id=folder.name)
    (folder / "__init__.py").write_text(code, encoding="utf-8")
    return folder


def add_small_plugins(data_dir: Path, count: int) -> list[str]:
    """Their ids."""
    ids = [f"small{number:03}" for number in range(count)]
    for plugin_id in ids:
        small_plugin(data_dir / "plugins" / plugin_id)
    return ids


def add_plugin(data_dir: Path, folder: Path = BENCH_PLUGIN) -> str:
    """Its id."""
    skipped = shutil.ignore_patterns("__pycache__")
    shutil.copytree(folder, data_dir / "plugins" / folder.name, ignore=skipped)
    return folder.name


def prepare(
    data_dir: Path,
    enabled: Iterable[str] = (),
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    database: str = "",
) -> Path:
    """Notes which plugins are on, and their settings; runs none of them."""
    data_dir.mkdir(parents=True, exist_ok=True)
    config = load_config({"data_dir": str(data_dir), "database": database or None}, {})
    host = Host(config, env={}, log_file=False)
    try:
        host.open()
        with host.database.transaction():
            for plugin_id in enabled:
                host.manager.wishes.set(plugin_id, True)
        for plugin_id, values in (settings or {}).items():
            host.settings.update(plugin_id, values)
    finally:
        host.stop()
    return data_dir


def serve(data_dir: Path, *options: str) -> Child:
    """``stagebox serve`` in a process of its own; it prints its address when it listens."""
    return Child.python(
        "-m", "host", "--data-dir", data_dir, "serve", "--listen", "127.0.0.1:0", *options
    )
