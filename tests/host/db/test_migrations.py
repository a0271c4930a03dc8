from __future__ import annotations

import threading

import pytest

from host.db import Engine, HostDatabase
from plugin_sdk import Database, Invalid, Migration


def _first(db: Database) -> None:
    db.table("notes").create({"id": "integer", "text": "text"}, pk="id")


def _second(db: Database) -> None:
    db.table("notes").add_column("done", "boolean")
    db.table("notes").insert({"text": "of the second", "done": True})


def _third(db: Database) -> None:
    db.execute("INSERT INTO notes (text) VALUES ('of the third')")


FIRST, SECOND, THIRD = (
    Migration("1.first", _first),
    Migration("2.second", _second),
    Migration("3.third", _third),
)


def _texts(database: HostDatabase) -> list[str]:
    return [row["text"] for row in database.query("SELECT text FROM notes ORDER BY id")]


def test_steps_run_in_their_order_and_once(database: HostDatabase) -> None:
    assert database.migrate([FIRST, SECOND]) == ["1.first", "2.second"]
    assert database.migrate([FIRST, SECOND]) == []
    assert database.migrate([FIRST, SECOND, THIRD]) == ["3.third"]
    assert _texts(database) == ["of the second", "of the third"]


def test_records_survive(engine: Engine) -> None:
    engine.open("example.plugin").migrate([FIRST, SECOND])
    engine.open("example.plugin").close()
    assert engine.open("example.plugin").migrate([FIRST, SECOND, THIRD]) == ["3.third"]


def test_records_are_not_tables_of_the_plugin(database: HostDatabase) -> None:
    database.migrate([FIRST])
    assert database.tables() == ["notes"]


def test_a_step_that_fails_is_undone_wholly(database: HostDatabase) -> None:
    def fail(db: Database) -> None:
        db.table("notes").drop()
        db.table("others").create({"id": "integer", "name": "text"}, pk="id")
        db.enable_search("others", ["name"])
        with db.transaction():
            db.table("others").insert({"name": "a"})
        raise LookupError("on purpose")

    with pytest.raises(LookupError, match="on purpose"):
        database.migrate([FIRST, SECOND, Migration("failing", fail), THIRD])
    assert database.tables() == ["notes"]
    assert _texts(database) == ["of the second"]
    assert database.migrate([FIRST, SECOND, Migration("failing", lambda db: None), THIRD]) == [
        "failing",
        "3.third",
    ]


def test_a_step_that_was_added_in_between_runs_too(database: HostDatabase) -> None:
    database.migrate([FIRST, THIRD])
    assert database.migrate([FIRST, SECOND, THIRD]) == ["2.second"]


def test_what_waits_for_the_commit_waits_for_the_record(database: HostDatabase) -> None:
    seen: list[list[str]] = []

    def step(db: Database) -> None:
        database.after_commit(lambda: seen.append(database.migrate([FIRST])))
        _first(db)

    database.migrate([Migration("1.first", step)])
    assert seen == [[]]


def test_names_are_used_once(database: HostDatabase) -> None:
    with pytest.raises(Invalid):
        database.migrate([FIRST, SECOND, Migration("1.first", _third)])
    with pytest.raises(Invalid):
        database.migrate([Migration("", _first)])
    assert database.tables() == []


def test_who_comes_second_runs_nothing(database: HostDatabase) -> None:
    runs: list[int] = []
    start = threading.Barrier(4)

    def count(db: Database) -> None:
        runs.append(1)
        _first(db)

    def migrate() -> None:
        start.wait(30)
        database.migrate([Migration("1.first", count), SECOND])

    threads = [threading.Thread(target=migrate) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert runs == [1]
    assert _texts(database) == ["of the second"]
