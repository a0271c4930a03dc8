"""What is PostgreSQL's own: schemas, types, numbers."""

# ruff: noqa: PT012 (what a block does before it raises is what is tested)

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from host.db import HostDatabase, KeyValueData
from host.db.postgresql import PostgresqlEngine
from plugin_sdk import Conflict, Invalid, Migration
from tests.notes import make_notes

pytestmark = pytest.mark.one_engine

Ask = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def engine(postgresql: PostgresqlEngine) -> PostgresqlEngine:
    return postgresql


def test_each_database_is_a_schema(engine: PostgresqlEngine, ask: Ask) -> None:
    names = ["host", "example.sound-board", "zebra", "x." + "long." * 12 + "x"]
    for name in names:
        make_notes(engine.open(name))
    found = {row[0] for row in ask("SELECT nspname FROM pg_namespace WHERE nspname ~ '^stagebox'")}
    assert {"stagebox", "stagebox_host", "stagebox_example$sound$$board"} <= found
    assert len(found) == 5
    assert engine.names() == sorted(names[1:])
    ask('CREATE SCHEMA "stagebox_A"')
    ask('CREATE SCHEMA "stagebox_Not$$$ours"')
    assert engine.names() == sorted(names[1:])
    assert all(engine.exists(name) for name in names)
    assert not engine.exists("nobody")


def test_nothing_is_made_by_reading(engine: PostgresqlEngine, ask: Ask) -> None:
    database = engine.open("example.plugin")
    assert KeyValueData(database).get("x") is None
    assert KeyValueData(database).keys() == []
    assert not KeyValueData(database).delete("x")
    assert database.describe() == []
    assert database.change_counter() == 0
    assert ask("SELECT 1 FROM pg_namespace WHERE nspname LIKE 'stagebox\\_%'") == []


def test_a_database_that_is_rolled_back_was_never_there(
    engine: PostgresqlEngine, database: HostDatabase
) -> None:
    with pytest.raises(LookupError), database.transaction():
        make_notes(database)
        raise LookupError
    assert not engine.exists("example.plugin")
    make_notes(database)
    assert database.tables() == ["notes"]


def test_plugins_do_not_see_each_other(engine: PostgresqlEngine) -> None:
    one, two = engine.open("example.one"), engine.open("example.two")
    make_notes(one)
    two.table("notes").create({"code": "text", "x": "real"}, pk="code")
    for _ in range(4):  # the same texts, on the same connections
        assert one.query("SELECT * FROM notes") == [{"id": 1, "text": "a"}]
        assert two.query("SELECT * FROM notes") == []
    with pytest.raises(Invalid):
        engine.open("example.three").query("SELECT * FROM notes")


def test_dropping_does_not_wait_for_readers(engine: PostgresqlEngine, ask: Ask) -> None:
    database = engine.open("example.plugin")
    make_notes(database)
    database.table("notes").insert_all({"text": "x"} for _ in range(1000))
    rows = database.iterate("SELECT text FROM notes")
    next(rows)
    engine.drop("example.plugin")
    assert not engine.exists("example.plugin")
    fresh = engine.open("example.plugin")
    assert fresh.tables() == []
    make_notes(fresh)
    assert len(list(rows)) == 1000
    engine.drop("other")  # sweeps what is not read any more
    assert ask("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'stagebox~%'") == []
    assert fresh.value("SELECT count(*) FROM notes") == 1


def test_the_counter_is_each_databases_own(engine: PostgresqlEngine) -> None:
    one, two = engine.open("example.one"), engine.open("example.two")
    make_notes(one)
    before, other = one.change_counter(), two.change_counter()
    assert one.change_counter() == before, "reading changes nothing"
    with one.transaction():
        assert one.table("notes").count_where() == 1
        one.execute("UPDATE notes SET text = 'b'")
        assert one.change_counter() == before, "not before the commit"
    after = one.change_counter()
    assert after > before
    with one.transaction():
        assert one.table("notes").count_where() == 1
    assert one.change_counter() == after, "nothing was written"
    assert two.change_counter() == other
    engine.drop("example.one")
    make_notes(engine.open("example.one"))
    assert engine.open("example.one").change_counter() > after


def test_columns_of_the_authors_own_sql_are_as_on_sqlite(database: HostDatabase) -> None:
    database.execute(
        "CREATE TABLE own (n INTEGER, s SMALLINT, r REAL, t TEXT, v VARCHAR(2) NOT NULL DEFAULT '')"
    )
    database.execute("ALTER TABLE own ADD COLUMN later INTEGER")
    row = {"n": 2**62, "s": -(2**62), "r": 0.1 + 0.2, "t": "é", "v": "x" * 50, "later": 2**40}
    database.table("own").insert(row)
    assert database.one("SELECT * FROM own") == row
    database.execute("INSERT INTO own (t) VALUES ('Z'), ('a'), ('É')")
    found = database.query("SELECT t FROM own ORDER BY t")
    assert [row["t"] for row in found] == ["Z", "a", "É", "é"]


