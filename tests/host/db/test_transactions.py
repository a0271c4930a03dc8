"""What the host's side of transactions adds to the SDK's."""

# ruff: noqa: PT012 (what a block does before it raises is what is tested)

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest

from host.db import HostDatabase
from plugin_sdk import Conflict, DatabaseUnavailable, Invalid


@pytest.fixture
def database(database: HostDatabase) -> HostDatabase:
    database.table("notes").create({"id": "integer", "text": "text"}, pk="id")
    return database


def _texts(database: HostDatabase) -> list[str]:
    return [row["text"] for row in database.query("SELECT text FROM notes ORDER BY id")]


def test_in_transaction_is_of_this_thread(database: HostDatabase) -> None:
    assert not database.in_transaction
    with database.transaction():
        assert database.in_transaction
        with database.transaction():
            assert database.in_transaction
        seen: list[bool] = []
        other = threading.Thread(target=lambda: seen.append(database.in_transaction))
        other.start()
        other.join()
        assert seen == [False]
    assert not database.in_transaction


def test_callbacks_follow_the_commit_in_order(database: HostDatabase) -> None:
    calls: list[object] = []
    with database.transaction():
        database.after_commit(lambda: calls.append(("first", database.in_transaction)))
        with database.transaction():
            database.execute("INSERT INTO notes (text) VALUES ('a')")
            database.after_commit(lambda: calls.append(_texts(database)))
        assert calls == []
    assert calls == [("first", False), ["a"]]


def test_a_callback_without_a_transaction_is_called_at_once(database: HostDatabase) -> None:
    calls: list[int] = []
    database.after_commit(lambda: calls.append(1))
    assert calls == [1]


def test_callbacks_are_gone_with_what_is_rolled_back(database: HostDatabase) -> None:
    calls: list[str] = []
    with pytest.raises(LookupError), database.transaction():
        database.after_commit(lambda: calls.append("lost"))
        raise LookupError
    with database.transaction():
        database.after_commit(lambda: calls.append("one"))
        with pytest.raises(LookupError), database.transaction():
            database.after_commit(lambda: calls.append("lost"))
            with database.transaction():
                database.after_commit(lambda: calls.append("lost"))
            raise LookupError
        database.after_commit(lambda: calls.append("two"))
    assert calls == ["one", "two"]


def test_a_callback_that_fails_is_logged_and_the_others_run(
    database: HostDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[str] = []

    def fail() -> None:
        raise LookupError("broken")

    with caplog.at_level(logging.ERROR), database.transaction():
        database.execute("INSERT INTO notes (text) VALUES ('a')")
        database.after_commit(fail)
        database.after_commit(lambda: calls.append("next"))
    assert calls == ["next"]
    assert "example.plugin" in caplog.text
    assert "broken" in caplog.text
    assert _texts(database) == ["a"]


def test_a_callback_may_write(database: HostDatabase) -> None:
    def follow() -> None:
        with database.transaction():
            database.execute("INSERT INTO notes (text) VALUES ('b')")
            database.after_commit(lambda: database.execute("INSERT INTO notes VALUES (9, 'c')"))

    with database.transaction():
        database.execute("INSERT INTO notes (text) VALUES ('a')")
        database.after_commit(follow)
    assert _texts(database) == ["a", "b", "c"]


def test_a_block_is_entered_once(database: HostDatabase) -> None:
    block = database.transaction()
    with block, pytest.raises(Invalid):
        block.__enter__()
    with pytest.raises(Invalid):
        block.__enter__()
    assert not database.in_transaction


def test_a_transaction_ends_on_its_own_thread(database: HostDatabase) -> None:
    block = database.transaction()
    block.__enter__()
    errors: list[BaseException] = []

    def leave() -> None:
        try:
            block.__exit__(None, None, None)
        except RuntimeError as error:
            errors.append(error)

    thread = threading.Thread(target=leave)
    thread.start()
    thread.join()
    assert len(errors) == 1
    block.__exit__(None, None, None)


@pytest.mark.one_engine
def test_a_transaction_that_the_engine_gave_up_takes_nothing_more(database: HostDatabase) -> None:
    calls: list[int] = []
    with pytest.raises(DatabaseUnavailable), database.transaction():
        database.after_commit(lambda: calls.append(1))
        database.execute("INSERT INTO notes (id, text) VALUES (1, 'a')")
        with pytest.raises(Conflict):  # this rolls all of it back, behind our back
            database.query("INSERT OR ROLLBACK INTO notes (id, text) VALUES (1, 'b')")
        for call in (
            lambda: database.execute("INSERT INTO notes (text) VALUES ('c')"),
            lambda: database.table("notes").insert({"text": "c"}),
            lambda: _texts(database),
            lambda: database.transaction().__enter__(),
        ):
            with pytest.raises(DatabaseUnavailable):
                call()
    assert calls == []
    assert _texts(database) == []
    database.execute("INSERT INTO notes (text) VALUES ('d')")
    assert _texts(database) == ["d"]


@pytest.mark.one_engine
def test_a_block_around_a_transaction_that_was_given_up_still_ends(database: HostDatabase) -> None:
    with pytest.raises(LookupError), database.transaction():
        database.execute("INSERT INTO notes (id, text) VALUES (1, 'a')")
        with database.transaction():
            with pytest.raises(Conflict):
                database.query("INSERT OR ROLLBACK INTO notes (id, text) VALUES (1, 'b')")
            raise LookupError
    assert not database.in_transaction
    assert _texts(database) == []


def test_a_writer_waits_for_the_lock_no_longer_than_allowed(database: HostDatabase) -> None:
    patient: Any = database
    patient._lock_seconds = 0.05
    entered, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        with database.transaction():
            entered.set()
            go_on.wait(60)

    holder = threading.Thread(target=hold)
    holder.start()
    assert entered.wait(30)
    for call in (
        lambda: database.execute("DELETE FROM notes"),
        lambda: database.transaction().__enter__(),
        lambda: database.table("notes").insert({"text": "a"}),
    ):
        with pytest.raises(DatabaseUnavailable) as caught:
            call()
        assert caught.value.retry_after
    assert _texts(database) == []
    go_on.set()
    holder.join()
    patient._lock_seconds = 30.0
    database.execute("INSERT INTO notes (text) VALUES ('a')")
    assert _texts(database) == ["a"]


def test_a_stream_ends_with_its_snapshot(database: HostDatabase) -> None:
    database.table("notes").insert_all({"text": "a"} for _ in range(1000))
    with database.snapshot():
        rows = database.iterate("SELECT text FROM notes")
        next(rows)
    with pytest.raises(Invalid):
        list(rows)
    with database.snapshot():
        assert len(list(database.iterate("SELECT text FROM notes"))) == 1000


def test_a_stream_of_a_transaction_outlives_it(database: HostDatabase) -> None:
    with database.transaction():
        database.table("notes").insert_all({"text": "x" * 2000} for _ in range(1000))
        rows = database.iterate("SELECT text FROM notes")
        database.table("notes").drop()
    assert sum(len(row["text"]) for row in rows) == 2_000_000
