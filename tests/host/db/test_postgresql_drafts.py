"""Databases that are made beside others, and what a restore that was killed leaves of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from host.db import HostDatabase
from host.db.postgresql import PostgresqlEngine
from plugin_sdk import Conflict, DatabaseUnavailable
from tests.notes import make_notes

pytestmark = pytest.mark.one_engine

Ask = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def engine(postgresql: PostgresqlEngine) -> PostgresqlEngine:
    return postgresql


@pytest.fixture
def other(postgresql_url: str) -> Iterator[PostgresqlEngine]:
    """That of another process."""
    engine = PostgresqlEngine(postgresql_url)
    yield engine
    engine.close()


def _left(ask: Ask) -> list[str]:
    found = ask("SELECT nspname FROM pg_namespace WHERE nspname ~ '^stagebox[~+]' ORDER BY 1")
    return [row[0] for row in found]


def _kill_all(ask: Ask) -> None:
    """As the server does when their process has died."""
    ask(
        "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )


def test_a_draft_is_apart_from_what_it_replaces(
    engine: PostgresqlEngine, database: HostDatabase
) -> None:
    make_notes(database)
    draft = engine.draft()
    assert not draft.exists("example.plugin")
    assert draft.size("example.plugin") == 0
    make_notes(draft.open("example.plugin"))
    assert draft.size("example.plugin") > 0
    draft.drop("example.plugin")
    assert not draft.exists("example.plugin")
    draft.close()
    assert database.value("SELECT count(*) FROM notes") == 1


def test_two_do_not_make_drafts_at_a_time(
    engine: PostgresqlEngine, other: PostgresqlEngine, ask: Ask
) -> None:
    draft = engine.draft()
    make_notes(draft.open("host"))
    with pytest.raises(Conflict, match="under way"):
        other.draft()
    assert len(_left(ask)) == 1
    draft.close()
    assert _left(ask) == []
    other.draft().close()


def test_the_next_start_sweeps_what_a_killed_restore_has_left(
    engine: PostgresqlEngine, other: PostgresqlEngine, database: HostDatabase, ask: Ask
) -> None:
    make_notes(database)
    draft = engine.draft()
    make_notes(draft.open("host"))
    draft.publish()
    make_notes(draft.open("example.more"))
    ask('CREATE SCHEMA "stagebox~somebody else\'s"')
    _kill_all(ask)
    assert len(_left(ask)) == 3
    other.open("host").table("notes").insert({"text": "b"})
    assert _left(ask) == ["stagebox~somebody else's"]
    assert other.open("host").value("SELECT count(*) FROM notes") == 2
    draft.close()  # says nothing: there is nothing that it could do any more


def test_a_restore_that_is_under_way_is_left_alone(
    engine: PostgresqlEngine, other: PostgresqlEngine, database: HostDatabase, ask: Ask
) -> None:
    make_notes(database)
    draft = engine.draft()
    make_notes(draft.open("host"))
    put_back = draft.publish()
    make_notes(draft.open("example.more"))
    known = _left(ask)
    assert len(known) == 2
    make_notes(other.open("example.third"))  # a start
    other.drop("example.third")
    assert set(known) <= set(_left(ask))
    put_back()
    assert database.value("SELECT count(*) FROM notes") == 1
    draft.close()
    other.drop("nobody")
    assert _left(ask) == []
    assert engine.names() == ["example.plugin"]


def test_who_lost_the_claim_publishes_nothing(
    engine: PostgresqlEngine, database: HostDatabase, ask: Ask
) -> None:
    make_notes(database)
    draft = engine.draft()
    make_notes(draft.open("host"))
    _kill_all(ask)
    with pytest.raises(DatabaseUnavailable):
        draft.publish()
    assert engine.names() == ["example.plugin"]
    draft.close()
