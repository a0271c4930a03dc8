"""A schema that two processes are about to make."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from host.db.postgresql import PostgresqlEngine
from host.db.postgresql.names import lock_key, schema_of
from host.db.postgresql.state import StateCalls
from plugin_sdk import Migration

pytestmark = pytest.mark.one_engine

# In this database alone: other tests use the same server.
_WAITING = (
    "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database "
    "WHERE datname = current_database() AND locktype = 'advisory' AND NOT granted"
)


def make_notes(db: Any) -> None:
    db.table("notes").create({"id": "integer"}, pk="id")


def test_it_may_be_made_while_we_wait_for_the_lock(
    postgresql_url: str, wait_until: Callable[..., None]
) -> None:
    """We find no schema, and another one makes it before we have the lock again: what our backend
    remembers of schemas is from before."""
    schema = schema_of("notes")
    lock = f"SELECT pg_advisory_xact_lock({lock_key(schema)})"
    engine = PostgresqlEngine(postgresql_url)
    # The first change of a schema makes a backend look anew for another reason.
    engine.open("others").migrate([Migration("001", make_notes)])
    failures: list[BaseException] = []

    def migrate() -> None:
        try:
            engine.open("notes").migrate([Migration("001", make_notes)])
        except BaseException as error:
            failures.append(error)

    with (
        psycopg.connect(postgresql_url) as first,
        psycopg.connect(postgresql_url) as second,
        psycopg.connect(postgresql_url, autocommit=True) as watcher,
    ):

        def waiting() -> int:
            row = watcher.execute(_WAITING).fetchone()
            return int(row[0]) if row else 0

        first.execute(lock)
        ours = threading.Thread(target=migrate)
        ours.start()
        wait_until(lambda: waiting() == 1)
        others = threading.Thread(target=lambda: second.execute(lock))
        others.start()
        wait_until(lambda: waiting() == 2)
        first.commit()  # we have the lock, find nothing, and let the other one have it
        others.join()
        wait_until(lambda: waiting() == 1)
        for call in StateCalls(schema, "notes").create:
            second.execute(call.sql)
        second.commit()
        ours.join()
    assert failures == []
    assert engine.open("notes").table("notes").count_where() == 0
    engine.close()
