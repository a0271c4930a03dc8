"""Making and changing tables: columns, keys, references, indexes, names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from plugin_sdk.database import Column, Database, ForeignKey, Table
from plugin_sdk.errors import Conflict
from plugin_sdk.testing.database_case import DatabaseCase, refused

__all__ = ["TableTests"]

_BAD_NAMES = (
    "", " ", "a b", "a-b", "a.b", "1a", "a;b", 'a"b', "a'b", "a`b", "a]b", "a\0b", "a\n", "ä",
    "a,b", "a)",
    'people"; DROP TABLE people; --', "people--", "x" * 64, "People", "sqlite_master", "pg_class",
    "*",
)  # fmt: skip
_BAD_COLUMNS = tuple(name for name in _BAD_NAMES if name not in ("sqlite_master", "pg_class"))


class TableTests(DatabaseCase):
    def test_an_empty_database_has_no_tables(self, database: Database) -> None:
        assert database.tables() == []
        assert not database.table("people").exists()

    def test_a_created_table_is_there(self, database: Database) -> None:
        table = database.table("people").create({"id": "integer", "name": "text"}, pk="id")
        assert table.name == "people"
        assert table.exists()
        assert database.table("people").exists()
        assert database.tables() == ["people"]

    def test_tables_are_listed_by_name_without_those_of_the_host(self, database: Database) -> None:
        for name in ("zebras", "apples", "middle"):
            database.table(name).create({"id": "integer", "name": "text"}, pk="id")
        database.enable_search("zebras", ["name"])
        assert sorted(database.tables()) == ["apples", "middle", "zebras"]

    def test_a_view_is_no_table_but_reads_like_one(self, database: Database, people: Table) -> None:
        people.insert({"name": "Ann", "active": True})
        database.execute("CREATE VIEW active_people AS SELECT name, active FROM people")
        assert database.tables() == ["people"]
        assert database.table("active_people").rows_where() == [{"name": "Ann", "active": True}]

    def test_creating_it_twice_is_refused(self, database: Database, people: Table) -> None:
        refused(lambda: people.create({"id": "integer"}, pk="id"))
        people.insert({"name": "Ann"})
        people.create({"id": "integer", "other": "text"}, pk="id", if_not_exists=True)
        assert people.count_where() == 1

    def test_a_single_key_that_is_no_column_becomes_an_identity(self, database: Database) -> None:
        table = database.table("notes").create({"text": "text"}, pk="id")
        key = table.insert({"text": "a"})
        assert table.get(key) == {"id": key, "text": "a"}

    def test_unknown_types_and_keys_are_refused(self, database: Database) -> None:
        table = database.table("notes")
        bad: Any = "timestamp"
        refused(lambda: table.create({"id": "integer", "at": bad}, pk="id"))
        refused(lambda: table.create({"id": "integer"}, pk=("id", "other")))
        refused(lambda: table.create({"id": "integer"}, pk=()))
        refused(lambda: table.create({"id": "integer"}, pk="id", unique=[["other"]]))
        assert not table.exists()

    def test_a_dropped_table_is_gone(self, database: Database, people: Table) -> None:
        people.insert({"name": "Ann"})
        database.enable_search("people", ["name"])
        people.drop()
        assert not people.exists()
        assert database.tables() == []
        refused(people.drop)
        people.create({"id": "integer", "name": "text"}, pk="id")
        assert people.count_where() == 0

    def test_a_table_that_is_not_there_reads_as_empty_and_takes_nothing(
        self, database: Database
    ) -> None:
        table = database.table("nowhere")
        assert table.rows_where("name = :name", {"name": "Ann"}) == []
        assert table.count_where() == 0
        assert table.get(1) is None
        refused(lambda: table.insert({"name": "Ann"}))
        refused(lambda: table.insert_all([{"name": "Ann"}]))
        refused(lambda: table.upsert({"id": 1}))
        refused(lambda: table.update(1, {"name": "Ann"}))
        refused(lambda: table.delete(1))
        refused(table.delete_where)
        refused(lambda: table.add_column("age", "integer"))
        refused(lambda: table.create_index(["name"]))

    # Columns

    def test_defaults_fill_what_a_row_does_not_say(self, database: Database) -> None:
        columns: dict[str, Column | Any] = {
            "id": "integer",
            "number": Column("integer", default=-5),
            "ratio": Column("real", default=0.25),
            "word": Column("text", default='it\'s "quoted"; \\n'),
            "yes": Column("boolean", default=True),
            "no": Column("boolean", default=False),
            "tags": Column("json", default="[]"),
        }
        table = database.table("things").create(columns, pk="id")
        key = table.insert({})
        assert table.get(key) == {
            "id": key,
            "number": -5,
            "ratio": 0.25,
            "word": 'it\'s "quoted"; \\n',
            "yes": True,
            "no": False,
            "tags": [],
        }

    def test_a_default_fits_its_column(self, database: Database) -> None:
        table = database.table("things")
        for column in (
            Column("integer", default="one"),
            Column("text", default=1),
            Column("boolean", default=2),
            Column("json", default="[1"),
            Column("text", default="a\0b"),
        ):
            refused(table.create, {"id": "integer", "x": column}, pk="id")

    def test_a_column_without_null_needs_a_value(self, database: Database) -> None:
        table = database.table("things").create(
            {"id": "integer", "name": Column("text", null=False)}, pk="id"
        )
        for row in ({}, {"name": None}):
            with pytest.raises(Conflict):
                table.insert(row)
        key = table.insert({"name": ""})
        with pytest.raises(Conflict):
            table.update(key, {"name": None})
        assert table.rows_where() == [{"id": key, "name": ""}]

    def test_a_unique_column_takes_a_value_once_and_null_often(self, database: Database) -> None:
        table = database.table("things").create(
            {"id": "integer", "name": Column("text", unique=True)}, pk="id"
        )
        table.insert_all([{"name": "a"}, {"name": None}, {"name": None}, {"name": "A"}])
        with pytest.raises(Conflict):
            table.insert({"name": "a"})

    def test_several_columns_are_unique_together(self, database: Database) -> None:
        table = database.table("things").create(
            {"id": "integer", "a": "text", "b": "integer"}, pk="id", unique=[["a", "b"]]
        )
        table.insert_all([{"a": "x", "b": 1}, {"a": "x", "b": 2}, {"a": "y", "b": 1}])
        with pytest.raises(Conflict):
            table.insert({"a": "x", "b": 2})

    def test_a_column_is_added_with_its_default_for_rows_at_hand(self, people: Table) -> None:
        key = people.insert({"name": "Ann"})
        people.add_column("city", Column("text", null=False, default="Rome"))
        people.add_column("tags", "json")
        people.add_column("member", Column("boolean", default=False))
        row = people.get(key)
        assert row is not None
        assert (row["city"], row["tags"], row["member"]) == ("Rome", None, False)
        people.update(key, {"tags": {"a": [1]}, "member": True})
        row = people.get(key)
        assert row is not None
        assert (row["tags"], row["member"]) == ({"a": [1]}, True)

    def test_what_cannot_be_added_is_refused(self, people: Table) -> None:
        refused(lambda: people.add_column("city", Column("text", null=False)))
        refused(lambda: people.add_column("name", "text"))
        bad: Any = "date"
        refused(lambda: people.add_column("born", bad))

    def test_an_added_column_can_be_unique(self, people: Table) -> None:
        people.insert_all([{"name": "Ann"}, {"name": "Bob"}])
        people.add_column("email", Column("text", unique=True))
        people.insert({"email": "a@example.org"})
        with pytest.raises(Conflict):
            people.insert({"email": "a@example.org"})

    # Keys

    def test_an_identity_is_drawn_and_returned(self, people: Table) -> None:
        first, second = people.insert({"name": "Ann"}), people.insert({"id": None, "name": "Bob"})
        assert isinstance(first, int)
        assert second > first
        assert people.get(second)["name"] == "Bob"  # type: ignore[index]

    def test_an_identity_can_be_given_and_is_never_given_out_again(self, people: Table) -> None:
        assert people.insert({"id": 40, "name": "Ann"}) == 40
        assert people.insert({"name": "Bob"}) > 40
        people.upsert({"id": 90, "name": "Cid"})
        assert people.insert({"name": "Dan"}) > 90
        people.insert_all([{"id": 150, "name": "Eve"}])
        assert people.insert({"name": "Fay"}) > 150

    def test_an_identity_is_not_used_again_after_its_row_is_gone(self, people: Table) -> None:
        last = people.insert({"name": "Ann"})
        people.delete(last)
        after = people.insert({"name": "Bob"})
        assert after > last
        people.delete_where()
        assert people.insert({"name": "Cid"}) > after

    def test_a_text_key_is_given(self, database: Database) -> None:
        table = database.table("meta").create({"key": "text", "value": "text"}, pk="key")
        assert table.insert({"key": "a", "value": "1"}) == "a"
        assert table.get("a") == {"key": "a", "value": "1"}
        with pytest.raises(Conflict):
            table.insert({"key": "a", "value": "2"})
        for row in ({"value": "1"}, {"key": None, "value": "1"}):
            with pytest.raises(Conflict):
                table.insert(row)

    def test_a_key_of_several_columns_is_a_tuple(self, database: Database) -> None:
        table = database.table("scores").create(
            {"player": "text", "song": "integer", "points": "integer"}, pk=("song", "player")
        )
        assert table.insert({"player": "ann", "song": 7, "points": 1}) == (7, "ann")
        table.insert({"player": "bob", "song": 7, "points": 2})
        assert table.get((7, "bob")) == {"player": "bob", "song": 7, "points": 2}
        assert table.get((8, "bob")) is None
        assert table.upsert({"player": "bob", "song": 7, "points": 3}) == (7, "bob")
        assert table.update((7, "ann"), {"points": 5})
        assert table.delete((7, "bob"))
        assert table.rows_where() == [{"player": "ann", "song": 7, "points": 5}]
        for key in (7, (7,), (7, "ann", 1)):
            refused(table.get, key)
        with pytest.raises(Conflict):
            table.insert({"player": "ann", "song": 7, "points": 9})

    # References

    def test_a_reference_needs_its_row(self, database: Database) -> None:
        albums, tracks = _albums(database, "restrict")
        album = albums.insert({"title": "One"})
        tracks.insert({"album": album})
        tracks.insert({"album": None})
        with pytest.raises(Conflict):
            tracks.insert({"album": album + 1})
        with pytest.raises(Conflict):
            albums.delete(album)
        assert (albums.count_where(), tracks.count_where()) == (1, 2)

    def test_deleting_cascades(self, database: Database) -> None:
        albums, tracks = _albums(database, "cascade")
        one, two = albums.insert({"title": "One"}), albums.insert({"title": "Two"})
        tracks.insert_all([{"album": one}, {"album": one}, {"album": two}])
        assert albums.delete(one)
        assert [row["album"] for row in tracks.rows_where()] == [two]

    def test_deleting_sets_null(self, database: Database) -> None:
        albums, tracks = _albums(database, "set null")
        tracks.insert({"album": albums.insert({"title": "One"})})
        albums.delete_where()
        assert [row["album"] for row in tracks.rows_where()] == [None]

    def test_a_table_can_refer_to_itself_but_not_to_nothing(self, database: Database) -> None:
        parent = Column("integer", references=ForeignKey("nodes", "id", "cascade"))
        nodes = database.table("nodes").create({"id": "integer", "parent": parent}, pk="id")
        root = nodes.insert({})
        nodes.insert({"parent": root})
        nodes.delete(root)
        assert nodes.count_where() == 0
        for reference in (ForeignKey("nowhere", "id"), ForeignKey("nodes", "other")):
            column = Column("integer", references=reference)
            refused(database.table("x").create, {"id": "integer", "node": column}, pk="id")

    def test_a_table_to_which_another_refers_is_not_dropped(self, database: Database) -> None:
        albums, tracks = _albums(database, "cascade")
        refused(albums.drop)
        assert database.tables() == ["albums", "tracks"]
        tracks.drop()
        albums.drop()
        assert database.tables() == []

    # Indexes

    def test_a_unique_index_is_kept(self, people: Table) -> None:
        people.create_index(["name", "-age"], unique=True)
        people.insert({"name": "Ann", "age": 1})
        people.insert({"name": "Ann", "age": 2})
        with pytest.raises(Conflict):
            people.insert({"name": "Ann", "age": 1})

    def test_a_partial_index_binds_only_its_rows(self, people: Table) -> None:
        people.create_index(["name"], unique=True, where="active")
        people.insert_all([{"name": "Ann", "active": False}, {"name": "Ann", "active": False}])
        people.insert({"name": "Ann", "active": True})
        with pytest.raises(Conflict):
            people.insert({"name": "Ann", "active": True})

    def test_a_unique_index_over_rows_that_break_it_is_refused(self, people: Table) -> None:
        people.insert_all([{"name": "Ann"}, {"name": "Ann"}])
        with pytest.raises(Conflict):
            people.create_index(["name"], unique=True)

    def test_indexes_have_names(self, people: Table) -> None:
        people.create_index(["name"]).create_index(["name"], name="another")
        refused(lambda: people.create_index(["age"], name="another"))
        refused(lambda: people.create_index(["name"]))
        refused(lambda: people.create_index([]))
        refused(lambda: people.create_index(["nothing"]))

    def test_an_index_of_long_names_can_be_made(self, database: Database) -> None:
        columns = [f"a_rather_long_name_of_a_column_{number}" for number in range(3)]
        table = database.table("a_rather_long_name_of_a_table").create(
            {"id": "integer", **dict.fromkeys(columns, "text")}, pk="id"
        )
        table.create_index(columns).create_index(columns[:2])

    # Names

    @pytest.mark.parametrize("name", _BAD_NAMES)
    def test_a_bad_table_name_is_refused(self, database: Database, name: str) -> None:
        refused(lambda: database.table(name))
        refused(lambda: database.enable_search(name, ["name"]))
        refused(lambda: database.search(name, "word"))

    @pytest.mark.parametrize("name", _BAD_COLUMNS)
    def test_a_bad_column_name_is_refused(
        self, database: Database, people: Table, name: str
    ) -> None:
        key = people.insert({"name": "Ann"})
        calls: list[Callable[[], object]] = [
            lambda: database.table("x").create({"id": "integer", name: "text"}, pk="id"),
            lambda: database.table("x").create({"id": "integer"}, pk=(name, "id")),
            lambda: people.add_column(name, "text"),
            lambda: people.create_index([name]),
            lambda: people.create_index(["-" + name]),
            lambda: people.create_index(["name"], name=name),
            lambda: people.insert({name: "x"}),
            lambda: people.insert_all([{name: "x"}]),
            lambda: people.upsert({"id": key, name: "x"}),
            lambda: people.update(key, {name: "x"}),
            lambda: database.enable_search("people", [name]),
        ]
        for call in calls:
            refused(call)
        reference = Column("integer", references=ForeignKey(name, "id"))
        refused(lambda: database.table("x").create({"id": "integer", "y": reference}, pk="id"))
        assert database.tables() == ["people"]
        assert people.count_where() == 1

    def test_words_of_sql_can_be_names(self, database: Database) -> None:
        table = database.table("order").create(
            {"group": "integer", "select": "text", "from": "text", "user": "text"}, pk="group"
        )
        table.create_index(["select", "-from"])
        table.add_column("where", "text")
        key = table.insert({"select": "a", "from": "b", "user": "c", "where": "d"})
        table.update(key, {"select": "x"})
        table.upsert({"group": key, "from": "y"})
        database.enable_search("order", ["select"])
        assert database.search("order", "x") == [
            {"group": key, "select": "x", "from": "y", "user": "c", "where": "d"}
        ]
        assert table.delete(key)

    def test_an_unknown_column_is_named(self, people: Table) -> None:
        error = refused(lambda: people.insert({"nmae": "Ann"}))
        assert "nmae" in error.message

    def test_the_schema_can_change_while_it_is_used(self, people: Table) -> None:
        key = people.insert({"name": "Ann"})
        refused(lambda: people.update(key, {"city": "Rome"}))
        people.add_column("city", "text")
        assert people.update(key, {"city": "Rome"})
        people.drop()
        people.create({"code": "text", "meta": "text"}, pk="code")
        assert people.insert({"code": "x", "meta": "no json"}) == "x"
        assert people.get("x") == {"code": "x", "meta": "no json"}


def _albums(database: Database, on_delete: Any) -> tuple[Table, Table]:
    albums = database.table("albums").create({"id": "integer", "title": "text"}, pk="id")
    album = Column("integer", references=ForeignKey("albums", "id", on_delete))
    return albums, database.table("tracks").create({"id": "integer", "album": album}, pk="id")
