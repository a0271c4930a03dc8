from __future__ import annotations

import stat
from pathlib import Path

import pytest

from host.db import Engine, HostDatabase
from plugin_sdk import DatabaseUnavailable, Invalid, NotFound


@pytest.fixture
def database(database: HostDatabase) -> HostDatabase:
    database.table("notes").create({"id": "integer", "text": "text"}, pk="id")
    database.table("notes").insert({"text": "old"})
    database.enable_search("notes", ["text"])
    return database


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return tmp_path / "backups" / "of today" / "copy.db"


def _texts(database: HostDatabase) -> list[str]:
    return [row["text"] for row in database.query("SELECT text FROM notes ORDER BY id")]


def test_a_copy_brings_all_back(database: HostDatabase, copy: Path) -> None:
    database.copy_to(copy)
    database.table("notes").insert({"text": "new"})
    database.table("notes").add_column("done", "boolean")
    database.table("later").create({"id": "integer"}, pk="id")
    database.restore_from(copy)
    assert _texts(database) == ["old"]
    assert database.tables() == ["notes"]
    assert len(database.search("notes", "old")) == 1
    assert database.search("notes", "new") == []
    with pytest.raises(Invalid):
        database.table("notes").insert({"done": True})
    database.table("notes").insert({"text": "after"})
    assert _texts(database) == ["old", "after"]


@pytest.mark.one_engine
def test_a_copy_is_one_file_for_its_owner(database: HostDatabase, copy: Path) -> None:
    database.copy_to(copy)
    database.copy_to(copy)
    assert [path.name for path in copy.parent.iterdir()] == ["copy.db"]
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    # Without a write-ahead log (https://sqlite.org/fileformat2.html, 1.3.3): a reader of the copy
    # makes no further files.
    assert copy.read_bytes()[18:20] == b"\x01\x01"


def test_a_copy_is_another_databases_beginning(
    engine: Engine, database: HostDatabase, copy: Path
) -> None:
    database.copy_to(copy)
    other = engine.open("example.other")
    other.restore_from(copy)
    other.table("notes").insert({"text": "mine"})
    assert (_texts(other), _texts(database)) == (["old", "mine"], ["old"])


def test_a_copy_has_what_was_committed(database: HostDatabase, copy: Path) -> None:
    with database.transaction():
        database.table("notes").insert({"text": "not yet"})
        database.copy_to(copy)
        assert _texts(database) == ["old", "not yet"]
    database.restore_from(copy)
    assert _texts(database) == ["old"]


def test_a_copy_can_be_taken_in_a_snapshot_and_while_rows_are_read(
    database: HostDatabase, copy: Path
) -> None:
    rows = database.iterate("SELECT text FROM notes")
    with database.snapshot():
        database.copy_to(copy)
    assert len(list(rows)) == 1
    database.restore_from(copy)


def test_readers_keep_their_state_while_a_copy_is_put_back(
    database: HostDatabase, copy: Path
) -> None:
    database.copy_to(copy)
    database.table("notes").insert_all({"text": f"new {number}"} for number in range(1000))
    rows = database.iterate("SELECT text FROM notes")
    next(rows)
    database.restore_from(copy)
    assert len(list(rows)) == 1000
    assert _texts(database) == ["old"]


def test_a_copy_of_nothing_is_empty(engine: Engine, database: HostDatabase, copy: Path) -> None:
    engine.open("example.nothing").copy_to(copy)
    assert not engine.exists("example.nothing")
    database.restore_from(copy)
    assert database.tables() == []
    database.table("notes").create({"id": "integer", "text": "text"}, pk="id")
    assert _texts(database) == []


def test_the_counter_tells_of_a_restore(database: HostDatabase, copy: Path) -> None:
    database.copy_to(copy)
    before = database.change_counter()
    database.restore_from(copy)
    assert database.change_counter() != before


def test_what_is_no_copy_changes_nothing(database: HostDatabase, copy: Path) -> None:
    with pytest.raises(NotFound):
        database.restore_from(copy)
    copy.parent.mkdir(parents=True)
    copy.write_bytes(b"no database at all" * 500)
    with pytest.raises(Invalid):
        database.restore_from(copy)
    with pytest.raises(NotFound):
        database.restore_from(copy.parent)
    assert _texts(database) == ["old"]


def test_a_damaged_copy_is_not_put_back(database: HostDatabase, copy: Path) -> None:
    database.table("notes").insert_all({"text": "x" * 500} for _ in range(500))
    database.copy_to(copy)
    content = bytearray(copy.read_bytes())
    content[40_000:80_000] = b"\xa5" * 40_000
    copy.write_bytes(content)
    with pytest.raises(Invalid):
        database.restore_from(copy)
    assert database.table("notes").count_where() == 501


def test_restoring_is_refused_in_transactions_and_snapshots(
    database: HostDatabase, copy: Path
) -> None:
    database.copy_to(copy)
    with database.transaction(), pytest.raises(Invalid):
        database.restore_from(copy)
    with database.snapshot(), pytest.raises(Invalid):
        database.restore_from(copy)
    database.restore_from(copy)


@pytest.mark.one_engine
def test_a_damaged_database_is_replaced(
    engine: Engine, database: HostDatabase, copy: Path, tmp_path: Path
) -> None:
    database.copy_to(copy)
    database.close()
    path = tmp_path / "data" / "plugins" / "example.plugin" / "plugin.db"
    path.write_bytes(b"this is no database" * 1000)
    database = engine.open("example.plugin")
    with pytest.raises(DatabaseUnavailable):
        _texts(database)
    with pytest.raises(DatabaseUnavailable):
        database.copy_to(copy.with_name("second.db"))
    assert [file.name for file in copy.parent.iterdir()] == ["copy.db"]
    database.restore_from(copy)
    database.table("notes").insert({"text": "after"})
    assert _texts(database) == ["old", "after"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_place_that_cannot_be_written_is_said(database: HostDatabase, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DatabaseUnavailable):
        database.copy_to(tmp_path / "file" / "copy.db")
