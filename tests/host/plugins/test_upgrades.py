"""Installing and upgrading folder plugins, live."""

from __future__ import annotations

import json
import threading
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from host.cli.main import main
from host.plugins.upgrading import _Attempt
from host.server import waiting
from plugin_sdk import Conflict, DatabaseUnavailable, Invalid

V1 = """
    from plugin_sdk import Plugin, migration, route

    class plugin(Plugin):
        @migration("001")
        def first(self, db):
            db.table("notes").create({"id": "integer", "text": "text"}, pk="id")
            db.table("notes").insert({"text": "kept"})

        @route("GET", "/version", access="open")
        def version(self, request):
            return {"version": 1, "notes": self.context.db.value("SELECT count(*) FROM notes")}

        @route("POST", "/notes", access="open")
        def add(self, request):
            return self.context.db.table("notes").insert({"text": "x"})
"""
V2 = V1.replace('"version": 1', '"version": 2').replace(
    "        @route",
    """        @migration("002")
        def second(self, db):
            db.table("notes").add_column("stars", "integer")

        @route""",
    1,
)
V2_BROKEN = V2.replace(
    'db.table("notes").add_column("stars", "integer")',
    'db.table("notes").delete_where(); raise RuntimeError("second step broke")',
)
V2_BROKEN_LATE = (
    V2
    + """
        def enable(self):
            raise RuntimeError("enable broke after the data changed")
"""
)


def hammer(host, path, stop, statuses):
    while not stop.is_set():
        statuses.append(host.get(path).status)


def test_an_upgrade_under_load_loses_no_request(
    make_host, write_plugin, wait_until, tmp_path, monkeypatch
):
    monkeypatch.setattr(waiting, "LONGEST_WAIT_SECONDS", 60.0)  # a busy machine upgrades slowly
    host = make_host(write_plugin("notes", V1, capabilities=["db"]))
    newer = write_plugin("notes", V2, into=tmp_path / "v2", capabilities=["db"], version="2.0.0")
    stop, statuses = threading.Event(), []
    clients = [
        threading.Thread(target=hammer, args=(host, "/api/plugins/notes/version", stop, statuses))
        for _ in range(4)
    ]
    for client in clients:
        client.start()
    try:
        wait_until(lambda: len(statuses) >= len(clients))
        entry = host.host.plugins.install(newer)
    finally:
        stop.set()
        for client in clients:
            client.join()
    assert entry.state == "active"
    assert entry.manifest.version == "2.0.0"
    assert host.get("/api/plugins/notes/version").json() == {"version": 2, "notes": 1}
    assert set(statuses) == {200}


@pytest.mark.parametrize("broken", [V2_BROKEN, V2_BROKEN_LATE, "def broken(:"])
def test_a_failing_upgrade_is_rolled_back_with_its_data(broken, make_host, write_plugin, tmp_path):
    host = make_host(write_plugin("notes", V1, capabilities=["db"]))
    newer = write_plugin(
        "notes", broken, into=tmp_path / "v2", capabilities=["db"], version="2.0.0"
    )
    with pytest.raises(Conflict) as caught:
        host.host.plugins.install(newer)
    assert caught.value.code == "UPGRADE_FAILED"
    assert host.get("/api/plugins/notes/version").json() == {"version": 1, "notes": 1}
    assert host.entry("notes").manifest.version == "1.0.0"
    assert host.post("/api/plugins/notes/notes").status == 200
    host.restart()
    assert host.get("/api/plugins/notes/version").json() == {"version": 1, "notes": 2}
    left = [path.name for path in (host.data_dir / "plugins").iterdir() if path.name[0] == "."]
    assert left == []


