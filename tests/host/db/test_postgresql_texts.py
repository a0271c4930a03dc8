from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.db import HostDatabase
from host.db.postgresql import PostgresqlEngine
from host.db.postgresql.texts import Texts, named, positional
from host.db.postgresql.wire import reason_of
from plugin_sdk import Invalid

pytestmark = pytest.mark.one_engine


@pytest.mark.parametrize(
    ("sql", "translated", "names"),
    [
        ("SELECT :a", "SELECT $1", "a"),
        ("SELECT :a, :b, :a", "SELECT $1, $2, $1", "a b"),
        ("SELECT :a::text", "SELECT $1::text", "a"),
        ("SELECT x::int, :x", "SELECT x::int, $1", "x"),
        ("SELECT ':a', :a", "SELECT ':a', $1", "a"),
        ("SELECT 'it''s :a', :b", "SELECT 'it''s :a', $1", "b"),
        ("SELECT '\\', :a", "SELECT '\\', $1", "a"),
        ("SELECT E'\\' :a', :b", "SELECT E'\\' :a', $1", "b"),
        ("SELECT name'x:y'", "SELECT name'x:y'", ""),
        ('SELECT ":a" FROM t', 'SELECT ":a" FROM t', ""),
        ('SELECT "say "":a""" , :b', 'SELECT "say "":a""" , $1', "b"),
        ("SELECT 1 -- :a\n, :b", "SELECT 1 -- :a\n, $1", "b"),
        ("SELECT 1 /* :a */, :b", "SELECT 1 /* :a */, $1", "b"),
        ("SELECT /* /* :a */ :b */ :c", "SELECT /* /* :a */ :b */ $1", "c"),
        ("SELECT 1 /* :a", "SELECT 1 /* :a", ""),
        ("SELECT $$:a$$, :b", "SELECT $$:a$$, $1", "b"),
        ("SELECT $x$ :a $$ $x$, :b", "SELECT $x$ :a $$ $x$, $1", "b"),
        ("SELECT a[1:2], :b", "SELECT a[1:2], $1", "b"),
        ("SELECT 5 % 2, :a LIKE '10%'", "SELECT 5 % 2, $1 LIKE '10%'", "a"),
        ("SELECT a ? 'x', '%s', '%(a)s'", "SELECT a ? 'x', '%s', '%(a)s'", ""),
        ("SELECT :ä_1", "SELECT $1", "ä_1"),
        ("SELECT (:a)", "SELECT ($1)", "a"),
    ],
)
def test_names_become_numbers(sql: str, translated: str, names: str) -> None:
    text = named(sql)
    assert text.sql.decode() == translated
    assert text.names == tuple(names.split())


def test_values_come_in_the_order_of_the_numbers() -> None:
    assert named("SELECT :b, :a, :b").values({"a": 1, "b": 2, "c": 3}) == [2, 1]
    with pytest.raises(Invalid) as caught:
        named("SELECT :b").values({"a": 1})
    assert ":b" in caught.value.message


def test_marks_become_numbers() -> None:
    assert positional("SELECT ? + ?").sql == b"SELECT $1 + $2"
    assert positional("SELECT 1").sql == b"SELECT 1"


@pytest.mark.parametrize("sql", ["SELECT '\0'", "SELECT '\ud800'"])
def test_texts_that_cannot_be_sent_are_refused(sql: str) -> None:
    with pytest.raises(Invalid):
        named(sql)


def test_few_texts_are_kept() -> None:
    texts = Texts()
    one = texts.named("SELECT :a")
    assert texts.named("SELECT :a") is one
    for number in range(5000):
        assert texts.named(f"SELECT {number}").sql == b"SELECT %d" % number
    assert len(texts._named) <= 2000


# Against the server: whatever stands in literals, names and comments is left as it is.

_PARTS = st.sampled_from(
    ["'", "''", "\\", ":a", ":b", "::", "--", "/*", "*/", '"', "$$", "%", "?", "x", " ", "\n"]
)
_ODD = st.lists(_PARTS, max_size=8).map("".join)


@given(text=_ODD, name=_ODD.filter(lambda name: 0 < len(name.encode()) < 60), comment=_ODD)
def test_the_server_sees_what_was_meant(
    scratch: HostDatabase, text: str, name: str, comment: str
) -> None:
    comment = comment.replace("*/", "").replace("/*", "").rstrip("/*")
    literal = "'" + text.replace("'", "''") + "'"
    column = '"' + name.replace('"', '""') + '"'
    sql = f"SELECT {literal} AS {column} /*{comment} */, :a AS given -- {comment!r} :b"
    row: Any = scratch.one(sql, {"a": text})
    assert list(row.values()) == [text, text]
    assert next(iter(row)) == name


@pytest.fixture(scope="module")
def scratch(postgresql_server: Any) -> Any:
    engine = PostgresqlEngine(postgresql_server.url())
    yield engine.open("example.plugin")
    engine.close()


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (
            'connection failed: connection to server at "127.0.0.1", port 1 failed: Connection '
            "refused\n\tIs the server running on that host and accepting TCP/IP connections?",
            "Connection refused",
        ),
        ('FATAL:  database "x" does not exist', 'database "x" does not exist'),
        (
            'connection failed: connection to server at "::1", port 1 failed: FATAL:  the database '
            "system is not yet accepting connections\nDETAIL:  Consistent recovery state has not "
            "been yet reached.\nHINT:  Wait.",
            "the database system is not yet accepting connections",
        ),
        (
            "consuming input failed: server closed the connection unexpectedly\n\tThis probably "
            "means the server terminated abnormally\n\tbefore or while processing the request.",
            "server closed the connection unexpectedly",
        ),
        ("failed to resolve host 'x': Name unknown.", "failed to resolve host 'x': Name unknown"),
        ("Why?", "Why?"),
        ("", "the connection was closed"),
    ],
)
def test_the_reason_is_told_and_no_question(message: str, reason: str) -> None:
    assert reason_of(message) == reason
