"""Rows and values: the words of a table, and what goes in comes out."""

from __future__ import annotations

import datetime
import decimal
import enum
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from plugin_sdk.database import Column, Database, Table
from plugin_sdk.errors import Conflict
from plugin_sdk.testing.database_case import ODD_TEXTS, REFUSED_TEXTS, DatabaseCase, refused

__all__ = ["RowTests"]

_GOOD_VALUES: tuple[tuple[str, Any], ...] = (
    ("age", 0), ("age", -1), ("age", 2**63 - 1), ("age", -(2**63)), ("age", None),
    ("height", 0.0), ("height", 0.1), ("height", 1e308), ("height", 5e-324),
    ("height", -1.5), ("height", None),
    ("photo", b""), ("photo", b"\0"), ("photo", bytes(range(256))), ("photo", b"x" * 300_000),
    ("photo", None), ("active", True), ("active", False), ("active", None),
    ("meta", {}), ("meta", []), ("meta", "text"), ("meta", ""), ("meta", 1), ("meta", 1.0),
    ("meta", 0.1), ("meta", 1e22), ("meta", 1e300), ("meta", 2**70), ("meta", True),
    ("meta", False),
    ("meta", None), ("meta", "null"), ("meta", "1.0"),
    ("meta", {"b": 1, "a": [None, {"": "é\U0001f600"}]}),
    ("meta", {"key": "'\"\\", "": []}), ("meta", [[[]]]),
)  # fmt: skip

_BAD_VALUES: tuple[tuple[str, Any], ...] = (
    ("age", "1"), ("age", 1.0), ("age", 2**63), ("age", -(2**63) - 1), ("age", b"1"), ("age", [1]),
    ("height", "1.5"), ("height", float("nan")), ("height", b""), ("name", 1), ("name", b"Ann"),
    ("name", ["Ann"]), ("photo", "text"), ("photo", 1), ("active", "true"), ("active", 2),
    ("active", 1.0), ("meta", {1: 2}), ("meta", float("nan")), ("meta", float("inf")),
    ("meta", b"{}"), ("meta", {"a": "\0"}), ("meta", ["\ud800"]), ("meta", {"\0": 1}),
    ("meta", [10**5000]),
    ("meta", object()), ("name", datetime.datetime(2026, 5, 1, tzinfo=datetime.UTC)),
    ("age", decimal.Decimal(1)), ("name", object()),
)  # fmt: skip

# Without a column to say its type, a value is judged by itself.
_BAD_PARAMETERS: tuple[Any, ...] = (
    2**63, -(2**63) - 1, float("nan"), object(), {1, 2}, datetime.date(2026, 5, 1),
    decimal.Decimal(1), {"a": object()}, *REFUSED_TEXTS,
)  # fmt: skip


class Colour(enum.StrEnum):
    RED = "red"


