"""Statistics are there right after a bulk fill, not when the server's own round comes by."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from host.db import HostDatabase
from host.db.postgresql import PostgresqlEngine
from plugin_sdk import Conflict

pytestmark = pytest.mark.one_engine


@pytest.fixture
def engine(postgresql: PostgresqlEngine) -> PostgresqlEngine:
    return postgresql


def _songs(database: HostDatabase) -> None:
    columns: Any = {"id": "integer", "title": "text", "artist": "text"}
    database.table("songs").create(columns, pk="id")
    database.table("songs").create_index(["title", "id"])


def _rows(count: int) -> Any:
    return ({"title": f"title {n % 977}", "artist": "x" * 80} for n in range(count))


def _known(url: str) -> dict[str, float]:
    """How many rows the planner takes each table to have; -1 where it does not know."""
    with psycopg.connect(url) as connection:
        return dict(
            connection.execute(
                "SELECT relname, reltuples FROM pg_class WHERE relkind = 'r' "
                "AND relnamespace = 'stagebox_example$plugin'::regnamespace"
            ).fetchall()
        )


def test_a_deep_page_needs_no_sorting_after_a_fill(
    database: HostDatabase, postgresql_url: str
) -> None:
    _songs(database)
    database.table("songs").insert_all(_rows(20_000))
    assert _known(postgresql_url)["songs"] == 20_000
    plan = database.query(
        "EXPLAIN SELECT * FROM songs WHERE (title, id) > (:title, :id) ORDER BY title, id LIMIT 50",
        {"title": "title 5", "id": 3},
    )
    assert "Sort" not in str(plan), plan
    database.table("songs").insert_all(_rows(30_000))
    assert _known(postgresql_url)["songs"] == 50_000
    rows = [{"t": f"t{n}", "a": "y"} for n in range(60_000)]
    database.executemany("INSERT INTO songs (title, artist) VALUES (:t, :a)", rows)
    assert _known(postgresql_url)["songs"] == 110_000


def test_what_is_small_or_undone_costs_no_look(database: HostDatabase, postgresql_url: str) -> None:
    _songs(database)
    database.table("songs").insert_all(_rows(1000))
    database.table("songs").insert({"title": "one"})
    with pytest.raises(Conflict), database.transaction():
        database.table("songs").insert_all([*_rows(5000), {"id": 1, "title": "taken"}])
    assert _known(postgresql_url)["songs"] == -1


def test_a_table_that_somebody_holds_is_left_to_the_server(
    database: HostDatabase, postgresql_url: str
) -> None:
    _songs(database)
    with psycopg.connect(postgresql_url) as other:
        # as its own round does: writing goes on
        other.execute('LOCK TABLE "stagebox_example$plugin".songs IN SHARE UPDATE EXCLUSIVE MODE')
        database.table("songs").insert_all(_rows(3000))
        other.rollback()
    assert database.table("songs").count_where() == 3000
    assert _known(postgresql_url)["songs"] == -1