def test_a_start_that_nobody_waits_for_any_more_changes_no_data(
    make_host, write_plugin, wait_until, tmp_path
):
    """It waited for a call into the old version to end; the old version went on meanwhile."""
    go = tmp_path / "go"
    slow = f"""
        @route("GET", "/slow", access="open")
        def slow(self, request):
            import pathlib, time
            while not pathlib.Path({str(go)!r}).exists():
                time.sleep(0.01)
            return 1
"""
    host = make_host(write_plugin("notes", V1 + slow, capabilities=["db"]))
    newer = write_plugin("notes", V2, into=tmp_path / "v2", capabilities=["db"], version="2.0.0")
    gate = host.host.manager.catalog.plugins["notes"].gate
    client = threading.Thread(target=host.get, args=("/api/plugins/notes/slow",))
    client.start()
    wait_until(lambda: gate.inside)
    host.host.manager.limits.setup_timeout = 0.2
    with pytest.raises(Conflict, match="SETUP_TIMEOUT"):
        host.host.plugins.install(newer)
    host.host.manager.limits.setup_timeout = 10
    go.touch()
    client.join()
    wait_until(lambda: "start notes" not in [each.name for each in threading.enumerate()])
    (notes,) = (each for each in host.host.engine.open("notes").describe() if each.name == "notes")
    assert list(notes.columns) == ["id", "text"]
    left = [path.name for path in (host.data_dir / "plugins").iterdir() if path.name[0] == "."]
    assert left == [], "no copy of the data, which the next start would take for the last word"
    assert host.get("/api/plugins/notes/version").json()["version"] == 1


def test_jobs_go_on_after_a_start_that_was_given_up_while_it_quieted_them(
    make_host, write_plugin, monkeypatch
):
    job = """
        @job("work")
        def work(self, run):
            return 1

        @route("POST", "/work", access="open")
        def begin(self, request):
            return self.context.jobs.start("work").id
"""
    source = V1.replace("migration, route", "job, migration, route") + job
    host = make_host(write_plugin("notes", source, capabilities=["db"]))
    manager, upgrades, attempt = host.host.manager, host.host.installer._upgrades, _Attempt()
    record = manager.register.record("notes")
    quiet = manager.instances.quiet

    def late(running):
        attempt.give_up()
        upgrades._fall_back(record, running)
        quiet(running)

    monkeypatch.setattr(manager.instances, "quiet", late)
    with pytest.raises(TimeoutError, match="nobody waits"):
        upgrades._snapshot(record.running, attempt)
    begun = host.post("/api/plugins/notes/work").json()
    assert host.host.jobs.wait(begun, 60).state == "succeeded"


def test_data_that_could_not_be_put_back_are_put_back_by_the_next_start(
    make_host, write_plugin, tmp_path, monkeypatch
):
    host = make_host(write_plugin("notes", V1, capabilities=["db"]))
    newer = write_plugin(
        "notes", V2_BROKEN_LATE, into=tmp_path / "v2", capabilities=["db"], version="2.0.0"
    )

    def fail(database, path):
        raise DatabaseUnavailable("Away for a moment.")

    with monkeypatch.context() as patch:
        patch.setattr(type(host.host.engine.open("notes")), "restore_from", fail)
        with pytest.raises(DatabaseUnavailable):
            host.host.plugins.install(newer)
    assert host.get("/api/plugins/notes/version").json()["version"] == 1, "nobody waits for ever"
    host.restart()
    assert host.get("/api/plugins/notes/version").json() == {"version": 1, "notes": 1}
    (notes,) = (each for each in host.host.engine.open("notes").describe() if each.name == "notes")
    assert list(notes.columns) == ["id", "text"]


def test_an_update_that_asks_for_more_waits_for_a_word(make_host, write_plugin, tmp_path):
    host = make_host(write_plugin("notes", V1, capabilities=["db"]))
    newer = write_plugin(
        "notes", V2, into=tmp_path / "v2", capabilities=["db", "http"], version="2.0.0"
    )
    plan = host.host.plugins.inspect(newer)
    assert plan.added_capabilities == ("http",)
    with pytest.raises(Conflict) as caught:
        host.host.plugins.install(newer)
    assert caught.value.code == "CONFIRMATION_NEEDED"
    assert host.get("/api/plugins/notes/version").json()["version"] == 1
    upgraded = host.host.plugins.install(newer, accept_additions=True)
    assert (upgraded.state, upgraded.added) == ("active", [])


def ask_for_more(folder: Path, version: str = "1.1.0") -> None:
    """A version that nobody showed to the host: its code tells when it was run."""
    manifest = folder / "plugin.json"
    document = json.loads(manifest.read_text())
    document["capabilities"].append("http")
    document["permissions"] = [{"name": "notes:edit", "description": "Change notes"}]
    manifest.write_text(json.dumps({**document, "version": version}))
    code = "import pathlib\npathlib.Path(__file__).with_name('ran.txt').write_text('yes')\n"
    (folder / "__init__.py").write_text(code + (folder / "__init__.py").read_text())


