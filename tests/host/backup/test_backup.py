"""There and back again."""

from __future__ import annotations

import json
import os
import shutil
import stat
import threading
import zipfile

import pytest

from host.backup import Archive
from plugin_sdk import Conflict, NotFound, ProviderUnavailable, Unavailable

pytestmark = pytest.mark.one_engine  # files of SQLite; test_served_backups has the other

KEPT = "/api/plugins/keeper/kept"


def test_what_was_kept_comes_back_elsewhere(keeper, back_up, put_back, make_host, tmp_path):
    host = keeper("one")
    (host.data_dir / "stagebox.toml").write_text("threads = 5\n")
    before = host.get(KEPT).json()
    taken = back_up(host.data_dir)
    host.post("/api/plugins/keeper/keep/two")  # after the backup, so not in it
    done = put_back(tmp_path / "elsewhere")
    assert (done.blobs, taken.blobs) == (1, 1)
    assert done.databases == taken.databases
    assert done.files == taken.files
    other = make_host(data_dir=tmp_path / "elsewhere")
    assert other.get(KEPT).json() == before
    assert other.host.config.threads == 16
    key = tmp_path / "elsewhere" / "plugins" / "keeper" / "own" / "file.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_the_archive_says_what_it_holds(keeper, back_up, tmp_path):
    host = keeper("one")
    (host.data_dir / "stagebox.toml").write_text("[plugins.plugin_admin]\ndrainSeconds = 5\n")
    file = tmp_path / "archive.zip"
    taken = back_up(host.data_dir, file)
    assert taken.size == file.stat().st_size
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with zipfile.ZipFile(file) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        names = set(archive.namelist())
    assert manifest["schema"] == "stagebox.backup.v1"
    assert manifest["engine"] == "sqlite"
    assert manifest["storage"] == "local"
    assert {entry["name"] for entry in manifest["entries"]} | {"manifest.json"} == names
    of = {(entry["kind"], entry["of"]) for entry in manifest["entries"]}
    assert {("database", "host"), ("database", "keeper"), ("blob", "keeper/ä/one")} <= of
    assert {("file", "keeper/__init__.py"), ("file", "keeper/own/file.key")} <= of
    files = [path for kind, path in of if kind == "file"]
    assert not any("plugin.db" in path or "blobs/" in path for path in files)
    assert not any("stagebox.toml" in name or "server.log" in name for name in names)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_writes_go_on_during_a_backup_and_each_database_is_one_state(
    keeper, back_up, put_back, make_host, tmp_path
):
    host = keeper("one")
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            assert host.post(f"/api/plugins/keeper/keep/n{number}").status == 200
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        back_up(host.data_dir)
    finally:
        stop.set()
        writer.join()
    put_back(tmp_path / "elsewhere")
    other = make_host(data_dir=tmp_path / "elsewhere")
    kept = other.get(KEPT).json()
    # What the rows name is there: databases are copied before the blobs.
    assert {f"ä/{text}" for text in kept["rows"][:-1]} <= {key for key, _, _ in kept["blobs"]}
    assert kept["data"] == kept["rows"][-1]


def test_restoring_over_data_needs_a_word_and_replaces_all_of_it(
    keeper, back_up, put_back, make_host, tmp_path
):
    host = keeper("one")
    back_up(host.data_dir)
    before = host.get(KEPT).json()
    host.post("/api/plugins/keeper/keep/two")
    stray = host.data_dir / "plugins" / "keeper" / "stray.txt"
    stray.write_text("not in the backup")
    (host.data_dir / "stagebox.toml").write_text("threads = 5\n")
    host.stop()
    with pytest.raises(Conflict, match="--replace"):
        put_back(host.data_dir)
    assert stray.exists()
    put_back(host.data_dir, replace_data=True)
    assert not stray.exists()
    assert not (host.data_dir / ".restore").exists()
    host.start()
    assert host.get(KEPT).json() == before
    assert host.host.config.threads == 5


