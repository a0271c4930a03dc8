from __future__ import annotations

import gc
import os
import sqlite3
import stat
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from host.db import Engine, HostDatabase, SqliteEngine
from plugin_sdk import DatabaseUnavailable, Invalid, NotFound


def _files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def _notes(database: HostDatabase) -> None:
    database.table("notes").create({"id": "integer", "text": "text"}, pk="id", if_not_exists=True)
    database.table("notes").insert({"text": "a"})


def test_nothing_is_made_before_the_first_write(engine: Engine, tmp_path: Path) -> None:
    database = engine.open("example.plugin")
    assert database.tables() == []
    assert database.value("SELECT 1 + 1") == 2
    assert list(database.iterate("SELECT 1 AS n")) == [{"n": 1}]
    assert database.table("notes").rows_where() == []
    assert database.table("notes").get(1) is None
    assert database.change_counter() == 0
    assert database.migrate([]) == []
    with database.snapshot():
        assert database.tables() == []
    with pytest.raises(Invalid):
        database.query("SELECT * FROM notes")
    assert not engine.exists("example.plugin")
    assert engine.names() == []
    assert engine.size("example.plugin") == 0
    assert _files(tmp_path) == set()


@pytest.mark.one_engine
def test_each_database_is_a_file(engine: Engine, tmp_path: Path) -> None:
    for name in ("host", "example.b", "example-a"):
        _notes(engine.open(name))
    engine.close()
    assert {name for name in _files(tmp_path / "data") if name.endswith("db")} == {
        "host.db",
        "plugins/example.b/plugin.db",
        "plugins/example-a/plugin.db",
    }


@pytest.mark.one_engine
def test_names_are_those_of_plugins(engine: Engine, tmp_path: Path) -> None:
    for name in ("host", "zebra", "example.b", "example-a"):
        _notes(engine.open(name))
    plugins = tmp_path / "data" / "plugins"
    (plugins / "empty").mkdir()
    (plugins / "No Plugin").mkdir()
    (plugins / "No Plugin" / "plugin.db").touch()
    assert engine.names() == ["example-a", "example.b", "zebra"]
    assert [engine.exists(name) for name in ("host", "zebra", "empty")] == [True, True, False]


def test_opening_gives_the_same_object(engine: Engine) -> None:
    assert engine.open("example.plugin") is engine.open("example.plugin")
    assert engine.open("example.plugin") is not engine.open("example.other")
    assert engine.open("example.plugin").name == "example.plugin"
    assert engine.open("example.plugin").engine == engine.name


def test_opening_without_making(engine: Engine) -> None:
    with pytest.raises(NotFound):
        engine.open("example.plugin", create=False)
    _notes(engine.open("example.plugin"))
    assert engine.open("example.plugin", create=False).tables() == ["notes"]


@pytest.mark.parametrize(
    "name",
    [
        "", ".", "..", "../x", "a/b", "/etc", "a\\b", "a..b", ".a", "a.", "A", "a b", "a\0", "a\n",
        "é", "x" * 65,
    ],
)  # fmt: skip
def test_other_names_are_refused(engine: Engine, name: str, tmp_path: Path) -> None:
    for call in (engine.open, engine.exists, engine.drop, engine.size):
        with pytest.raises(Invalid):
            call(name)
    assert _files(tmp_path) == set()


def test_dropping_removes_all_of_it(engine: Engine, tmp_path: Path) -> None:
    database = engine.open("example.plugin")
    _notes(database)
    _notes(engine.open("example.other"))
    engine.drop("example.plugin")
    engine.drop("example.plugin")
    assert engine.names() == ["example.other"]
    assert not (tmp_path / "data" / "plugins" / "example.plugin").exists()
    with pytest.raises(DatabaseUnavailable):
        database.tables()
    assert engine.open("example.plugin").tables() == []
    _notes(engine.open("example.plugin"))
    assert engine.open("example.plugin").value("SELECT count(*) FROM notes") == 1


def test_a_database_in_use_is_not_dropped(engine: Engine, database: HostDatabase) -> None:
    _notes(database)
    with pytest.raises(Invalid), database.transaction():
        engine.drop("example.plugin")
    assert engine.open("example.plugin") is database
    assert database.value("SELECT count(*) FROM notes") == 1


