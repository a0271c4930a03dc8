"""SQL of the plugin's own: query, one, value, iterate, execute, executemany."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from plugin_sdk.database import Database, Row, Table
from plugin_sdk.errors import Conflict
from plugin_sdk.testing.database_case import DEADLINE, Background, DatabaseCase, refused

__all__ = ["StatementTests"]

_COUNT = """WITH RECURSIVE numbers (n) AS (
    SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 60000)
    SELECT n, 'a text that takes some room in memory ' || n AS filler FROM numbers"""

_BAD_SQL = (
    "", " ", ";", "-- nothing", "SELEC 1", "SELECT FROM", "SELECT nothing FROM people",
    "SELECT 1 FROM nowhere", "INSERT INTO people (nothing) VALUES (1)", "SELECT (",
    "SELECT 1; SELECT 2",
    "DELETE FROM people; DROP TABLE people", "SELECT :missing",
    "INSERT INTO people (id) VALUES ('abc')",
    # What reaches around the transaction, or the plugin's own data.
    "BEGIN", "begin immediate", "COMMIT", "END", "ROLLBACK", "SAVEPOINT a", "RELEASE a",
    "/* hidden */ COMMIT", "-- hidden\nROLLBACK", ";COMMIT", "PRAGMA journal_mode = DELETE",
    "ATTACH DATABASE 'other.db' AS other", "DETACH DATABASE main", "VACUUM",
    "SET search_path TO public",
)  # fmt: skip


class StatementTests(DatabaseCase):
    def test_query_gives_all_rows_as_dictionaries(self, database: Database, people: Table) -> None:
        people.insert_all([{"name": "Ann", "age": 1}, {"name": "Bob", "age": 2}])
        sql = "SELECT name, age FROM people ORDER BY id"
        assert database.query(sql) == [{"name": "Ann", "age": 1}, {"name": "Bob", "age": 2}]
        assert database.query("SELECT name FROM people WHERE age > :age", {"age": 5}) == []

    def test_one_gives_the_first_row(self, database: Database, people: Table) -> None:
        people.insert_all({"age": number} for number in range(5))
        assert database.one("SELECT age FROM people ORDER BY age DESC") == {"age": 4}
        assert database.one("SELECT age FROM people WHERE age = 9") is None

    def test_value_gives_the_first_column_of_the_first_row(
        self, database: Database, people: Table
    ) -> None:
        people.insert_all({"age": number, "name": f"n{number}"} for number in range(5))
        assert database.value("SELECT name, age FROM people ORDER BY age DESC") == "n4"
        assert database.value("SELECT count(*) FROM people") == 5
        assert database.value("SELECT name FROM people WHERE age = 9") is None
        assert database.value("SELECT height FROM people WHERE age = 1") is None
        assert database.values("SELECT name, age FROM people WHERE age > 2 ORDER BY age") == [
            "n3",
            "n4",
        ]
        assert database.values("SELECT name FROM people WHERE age = 9") == []

    def test_parameters_may_be_more_but_not_fewer(self, database: Database, people: Table) -> None:
        people.insert({"name": "Ann", "age": 3})
        params = {"name": "Ann", "age": 3, "unused": "x"}
        sql = "SELECT count(*) FROM people WHERE name = :name AND age = :age AND name = :name"
        assert database.value(sql, params) == 1
        refused(lambda: database.value(sql, {"name": "Ann"}))
        refused(lambda: database.value(sql))

    def test_parameters_are_values_and_nothing_else(
        self, database: Database, people: Table
    ) -> None:
        people.insert({"name": "Ann"})
        for text in ("x' OR '1' = '1", "x'; DELETE FROM people; --", ":name", "name"):
            assert database.query("SELECT id FROM people WHERE name = :t", {"t": text}) == []
        assert people.count_where() == 1

    def test_types_survive_joins_subqueries_unions_and_views(
        self, database: Database, people: Table
    ) -> None:
        people.insert({"active": True, "meta": {"a": [1]}})
        people.insert({"active": False, "meta": None})
        expected = [{"yes": True, "data": {"a": [1]}}, {"yes": False, "data": None}]
        fields = "active AS yes, meta AS data, id"
        database.execute(f"CREATE VIEW facts AS SELECT {fields} FROM people")
        for source in (
            "facts",
            f"(SELECT {fields} FROM people) AS inner_rows",
            "(SELECT p.active AS yes, p.meta AS data, p.id FROM people p JOIN people q"
            " ON p.id = q.id) AS joined",
        ):
            sql = f"SELECT yes, data FROM {source} ORDER BY id"
            assert database.query(sql) == expected
        assert (
            database.query(
                "WITH picked AS (SELECT * FROM people) "
                "SELECT active AS yes, meta AS data FROM picked ORDER BY id"
            )
            == expected
        )
        for row in database.query("SELECT active FROM people"):
            assert type(row["active"]) is bool

    def test_a_number_stays_one_whatever_its_name(self, database: Database, people: Table) -> None:
        people.insert_all([{"active": True}, {"active": True}])
        row = database.one("SELECT count(*) AS active, max(id) AS meta FROM people")
        assert row is not None
        assert type(row["active"]) is int
        assert row["active"] == 2

    def test_two_columns_of_one_name_are_told_apart(
        self, database: Database, people: Table
    ) -> None:
        people.insert({"id": 1, "name": "Ann"})
        people.insert({"id": 2, "name": "Bob"})
        row = database.one("SELECT a.name, b.name FROM people a JOIN people b ON b.id = a.id + 1")
        assert row == {"name": "Ann", "name_2": "Bob"}

    def test_booleans_are_conditions(self, database: Database, people: Table) -> None:
        people.insert_all([{"active": True}, {"active": False}, {"active": None}])
        assert database.value("SELECT count(*) FROM people WHERE active") == 1
        assert database.value("SELECT count(*) FROM people WHERE NOT active") == 1
        sql = "SELECT count(*) FROM people WHERE active = :yes"
        assert database.value(sql, {"yes": True}) == 1
        assert database.value("SELECT count(*) FROM people WHERE active = TRUE") == 1

    def test_execute_counts_the_rows_that_it_changed(
        self, database: Database, people: Table
    ) -> None:
        assert database.execute("INSERT INTO people (name) VALUES ('a'), ('b'), ('c')") == 3
        assert database.execute("UPDATE people SET age = 1 WHERE name < :n", {"n": "c"}) == 2
        assert database.execute("UPDATE people SET age = 1 WHERE name = 'z'") == 0
        assert database.execute("DELETE FROM people") == 3
        assert database.execute("CREATE TABLE other (id INTEGER)") == 0
        assert database.execute("DROP TABLE other") == 0

    def test_a_statement_that_begins_with_with_can_write(
        self, database: Database, people: Table
    ) -> None:
        sql = (
            "WITH fresh (n) AS (VALUES ('a'), ('b')) INSERT INTO people (name) SELECT n FROM fresh"
        )
        assert database.execute(sql) == 2
        found = database.query(sql + " RETURNING name")
        assert sorted(row["name"] for row in found) == ["a", "b"]
        assert (
            database.executemany(
                "WITH fresh AS (SELECT 1) INSERT INTO people (name) VALUES (:name)",
                [{"name": "c"}, {"name": "d"}],
            )
            == 2
        )
        assert people.count_where() == 6

    def test_what_a_write_returns_can_be_read(self, database: Database, people: Table) -> None:
        fresh = "INSERT INTO people (name, active) VALUES ('a', TRUE), ('b', FALSE)"
        rows = database.query(f"{fresh} RETURNING id, active")
        assert [row["active"] for row in rows] == [True, False]
        first = database.one("UPDATE people SET age = 1 RETURNING id")
        assert first is not None
        assert database.value("SELECT count(*) FROM people WHERE age = 1") == 2
        assert database.value("DELETE FROM people RETURNING age") == 1
        assert people.count_where() == 0

    def test_json_can_be_a_parameter(self, database: Database, people: Table) -> None:
        people.insert({"name": "Ann"})
        for value in ({"a": [1, {"b": None}]}, [1, "two"], [], {}):
            assert database.execute("UPDATE people SET meta = :meta", {"meta": value}) == 1
            assert database.value("SELECT meta FROM people") == value
        refused(lambda: database.execute("UPDATE people SET meta = :meta", {"meta": "no json"}))
        assert database.value("SELECT meta FROM people") == {}

    def test_executemany_takes_any_iterable_and_counts(
        self, database: Database, people: Table
    ) -> None:
        sql = "INSERT INTO people (name, age) VALUES (:name, :age)"
        assert database.executemany(sql, ({"name": f"n{n}", "age": n} for n in range(1234))) == 1234
        assert people.count_where() == 1234
        assert database.executemany(sql, []) == 0
        changes = [{"id": 1}, {"id": 99999}]
        assert database.executemany("DELETE FROM people WHERE id = :id", changes) == 1

    def test_executemany_is_all_or_nothing(self, database: Database, people: Table) -> None:
        sql = "INSERT INTO people (id, name) VALUES (:id, 'x')"
        with pytest.raises(Conflict):
            database.executemany(sql, [{"id": n} for n in [*range(1, 600), 5]])
        assert people.count_where() == 0
        refused(lambda: database.executemany(sql, [{"id": 1}, {}]))
        assert people.count_where() == 0

    @pytest.mark.parametrize("sql", _BAD_SQL)
    def test_sql_that_is_refused(self, database: Database, people: Table, sql: str) -> None:
        people.insert({"name": "Ann"})
        calls: list[Callable[[], Any]] = [
            lambda: database.query(sql),
            lambda: database.one(sql),
            lambda: database.value(sql),
            lambda: _iterated(database, sql),
            lambda: database.execute(sql),
            lambda: database.executemany(sql, [{}]),
        ]
        for call in calls:
            refused(call)
        with database.transaction():
            people.insert({"name": "Bob"})
            for call in calls:
                refused(call)
        assert people.count_where() == 2

    def test_a_violated_rule_is_a_conflict(self, database: Database, people: Table) -> None:
        people.insert({"id": 1})
        with pytest.raises(Conflict):
            database.execute("INSERT INTO people (id) VALUES (1)")
        with pytest.raises(Conflict):
            database.query("INSERT INTO people (id) VALUES (1) RETURNING id")
        database.execute("CREATE TABLE small (n INTEGER NOT NULL CHECK (n < 10))")
        for value in ("10", "NULL"):
            with pytest.raises(Conflict):
                database.execute(f"INSERT INTO small (n) VALUES ({value})")

    # Iterating

    def test_iterate_gives_what_query_gives(self, database: Database, people: Table) -> None:
        people.insert_all({"name": f"n{n}", "meta": [n], "active": n > 3} for n in range(1000))
        sql = "SELECT * FROM people WHERE age IS NULL AND id > :id ORDER BY id"
        assert list(database.iterate(sql, {"id": 7})) == database.query(sql, {"id": 7})
        assert list(database.iterate("SELECT 1 AS n FROM people WHERE id < 0")) == []

    def test_iterate_takes_constant_memory(self, database: Database) -> None:
        rows = database.iterate(_COUNT)
        next(rows)
        tracemalloc.start()
        try:
            last = 0
            for row in rows:
                last = row["n"]
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert last == 60000
        assert peak < 2 * 1024 * 1024, f"{peak} bytes were held at once"

    def test_iterate_shows_one_state(self, database: Database, people: Table) -> None:
        people.insert_all({"name": "old"} for _ in range(1000))
        rows = database.iterate("SELECT id, name FROM people ORDER BY id")
        first = next(rows)
        Background(lambda: people.delete_where("id > 500")).result()
        database.execute("UPDATE people SET name = 'new'")
        people.insert({"name": "new"})
        seen = [first, *rows]
        assert len(seen) == 1000
        assert {row["name"] for row in seen} == {"old"}

    def test_iterate_can_be_left_early(self, database: Database, people: Table) -> None:
        people.insert_all({"name": "x"} for _ in range(1000))
        for _ in range(50):
            for row in database.iterate("SELECT id FROM people"):
                assert row["id"]
                break
        rows: Any = database.iterate("SELECT id FROM people")
        rows.close()
        assert list(rows) == []
        people.drop()

    def test_several_iterate_at_once(self, database: Database, people: Table) -> None:
        people.insert_all({"age": number} for number in range(700))
        sql = "SELECT age FROM people ORDER BY age"
        pairs = list(zip(*(database.iterate(sql) for _ in range(7)), strict=True))
        assert len(pairs) == 700
        assert all(len({row["age"] for row in pair}) == 1 for pair in pairs)

    def test_iterate_in_a_transaction_shows_the_state_of_its_begin(
        self, database: Database, people: Table
    ) -> None:
        with database.transaction():
            people.insert_all({"age": number} for number in range(1500))
            seen = 0
            for row in database.iterate("SELECT id, age FROM people WHERE age >= 0"):
                seen += 1
                people.update(row["id"], {"age": row["age"] + 10_000})
                people.insert({"age": 5})
            assert seen == 1500
        assert people.count_where("age >= 10000") == 1500
        assert people.count_where("age = 5") == 1500

    def test_iterate_only_reads(self, database: Database, people: Table) -> None:
        for sql in (
            "INSERT INTO people (name) VALUES ('a') RETURNING id",
            "DELETE FROM people RETURNING id",
            "WITH x (n) AS (VALUES ('a')) INSERT INTO people (name) SELECT n FROM x RETURNING id",
            "CREATE TABLE other (id INTEGER)",
        ):
            refused(_iterated, database, sql)
            with database.transaction():
                refused(_iterated, database, sql)
        assert people.count_where() == 0

    # Threads

    def test_many_threads_read_and_write_at_once(self, database: Database, people: Table) -> None:
        barrier = threading.Barrier(8)

        def work(number: int) -> None:
            barrier.wait(DEADLINE)
            for turn in range(25):
                key = people.insert({"age": number, "meta": {"turn": turn}})
                row = people.get(key)
                assert row is not None
                assert (row["age"], row["meta"]) == (number, {"turn": turn})
                mine = database.query("SELECT age FROM people WHERE age = :n", {"n": number})
                assert len(mine) == turn + 1

        for thread in [Background(lambda n=number: work(n)) for number in range(8)]:  # type: ignore[misc]
            thread.result()
        assert people.count_where() == 200
        assert database.value("SELECT count(DISTINCT id) FROM people") == 200


def _iterated(database: Database, sql: str) -> list[Row]:
    return list(database.iterate(sql))
