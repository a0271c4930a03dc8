"""Statements that a PostgreSQL server keeps prepared."""
# ruff: noqa: PT012 (what a block does before it raises is what is tested)

from __future__ import annotations

from typing import Any

import pytest

from host.db import HostDatabase
from host.db.postgresql import PostgresqlEngine
from tests.notes import make_notes

pytestmark = pytest.mark.one_engine


@pytest.fixture
def engine(postgresql: PostgresqlEngine) -> PostgresqlEngine:
    return postgresql


def _prepared(database: Any) -> list[str]:
    """What is prepared on the connection that the next statement takes."""
    rows = database.query("SELECT statement FROM pg_prepared_statements ORDER BY prepare_time")
    return [row["statement"] for row in rows]


def test_statements_are_prepared_at_their_second_use(database: HostDatabase) -> None:
    make_notes(database)
    sql = "SELECT text FROM notes WHERE id = :id"
    for number in range(5):
        assert database.value(sql, {"id": 1}) == "a"
        assert (sql.replace(":id", "$1") in _prepared(database)) == (number > 0)
    assert _prepared(database).count(sql.replace(":id", "$1")) == 1


def test_nulls_do_not_multiply_plans(database: HostDatabase) -> None:
    database.execute("CREATE TABLE pairs (a BIGINT, b BIGINT, c DOUBLE PRECISION)")
    sql = "INSERT INTO pairs (a, b, c) VALUES (:a, :b, :c)"
    for number in range(40):
        row = {name: number if number >> bit & 1 else None for bit, name in enumerate("ab")}
        database.execute(sql, {**row, "c": 0.5 if number % 3 else None})
    assert len([text for text in _prepared(database) if text.startswith("INSERT")]) <= 4
    assert database.value("SELECT count(*) FROM pairs WHERE a IS NULL") == 20


def test_few_statements_stay_prepared(database: HostDatabase) -> None:
    make_notes(database)
    for number in range(400):
        for _ in range(2):
            assert database.value(f"SELECT {number} FROM notes") == number
    assert len(_prepared(database)) <= 260
    assert database.value("SELECT 1 FROM notes") == 1


def test_what_is_known_of_statements_is_bounded(database: Any) -> None:
    make_notes(database)
    for number in range(600):
        if number % 60 == 0:
            database.execute(f"ALTER TABLE notes ADD COLUMN c{number} BIGINT")
            assert database.one("SELECT * FROM notes")
        assert database.value(f"SELECT {number} FROM notes WHERE id < :n", {"n": 9}) == number
    links = database._server.pool._idle
    assert links
    assert max(len(link._types) for link in links) <= 260


def test_plans_follow_another_process(postgresql_url: str, database: HostDatabase) -> None:
    make_notes(database)
    table = database.table("notes")
    for _ in range(3):
        assert database.one("SELECT * FROM notes") == {"id": 1, "text": "a"}
        assert table.get(1) == {"id": 1, "text": "a"}
        table.update(1, {"text": "a"})
    engine = PostgresqlEngine(postgresql_url)
    engine.open("example.plugin").table("notes").add_column("done", "boolean")
    assert database.one("SELECT * FROM notes") == {"id": 1, "text": "a", "done": None}
    assert table.get(1) == {"id": 1, "text": "a", "done": None}
    with database.transaction():
        assert database.one("SELECT * FROM notes") == {"id": 1, "text": "a", "done": None}
        engine.open("example.plugin").change_counter()
    table.update(1, {"done": True})
    table.insert({"text": "b", "done": False})
    engine.open("example.plugin").table("notes").drop()
    engine.open("example.plugin").table("notes").create({"id": "text", "n": "real"}, pk="id")
    table.insert({"id": "x", "n": 1})
    for _ in range(3):
        assert database.query("SELECT * FROM notes") == [{"id": "x", "n": 1.0}]
        assert table.get("x") == {"id": "x", "n": 1.0}
    engine.close()


def test_plans_follow_a_transactions_own_changes(database: HostDatabase) -> None:
    make_notes(database)
    sql = "SELECT * FROM notes"
    with database.transaction():
        for _ in range(3):
            assert database.one(sql) == {"id": 1, "text": "a"}
        database.execute("ALTER TABLE notes ADD COLUMN more BIGINT")
        for _ in range(3):
            assert database.one(sql) == {"id": 1, "text": "a", "more": None}
        with pytest.raises(LookupError), database.transaction():
            database.execute("ALTER TABLE notes DROP COLUMN text")
            assert database.one(sql) == {"id": 1, "more": None}
            raise LookupError
        assert database.one(sql) == {"id": 1, "text": "a", "more": None}
