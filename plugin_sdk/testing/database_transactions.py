"""All or nothing, one writer at a time, savepoints, readers that never wait, snapshots."""

# ruff: noqa: PT012 (what a block does before it raises is what is tested)

from __future__ import annotations

import threading

import pytest

from plugin_sdk.database import Database, Table
from plugin_sdk.errors import Conflict, Invalid
from plugin_sdk.testing.database_case import DEADLINE, Background, DatabaseCase, refused

__all__ = ["TransactionTests"]


class Oops(Exception):
    """What a block raises that is to be undone."""


class TransactionTests(DatabaseCase):
    def test_a_transaction_is_kept(self, database: Database, people: Table) -> None:
        with database.transaction():
            people.insert({"name": "Ann"})
            people.insert({"name": "Bob"})
        assert _names(people) == ["Ann", "Bob"]

    def test_a_transaction_that_raises_leaves_nothing(
        self, database: Database, people: Table
    ) -> None:
        people.insert({"name": "Ann"})
        with pytest.raises(Oops), database.transaction():
            people.insert({"name": "Bob"})
            people.update(people.rows_where("name = 'Ann'")[0]["id"], {"name": "Eve"})
            people.delete_where("name = 'Eve'")
            database.execute("INSERT INTO people (name) VALUES ('Cid')")
            people.insert_all([{"name": "Dan"}] * 600)
            raise Oops
        assert _names(people) == ["Ann"]

    @pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
    def test_whatever_is_raised_undoes(
        self, database: Database, people: Table, error: type[BaseException]
    ) -> None:
        with pytest.raises(error), database.transaction():
            people.insert({"name": "Ann"})
            raise error
        assert _names(people) == []
        people.insert({"name": "Bob"})
        assert _names(people) == ["Bob"]

    def test_tables_are_made_and_dropped_in_a_transaction_too(
        self, database: Database, people: Table
    ) -> None:
        people.insert({"name": "Ann"})
        with pytest.raises(Oops), database.transaction():
            database.table("other").create({"id": "integer", "name": "text"}, pk="id")
            database.table("other").insert({"name": "x"})
            database.enable_search("other", ["name"])
            people.add_column("city", "text")
            people.insert({"name": "Bob", "city": "Rome"})
            people.create_index(["name"], unique=True)
            people.drop()
            assert database.tables() == ["other"]
            raise Oops
        assert database.tables() == ["people"]
        assert people.rows_where(select="name") == [{"name": "Ann"}]
        refused(lambda: people.insert({"city": "Rome"}))
        people.insert({"name": "Ann"})
        refused(lambda: database.search("other", "x"))

    def test_reads_inside_see_what_was_written(self, database: Database, people: Table) -> None:
        with database.transaction():
            key = people.insert({"name": "Ann", "meta": [1]})
            assert people.get(key)["meta"] == [1]  # type: ignore[index]
            assert people.count_where() == 1
            assert database.value("SELECT name FROM people") == "Ann"
            assert database.one("SELECT name FROM people") == {"name": "Ann"}
            assert database.query("SELECT name FROM people") == [{"name": "Ann"}]
            assert [row["name"] for row in database.iterate("SELECT name FROM people")] == ["Ann"]

    def test_others_see_nothing_before_the_end(self, database: Database, people: Table) -> None:
        with database.transaction():
            people.insert({"name": "Ann"})
            assert Background(people.count_where).result() == 0
        assert Background(people.count_where).result() == 1

    def test_a_transaction_can_be_empty(self, database: Database) -> None:
        with database.transaction():
            pass
        with database.transaction(), database.transaction():
            pass
        with pytest.raises(Oops), database.transaction():
            raise Oops
        assert database.tables() == []

    def test_the_schema_may_change_in_and_outside_of_transactions(
        self, database: Database, people: Table
    ) -> None:
        with database.transaction():
            people.add_column("city", "text")
            people.insert({"city": "Rome"})
        people.insert({"city": "Bonn"})
        database.execute("ALTER TABLE people ADD COLUMN street TEXT")
        with database.transaction():
            people.insert({"city": "Rome", "street": "Via Appia"})
            database.execute("ALTER TABLE people ADD COLUMN house INTEGER")
            people.insert({"house": 5})
        people.drop()
        with database.transaction():
            people.create({"id": "integer", "name": "json"}, pk="id")
            key = people.insert({"name": [1]})
        assert people.get(key) == {"id": key, "name": [1]}

    # Savepoints

    def test_an_inner_block_that_raises_is_undone_alone(
        self, database: Database, people: Table
    ) -> None:
        with database.transaction():
            people.insert({"name": "Ann"})
            with pytest.raises(Oops), database.transaction():
                people.insert({"name": "Bob"})
                with database.transaction():
                    people.insert({"name": "Cid"})
                raise Oops
            assert _names(people) == ["Ann"]
            with database.transaction():
                people.insert({"name": "Dan"})
        assert _names(people) == ["Ann", "Dan"]

    def test_the_outer_block_decides_for_all(self, database: Database, people: Table) -> None:
        with pytest.raises(Oops), database.transaction():
            with database.transaction():
                people.insert({"name": "Ann"})
            with database.transaction(), database.transaction():
                people.insert({"name": "Bob"})
            raise Oops
        assert _names(people) == []

    def test_many_levels(self, database: Database, people: Table) -> None:
        def level(depth: int) -> None:
            with database.transaction():
                people.insert({"age": depth})
                if depth < 20:
                    try:
                        level(depth + 1)
                    except Oops:
                        people.insert({"age": -depth})
                if depth % 2:
                    raise Oops

        level(0)
        # An odd level is undone with all that is below it; its parent tells of it.
        assert sorted(row["age"] for row in people.rows_where()) == [0, 0]

    def test_a_table_made_in_an_undone_block_is_gone(
        self, database: Database, people: Table
    ) -> None:
        with database.transaction():
            with pytest.raises(Oops), database.transaction():
                database.table("other").create({"id": "integer", "a": "text"}, pk="id")
                database.table("other").insert({"a": "x"})
                raise Oops
            assert not database.table("other").exists()
            database.table("other").create({"id": "integer", "b": "json"}, pk="id")
            key = database.table("other").insert({"b": [1]})
        assert database.table("other").get(key) == {"id": key, "b": [1]}

    def test_a_statement_that_fails_is_undone_alone(
        self, database: Database, people: Table
    ) -> None:
        with database.transaction():
            people.insert({"id": 1, "name": "Ann"})
            with pytest.raises(Conflict):
                people.insert({"id": 1, "name": "Bob"})
            with pytest.raises(Conflict):
                people.insert_all([{"id": n, "name": "Cid"} for n in [*range(2, 700), 1]])
            with pytest.raises(Conflict):
                database.execute("INSERT INTO people (id) VALUES (2), (3), (1)")
            with pytest.raises(Invalid):
                database.query("SELECT nothing FROM nowhere")
            people.insert({"name": "Dan"})
            assert people.count_where() == 2
        assert _names(people) == ["Ann", "Dan"]

    # One writer

    def test_no_update_is_lost(self, database: Database, people: Table) -> None:
        key = people.insert({"age": 0})
        start = threading.Barrier(6)

        def work() -> None:
            start.wait(DEADLINE)
            for _ in range(20):
                with database.transaction():
                    row = people.get(key)
                    assert row is not None
                    people.update(key, {"age": row["age"] + 1})

        for thread in [Background(work) for _ in range(6)]:
            thread.result()
        assert people.get(key)["age"] == 120  # type: ignore[index]

    def test_one_writes_at_a_time(self, database: Database, people: Table) -> None:
        inside = threading.Event()
        go_on = threading.Event()

        def first() -> None:
            with database.transaction():
                people.insert({"name": "first"})
                inside.set()
                assert go_on.wait(DEADLINE)
                people.insert({"name": "first"})

        writer = Background(first)
        assert inside.wait(DEADLINE)
        others = [
            Background(lambda: people.insert({"name": "second"})),
            Background(lambda: people.delete_where("name = 'nobody'")),
        ]
        go_on.set()
        for thread in (writer, *others):
            thread.result()
        assert _names(people) == ["first", "first", "second"]

    def test_reading_does_not_wait_for_a_writer(self, database: Database, people: Table) -> None:
        people.insert({"name": "Ann"})

        def read() -> tuple[int, object, list[str]]:
            with database.snapshot():
                assert database.value("SELECT count(*) FROM people") == 1
            names = [row["name"] for row in database.iterate("SELECT name FROM people")]
            assert database.search("people", "ann") == people.rows_where()
            return people.count_where(), people.get(1), names

        database.enable_search("people", ["name"])
        with database.transaction():
            people.insert_all({"name": "Bob"} for _ in range(2000))
            people.update(1, {"name": "Eve"})
            count, row, names = Background(read).result()
            assert (count, names) == (1, ["Ann"])
            assert isinstance(row, dict)
            assert row["name"] == "Ann"

    def test_a_reader_does_not_hold_a_writer_up(self, database: Database, people: Table) -> None:
        people.insert_all({"name": "Ann"} for _ in range(1000))
        rows = database.iterate("SELECT name FROM people")
        next(rows)
        with database.snapshot():
            Background(lambda: people.insert({"name": "Bob"})).result()
            Background(lambda: people.delete_where("name = 'Ann'")).result()
            assert people.count_where() == 1000
        assert people.count_where() == 1
        assert len(list(rows)) == 999

    def test_threads_do_not_share_a_transaction(self, database: Database, people: Table) -> None:
        inside = threading.Event()
        go_on = threading.Event()

        def undone() -> None:
            with database.transaction():
                people.insert({"name": "undone"})
                inside.set()
                assert go_on.wait(DEADLINE)
                raise Oops

        other = Background(undone)
        assert inside.wait(DEADLINE)
        late = Background(lambda: people.insert({"name": "kept"}))
        go_on.set()
        with pytest.raises(Oops):
            other.result()
        late.result()
        assert _names(people) == ["kept"]

    # Snapshots

    def test_a_snapshot_shows_one_state(self, database: Database, people: Table) -> None:
        people.insert({"name": "Ann"})
        with database.snapshot():
            Background(lambda: people.insert({"name": "Bob"})).result()
            assert _names(people) == ["Ann"]
            Background(lambda: people.delete_where("name = 'Ann'")).result()
            assert _names(people) == ["Ann"]
            assert database.value("SELECT count(*) FROM people") == 1
            assert people.get(1) is not None
            rows = database.iterate("SELECT name FROM people")
            assert [row["name"] for row in rows] == ["Ann"]
            assert Background(lambda: _names(people)).result() == ["Bob"]
        assert _names(people) == ["Bob"]

    def test_a_snapshot_is_taken_when_it_begins(self, database: Database, people: Table) -> None:
        with database.snapshot():
            Background(lambda: people.insert({"name": "Ann"})).result()
            assert _names(people) == []

    def test_a_snapshot_may_be_asked_for_twice(self, database: Database, people: Table) -> None:
        with database.snapshot():
            with database.snapshot():
                Background(lambda: people.insert({"name": "Ann"})).result()
                assert _names(people) == []
            assert _names(people) == []
        assert _names(people) == ["Ann"]

    def test_a_snapshot_in_a_transaction_shows_the_transaction(
        self, database: Database, people: Table
    ) -> None:
        with database.transaction():
            people.insert({"name": "Ann"})
            with database.snapshot():
                assert _names(people) == ["Ann"]
                refused(lambda: people.insert({"name": "Bob"}))
            people.insert({"name": "Cid"})
        assert _names(people) == ["Ann", "Cid"]

    def test_writing_is_refused_in_a_snapshot(self, database: Database, people: Table) -> None:
        people.insert({"name": "Ann"})
        with database.snapshot():
            for call in (
                lambda: people.insert({"name": "Bob"}),
                lambda: people.insert_all([{"name": "Bob"}]),
                lambda: people.upsert({"id": 1, "name": "Bob"}),
                lambda: people.update(1, {"name": "Bob"}),
                lambda: people.delete(1),
                people.delete_where,
                people.drop,
                lambda: people.add_column("city", "text"),
                lambda: database.execute("DELETE FROM people"),
                lambda: database.executemany("DELETE FROM people WHERE id = :id", [{"id": 1}]),
                lambda: database.query("DELETE FROM people RETURNING id"),
                lambda: database.query(
                    "WITH x (n) AS (VALUES ('a')) INSERT INTO people (name) SELECT n FROM x"
                    " RETURNING id"
                ),
                lambda: database.enable_search("people", ["name"]),
                lambda: database.transaction().__enter__(),
            ):
                refused(call)
            assert _names(people) == ["Ann"]
        people.insert({"name": "Bob"})
        assert _names(people) == ["Ann", "Bob"]

    def test_a_snapshot_that_raises_is_over(self, database: Database, people: Table) -> None:
        with pytest.raises(Oops), database.snapshot():
            rows = database.iterate("SELECT name FROM people")
            raise Oops
        del rows
        people.insert({"name": "Ann"})
        assert _names(people) == ["Ann"]


def _names(people: Table) -> list[str]:
    return [row["name"] for row in people.rows_where(order_by="name", select="name")]
