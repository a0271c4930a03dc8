"""What a fake context keeps, a real host keeps alike: data, blobs, paths."""

from __future__ import annotations

import io
import threading
from contextlib import suppress
from typing import Any

from plugin_sdk import (
    Context,
    Invalid,
    NotFound,
    TooLarge,
)
from tests.sdk.testing.honesty.boards import refused


def test_data(context: Context) -> None:
    data = context.data
    for key in ("b", "a", "a/b", "\U00010000", "\ufffd", "é", "B"):
        data.set(key, {"key": [key]})
    assert data.keys() == ["B", "a", "a/b", "b", "é", "\ufffd", "\U00010000"]
    assert list(data.items("a")) == [("a", {"key": ["a"]}), ("a/b", {"key": ["a/b"]})]
    data.get("a")["key"].append("changed")
    assert data.get("a") == {"key": ["a"]}
    data.set("none", None)
    assert data.get("none", 1) is None
    assert data.get("missing", 1) == 1
    assert (data.delete("a"), data.delete("a")) == (True, False)
    assert (data.clear(), data.clear()) == (7, 0)


def test_data_in_scopes(context: Context) -> None:
    data = context.data
    data.set("a", "local")
    data.scope("server", "1").set("a", "server")
    data.scope("profile", 1).set("a", "profile")
    assert data.scope("local").get("a") == "local"
    assert data.scope("server", "1").keys() == ["a"]
    assert data.scope("profile", "1").get("a") == "profile"
    assert data.scope("server", "2").keys() == []
    refused(
        Invalid,
        lambda: data.scope("server"),
        lambda: data.scope("profile", ""),
        lambda: data.scope("local", "x"),
        lambda: data.scope("galaxy", "x"),  # type: ignore[arg-type]
        lambda: data.scope("server", "a\n"),
        lambda: data.scope("server", "a" * 256),
    )


def test_data_that_arerefused(context: Context) -> None:
    data = context.data
    for key in ("", "a" * 256, "a\n", "\x7f", "\x85", "\ud800"):
        refused(
            Invalid,
            lambda key=key: data.get(key),
            lambda key=key: data.set(key, 1),
            lambda key=key: data.delete(key),
        )
    refused(Invalid, lambda: data.set("a", object()), lambda: data.set("a", float("inf")))
    data.set("a", "é" * (2 * 1024 * 1024 - 1))
    refused(TooLarge, lambda: data.set("a", "é" * (2 * 1024 * 1024)))


def test_transactions_of_data_and_database_are_one(context: Context) -> None:
    table = context.db.table("sounds")
    for begin in (context.data.transaction, context.db.transaction):
        with suppress(ZeroDivisionError), begin():
            context.data.set("a", 1)
            table.insert({"label": "lost"})
            context.events.emit("board.lost")
            raise ZeroDivisionError
    assert (context.data.keys(), table.count_where()) == ([], 0)
    with context.data.transaction():
        context.data.set("a", 1)
        with suppress(ZeroDivisionError), context.db.transaction():
            context.data.set("a", 2)
            table.insert({"label": "lost"})
            raise ZeroDivisionError
        table.insert({"label": "kept"})
    assert context.data.get("a") == 1
    assert [row["label"] for row in table.rows_where()] == ["kept"]


def test_others_read_what_is_committed(context: Context) -> None:
    context.data.set("a", "old")
    seen: list[Any] = []
    with context.data.transaction():
        context.data.set("a", "new")
        reader = threading.Thread(target=lambda: seen.append(context.data.get("a")))
        reader.start()
        reader.join(60)
    assert seen == ["old"]


def test_blobs(context: Context) -> None:
    blobs = context.blobs
    info = blobs.put("a/b", b"12345", "text/plain")
    assert (info.key, info.size, info.content_type) == ("a/b", 5, "text/plain")
    assert blobs.get("a/b").info == info
    blobs.put("c", io.BytesIO(b""))
    assert [each.key for each in blobs.list()] == ["a/b", "c"]
    assert [each.key for each in blobs.list("a/")] == ["a/b"]
    assert [each.key for each in blobs.list(after="a/b", limit=1)] == ["c"]
    assert blobs.read("a/b") == b"12345"
    with blobs.get("a/b").open(1, 2) as stream:
        assert stream.read() == b"23"
    assert (blobs.exists("c"), blobs.delete("c"), blobs.delete("c")) == (True, True, False)
    assert not blobs.exists("c")
    refused(NotFound, lambda: blobs.get("c"), lambda: blobs.read("c"))
    for key in ("", "/a", "a/", "../a", "a\\b", "a\0"):
        refused(
            Invalid,
            lambda key=key: blobs.put(key, b""),
            lambda key=key: blobs.get(key),
            lambda key=key: blobs.delete(key),
        )


def test_paths(context: Context) -> None:
    (context.paths.data / "file").write_text("x")
    assert (context.paths.data / "file").read_text() == "x"
    with context.paths.temporary() as folder:
        assert list(folder.iterdir()) == []
        (folder / "file").write_text("x")
    assert not folder.exists()


def test_migrations_have_run(context: Context) -> None:
    assert context.db.tables() == ["sounds"]
