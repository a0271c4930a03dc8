"""What is kept of a plugin is shown in rows and bytes; after a purge nothing of it is left."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from host.cli.main import main
from host.testing import TestHost
from plugin_sdk import ProviderUnavailable

ROOT = Path(__file__).parents[3]
ID = "zoe.leaving"
MANIFEST = {
    "capabilities": ["db", "blobs", "paths"],
    "permissions": [{"name": f"{ID}:edit", "description": "Edit"}],
    "providers": [{"type": "metadata", "name": "zoe"}],
    "settings": {
        "type": "object",
        "properties": {"size": {"type": "integer"}, "word": {"type": "string", "writeOnly": True}},
    },
}
CODE = """
    import plugin_sdk
    from plugin_sdk import Plugin, Provider, job, migration, route

    class Books:
        name = "zoe"

    class plugin(Plugin):
        @migration("001")
        def tables(self, db):
            db.table("books").create({"id": "integer", "title": "text"}, pk="id")

        def providers(self):
            return [Provider("metadata", "zoe", Books())]

        @route("POST", "/use", access="open")
        def use(self, request):
            context = self.context
            context.db.table("books").insert_all([{"title": "zoe.leaving"}, {"title": "b"}])
            with context.data.transaction():
                context.data.set("mine", "zoe.leaving")
                context.data.scope("profile", "1").set("theirs", [1])
                context.events.emit("zoe.leaving.used", {})
            context.blobs.put("deep/picture", b"x" * 1000)
            (context.paths.data / "notes.txt").write_text("zoe.leaving")
            context.jobs.start("count", {"of": "zoe.leaving"})
            return {"sdk": plugin_sdk.__version__}

        @job("count", every=3600.0)
        def count(self, run):
            return 1

        @route("GET", "/left", access="open")
        def left(self, request):
            return [self.context.data.get("mine"), self.context.db.table("books").count_where()]
"""


SLOPPY = """
    from plugin_sdk import Plugin

    class plugin(Plugin):
        def holds(self, plugin_id):
            return {"rows": None} if plugin_id.startswith("z") else 3

        def purge(self, plugin_id, scope):
            return "many"
"""


@pytest.fixture(scope="module")
def bundled():
    return {"local_storage", "plugin_admin", "accounts", "plugin_data", "operations"}


def begin(host: TestHost, source: Path) -> str:
    """A governed host with the plugin, used in every way; the administrator's token."""
    owner = {"name": "Ada", "pin": "2718", "recoveryPhrase": "a phrase of words"}
    assert host.post("/api/setup/init", json=owner).status == 201
    login = host.post("/api/auth/login", json={"profileName": "Ada", "pin": "2718"})
    token: str = login.json()["token"]
    host.host.plugins.install(source)
    assert host.enable(ID).state == "active"
    host.host.settings.update(ID, {"size": 3, "word": "secret"})
    host.host.providers.choose("metadata", "zoe")
    group = {"name": "Editors", "permissions": [f"{ID}:edit", "UPLOAD"], "profileIds": [1]}
    assert host.post("/api/admin/permission-groups", json=group, token=token).status == 201
    assert host.post(f"/api/plugins/{ID}/use").status == 200
    store = host.host.manager.catalog.plugins["plugin_data"].services["plugin_data.store"]
    store.set(ID, "theme", '"dark"')
    return token


