"""What is PostgreSQL's own: schemas, connections, plans, types."""

# ruff: noqa: PT012 (what a block does before it raises is what is tested)

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from host.db import HostDatabase, KeyValueData
from host.db.postgresql import PostgresqlEngine
from plugin_sdk import Conflict, DatabaseUnavailable, Invalid, Migration

pytestmark = pytest.mark.one_engine

Ask = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def engine(postgresql: PostgresqlEngine) -> PostgresqlEngine:
    return postgresql


@pytest.fixture
def ask(postgresql_url: str) -> Iterator[Ask]:
    """Another connection to the same database."""
    with psycopg.connect(postgresql_url, autocommit=True) as connection:

        def run(sql: str) -> list[tuple[Any, ...]]:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []

        yield run


def _notes(database: HostDatabase) -> None:
    database.table("notes").create({"id": "integer", "text": "text"}, pk="id", if_not_exists=True)
    database.table("notes").insert({"text": "a"})


# Schemas


def test_each_database_is_a_schema(engine: PostgresqlEngine, ask: Ask) -> None:
    names = ["host", "example.sound-board", "zebra", "x." + "long." * 12 + "x"]
    for name in names:
        _notes(engine.open(name))
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
        _notes(database)
        raise LookupError
    assert not engine.exists("example.plugin")
    _notes(database)
    assert database.tables() == ["notes"]


def test_plugins_do_not_see_each_other(engine: PostgresqlEngine) -> None:
    one, two = engine.open("example.one"), engine.open("example.two")
    _notes(one)
    two.table("notes").create({"code": "text", "x": "real"}, pk="code")
    for _ in range(4):  # the same texts, on the same connections
        assert one.query("SELECT * FROM notes") == [{"id": 1, "text": "a"}]
        assert two.query("SELECT * FROM notes") == []
    with pytest.raises(Invalid):
        engine.open("example.three").query("SELECT * FROM notes")


def test_dropping_does_not_wait_for_readers(engine: PostgresqlEngine, ask: Ask) -> None:
    database = engine.open("example.plugin")
    _notes(database)
    database.table("notes").insert_all({"text": "x"} for _ in range(1000))
    rows = database.iterate("SELECT text FROM notes")
    next(rows)
    engine.drop("example.plugin")
    assert not engine.exists("example.plugin")
    fresh = engine.open("example.plugin")
    assert fresh.tables() == []
    _notes(fresh)
    assert len(list(rows)) == 1000
    engine.drop("other")  # sweeps what is not read any more
    assert ask("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'stagebox~%'") == []
    assert fresh.value("SELECT count(*) FROM notes") == 1


def test_the_counter_is_each_databases_own(engine: PostgresqlEngine) -> None:
    one, two = engine.open("example.one"), engine.open("example.two")
    _notes(one)
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
    _notes(engine.open("example.one"))
    assert engine.open("example.one").change_counter() > after


# Connections


def test_no_more_connections_than_allowed(postgresql_url: str) -> None:
    engine = PostgresqlEngine(postgresql_url, connections=6, idle=2, wait_seconds=0.2)
    databases = [engine.open(f"example.p{number}") for number in range(4)]
    for database in databases:
        _notes(database)
    streams = []
    for database in databases:
        database.table("notes").insert_all({"text": "x"} for _ in range(500))
    for database in databases[:2]:
        streams.append(database.iterate("SELECT text FROM notes"))
        next(streams[-1])
    with pytest.raises(DatabaseUnavailable) as caught:
        databases[2].iterate("SELECT text FROM notes")
    assert caught.value.retry_after
    assert databases[3].value("SELECT count(*) FROM notes") == 501, "single reads go on"
    assert engine.connections <= 6
    streams.pop().close()
    assert len(list(databases[2].iterate("SELECT text FROM notes"))) == 501
    del streams[:]
    assert engine.connections <= 2, "few are kept"
    engine.close()


