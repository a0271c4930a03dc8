# ruff: noqa: PT012 (what a block does before it raises is what is tested)
"""What can be wrong with the disk, and what a database says then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from host.db import Engine, HostDatabase, SqliteEngine
from plugin_sdk import DatabaseUnavailable, Invalid


def _notes(database: HostDatabase) -> None:
    database.table("notes").create({"id": "integer", "text": "text"}, pk="id", if_not_exists=True)
    database.table("notes").insert({"text": "a"})


@pytest.mark.one_engine
def test_a_damaged_file_harms_only_its_plugin(engine: Engine, tmp_path: Path) -> None:
    _notes(engine.open("example.sound"))
    _notes(engine.open("host"))
    folder = tmp_path / "data" / "plugins" / "example.broken"
    folder.mkdir()
    (folder / "plugin.db").write_bytes(b"this is no database" * 1000)
    broken = engine.open("example.broken")
    for call in (
        broken.tables,
        lambda: broken.query("SELECT * FROM notes"),
        lambda: _notes(broken),
        lambda: broken.execute("CREATE TABLE x (id INTEGER)"),
        broken.change_counter,
        lambda: broken.table("notes").exists(),
        lambda: list(broken.iterate("SELECT * FROM notes")),
    ):
        with pytest.raises(DatabaseUnavailable) as caught:
            call()
        assert "damaged" in caught.value.message
        assert caught.value.retry_after
    for name in ("example.sound", "host"):
        _notes(engine.open(name))
        assert engine.open(name).value("SELECT count(*) FROM notes") == 2
    assert engine.names() == ["example.broken", "example.sound"]
    engine.drop("example.broken")
    _notes(engine.open("example.broken"))


def test_a_file_damaged_in_the_middle_says_so(tmp_path: Path) -> None:
    engine = SqliteEngine(tmp_path)
    database = engine.open("example.plugin")
    _notes(database)
    database.table("notes").insert_all({"text": "x" * 500} for _ in range(1000))
    engine.close()
    path = tmp_path / "plugins" / "example.plugin" / "plugin.db"
    content = bytearray(path.read_bytes())
    content[8192 : 8192 + 40_000] = b"\xa5" * 40_000
    path.write_bytes(content)
    engine = SqliteEngine(tmp_path)
    database = engine.open("example.plugin")
    assert database.tables() == ["notes"]
    with pytest.raises(DatabaseUnavailable):
        database.query("SELECT * FROM notes")
    with pytest.raises(DatabaseUnavailable):
        list(database.iterate("SELECT * FROM notes"))
    assert engine.connections == 0, "a connection that met an error is used again"
    engine.close()
    assert engine.connections == 0


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "plugins").write_text("a file, where a folder should be")
    engine = SqliteEngine(tmp_path)
    database = engine.open("example.plugin")
    assert database.tables() == []
    with pytest.raises(DatabaseUnavailable):
        _notes(database)
    engine.close()


@pytest.mark.one_engine
def test_a_full_disk_undoes_the_transaction(engine: Engine) -> None:
    database: Any = engine.open("example.plugin")
    _notes(database)
    database._connections.writer.connection.execute("PRAGMA max_page_count = 20")
    with pytest.raises(DatabaseUnavailable) as caught, database.transaction():
        database.table("notes").insert({"text": "b"})
        database.table("notes").insert({"text": "x" * 1_000_000})
    assert "full" in caught.value.message
    assert database.value("SELECT count(*) FROM notes") == 1
    _notes(database)
    assert database.value("SELECT count(*) FROM notes") == 2


@pytest.mark.one_engine
def test_a_value_that_cannot_be_read_is_said_and_harms_no_other(database: HostDatabase) -> None:
    things = database.table("things").create({"id": "integer", "data": "json"}, pk="id")
    key = things.insert({"data": [1]})
    database.execute("CREATE TABLE raw (data JSON, flag BOOLEAN)")
    database.execute("INSERT INTO raw VALUES ('no json', 1)")
    deep = {"text": "[" * 1500 + "]" * 1500}
    database.execute("INSERT INTO things (data) VALUES (:text)", deep)
    for call in (
        lambda: database.query("SELECT * FROM raw"),
        lambda: database.query("SELECT * FROM things"),
        lambda: list(database.iterate("SELECT * FROM things")),
        lambda: database.value("SELECT data FROM things ORDER BY id DESC"),
    ):
        with pytest.raises(Invalid):
            call()
    assert database.query("SELECT flag FROM raw") == [{"flag": True}]
    assert things.get(key) == {"id": key, "data": [1]}


@pytest.mark.one_engine
def test_a_text_that_is_none_is_said_without_the_text(database: HostDatabase) -> None:
    _notes(database)
    database.execute("UPDATE notes SET text = CAST(:raw AS TEXT)", {"raw": b"secret \xff"})
    for call in (
        lambda: database.query("SELECT * FROM notes"),
        lambda: list(database.iterate("SELECT * FROM notes")),
    ):
        with pytest.raises(Invalid, match="column text cannot be read: it is no UTF-8") as caught:
            call()
        assert "secret" not in caught.value.message
    assert database.value("SELECT count(*) FROM notes") == 1
