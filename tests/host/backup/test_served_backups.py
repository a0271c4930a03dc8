"""Backups of a PostgreSQL database, and of one engine for the other."""

from __future__ import annotations

import subprocess
import sys
import threading
import zipfile

import psycopg
import pytest

from host.backup import restore, swap, take_backup
from host.config import load_config
from host.db.postgresql import PostgresqlEngine
from plugin_sdk import Conflict, DatabaseUnavailable, Invalid, Unavailable
from tests.archives import no_progress

pytestmark = pytest.mark.one_engine

KEPT = "/api/plugins/keeper/kept"


@pytest.fixture
def config(postgresql_url):
    """Of a data directory, on the server unless ``files``."""

    def make(data_dir, *, files=False):
        database = "" if files else postgresql_url
        return load_config({"data_dir": str(data_dir), "database": database or None}, {})

    return make


@pytest.fixture
def served(postgresql_url, make_host, keeper_plugin):
    """A host on the server whose plugin has kept a word."""

    def make(word, data_dir=None):
        host = make_host(keeper_plugin, data_dir=data_dir, config={"database": postgresql_url})
        assert host.post(f"/api/plugins/keeper/keep/{word}").status == 200
        return host

    return make


@pytest.fixture
def archive(tmp_path):
    return tmp_path / "archive.zip"


def schemas(url):
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT nspname FROM pg_namespace WHERE nspname ~ '^stagebox'")
        return {row[0] for row in rows}


def claims(url):
    """Locks by which somebody says that he is at work in this database."""
    with psycopg.connect(url) as connection:
        return connection.execute(
            "SELECT objid FROM pg_locks JOIN pg_database ON pg_database.oid = database "
            "WHERE datname = current_database() AND locktype = 'advisory'"
        ).fetchall()


def test_there_and_back_again(served, config, archive, make_host, postgresql_url, eventually):
    host = served("one")
    before = host.get(KEPT).json()
    taken = take_backup(config(host.data_dir), {}, archive, no_progress)
    host.post("/api/plugins/keeper/keep/two")  # after the backup, so not in it
    host.stop()
    tables = schemas(postgresql_url)
    _leave_a_draft(postgresql_url)
    eventually(lambda: claims(postgresql_url) == [])  # the server notices that it was killed
    done = restore(config(host.data_dir), {}, archive, no_progress, replace_data=True)
    assert (done.databases, done.blobs) == (taken.databases, 1)
    assert schemas(postgresql_url) <= tables
    again = make_host(data_dir=host.data_dir, config={"database": postgresql_url})
    assert again.get(KEPT).json() == before
    assert again.post("/api/plugins/keeper/keep/three").status == 200  # numbers go on
    assert again.get(KEPT).json()["rows"] == ["one", "three"]


def test_from_files_to_a_server_and_back(
    postgresql_url, keeper, config, archive, make_host, tmp_path
):
    host = keeper("one")
    before = host.get(KEPT).json()
    take_backup(config(host.data_dir, files=True), {}, archive, no_progress)
    restore(config(tmp_path / "b"), {}, archive, no_progress)
    assert not list((tmp_path / "b").rglob("*.db"))
    other = make_host(data_dir=tmp_path / "b", config={"database": postgresql_url})
    assert other.get(KEPT).json() == before
    assert other.post("/api/plugins/keeper/keep/two").status == 200
    wanted = other.get(KEPT).json()
    second = archive.with_name("second.zip")
    take_backup(config(tmp_path / "b"), {}, second, no_progress)
    with zipfile.ZipFile(second) as members:
        assert members.read("databases/host.db").startswith(b"SQLite format 3")
    restore(config(tmp_path / "c", files=True), {}, second, no_progress)
    assert make_host(data_dir=tmp_path / "c").get(KEPT).json() == wanted


def test_data_are_replaced_only_if_that_is_asked_for(served, config, archive, tmp_path):
    host = served("one")
    take_backup(config(host.data_dir), {}, archive, no_progress)
    host.stop()
    for folder in (host.data_dir, tmp_path / "empty"):  # the database counts, wherever one is
        with pytest.raises(Conflict, match="--replace"):
            restore(config(folder), {}, archive, no_progress)


def _damage(content):
    middle = len(content) // 3
    return (
        content[:middle]
        + bytes(byte ^ 0xFF for byte in content[middle : middle + 64])
        + (content[middle + 64 :])
    )


@pytest.mark.parametrize("fault", ["damaged archive", "failing exchange"])
def test_what_fails_leaves_all_as_it_was(
    fault, served, config, archive, make_host, postgresql_url, monkeypatch
):
    host = served("one")
    take_backup(config(host.data_dir), {}, archive, no_progress)
    host.post("/api/plugins/keeper/keep/two")
    before = host.get(KEPT).json()
    host.stop()
    known = schemas(postgresql_url)

    def failing(_data_dir):
        raise Unavailable("The disk is gone.")

    with monkeypatch.context() as patch:
        if fault == "damaged archive":
            archive.write_bytes(_damage(archive.read_bytes()))
        else:
            patch.setattr(swap, "commit", failing)
        with pytest.raises((Invalid, Unavailable)):
            restore(config(host.data_dir), {}, archive, no_progress, replace_data=True)
    assert schemas(postgresql_url) == known
    assert not (host.data_dir / ".restore").exists()
    again = make_host(data_dir=host.data_dir, config={"database": postgresql_url})
    assert again.get(KEPT).json() == before


def _leave_a_draft(url):
    """As a restore that is killed does."""
    code = f"""
import os
from host.db.postgresql import PostgresqlEngine
engine = PostgresqlEngine({url!r})
engine.draft().open("keeper").table("rows").create({{"id": "integer"}}, pk="id")
os._exit(0)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    assert any(name.startswith("stagebox+") for name in schemas(url))


def test_all_databases_are_of_one_time(postgresql_url, eventually):
    engine = PostgresqlEngine(postgresql_url)
    names = ("plugin.a", "plugin.b")
    for name in names:
        engine.open(name).table("counts").create({"id": "integer", "n": "integer"}, pk="id")
        engine.open(name).table("counts").insert({"id": 1, "n": 0})
    stop = threading.Event()

    def count():
        number = 0
        while not stop.is_set():
            number += 1
            for name in names:
                engine.open(name).table("counts").update(1, {"n": number})

    seen = []

    def look():
        with engine.at_one_time() as frozen:
            found = []
            for name in names:
                with frozen.open(name).snapshot():
                    found.append(frozen.open(name).value("SELECT n FROM counts"))
            seen.append(found)
        return len(seen) >= 20 and len({a for a, _ in seen}) > 1  # somebody has written meanwhile

    writer = threading.Thread(target=count)
    writer.start()
    try:
        eventually(look)
    finally:
        stop.set()
        writer.join()
        engine.close()
    assert all(a - b in (0, 1) for a, b in seen), seen


def test_a_password_is_never_shown(tmp_path, archive):
    url = "postgresql://user:secret@127.0.0.1:1/none"
    broken = load_config({"data_dir": str(tmp_path / "data"), "database": url}, {})
    with pytest.raises(DatabaseUnavailable) as refused:
        take_backup(broken, {}, archive, no_progress)
    assert "secret" not in refused.value.message
    assert not archive.exists()
