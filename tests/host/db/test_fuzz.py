"""Any value, any text, any order of changes: compared with what plain Python says."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host.db import HostDatabase
from host.db.search import fold
from host.testing import open_engine
from plugin_sdk import ColumnType, Conflict, Invalid

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
INTEGERS = st.integers(-(2**63), 2**63 - 1)
REALS = st.floats(allow_nan=False)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | FINITE | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
COLUMNS: dict[str, ColumnType] = {
    "a_integer": "integer",
    "a_real": "real",
    "a_text": "text",
    "a_blob": "blob",
    "a_boolean": "boolean",
    "a_json": "json",
}
ROWS = st.fixed_dictionaries(
    {},
    optional={
        "a_integer": st.none() | INTEGERS,
        "a_real": st.none() | REALS,
        "a_text": st.none() | TEXTS,
        "a_blob": st.none() | st.binary(max_size=300),
        "a_boolean": st.none() | st.booleans(),
        "a_json": JSON,
    },
)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostDatabase]:
    """One database for all examples of a property."""
    engine = open_engine(tmp_path_factory.mktemp("data"), "normal")
    database = engine.open("example.plugin")
    database.table("things").create(COLUMNS, pk="id")
    database.table("texts").create({"id": "integer", "a": "text", "b": "text"}, pk="id")
    database.enable_search("texts", ["a", "b"])
    yield database
    engine.close()


def _same(stored: Any, value: Any) -> bool:
    return type(stored) is type(value) and stored == value


@settings(max_examples=200, deadline=None)
@given(row=ROWS)
def test_any_row_comes_back(database: HostDatabase, row: dict[str, Any]) -> None:
    things = database.table("things")
    key = things.insert(row)
    stored = things.get(key)
    assert stored is not None
    for name in COLUMNS:
        assert _same(stored[name], row.get(name)), name
    assert database.one("SELECT * FROM things WHERE id = :id", {"id": key}) == stored
    assert next(database.iterate("SELECT * FROM things WHERE id = :id", {"id": key})) == stored
    assert things.update(key, row)
    assert things.upsert({"id": key, **row}) == key
    assert things.get(key) == stored


@settings(max_examples=200, deadline=None)
@given(value=st.none() | st.booleans() | INTEGERS | REALS | TEXTS | st.binary(max_size=300))
def test_any_parameter_is_compared_as_it_is(database: HostDatabase, value: Any) -> None:
    got = database.value("SELECT :value", {"value": value})
    assert got == value or (isinstance(value, float) and math.isinf(value) and got == value)


@settings(max_examples=200, deadline=None)
@given(
    value=st.integers(max_value=-(2**63) - 1) | st.integers(min_value=2**63) | st.just(math.nan)
    | st.builds(lambda a, b: f"{a}\0{b}", TEXTS, TEXTS)
    | st.builds(lambda a, b: f"{a}\ud800{b}", TEXTS, TEXTS)
)  # fmt: skip
def test_any_value_that_cannot_be_kept_is_refused(database: HostDatabase, value: Any) -> None:
    with pytest.raises(Invalid):
        database.value("SELECT :value", {"value": value})
    with pytest.raises(Invalid):
        database.table("things").insert({"a_json" if value != value else "a_text": value})


@settings(max_examples=150, deadline=None)
@given(name=st.text(max_size=20))
def test_any_name_is_an_identifier_or_refused(database: HostDatabase, name: str) -> None:
    try:
        rows = database.table(name).rows_where()
    except Invalid:
        assert not (name.isascii() and name.isidentifier() and name.islower()) or name.startswith(
            ("sqlite_", "pg_")
        )
    else:
        assert rows == [] or name in ("things", "texts")


# Letters of scripts whose case SQLite's tokenizer knows, with the odd ones among them.
_LETTERS = "abcSKks ÄäßẞÉéÅåÅΣσςΩωΩЖжİıſKÇçŁłﬁ夜に駆\U0001f600'\"%_*-()"
_WORDY = st.text(st.sampled_from(_LETTERS), max_size=14)


@settings(max_examples=150, deadline=None)
@given(rows=st.lists(st.tuples(_WORDY, st.none() | _WORDY), max_size=8), text=_WORDY)
def test_search_finds_what_plain_python_finds(
    database: HostDatabase, rows: list[tuple[str, str | None]], text: str
) -> None:
    table = database.table("texts")
    with database.transaction():
        table.delete_where()
        table.insert_all({"a": a, "b": b} for a, b in rows)
    for wanted in {text, *(part for row in rows for part in (row[0][2:6], (row[1] or "")[:2]))}:
        words = [fold(word) for word in wanted.split()]
        expected = [
            row
            for row in rows
            if all(any(word in fold(part or "") for part in row) for word in words)
        ]
        found = database.search("texts", wanted, limit=100)
        assert [(row["a"], row["b"]) for row in found] == expected


_CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["insert", "upsert", "update", "delete", "fail"]),
        st.integers(1, 6),
        st.text(st.sampled_from("abc"), max_size=5),
    ),
    max_size=25,
)


@settings(max_examples=80, deadline=None)
@given(blocks=st.lists(st.tuples(_CHANGES, st.booleans()), max_size=5))
def test_any_changes_leave_what_a_dictionary_has(
    database: HostDatabase, blocks: list[tuple[list[tuple[str, int, str]], bool]]
) -> None:
    """Blocks of changes, each kept or undone, also nested in one transaction."""
    table = database.table("texts")
    table.delete_where()
    model: dict[int, str] = {}
    with database.transaction():
        for changes, kept in blocks:
            before = dict(model)
            try:
                with database.transaction():
                    for change in changes:
                        _apply(database, model, *change)
                    if not kept:
                        raise LookupError
            except LookupError:
                model = before
    assert {row["id"]: row["a"] for row in table.rows_where()} == model
    for text in ("aaa", "ab", "bca"):
        found = {row["id"] for row in database.search("texts", text)}
        assert found == {key for key, value in model.items() if text in value}


def _apply(database: HostDatabase, model: dict[int, str], change: str, key: int, text: str) -> None:
    table = database.table("texts")
    if change == "insert":
        try:
            table.insert({"id": key, "a": text})
        except Conflict:
            assert key in model
        else:
            assert key not in model
            model[key] = text
    elif change == "upsert":
        table.upsert({"id": key, "a": text})
        model[key] = text
    elif change == "update":
        assert table.update(key, {"a": text}) == (key in model)
        if key in model:
            model[key] = text
    elif change == "delete":
        assert table.delete(key) == (model.pop(key, None) is not None)
    else:
        with pytest.raises(Invalid):
            database.execute("UPDATE texts SET nothing = 1")
