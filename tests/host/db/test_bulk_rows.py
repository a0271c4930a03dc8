"""Many rows at once, which PostgreSQL takes another way than a few."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host.db import HostDatabase
from host.db.postgresql import PostgresqlEngine
from host.db.postgresql.bulk import WORTH_IT
from plugin_sdk import Column, Conflict, DatabaseUnavailable, Invalid

_MANY: Final = 2 * WORTH_IT
_TEXT: Final = st.text(
    st.sampled_from("ab\\\t\n\r\v.N'\"é\U0001f600\x01") | st.characters(codec="utf-8"), max_size=6
).filter(lambda text: "\0" not in text)
_ROW: Final = st.fixed_dictionaries(
    {
        "t": st.none() | _TEXT | st.sampled_from(["\\.", "\\N", "", "NULL", "\t"]),
        "n": st.none() | st.integers(-(2**63), 2**63 - 1),
        "r": st.none() | st.integers(-9, 9) | st.floats(allow_nan=False),
        "b": st.none() | st.booleans(),
        "d": st.none() | st.binary(max_size=5),
        "j": st.none() | st.lists(_TEXT, max_size=2) | st.dictionaries(_TEXT, st.integers()),
    }
)


@pytest.fixture
def things(database: HostDatabase) -> HostDatabase:
    columns: Any = {"t": "text", "n": "integer", "r": "real", "b": "boolean", "d": "blob"}
    database.table("things").create({"id": "integer", **columns, "j": "json"}, pk="id")
    database.table("names").create(
        {"id": "integer", "name": Column("text", null=False, unique=True)}, pk="id"
    )
    return database


def _names(first: int, number: int) -> list[dict[str, Any]]:
    return [{"id": each, "name": f"n{each}"} for each in range(first, first + number)]


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(_ROW, min_size=1, max_size=6))
def test_many_rows_are_kept_as_few_are(things: HostDatabase, rows: list[dict[str, Any]]) -> None:
    table = things.table("things")
    with things.transaction():
        table.delete_where()
        assert table.insert_all(rows) == len(rows)
        few = table.rows_where(order_by="id", select="t, n, r, b, d, j")
        table.delete_where()
        assert table.insert_all(rows * _MANY) == len(rows) * _MANY
        many = table.rows_where(order_by="id", select="t, n, r, b, d, j")
    assert repr(many) == repr(few * _MANY)


@pytest.mark.parametrize("column", ["t", "n", "r", "b", "d"])
@pytest.mark.parametrize("value", ["a\0", "\ud800", 2**63, -(2**63) - 1, float("nan"), 2, object()])
def test_a_value_that_fits_nowhere_is_refused_among_many(
    column: str, value: Any, things: HostDatabase
) -> None:
    good = {"t": "a", "n": 1, "r": 0.5, "b": True, "d": b"a"}[column]
    table = things.table("things")

    def outcome(*values: Any) -> object:
        try:
            return table.insert_all({column: each} for each in values)
        except Invalid as error:
            return error.message

    alone = outcome(value)
    assert outcome(*[good] * _MANY, value) == (_MANY + 1 if alone == 1 else alone)


@pytest.mark.parametrize("place", [0, 1, _MANY - 1])
def test_a_refused_row_takes_its_portion_along_and_nothing_else(
    place: int, things: HostDatabase
) -> None:
    names = things.table("names")
    rows = _names(10, _MANY)
    rows[place]["name"] = "taken"
    with things.transaction():
        names.insert({"name": "taken"})
        with pytest.raises(Conflict) as conflict:
            names.insert_all(rows)
        assert conflict.value.message == "This is taken already: names.name must be unique."
        assert names.count_where() == 1
        assert names.insert_all(_names(1000, _MANY)) == _MANY
    assert names.count_where() == _MANY + 1
    with pytest.raises(Conflict, match="needs a value"):
        names.insert_all([{"name": None}] * _MANY)
    with pytest.raises(Conflict):
        names.insert_all([{"id": each} for each in range(_MANY)])
    assert names.count_where() == _MANY + 1


def test_numbers_go_on_behind_the_greatest_that_was_given(things: HostDatabase) -> None:
    names = things.table("names")
    names.insert_all(reversed(_names(7, _MANY)))
    assert names.insert({"name": "next"}) == 7 + _MANY
    names.insert_all(_names(-_MANY, _MANY))
    assert names.insert({"name": "after"}) == 8 + _MANY
    names.insert_all({"name": f"drawn {each}"} for each in range(_MANY))
    assert names.insert({"name": "last"}) == 9 + 2 * _MANY


def test_writing_many_rows_is_refused_where_writing_is(things: HostDatabase) -> None:
    with things.snapshot(), pytest.raises(Invalid, match="snapshot"):
        things.table("names").insert_all(_names(1, _MANY))
    with things.transaction(), things.snapshot(), pytest.raises(Invalid, match="snapshot"):
        things.table("names").insert_all(_names(1, _MANY))
    assert things.table("names").count_where() == 0


def test_a_commit_of_many_rows_is_seen_to_have_changed(things: HostDatabase) -> None:
    before = things.change_counter()
    things.table("names").insert_all(_names(1, _MANY))
    assert things.change_counter() != before


class TestPostgresql:
    @pytest.fixture
    def engine(self, postgresql: PostgresqlEngine) -> PostgresqlEngine:
        return postgresql

    def test_a_view_takes_many_rows(self, things: HostDatabase) -> None:
        things.execute("CREATE VIEW shown AS SELECT id, name FROM names")
        assert things.table("shown").insert_all(_names(1, _MANY)) == _MANY

    def test_a_connection_that_is_lost_amid_many_rows(
        self, things: HostDatabase, ask: Callable[..., Any]
    ) -> None:
        names = things.table("names")

        def lose() -> None:
            with things.transaction():
                names.insert_all(_names(1, _MANY))
                ask(
                    "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
                names.insert_all(_names(1000, _MANY))

        with pytest.raises(DatabaseUnavailable):
            lose()
        assert names.count_where() == 0
        assert names.insert_all(_names(1, _MANY)) == _MANY