def test_a_restored_host_does_not_take_the_backed_up_one_for_alive(
    keeper, back_up, put_back, make_host, tmp_path
):
    host = keeper("one")
    back_up(host.data_dir)
    put_back(tmp_path / "elsewhere")
    other = make_host(data_dir=tmp_path / "elsewhere")
    rows = other.host.database.query("SELECT pid, stopped FROM _stagebox_hosts")
    assert [row["stopped"] for row in rows if row["pid"] == os.getpid()].count(False) == 1


def test_links_and_strange_names_are_told_and_left_out(keeper, back_up, put_back, tmp_path):
    host = keeper("one")
    own = host.data_dir / "plugins" / "keeper" / "own"
    (own / "link").symlink_to("/etc/passwd")
    (own / "folder-link").symlink_to("/etc")
    os.mkfifo(own / "pipe")
    (own / "back\\slash").write_text("x")
    (own / "ümlaut und Leerzeichen").write_text("y")
    taken = back_up(host.data_dir)
    left = [path.removeprefix("keeper/own/") for path in taken.left_out]
    assert sorted(left) == ["back\\\\slash", "folder-link", "link", "pipe"]
    put_back(tmp_path / "elsewhere")
    restored = tmp_path / "elsewhere" / "plugins" / "keeper" / "own"
    assert {path.name for path in restored.iterdir()} == {"file.key", "ümlaut und Leerzeichen"}


def test_an_archive_that_cannot_be_written_leaves_nothing(keeper, back_up, tmp_path):
    host = keeper("one")
    with pytest.raises(Unavailable, match="cannot be written"):
        back_up(host.data_dir, tmp_path / "nowhere" / "archive.zip")
    folder = tmp_path / "target"
    folder.mkdir()
    (folder / "archive.zip").mkdir()
    with pytest.raises(Unavailable, match="cannot be written"):
        back_up(host.data_dir, folder / "archive.zip")
    assert [path.name for path in folder.iterdir()] == ["archive.zip"]


def test_an_older_archive_stays_until_the_new_one_is_complete(
    keeper, back_up, tmp_path, monkeypatch
):
    host = keeper("one")
    file = tmp_path / "archive.zip"
    back_up(host.data_dir, file)
    old = file.read_bytes()

    def fail(*_: object, **__: object) -> None:
        raise Unavailable("the storage went away")

    from builtin_plugins.local_storage.provider import LocalStorage

    monkeypatch.setattr(LocalStorage, "open", fail)
    with pytest.raises(Unavailable, match="went away"):
        back_up(host.data_dir, file)
    assert file.read_bytes() == old
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".archive")]


def test_without_its_storage_no_backup_is_made(keeper, back_up, tmp_path):
    host = keeper("one")
    registry = host.host.registry
    registry._db.table("_stagebox_provider_choices").upsert({"type": "storage", "names": ["s9"]})
    with pytest.raises(ProviderUnavailable):
        back_up(host.data_dir)
    assert not (tmp_path / "archive.zip").exists()


def test_a_missing_file_is_said(put_back, tmp_path):
    with pytest.raises(NotFound, match="There is no file"):
        put_back(tmp_path / "elsewhere")


def test_a_damaged_installation_can_be_replaced(keeper, back_up, put_back, make_host):
    host = keeper("one")
    back_up(host.data_dir)
    before = host.get(KEPT).json()
    host.stop()
    (host.data_dir / "host.db").write_bytes(b"no database at all" * 1000)
    shutil.rmtree(host.data_dir / "plugins")
    put_back(host.data_dir, replace_data=True)
    host.start()
    assert host.get(KEPT).json() == before


def test_an_archive_reads_back_what_was_written(keeper, back_up, tmp_path):
    host = keeper("one")
    back_up(host.data_dir)
    with Archive(tmp_path / "archive.zip") as archive:
        (blob,) = archive.manifest.of_kind("blob")
        with archive.open(blob) as stream:
            assert stream.read() == b"one" * 1000
        assert (blob.contentType, blob.size) == ("text/x-own", 3000)