@pytest.mark.one_engine
def test_dropping_removes_what_a_crash_left(engine: Engine, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "plugins" / "example.plugin"
    folder.mkdir(parents=True)
    for name in ("plugin.db", "plugin.db-wal", "plugin.db-shm", "plugin.db-journal"):
        (folder / name).touch()
    engine.drop("example.plugin")
    assert not folder.exists()


@pytest.mark.one_engine
def test_dropping_leaves_what_else_is_in_the_folder(engine: Engine, tmp_path: Path) -> None:
    _notes(engine.open("example.plugin"))
    manifest = tmp_path / "data" / "plugins" / "example.plugin" / "plugin.json"
    manifest.write_text("{}")
    engine.drop("example.plugin")
    assert _files(manifest.parent) == {"plugin.json"}


def test_the_size_grows_with_the_data(engine: Engine) -> None:
    database = engine.open("example.plugin")
    _notes(database)
    before = engine.size("example.plugin")
    text = os.urandom(500_000).hex()  # not to be made smaller than half of that
    database.table("notes").insert({"text": text})
    assert engine.size("example.plugin") >= before + 500_000


def test_closing_is_final_for_the_object_but_not_for_the_data(engine: Engine) -> None:
    database = engine.open("example.plugin")
    _notes(database)
    database.close()
    database.close()
    for call in (database.tables, lambda: _notes(database), database.change_counter):
        with pytest.raises(DatabaseUnavailable):
            call()
    again = engine.open("example.plugin")
    assert again is not database
    assert again.tables() == ["notes"]


def test_a_closed_engine_opens_nothing(engine: Engine) -> None:
    database = engine.open("example.plugin")
    engine.close()
    with pytest.raises(DatabaseUnavailable):
        database.tables()
    with pytest.raises(DatabaseUnavailable):
        engine.open("example.other")


@pytest.mark.one_engine
def test_who_still_reads_or_writes_at_the_close_ends_in_peace(tmp_path: Path) -> None:
    engine = SqliteEngine(tmp_path)
    database = engine.open("example.plugin")
    _notes(database)
    rows = database.iterate("SELECT text FROM notes")
    entered, go_on = threading.Event(), threading.Event()

    def write() -> None:
        with database.transaction():
            database.table("notes").insert({"text": "b"})
            entered.set()
            go_on.wait(30)

    writer = threading.Thread(target=write)
    writer.start()
    assert entered.wait(30)
    closer = threading.Thread(target=engine.close)
    closer.start()
    go_on.set()
    writer.join(30)
    closer.join(30)
    assert [row["text"] for row in rows] == ["a"]
    assert engine.connections == 0
    engine = SqliteEngine(tmp_path)
    assert engine.open("example.plugin").value("SELECT count(*) FROM notes") == 2
    engine.close()


def test_a_database_is_not_closed_inside_of_its_transaction(database: HostDatabase) -> None:
    with database.transaction(), pytest.raises(Invalid):
        database.close()


@pytest.mark.one_engine
def test_two_engines_in_one_process_do_not_see_each_other(tmp_path: Path) -> None:
    one, two = SqliteEngine(tmp_path / "1"), SqliteEngine(tmp_path / "2", "normal")
    _notes(one.open("example.plugin"))
    assert two.open("example.plugin").tables() == []
    one.close()
    _notes(two.open("example.plugin"))
    two.close()


@pytest.mark.one_engine
def test_unknown_durability_is_refused(tmp_path: Path) -> None:
    unknown: Any = "fast"
    with pytest.raises(Invalid):
        SqliteEngine(tmp_path, unknown)


@pytest.mark.one_engine
def test_files_are_their_owners_alone(tmp_path: Path) -> None:
    engine = SqliteEngine(tmp_path)
    _notes(engine.open("example.plugin"))
    files = [path for path in tmp_path.rglob("plugin.db*") if path.is_file()]
    assert {path.name for path in files} == {"plugin.db", "plugin.db-wal", "plugin.db-shm"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    engine.close()


@pytest.mark.one_engine
@pytest.mark.parametrize(("durability", "level"), [("full", 2), ("normal", 1)])
def test_the_writer_is_set_up_as_the_design_says(
    tmp_path: Path, durability: Any, level: int
) -> None:
    engine = SqliteEngine(tmp_path, durability)
    database: Any = engine.open("example.plugin")
    _notes(database)
    connection = database._connections.writer.connection

    def setting(name: str) -> object:
        return connection.execute(f"PRAGMA {name}").fetchone()[0]

    assert setting("journal_mode") == "wal"
    assert setting("synchronous") == level
    assert setting("foreign_keys") == 1
    assert setting("recursive_triggers") == 1
    assert setting("busy_timeout") >= 5000
    engine.close()


def test_a_hundred_databases_keep_few_connections(tmp_path: Path) -> None:
    engine = SqliteEngine(tmp_path, "normal", max_connections=20)
    databases = [engine.open(f"plugin-{number}") for number in range(100)]
    for database in databases:
        _notes(database)
        assert database.tables() == ["notes"]
        assert engine.connections <= 22
    for database in databases:
        assert database.value("SELECT text FROM notes") == "a"
        assert engine.connections <= 22
    busy = [database.iterate("SELECT text FROM notes") for database in databases[:30]]
    assert [len(list(rows)) for rows in busy] == [1] * 30
    assert databases[99].tables() == ["notes"]
    engine.close()
    assert engine.connections == 0


def test_readers_beyond_a_few_are_closed_when_they_are_idle(tmp_path: Path) -> None:
    engine = SqliteEngine(tmp_path)
    database = engine.open("example.plugin")
    _notes(database)
    rows: list[Any] = [database.iterate("SELECT text FROM notes") for _ in range(20)]
    assert engine.connections == 21
    for stream in rows:
        stream.close()
    assert engine.connections <= 6
    engine.close()


def test_a_stream_that_is_forgotten_gives_its_connection_back(tmp_path: Path) -> None:
    engine = SqliteEngine(tmp_path)
    database = engine.open("example.plugin")
    _notes(database)
    for _ in range(10):
        database.iterate("SELECT text FROM notes")
        next(database.iterate("SELECT text FROM notes"))
    gc.collect()
    assert engine.connections <= 3
    engine.close()
    assert engine.connections == 0


def _snapshot(database: HostDatabase) -> None:
    with database.snapshot():
        database.query("SELECT * FROM notes")


def _interrupted(database: Any) -> None:
    def fetch(session: Any, sql: str, params: object) -> None:
        session.cursor.execute(sql, params).fetchone()
        raise KeyboardInterrupt

    for read in (database._fetch, database._write):
        with pytest.raises(KeyboardInterrupt):
            read("SELECT * FROM notes", (), fetch)


@pytest.mark.one_engine
@pytest.mark.parametrize(
    "read",
    [
        lambda database: database.one("SELECT * FROM notes"),
        lambda database: database.value("SELECT text FROM notes"),
        lambda database: database.query("SELECT * FROM notes"),
        lambda database: next(database.iterate("SELECT * FROM notes")),
        lambda database: database.table("notes").get(1),
        _snapshot,
        _interrupted,
    ],
)
def test_a_read_that_is_over_holds_nothing(
    engine: Engine, tmp_path: Path, read: Callable[[HostDatabase], object]
) -> None:
    database = engine.open("example.plugin")
    _notes(database)
    database.table("notes").insert_all({"text": "b"} for _ in range(100))
    read(database)
    database.table("notes").insert({"text": "c"})
    path = tmp_path / "data" / "plugins" / "example.plugin" / "plugin.db"
    with closing(sqlite3.connect(path, timeout=0)) as other:
        busy = other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    assert not busy, "somebody still reads an old state"


@pytest.mark.one_engine
def test_the_first_write_waits_while_another_process_has_the_file(
    engine: Engine, tmp_path: Path
) -> None:
    path = tmp_path / "data" / "plugins" / "example.plugin" / "plugin.db"
    path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("CREATE TABLE old (id INTEGER)")
        other.execute("BEGIN EXCLUSIVE")
        asked = threading.Event()
        made: list[Any] = []

        def write() -> None:
            asked.set()
            _notes(engine.open("example.plugin"))
            made.append(True)

        writer = threading.Thread(target=write)
        writer.start()
        assert asked.wait(30)
        writer.join(0.2)  # so that it meets the lock, mostly
        other.execute("COMMIT")
        writer.join(30)
    assert made
    assert engine.open("example.plugin").tables() == ["notes", "old"]


def test_hosts_may_make_a_file_at_the_same_time(tmp_path: Path) -> None:
    """Two that switch a new file to write-ahead at once: SQLite refuses one of them unwaited."""
    for number in range(30):
        engines = [SqliteEngine(tmp_path / str(number), "normal") for _ in range(5)]
        start = threading.Barrier(len(engines))

        def write(engine: SqliteEngine, start: threading.Barrier = start) -> None:
            start.wait(30)
            _notes(engine.open("example.plugin"))

        with ThreadPoolExecutor(len(engines)) as pool:
            list(pool.map(write, engines))
        assert engines[0].open("example.plugin").value("SELECT count(*) FROM notes") == 5
        for engine in engines:
            engine.close()


@pytest.mark.one_engine
def test_the_counter_of_another_connection_is_another_number(database: HostDatabase) -> None:
    _notes(database)
    counter: Any = database
    before = database.change_counter()
    counter._changes.close()
    assert database.change_counter() != before
