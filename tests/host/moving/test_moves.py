"""Everything from one engine into another: here from files into files."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.app import Host
from host.config import load_config
from host.db import KeyValueData, SqliteEngine
from host.moving import move, refuse_unfinished
from host.moving.tables import copy_table
from plugin_sdk import Column, Conflict, ForeignKey, Invalid, Migration, NotFound


def no_progress(_what, _done, _total):
    """For commands that nobody watches."""


@pytest.fixture
def engines(tmp_path):
    made = [SqliteEngine(tmp_path / "from"), SqliteEngine(tmp_path / "to")]
    yield made
    for engine in made:
        engine.close()


def fill(engine):
    host = engine.open("host")
    host.migrate([Migration("one", lambda db: db.table("t").create({"a": "text"}, pk="a"))])
    host.table("t").insert({"a": "x"})
    plugin = engine.open("songs")
    KeyValueData(plugin).set("key", {"a": [1, None]})
    albums = plugin.table("albums").create(
        {
            "id": "integer",
            "title": Column("text", null=False, default="it's"),
            "parent": Column("integer", references=ForeignKey("albums", "id", "cascade")),
            "rating": Column("real", default=0.5),
            "seen": Column("boolean", null=False, default=True),
            "cover": "blob",
            "extra": Column("json", default='{"a": 1}'),
        },
        pk="id",
        unique=[["title", "rating"]],
    )
    albums.create_index(["-rating", "title"], where="seen AND title <> ') WHERE'", name="best")
    plugin.table("a_songs").create(  # sorts before what it refers to
        {
            "album": Column("integer", references=ForeignKey("albums", "id", "cascade")),
            "number": "integer",
            "text": Column("text", unique=True),
        },
        pk=["album", "number"],
    )
    plugin.enable_search("albums", ["title"])
    albums.insert({"id": 1, "title": "Füße", "parent": None, "cover": b"\0\xff", "extra": [1.0]})
    albums.insert({"id": 2, "title": "zwei", "seen": False, "rating": 2**0.5, "extra": None})
    albums.update(1, {"parent": 2})
    albums.insert({"title": "three"})
    albums.delete(3)
    plugin.table("a_songs").insert({"album": 1, "number": 1, "text": "la"})


def test_everything_arrives(engines):
    source, target = engines
    fill(source)
    before = {name: source.open(name).describe() for name in ("host", "songs")}
    moved = move(source, target, "me", no_progress)
    assert (moved.databases, moved.tables, moved.rows) == (2, 5, 6)
    assert {name: target.open(name).describe() for name in ("host", "songs")} == before
    assert {name: source.open(name).describe() for name in ("host", "songs")} == before
    plugin = target.open("songs")
    for table in ("albums", "a_songs"):
        rows = source.open("songs").table(table).rows_where(order_by="1")
        assert plugin.table(table).rows_where(order_by="1") == rows
    assert KeyValueData(plugin).get("key") == {"a": [1, None]}
    assert [row["id"] for row in plugin.search("albums", "füß")] == [1]
    assert plugin.table("albums").insert({"title": "four"}) == 4  # 3 is never used again
    assert [row["id"] for row in plugin.search("albums", "four")] == [4]
    with pytest.raises(Conflict):
        plugin.table("a_songs").insert({"album": 99, "number": 1})
    plugin.table("albums").delete(1)
    assert plugin.table("a_songs").count_where() == 0
    assert target.open("host").migrate([Migration("one", lambda db: 1 / 0)]) == []
    refuse_unfinished(target)


def test_there_and_back_again(engines, tmp_path):
    source, target = engines
    fill(source)
    move(source, target, "me", no_progress)
    third = SqliteEngine(tmp_path / "back")
    try:
        move(target, third, "other", no_progress)
        for name in ("host", "songs"):
            assert third.open(name).describe() == source.open(name).describe()
    finally:
        third.close()


class Crash(BaseException):
    """The process is gone."""


@pytest.mark.parametrize("at", range(6))
def test_a_move_that_was_cut_short_goes_on(at, engines, monkeypatch):
    source, target = engines
    fill(source)
    calls = []

    def copy(one, two, table, progress):
        calls.append(table.name)
        copy_table(one, two, table, progress)
        if len(calls) == at + 1:
            raise Crash

    with monkeypatch.context() as patch:
        patch.setattr("host.moving.transfer.copy_table", copy)
        if at < 5:
            with pytest.raises(Crash):
                move(source, target, "me", no_progress)
            with pytest.raises(Conflict, match="unfinished"):
                refuse_unfinished(target)
            with pytest.raises(Conflict, match="unfinished move of other data"):
                move(source, target, "somebody else", no_progress)
        moved = move(source, target, "me", no_progress)
    assert moved.rows == 6
    assert len(calls) == (6 if at < 5 else 5)  # only what was cut short is done again
    assert target.open("songs").describe() == source.open("songs").describe()


def test_no_command_works_on_a_half_moved_target(engines, tmp_path, monkeypatch):
    """It would make tables there, which the move then finds in its way."""
    source, target = engines
    fill(source)
    with monkeypatch.context() as patch:
        patch.setattr("host.moving.transfer.copy_table", _crash)
        with pytest.raises(Crash):
            move(source, target, "me", no_progress)
    config = load_config({"data_dir": str(tmp_path / "to"), "database": ""}, {})
    host = Host(config, env={}, log_file=False, log_stream=None)
    try:
        with pytest.raises(Conflict, match="unfinished `stagebox migrate`"):
            host.open()
    finally:
        host.stop()
    assert move(source, target, "me", no_progress).rows == 6


def _crash(*_arguments):
    raise Crash


@pytest.mark.parametrize("at", range(2))
def test_a_crash_while_the_marks_are_taken_away(at, engines, monkeypatch):
    from host.db.marks import Marks

    source, target = engines
    fill(source)
    end, count = Marks.end, []

    def ending(self):
        count.append(1)
        if len(count) == at + 1:
            raise Crash
        end(self)

    with monkeypatch.context() as patch:
        patch.setattr(Marks, "end", ending)
        with pytest.raises(Crash):
            move(source, target, "me", no_progress)
    assert move(source, target, "me", no_progress).rows == 6
    assert target.open("songs").describe() == source.open("songs").describe()
    refuse_unfinished(target)


def test_a_target_that_holds_anything_is_refused_and_stays(engines):
    source, target = engines
    fill(source)
    target.open("other").table("t").create({"a": "text"}, pk="a")
    with pytest.raises(Conflict, match="must be empty"):
        move(source, target, "me", no_progress)
    assert not target.exists("host")
    target.drop("other")
    target.open("songs").table("t").create({"a": "text"}, pk="a")
    with pytest.raises(Conflict, match="must be empty"):
        move(source, target, "me", no_progress)
    assert target.open("songs").tables() == ["t"]


def test_a_move_twice_is_refused(engines):
    source, target = engines
    fill(source)
    move(source, target, "me", no_progress)
    with pytest.raises(Conflict, match="must be empty"):
        move(source, target, "me", no_progress)


def test_nothing_to_move_is_said(engines):
    with pytest.raises(NotFound, match="nothing to move"):
        move(*engines, "me", no_progress)


def test_a_source_that_is_written_to_is_noticed(engines, monkeypatch):
    source, target = engines
    fill(source)

    def copy(one, two, table, progress):
        copy_table(one, two, table, progress)
        if table.name == "albums":
            one.table("albums").update(2, {"title": "changed"})

    monkeypatch.setattr("host.moving.transfer.copy_table", copy)
    monkeypatch.setattr(type(source.open("songs")), "snapshot", _no_snapshot)
    with pytest.raises(Conflict, match="albums differs from the source"):
        move(source, target, "me", no_progress)
    with pytest.raises(Conflict, match="unfinished"):
        refuse_unfinished(target)


def _no_snapshot(_self):
    from contextlib import nullcontext

    return nullcontext()


@pytest.mark.parametrize(
    ("sql", "what"),
    [
        ("CREATE VIEW v AS SELECT 1 AS one", "the view v"),
        ("CREATE TABLE r (a INTEGER PRIMARY KEY, b TEXT CHECK (b <> ''))", "a rule of its own"),
        ("CREATE TABLE r (a TEXT PRIMARY KEY, b)", "the column b without a type"),
        ("CREATE TABLE r (a TEXT PRIMARY KEY, b TEXT DEFAULT CURRENT_TIMESTAMP)", "the default"),
        ("CREATE TABLE r (a TEXT)", "no primary key"),
        ("CREATE INDEX i ON albums (lower(title))", "over an expression"),
    ],
)
def test_what_no_words_of_the_sdk_made_is_said_before_anything_is_written(engines, sql, what):
    source, target = engines
    fill(source)
    source.open("songs").execute(sql)
    with pytest.raises(Invalid, match=what):
        move(source, target, "me", no_progress)


def test_a_circle_of_tables_is_said(engines):
    source, target = engines
    fill(source)
    plugin = source.open("songs")
    reference = Column("integer", references=ForeignKey("a_songs", "number"))
    plugin.table("a_songs").create_index(["number"], unique=True)
    plugin.table("albums").add_column("best", reference)
    with pytest.raises(Invalid, match="a_songs, albums refer to each other"):
        move(source, target, "me", no_progress)


@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
            st.one_of(st.none(), st.floats(allow_nan=False)),
            st.one_of(st.none(), st.text(st.characters(exclude_characters="\0", codec="utf-8"))),
            st.one_of(st.none(), st.binary()),
            st.one_of(st.none(), st.booleans()),
            st.recursive(
                st.one_of(st.integers(-(10**15), 10**15), st.booleans(), st.text('aü\n"\\')),
                lambda inner: st.lists(inner) | st.dictionaries(st.text("ab"), inner),
                max_leaves=5,
            ),
        ),
        max_size=20,
    )
)
def test_all_values_arrive(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("values")
    source, target = SqliteEngine(folder / "a"), SqliteEngine(folder / "b")
    try:
        source.open("host").table("t").create({"a": "text"}, pk="a")
        types = ("integer", "real", "text", "blob", "boolean", "json")
        columns = {"id": "integer", **{f"c_{name}": name for name in types}}
        table = source.open("many").table("values_of").create(columns, pk="id")
        table.insert_all(dict(zip(list(columns)[1:], row, strict=True)) for row in rows)
        move(source, target, "me", no_progress)
        arrived = target.open("many").table("values_of").rows_where(order_by="id")
        assert arrived == table.rows_where(order_by="id")
    finally:
        source.close()
        target.close()
