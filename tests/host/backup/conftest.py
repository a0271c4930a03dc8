"""A host with some of everything, and archives of it."""

from __future__ import annotations

import hashlib
import json
import textwrap
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from host.backup import Taken, restore, take_backup
from host.config import Config, load_config

KEEPER = """
    from plugin_sdk import Plugin, Response, migration, route

    class plugin(Plugin):
        @migration("001_rows")
        def rows(self, db):
            db.table("rows").create({"id": "integer", "text": "text"}, pk="id")

        @route("POST", "/keep/{name}", access="open")
        def keep(self, request):
            name = request.params["name"]
            with self.context.db.transaction():
                self.context.data.set("name", name)
                self.context.db.table("rows").insert({"text": name})
            self.context.blobs.put(f"ä/{name}", name.encode() * 1000, "text/x-own")
            self.context.paths.data.joinpath("own").mkdir(exist_ok=True)
            file = self.context.paths.data / "own" / "file.key"
            file.write_text(name)
            file.chmod(0o600)
            return name

        @route("GET", "/kept", access="open")
        def kept(self, request):
            blobs = self.context.blobs.list()
            return {
                "data": self.context.data.get("name"),
                "rows": [row["text"] for row in self.context.db.table("rows").rows_where()],
                "blobs": [[b.key, b.size, b.content_type] for b in blobs],
                "bytes": [hash_of(self.context.blobs.read(b.key)) for b in blobs],
                "file": (self.context.paths.data / "own" / "file.key").read_text(),
            }

    def hash_of(content):
        import hashlib
        return hashlib.sha256(content).hexdigest()
"""


def no_progress(_what: str, _done: int, _total: int) -> None:
    """For commands that nobody watches."""


@pytest.fixture
def config_of() -> Callable[[Path], Config]:
    return lambda data_dir: load_config({"data_dir": str(data_dir)}, {})


@pytest.fixture
def keeper_plugin(tmp_path):
    return write_keeper(tmp_path / "sources")


def write_keeper(into: Path) -> Path:
    folder = into / "keeper"
    folder.mkdir(parents=True)
    capabilities = ["db", "blobs", "paths"]
    manifest = {"id": "keeper", "name": "Keeper", "version": "1.0.0", "sdk": ">=1,<2"}
    (folder / "plugin.json").write_text(json.dumps({**manifest, "capabilities": capabilities}))
    (folder / "__init__.py").write_text(textwrap.dedent(KEEPER))
    return folder


@pytest.fixture
def keeper(make_host, keeper_plugin):
    """A running host whose plugin has kept ``word``."""

    def make(word: str, data_dir: Path | None = None):
        host = make_host(keeper_plugin, data_dir=data_dir)
        assert host.post(f"/api/plugins/keeper/keep/{word}").status == 200
        return host

    return make


@pytest.fixture
def back_up(config_of, tmp_path):
    def run(data_dir: Path, file: Path | None = None) -> Taken:
        return take_backup(config_of(data_dir), {}, file or tmp_path / "archive.zip", no_progress)

    return run


@pytest.fixture
def put_back(config_of, tmp_path):
    def run(data_dir: Path, file: Path | None = None, **options: Any):
        archive = file or tmp_path / "archive.zip"
        return restore(config_of(data_dir), {}, archive, no_progress, **options)

    return run


def state_of(folder: Path) -> dict[str, str]:
    """Every file below a data directory with its hash; locks and logs aside."""
    found = {}
    for path in sorted(folder.rglob("*")):
        relative = str(path.relative_to(folder))
        if path.is_file() and relative not in (".lock",) and not relative.startswith("logs"):
            found[relative] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def rewritten(archive: Path, change: Callable[[dict[str, Any], dict[str, bytes]], object]) -> None:
    """Changes manifest and members of an archive, both given as they are."""
    with zipfile.ZipFile(archive) as old:
        members = {name: old.read(name) for name in old.namelist()}
    manifest = json.loads(members.pop("manifest.json"))
    change(manifest, members)
    part = archive.with_suffix(".part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as new:
        for name, content in members.items():
            new.writestr(name, content)
        new.writestr("manifest.json", json.dumps(manifest))
    part.replace(archive)