def test_many_threads_share_few_connections(postgresql_url: str) -> None:
    engine = PostgresqlEngine(postgresql_url, connections=6, idle=4)
    databases = [engine.open(f"example.p{number}") for number in range(5)]
    for database in databases:
        _notes(database)
    failures: list[BaseException] = []
    most = 0

    def work(number: int) -> None:
        nonlocal most
        try:
            for turn in range(20):
                database = databases[(number + turn) % 5]
                database.table("notes").insert({"text": f"{number}"})
                mine = database.query("SELECT id FROM notes WHERE text = :n", {"n": f"{number}"})
                assert mine
                most = max(most, engine.connections)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert most <= 6
    assert sum(database.table("notes").count_where() for database in databases) == 5 + 12 * 20
    engine.close()


def test_nothing_stays_open_in_a_transaction(
    engine: PostgresqlEngine, database: HostDatabase, ask: Ask
) -> None:
    _notes(database)
    data = KeyValueData(database)
    data.set("key", 1)
    for call in (
        lambda: data.get("key"),
        lambda: list(data.items()),
        lambda: database.query("SELECT * FROM notes"),
        lambda: next(database.iterate("SELECT text FROM notes")),
        lambda: database.table("notes").insert({"text": "b"}),
        lambda: database.table("notes").insert({"id": 1}),
        lambda: database.query("SELECT nothing FROM nowhere"),
        lambda: database.execute("UPDATE notes SET nothing = 1"),
        lambda: database.transaction().__enter__() or database.leave(0, failed=True),  # type: ignore[attr-defined]
        lambda: database.change_counter(),
        lambda: engine.names(),
    ):
        try:
            call()
        except (Invalid, Conflict):
            pass
        sql = (
            "SELECT query FROM pg_stat_activity WHERE state LIKE 'idle in transaction%' "
            "AND datname = current_database() AND pid <> pg_backend_pid()"
        )
        assert ask(sql) == []


def test_an_iterator_that_is_forgotten_gives_its_connection_back(
    engine: PostgresqlEngine, database: HostDatabase
) -> None:
    _notes(database)
    database.table("notes").insert_all({"text": "x"} for _ in range(1000))
    for _ in range(50):
        next(database.iterate("SELECT text FROM notes"))
    assert engine.connections <= 3


# Types and SQL


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
    _notes(database)
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
    _notes(database)
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
        barrier.wait(20)
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
    _notes(database)
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


def test_a_statement_that_takes_too_long_is_given_up(database: HostDatabase, ask: Ask) -> None:
    name = ask("SELECT current_database()")[0][0]
    ask(f'ALTER DATABASE "{name}" SET statement_timeout = 1')  # the session says otherwise
    assert database.value("SELECT 1 FROM pg_sleep(0.05)") == 1
    timed: Any = database
    with database.transaction():
        timed._control("SET LOCAL statement_timeout = '500ms'")
        with pytest.raises(DatabaseUnavailable) as caught:
            database.query("SELECT pg_sleep(10)")
        assert "too long" in caught.value.message
        assert database.value("SELECT 1") == 1


def test_an_unprepared_server_is_told_apart(postgresql_server: Any, made_databases: Any) -> None:
    before = made_databases.names()
    name = f"{made_databases.prefix}latin"
    postgresql_server.sql(f"CREATE DATABASE {name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    engine = PostgresqlEngine(postgresql_server.url(name))
    with pytest.raises(DatabaseUnavailable) as caught:
        engine.check()
    assert "UTF8" in caught.value.message
    assert engine.connections == 0
    engine.close()
    made_databases.remove(before)


def test_a_user_without_rights_is_told(postgresql_server: Any, postgresql_url: str) -> None:
    name = postgresql_url.rpartition("/")[2]
    postgresql_server.sql("DROP ROLE IF EXISTS visitor")
    postgresql_server.sql("CREATE ROLE visitor LOGIN")
    engine = PostgresqlEngine(postgresql_url.replace("stagebox@", "visitor@"))
    with pytest.raises(DatabaseUnavailable) as caught:
        _notes(engine.open("example.plugin"))
    assert "permission denied" in caught.value.message
    postgresql_server.sql(f'GRANT CREATE ON DATABASE "{name}" TO visitor')
    postgresql_server.sql("GRANT USAGE ON SCHEMA stagebox TO visitor", name)
    _notes(engine.open("example.plugin"))
    assert engine.names() == ["example.plugin"]
    engine.close()