def test_a_version_that_came_past_the_host_and_asks_for_more_waits_for_a_word(
    make_host, write_plugin
):
    host = make_host(write_plugin("notes", V1, capabilities=["db"]))
    assert host.entry("notes").added == []  # the host of a test enables without asking anybody
    host.enable("notes")
    folder = host.data_dir / "plugins" / "notes"
    ask_for_more(folder)
    host.restart()
    entry = host.get("/api/plugins/notes").json()
    assert (entry["state"], entry["enabled"]) == ("errored", True)
    assert entry["added"] == ["http", "notes:edit"]
    assert entry["error"]["code"] == "CONFIRMATION_NEEDED"
    assert "http, notes:edit" in entry["error"]["message"]
    assert not (folder / "ran.txt").exists(), "not a line of it before somebody agreed"
    assert host.get("/api/plugins/notes/version").status == 404
    entry = host.post("/api/plugins/notes/enable").json()
    assert (entry["state"], "added" in entry) == ("active", False)
    assert (folder / "ran.txt").exists()
    host.disable("notes")
    host.restart()
    assert host.entry("notes").added == []


def test_a_live_reload_does_not_run_what_nobody_agreed_to(make_host, write_plugin):
    host = make_host(write_plugin("notes", V1, capabilities=["db"]))
    host.enable("notes")
    folder = host.data_dir / "plugins" / "notes"
    ask_for_more(folder)
    with pytest.raises(Conflict, match="asks for more than was confirmed: http, notes:edit"):
        host.host.plugins.reload("notes")
    assert not (folder / "ran.txt").exists()
    assert host.get("/api/plugins/notes/version").json()["version"] == 1


def test_an_upgrade_is_held_against_what_was_agreed_to_and_not_what_lies_there(
    make_host, write_plugin, tmp_path
):
    """The version that waits for a word lies in the folder; the next one asks for as much."""
    host = make_host(write_plugin("notes", V1, capabilities=["db"]))
    host.enable("notes")
    ask_for_more(host.data_dir / "plugins" / "notes")
    host.restart()
    newer = write_plugin(
        "notes", V2, into=tmp_path / "v2", capabilities=["db", "http"], version="2.0.0"
    )
    with pytest.raises(Conflict) as caught:
        host.host.plugins.install(newer)
    assert caught.value.code == "CONFIRMATION_NEEDED"
    command = ["plugin", "install", str(newer), "--data-dir", str(host.data_dir)]
    if host.host.config.database:
        command += ["--database", host.host.config.database]
    done = CliRunner().invoke(main, command)
    assert (done.exit_code, "http. Confirm this to go on. --yes confirms it." in done.output) == (
        1,
        True,
    )
    host.host.plugins.install(newer, accept_additions=True)
    host.restart()
    assert host.entry("notes").state == "active"


def test_installed_plugins_start_off_and_go_without_their_data(make_host, write_plugin):
    host = make_host()
    entry = host.host.plugins.install(write_plugin("notes", V1, capabilities=["db"]))
    assert entry.state == "disabled"
    host.enable("notes")
    host.post("/api/plugins/notes/notes")
    host.host.plugins.uninstall("notes")
    assert "notes" not in [each.id for each in host.host.plugins.entries()]
    assert host.host.engine.exists("notes")
    host.host.plugins.install(write_plugin("notes", V1, capabilities=["db"]))
    host.enable("notes")
    assert host.get("/api/plugins/notes/version").json()["notes"] == 2


@pytest.mark.parametrize("name", ["../escape.py", "/abs.py", "a/../../b.py", "..\\x.py", "C:/x.py"])
def test_archives_cannot_write_elsewhere(name, make_host, write_plugin, tmp_path):
    host = make_host()
    folder = write_plugin("zipped", V1)
    archive = tmp_path / "zipped.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.write(folder / "plugin.json", "plugin.json")
        file.write(folder / "__init__.py", "__init__.py")
        file.writestr(name, "x = 1")
    with pytest.raises(Invalid):
        host.host.plugins.install(archive)
    assert not (tmp_path / "escape.py").exists()


def test_a_zip_with_one_folder_inside_is_installed(make_host, write_plugin, tmp_path):
    host = make_host()
    folder = write_plugin("zipped", V1, capabilities=["db"])
    archive = tmp_path / "zipped.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in folder.iterdir():
            file.write(path, f"zipped-1.0.0/{path.name}")
    assert host.host.plugins.install(archive).id == "zipped"
    assert host.enable("zipped").state == "active"
