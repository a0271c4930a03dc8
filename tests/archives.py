"""A plugin that keeps some of everything, and what can be wrong with an archive of it."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import tempfile
import textwrap
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

__all__ = ["CHANGES", "FOREIGN_ROWS", "no_progress", "rewritten", "state_of", "write_keeper"]

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


def write_keeper(into: Path) -> Path:
    folder = into / "keeper"
    folder.mkdir(parents=True)
    capabilities = ["db", "blobs", "paths"]
    manifest = {"id": "keeper", "name": "Keeper", "version": "1.0.0", "sdk": ">=1,<2"}
    (folder / "plugin.json").write_text(json.dumps({**manifest, "capabilities": capabilities}))
    (folder / "__init__.py").write_text(textwrap.dedent(KEEPER))
    return folder


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


# Archives that must not be believed


def entry(manifest, kind, of=None):
    return next(e for e in manifest["entries"] if e["kind"] == kind and of in (None, e["of"]))


def add(manifest, members, content=b"x", **more):
    name = more.pop("name", "plugins/extra")
    digest = hashlib.sha256(content).hexdigest()
    manifest["entries"].append(
        {"name": name, "kind": "file", "of": "x", "size": len(content), "sha256": digest, **more}
    )
    members[name] = content


def flip(manifest, members):
    found = entry(manifest, "blob")
    members[found["name"]] = b"x" * found["size"]


def no_database(manifest, members):
    found = entry(manifest, "database", "keeper")
    content = b"this is no database" * 100
    members[found["name"]] = content
    found.update(size=len(content), sha256=hashlib.sha256(content).hexdigest())


def damaged_database(manifest, members):
    found = entry(manifest, "database", "keeper")
    content = bytearray(members[found["name"]])
    content[5000:9000] = b"\xa5" * 4000
    members[found["name"]] = bytes(content)
    found.update(sha256=hashlib.sha256(content).hexdigest())


CHANGES = {
    "a byte was changed": (flip, "is not what was archived"),
    "a database is none": (no_database, "is no copy of a database"),
    "a database is damaged": (damaged_database, "copy.db"),
    "a member more": (lambda m, f: f.update({"stray": b""}), "does not hold what"),
    "a member less": (lambda m, f: f.pop(entry(m, "blob")["name"]), "does not hold what"),
    "another size": (lambda m, f: entry(m, "blob").update(size=1), "as listed"),
    "another schema": (lambda m, f: m.update(schema="stagebox.backup.v9"), "schema"),
    "no version": (lambda m, f: m.pop("version"), "version"),
    "a newer version": (lambda m, f: m.update(version="99.0"), "update first"),
    "a senseless version": (lambda m, f: m.update(version="?"), "which version"),
    "another engine": (lambda m, f: m.update(engine="postgresql"), "postgresql"),
    "the host's is missing": (
        lambda m, f: (
            m["entries"].remove(entry(m, "database", "host")),
            f.pop("databases/host.db"),
        ),
        "no database of the host",
    ),
    "a way out": (lambda m, f: add(m, f, of="keeper/../../../evil"), "unpacked safely"),
    "an absolute path": (lambda m, f: add(m, f, of="/etc/evil"), "unpacked safely"),
    "a Windows path": (lambda m, f: add(m, f, of="keeper/..\\evil"), "unpacked safely"),
    "a file among plugins": (lambda m, f: add(m, f, of="evil"), "unpacked safely"),
    "no plugin": (lambda m, f: add(m, f, of=".evil/x"), "no plugin"),
    "a database as a file": (lambda m, f: add(m, f, of="keeper/plugin.db-wal"), "unpacked safely"),
    "a strange database": (lambda m, f: add(m, f, kind="database", of="../evil"), "no plugin"),
    "a strange blob": (lambda m, f: add(m, f, kind="blob", of="../evil"), "no blob key"),
    "one path twice": (lambda m, f: add(m, f, of="keeper/__init__.py"), "twice"),
    "a file for a folder": (lambda m, f: add(m, f, of="keeper/own"), "unpacked"),
    "an unknown kind": (lambda m, f: entry(m, "blob").update(kind="link"), "manifest"),
}
"""What is done to manifest and members, and a part of what is said of it."""


def _changed_by(sql):
    """The plugin's database as somebody left it who worked on the file with other tools."""

    def change(manifest, members):
        found = entry(manifest, "database", "keeper")
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "plugin.db"
            file.write_bytes(members[found["name"]])
            with closing(sqlite3.connect(file)) as connection:
                connection.executescript(sql)
            content = file.read_bytes()
        members[found["name"]] = content
        found.update(size=len(content), sha256=hashlib.sha256(content).hexdigest())

    return change


FOREIGN_ROWS = {
    "a null byte in a text": (
        _changed_by("UPDATE rows SET text = CAST(x'410042' AS TEXT)"),
        "The database of keeper .*rows.text.*U.0000",
    ),
    "a text that is none": (
        _changed_by("UPDATE rows SET text = CAST(x'ff' AS TEXT)"),
        "keeper .*no UTF-8",
    ),
    "a view": (_changed_by("CREATE VIEW own AS SELECT * FROM rows"), "the view own"),
}
"""As `CHANGES`: what SQLite keeps, and PostgreSQL does not."""