def content_of(path: Path) -> bytes:
    """Of a file that may go at any moment, as those of a host at work do."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, IsADirectoryError):
        return b""


def remains(host: TestHost) -> Iterator[str]:
    """Every place outside of audit and log at which the id still stands."""
    engine = host.host.engine
    for name in ("host", *engine.names()):
        if ID in name:
            yield f"database {name}"
        database = engine.open(name)
        for table in database.describe():
            if table.name == "_stagebox_audit":
                continue
            for row in database.query(f'SELECT * FROM "{table.name}"'):
                if ID in repr(row):
                    yield f"{name}.{table.name}: {row}"
    if engine.name == "postgresql":
        for row in host.host.database.query(
            "SELECT nspname, obj_description(oid) AS says FROM pg_namespace"
        ):
            if "zoe" in repr(row):
                yield f"schema {row}"
    for path in host.data_dir.rglob("*"):
        if "logs" in path.relative_to(host.data_dir).parts:
            continue
        if "zoe" in str(path.relative_to(host.data_dir)):
            yield str(path)
        elif ".db" not in path.name and ID.encode() in content_of(path):
            yield f"in {path}"


def wait_until_nothing_remains(host: TestHost, wait_until: Callable[..., None]) -> None:
    """What was emitted at last is told first, and those who hear it may emit more."""
    left: list[str] = []

    def look() -> bool:
        left[:] = remains(host)
        return not left

    try:
        wait_until(look)
    finally:
        assert left == []


def test_after_a_purge_nothing_is_left_but_the_audit(make_host, write_plugin, wait_until, tmp_path):
    source = write_plugin(ID, CODE, **MANIFEST)
    host = make_host(write_plugin("sloppy", SLOPPY))
    token = begin(host, source)
    jobs = host.host.jobs.of(ID)
    wait_until(lambda: all(each.state == "succeeded" for each in jobs.list()))
    wait_until(lambda: not any("_outbox" in each for each in remains(host)))
    wait_until(lambda: [each.count for each in host.host.plugins.deprecations()] == [1])
    preview = host.delete(f"/api/plugins/{ID}?preview=true", token=token)
    assert preview.status == 200
    found = {(each["kind"], each["name"]): each for each in preview.json()["holdings"]}
    rows = {key: each["rows"] for key, each in found.items()}
    assert rows == {
        ("database", ""): 1,
        ("keys", ""): 2,
        ("table", "books"): 2,
        ("settings", ""): 2,
        ("jobs", ""): rows[("jobs", "")],
        ("schedules", ""): 1,
        ("deprecations", ""): 1,
        ("blobs", ""): 1,
        ("files", ""): 1,
        ("elsewhere", "accounts: permissions granted to groups"): 1,
        ("elsewhere", "plugin_data: rows of clients"): 1,
        ("code", ""): 3 + (host.data_dir / "plugins" / ID / "__pycache__").is_dir(),
    }
    assert found[("blobs", "")]["bytes"] == 1000
    assert found[("files", "")]["bytes"] == len(ID)
    assert found[("database", "")]["bytes"] > 1000
    assert preview.json()["bytes"] >= 1000 + len(ID)
    uses = host.get("/api/admin/deprecations", token=token).json()
    assert [(each["pluginId"], each["count"]) for each in uses] == [(ID, 1)]
    assert host.get("/api/admin/deprecations").status == 401
    assert len(list(remains(host))) > 10, "the search finds what there is"
    shelf = host.data_dir / "plugins" / ID / "shelf"
    shelf.symlink_to(tmp_path, target_is_directory=True)

    assert host.delete(f"/api/plugins/{ID}?purge=true", token=token).status == 204
    wait_until_nothing_remains(host, wait_until)
    assert source.is_dir(), "what a link leads to is not the plugin's"
    audit = host.get("/api/admin/audit", token=token).json()
    assert audit[0]["action"] == f"DELETE /api/plugins/{ID}"
    groups = host.get("/api/admin/permission-groups", token=token).json()
    assert [each["permissions"] for each in groups if each["name"] == "Editors"] == [["UPLOAD"]]
    assert host.delete(f"/api/plugins/{ID}?preview=true", token=token).status == 404

    host.host.plugins.install(source)
    assert host.enable(ID).state == "active"
    assert host.get(f"/api/plugins/{ID}/left").json() == [None, 0], "it begins anew"


def test_a_storage_that_fails_is_told_and_leaves_what_names_the_rest(
    make_host, write_plugin, monkeypatch
):
    host = make_host(write_plugin(ID, CODE, **MANIFEST))
    assert host.post(f"/api/plugins/{ID}/use").status == 200
    host.disable(ID)
    storage, listed = host.host.registry.active("storage"), []
    find = type(storage).list
    monkeypatch.setattr(
        type(storage), "list", lambda *given, **more: listed or find(*given, **more)
    )
    listed.extend(storage.list(f"{ID}/"))
    with pytest.raises(ProviderUnavailable, match='still lists "deep/picture"'):
        host.host.plugins.purge(ID, "all")
    assert host.host.engine.exists(ID)
    listed.clear()
    host.host.plugins.purge(ID, "all")
    assert not host.host.engine.exists(ID)


def test_the_command_shows_exports_and_removes(make_host, write_plugin, wait_until, tmp_path):
    host = make_host()
    begin(host, write_plugin(ID, CODE, **MANIFEST))
    jobs = host.host.jobs.of(ID)
    wait_until(lambda: all(each.state == "succeeded" for each in jobs.list()))
    host.stop()
    at = ["--data-dir", str(host.data_dir)]
    if host.host.config.database:
        at += ["--database", host.host.config.database]
    export = tmp_path / "export.zip"

    def run(*arguments: str):
        return CliRunner().invoke(main, ["plugin", "uninstall", ID, *arguments, *at])

    shown = run("--dry-run").output
    assert "table books" in shown
    assert "1,000 bytes  files in the storage" in shown
    assert json.loads(run("--dry-run", "--json").output)["id"] == ID
    export.write_text("mine")
    done = run("--export", str(export))
    assert (done.exit_code, done.output) == (
        1,
        f'"{export}" is there already; nothing was removed.\n',
    )
    export.unlink()
    done = run("--export", str(export), "--purge")
    assert done.exit_code == 0, done.output
    assert f"Uninstalled {ID}." in done.output
    with zipfile.ZipFile(export) as archive:
        assert sorted(archive.namelist()) == [
            "blobs/deep/picture",
            "data.jsonl",
            "files/notes.txt",
            "settings.json",
            "tables/books.jsonl",
        ]
        assert json.loads(archive.read("settings.json")) == {"size": 3}, "no secret is written"
        assert archive.read("tables/books.jsonl").count(b"\n") == 2
    host.start()
    wait_until_nothing_remains(host, wait_until)


def test_a_server_begins_anew_when_a_command_has_purged(make_host, write_plugin, wait_until):
    """It has the plugin's database open from before."""
    source = write_plugin(ID, CODE, **MANIFEST)
    host = make_host()
    begin(host, source)
    at = ["--data-dir", str(host.data_dir)]
    if host.host.config.database:
        at += ["--database", host.host.config.database]
    for command in (
        ["uninstall", ID, "--purge"],
        ["install", str(source), "--yes"],
        ["enable", ID],
    ):
        # In a process of its own: the command has to see that somebody else serves.
        run = [sys.executable, "-m", "host", "plugin", *command, *at]
        done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    wait_until(lambda: host.get(f"/api/plugins/{ID}/left").status == 200)
    assert host.get(f"/api/plugins/{ID}/left").json() == [None, 0]
    assert host.post(f"/api/plugins/{ID}/use").status == 200
    assert host.get(f"/api/plugins/{ID}/left").json() == [ID, 2]
    host.restart()
    assert host.get(f"/api/plugins/{ID}/left").json() == [ID, 2], "it was written where it is read"
