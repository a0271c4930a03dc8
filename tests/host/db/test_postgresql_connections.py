# ruff: noqa: PT012 (what a block does before it raises is what is tested)
"""Connections to PostgreSQL: how many, how long, and to whom."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from host.db import HostDatabase, KeyValueData
from host.db.postgresql import PostgresqlEngine
from plugin_sdk import Conflict, DatabaseUnavailable, Invalid
from tests.notes import make_notes

pytestmark = pytest.mark.one_engine

Ask = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def engine(postgresql: PostgresqlEngine) -> PostgresqlEngine:
    return postgresql


def test_no_more_connections_than_allowed(postgresql_url: str) -> None:
    engine = PostgresqlEngine(postgresql_url, connections=6, idle=2, wait_seconds=0.2)
    databases = [engine.open(f"example.p{number}") for number in range(4)]
    for database in databases:
        make_notes(database)
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
    engine = PostgresqlEngine(postgresql_url, connections=6, idle=4, wait_seconds=60.0)
    databases = [engine.open(f"example.p{number}") for number in range(5)]
    for database in databases:
        make_notes(database)
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
    make_notes(database)
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
    make_notes(database)
    database.table("notes").insert_all({"text": "x"} for _ in range(1000))
    for _ in range(50):
        next(database.iterate("SELECT text FROM notes"))
    assert engine.connections <= 3


def test_a_statement_that_takes_too_long_is_given_up(database: HostDatabase, ask: Ask) -> None:
    name = ask("SELECT current_database()")[0][0]
    ask(f'ALTER DATABASE "{name}" SET statement_timeout = 300')  # the session says otherwise
    assert database.value("SELECT 1 FROM pg_sleep(0.5)") == 1
    timed: Any = database
    with database.transaction():
        with pytest.raises(DatabaseUnavailable) as caught, database.transaction():
            timed._control("SET LOCAL statement_timeout = '500ms'")  # goes with this block
            database.query("SELECT pg_sleep(60)")
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
        make_notes(engine.open("example.plugin"))
    assert "permission denied" in caught.value.message
    postgresql_server.sql(f'GRANT CREATE ON DATABASE "{name}" TO visitor')
    postgresql_server.sql("GRANT USAGE ON SCHEMA stagebox TO visitor", name)
    make_notes(engine.open("example.plugin"))
    assert engine.names() == ["example.plugin"]
    engine.close()