def test_numbers_of_sums_are_numbers(database: HostDatabase) -> None:
    database.table("scores").create({"id": "integer", "n": "integer", "r": "real"}, pk="id")
    database.table("scores").insert_all([{"n": 2**62, "r": 0.5}, {"n": 2**62, "r": 0.25}])
    sql = "SELECT sum(n) AS n, avg(id) AS a, sum(r) AS r, count(*) AS c FROM scores"
    row = database.one(sql)
    assert row is not None
    assert {name: type(value) for name, value in row.items()} == {
        "n": int,
        "a": float,
        "r": float,
        "c": int,
    }
    assert (row["n"], row["a"], row["r"]) == (2**63, 1.5, 0.75)


def test_integers_may_be_lengths(database: HostDatabase) -> None:
    params = {"from": 2, "count": 3, "n": 7}
    assert database.value("SELECT substr('abcdef', :from, :count)", params) == "bcd"
    assert database.value("SELECT substr('abcdef', :from)", params) == "bcdef"
    assert database.value("SELECT instr('abcdef', 'cd')") == 3
    assert database.value("SELECT :n * 1000000000000", params) == 7 * 10**12


def test_the_keys_of_json_stay_in_order(database: HostDatabase) -> None:
    table = database.table("things").create({"id": "integer", "data": "json"}, pk="id")
    key = table.insert({"data": {"b": 1, "a": {"z": 1, "y": 1.0}, "c": 2**70}})
    stored = table.get(key)
    assert repr(stored) == repr({"id": key, "data": {"b": 1, "a": {"z": 1, "y": 1.0}, "c": 2**70}})


def test_identities_go_on_behind_numbers_of_whatever_statement(database: HostDatabase) -> None:
    make_notes(database)
    table = database.table("notes")
    database.execute("INSERT INTO notes (id, text) VALUES (50, 'x')")
    assert table.insert({"text": "b"}) == 51
    database.execute("UPDATE notes SET id = 80 WHERE id = 50")
    assert table.insert({"text": "c"}) == 81
    database.execute("INSERT INTO notes (id) VALUES (7)")
    assert table.insert({"text": "d"}) == 82
    with pytest.raises(LookupError), database.transaction():
        table.insert({"id": 90})
        raise LookupError
    assert table.insert({"text": "e"}) > 82
    database.execute("INSERT INTO notes (id) VALUES (:n)", {"n": 2**63 - 1})
    with pytest.raises(Conflict):
        table.insert({"text": "f"})


def test_positions_are_drawn_in_the_order_of_commits(
    postgresql_url: str, database: HostDatabase
) -> None:
    """Two processes that write at once: who draws the lower number commits first."""
    make_notes(database)
    engine = PostgresqlEngine(postgresql_url)
    seen: list[int] = []
    stop = threading.Event()

    def look() -> None:
        highest = 0
        while not stop.is_set():
            ids = [row["id"] for row in database.query("SELECT id FROM notes ORDER BY id")]
            new = [number for number in ids if number > highest]
            missed = [number for number in ids if number <= highest and number not in seen]
            assert missed == []
            seen.extend(new)
            highest = max(ids)

    def write(database: HostDatabase) -> None:
        for _ in range(60):
            with database.transaction():
                database.table("notes").insert({"text": "x"})
            database.execute("INSERT INTO notes (text) VALUES ('y')")

    reader = threading.Thread(target=look)
    writers = [
        threading.Thread(target=write, args=(each,))
        for each in (database, database, engine.open("example.plugin"))
    ]
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    reader.join()
    engine.close()
    assert database.table("notes").count_where() == 1 + 3 * 120


def test_one_of_two_hosts_runs_a_step(postgresql_url: str) -> None:
    engines = [PostgresqlEngine(postgresql_url) for _ in range(4)]
    ran: list[str] = []
    barrier = threading.Barrier(4)

    def step(name: str) -> Migration:
        def apply(db: Any) -> None:
            ran.append(name)
            db.table(name).create({"id": "integer", "t": "text"}, pk="id")
            db.enable_search(name, ["t"])

        return Migration(name, apply)

    def start(engine: PostgresqlEngine) -> None:
        barrier.wait(60)
        for plugin in ("host", "example.plugin"):
            engine.open(plugin).migrate([step(f"{plugin[:4]}_{n}") for n in ("a", "b")])

    threads = [threading.Thread(target=start, args=(engine,)) for engine in engines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ran) == ["exam_a", "exam_b", "host_a", "host_b"]
    for engine in engines:
        engine.close()


def test_errors_are_those_of_the_sdk(database: HostDatabase) -> None:
    make_notes(database)
    database.table("notes").create_index(["text"], unique=True)
    with pytest.raises(Conflict) as caught:
        database.table("notes").insert({"text": "a"})
    assert caught.value.message == "This is taken already: notes.text must be unique."
    for sql in (
        "SELECT 1 / 0",
        "SELECT CAST('x' AS INTEGER)",
        "SELECT nothing()",
        "SELECT 9223372036854775807 + 1",
        "DROP TABLE nothing",
        "SELECT * FROM notes LIMIT -1",
    ):
        with pytest.raises(Invalid) as refused:
            database.query(sql)
        assert refused.value.message.startswith("The database refuses this statement: ")
        assert database.value("SELECT 1") == 1
    with pytest.raises(Invalid) as written:
        list(database.iterate("SELECT setval('notes_id_seq', 5)"))
    assert "reads" in written.value.message
