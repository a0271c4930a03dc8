"""Connections to PostgreSQL that end amid something, and values that nobody can read."""

# ruff: noqa: PT012 (what a block does before it raises is what is tested)

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from host.db import HostDatabase
from host.db.postgresql import PostgresqlEngine
from host.db.postgresql.wire import Call
from plugin_sdk import DatabaseUnavailable, Invalid
from tests.notes import make_notes

pytestmark = pytest.mark.one_engine

Ask = Callable[..., list[tuple[Any, ...]]]

_END_ALL = (
    "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


@pytest.fixture
def engine(postgresql: PostgresqlEngine) -> PostgresqlEngine:
    return postgresql


@pytest.mark.parametrize("held", ["snapshot", "transaction"])
def test_rows_of_a_connection_that_was_lost(held: str, database: HostDatabase, ask: Ask) -> None:
    make_notes(database)
    with pytest.raises(DatabaseUnavailable), getattr(database, held)():
        assert database.value("SELECT 1") == 1
        ask(_END_ALL)
        list(database.iterate("SELECT * FROM notes"))
    assert [row["text"] for row in database.iterate("SELECT * FROM notes")] == ["a"]


def test_one_time_that_was_lost(engine: PostgresqlEngine, database: HostDatabase, ask: Ask) -> None:
    make_notes(database)
    with engine.at_one_time() as frozen:
        ask(_END_ALL)
        with pytest.raises(DatabaseUnavailable), frozen.open("example.plugin").snapshot():
            pass
    assert database.value("SELECT count(*) FROM notes") == 1


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT '0044-03-15 BC'::date AS x",
        "SELECT '294276-01-01'::timestamptz AS x",
        "SELECT (repeat('[', 1500) || repeat(']', 1500))::json AS x",
    ],
)
def test_a_value_that_cannot_be_read_is_said_and_harms_no_other(
    sql: str, engine: PostgresqlEngine, database: HostDatabase
) -> None:
    make_notes(database)
    for call in (
        lambda: database.query(sql),
        lambda: database.one(sql),
        lambda: database.value(sql),
        lambda: list(database.iterate(sql)),
    ):
        with pytest.raises(Invalid, match="cannot be read"):
            call()
    with database.transaction():
        with pytest.raises(Invalid, match="cannot be read"):
            database.query(sql)
        database.table("notes").insert({"text": "b"})
    assert database.value("SELECT count(*) FROM notes") == 2
    assert engine.connections == 1


def test_a_connection_that_could_not_be_made_ready_is_not_used_again(
    engine: PostgresqlEngine, database: HostDatabase
) -> None:
    make_notes(database)
    (link,) = engine._server.pool._idle
    link._before.append(Call(b"DEALLOCATE nothing", once=True))
    with pytest.raises(DatabaseUnavailable):
        database.value("SELECT 1")
    assert link.broken
    assert database.value("SELECT count(*) FROM notes") == 1