class RowTests(DatabaseCase):
    @pytest.mark.parametrize(("column", "value"), _GOOD_VALUES)
    def test_a_value_comes_back_as_it_went_in(
        self, people: Table, column: str, value: object
    ) -> None:
        key = people.insert({column: value})
        stored = people.get(key)
        assert stored is not None
        assert repr(stored[column]) == repr(value)

    @pytest.mark.parametrize("text", ODD_TEXTS)
    def test_odd_texts_come_back(self, database: Database, people: Table, text: str) -> None:
        key = people.insert({"name": text, "meta": {text: [text]}})
        people.insert({"name": "another"})
        assert people.get(key)["name"] == text  # type: ignore[index]
        assert people.get(key)["meta"] == {text: [text]}  # type: ignore[index]
        assert [row["id"] for row in people.rows_where("name = :text", {"text": text})] == [key]
        sql = "SELECT id FROM people WHERE name = :text"
        assert database.value(sql, {"text": text}) == key
        assert people.update(key, {"name": text + "."})
        assert people.delete_where("name = :text", {"text": text + "."}) == 1
        assert people.count_where() == 1

    @pytest.mark.parametrize(("column", "value"), _BAD_VALUES)
    def test_a_value_that_does_not_fit_is_refused(
        self, people: Table, column: str, value: object
    ) -> None:
        key = people.insert({"name": "Ann"})
        for call in (
            lambda: people.insert({column: value}),
            lambda: people.insert_all([{"name": "Bob"}, {column: value}]),
            lambda: people.upsert({"id": key, column: value}),
            lambda: people.update(key, {column: value}),
        ):
            assert f"people.{column}" in refused(call).message
        assert people.rows_where(select="name") == [{"name": "Ann"}]

    @pytest.mark.parametrize("text", REFUSED_TEXTS)
    def test_texts_that_no_engine_keeps_are_refused(self, people: Table, text: str) -> None:
        refused(lambda: people.insert({"name": text}))
        refused(lambda: people.insert({"meta": {"a": [text]}}))
        refused(lambda: people.get(1) or people.rows_where("name = :name", {"name": text}))
        assert people.count_where() == 0

    @pytest.mark.parametrize("value", _BAD_PARAMETERS)
    def test_parameters_that_cannot_be_kept_are_refused(
        self, database: Database, people: Table, value: object
    ) -> None:
        params = {"value": value}
        refused(lambda: database.query("SELECT id FROM people WHERE name = :value", params))
        refused(lambda: database.value("SELECT id FROM people WHERE name = :value", params))
        refused(lambda: database.execute("UPDATE people SET name = :value", params))
        refused(lambda: database.executemany("UPDATE people SET name = :value", [params]))
        refused(lambda: people.count_where("name = :value", params))

    def test_near_values_are_taken_as_the_column_has_them(self, people: Table) -> None:
        row = {"height": 2, "age": True, "active": 1, "photo": memoryview(b"abc"), "meta": (1, 2)}
        stored = people.get(people.insert({**row, "name": Colour.RED}))
        assert stored is not None
        assert repr([stored[name] for name in (*row, "name")]) == repr(
            [2.0, 1, True, b"abc", [1, 2], "red"]
        )

    def test_a_row_is_a_dictionary_of_all_columns_in_order(self, people: Table) -> None:
        key = people.insert({"meta": [1], "name": "Ann"})
        row = people.get(key)
        assert type(row) is dict
        assert list(row) == ["id", "name", "age", "height", "photo", "active", "meta"]

    # Insert

    def test_a_taken_key_is_a_conflict_and_changes_nothing(self, people: Table) -> None:
        people.insert({"id": 5, "name": "Ann"})
        with pytest.raises(Conflict) as caught:
            people.insert({"id": 5, "name": "Bob"})
        assert caught.value.message
        assert people.rows_where(select="id, name") == [{"id": 5, "name": "Ann"}]

    def test_insert_all_takes_any_iterable_and_counts(self, people: Table) -> None:
        def rows() -> Iterator[Mapping[str, Any]]:
            for number in range(2345):
                yield {"name": f"n{number}", "age": number}

        assert people.insert_all(rows()) == 2345
        assert people.count_where() == 2345
        assert people.count_where("age % 2 = 0") == 1173
        assert people.insert_all([]) == 0
        assert people.insert_all(iter(())) == 0

    def test_insert_all_is_all_or_nothing(self, people: Table) -> None:
        rows = [{"id": number, "name": "x"} for number in range(1, 1500)]
        with pytest.raises(Conflict):
            people.insert_all([*rows, {"id": 3, "name": "again"}])
        assert people.count_where() == 0

        def failing() -> Iterator[Mapping[str, Any]]:
            yield from rows
            raise LookupError("the source broke off")

        with pytest.raises(LookupError):
            people.insert_all(failing())
        assert people.count_where() == 0

    def test_insert_all_can_pass_over_what_is_taken(self, people: Table) -> None:
        people.insert({"id": 2, "name": "old"})
        rows = [{"id": number, "name": "new"} for number in (1, 2, 3, 3)]
        assert people.insert_all(rows, ignore=True) == 2
        found = people.rows_where(order_by="id", select="id, name")
        assert found == [
            {"id": 1, "name": "new"},
            {"id": 2, "name": "old"},
            {"id": 3, "name": "new"},
        ]
        assert people.insert_all(rows, ignore=True) == 0

    def test_rows_with_other_columns_get_their_defaults(self, database: Database) -> None:
        table = database.table("things").create(
            {"id": "integer", "a": Column("text", default="none"), "b": "integer"}, pk="id"
        )
        assert (
            table.insert_all([{"a": "x", "b": 1}, {"b": 2}, {"a": None}, {"b": 3, "a": "y"}]) == 4
        )
        found = [(row["a"], row["b"]) for row in table.rows_where(order_by="id")]
        assert found == [("x", 1), ("none", 2), (None, None), ("y", 3)]

    # Upsert

    def test_upsert_inserts_or_updates_the_given_columns(self, people: Table) -> None:
        assert people.upsert({"id": 7, "name": "Ann", "age": 1}) == 7
        assert people.upsert({"id": 7, "age": 2}) == 7
        assert people.upsert({"id": 7}) == 7
        assert people.upsert({"id": 8}) == 8
        assert people.rows_where(order_by="id", select="id, name, age") == [
            {"id": 7, "name": "Ann", "age": 2},
            {"id": 8, "name": None, "age": None},
        ]

    def test_upsert_updates_without_the_columns_that_an_insert_would_need(
        self, database: Database
    ) -> None:
        table = database.table("things").create(
            {"id": "text", "name": Column("text", null=False), "age": "integer"}, pk="id"
        )
        with pytest.raises(Conflict):
            table.upsert({"id": "a", "age": 1})
        table.insert({"id": "a", "name": "Ann"})
        assert table.upsert({"id": "a", "age": 5}) == "a"
        assert table.upsert_all([{"id": "a", "age": 6}]) == 1
        assert table.rows_where() == [{"id": "a", "name": "Ann", "age": 6}]

    def test_upsert_needs_the_primary_key(self, people: Table) -> None:
        refused(lambda: people.upsert({"name": "Ann"}))
        refused(lambda: people.upsert({"id": None, "name": "Ann"}))
        refused(lambda: people.upsert_all([{"id": 1}, {"name": "Ann"}]))
        assert people.count_where() == 0

    def test_upsert_does_not_hide_other_conflicts(self, people: Table) -> None:
        people.create_index(["name"], unique=True)
        people.insert_all([{"id": 1, "name": "Ann"}, {"id": 2, "name": "Bob"}])
        with pytest.raises(Conflict):
            people.upsert({"id": 2, "name": "Ann"})
        with pytest.raises(Conflict):
            people.upsert({"id": 3, "name": "Ann"})

    def test_upsert_all_counts_and_is_all_or_nothing(self, people: Table) -> None:
        people.insert({"id": 1, "name": "old", "age": 9})
        rows = [{"id": number, "name": "new"} for number in range(1, 1001)]
        assert people.upsert_all(rows) == 1000
        assert people.get(1)["age"] == 9  # type: ignore[index]
        assert people.count_where("name = 'new'") == 1000
        people.create_index(["age"], unique=True)
        with pytest.raises(Conflict):
            people.upsert_all([{"id": 5, "age": 1}, {"id": 6, "age": 1}])
        assert people.get(5)["age"] is None  # type: ignore[index]

    # Reading, updating, deleting

    def test_get_of_nothing_is_none(self, people: Table) -> None:
        assert people.get(1) is None
        refused(lambda: people.get("one"))
        refused(lambda: people.get((1, 2)))

    def test_update_changes_one_row_or_tells_that_there_is_none(self, people: Table) -> None:
        ann, bob = people.insert({"name": "Ann"}), people.insert({"name": "Bob"})
        assert people.update(ann, {"name": "Eve", "age": 3, "meta": [1], "active": True})
        assert not people.update(bob + 1, {"name": "Eve"})
        assert people.update(ann, {})
        assert not people.update(bob + 1, {})
        assert [row["name"] for row in people.rows_where(order_by="id")] == ["Eve", "Bob"]
        assert people.update(ann, {"id": 99})
        assert people.get(99)["meta"] == [1]  # type: ignore[index]

    def test_update_can_be_a_conflict(self, people: Table) -> None:
        people.create_index(["name"], unique=True)
        people.insert_all([{"name": "Ann"}, {"name": "Bob"}])
        bob = people.rows_where("name = 'Bob'")[0]["id"]
        with pytest.raises(Conflict):
            people.update(bob, {"name": "Ann"})

    def test_delete_tells_whether_there_was_one(self, people: Table) -> None:
        key = people.insert({"name": "Ann"})
        assert people.delete(key)
        assert not people.delete(key)
        assert people.count_where() == 0

    def test_delete_where_counts(self, people: Table) -> None:
        people.insert_all({"age": number} for number in range(10))
        assert people.delete_where("age < :limit", {"limit": 3}) == 3
        assert people.delete_where("age > 100") == 0
        assert people.delete_where() == 7
        assert people.delete_where() == 0

    def test_rows_where(self, people: Table) -> None:
        people.insert_all({"name": f"n{n}", "age": n, "active": n % 2 == 0} for n in range(10))
        assert len(people.rows_where()) == 10
        some = people.rows_where("age >= :low AND active", {"low": 4}, order_by="age DESC")
        assert [row["age"] for row in some] == [8, 6, 4]
        assert people.rows_where("age = 3", select="name, active") == [
            {"name": "n3", "active": False}
        ]
        assert people.rows_where("age = :age", {"age": 99}) == []

    def test_pages(self, people: Table) -> None:
        people.insert_all({"age": number} for number in range(10))

        def ages(**page: Any) -> list[int]:
            return [row["age"] for row in people.rows_where(order_by="age", **page)]

        assert ages(limit=3) == [0, 1, 2]
        assert ages(limit=3, offset=8) == [8, 9]
        assert ages(offset=8) == [8, 9]
        assert ages(limit=0) == []
        assert ages(limit=3, offset=99) == []
        bad: Any
        for bad in (-1, "1", 1.5, True, "1; DROP TABLE people"):
            refused(ages, limit=bad)
            refused(ages, offset=bad)

    def test_count_where(self, people: Table) -> None:
        people.insert_all({"name": name} for name in ("a", "b", "b"))
        assert people.count_where() == 3
        assert people.count_where("name = :name", {"name": "b"}) == 2

    def test_texts_are_ordered_and_compared_by_code_point(self, people: Table) -> None:
        names = ["a", "A", "b", "B", "ä", "a\u0308", "z", "Z", "é", "e", "\uffee", "\U0001f600",
                 " ", "aa", "a ", "_", "~", "ß", "ss", "10", "9"]  # fmt: skip
        people.create_index(["name"], unique=True)
        people.insert_all({"name": name} for name in names)
        assert [row["name"] for row in people.rows_where(order_by="name")] == sorted(names)
        for name in names:
            assert people.count_where("name = :name", {"name": name}) == 1
            assert people.count_where("name < :name", {"name": name}) == sorted(names).index(name)
