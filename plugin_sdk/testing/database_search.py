"""Substring search over text columns."""

# ruff: noqa: PT012 (what a block does before it raises is what is tested)

from __future__ import annotations

from typing import Any

import pytest

from plugin_sdk.database import Column, Database, ForeignKey, Table
from plugin_sdk.errors import NotFound
from plugin_sdk.testing.database_case import DatabaseCase, refused

__all__ = ["SearchTests"]

_SONGS: tuple[tuple[str, str | None], ...] = (
    ("Yellow Submarine", "The Beatles"),
    ("Yesterday", "The Beatles"),
    ("Über den Wolken", "Reinhard Mey"),
    ("Το Καλοκαίρι ΣΟΦΟΣ", "Ελλάδα"),
    ("100% love_song", 'O\'Neil "Q"'),
    ("ЧЁРНЫЙ кот", None),
    ("夜に駆ける", "YOASOBI"),
    ("a*b AND (c) OR NOT d:e ^f", "NEAR"),
    ("Straße", "ŁÓDŹ"),
    ("\U0001f600\U0001f3b5\U0001f3b6 smile", "emoji"),
)


class SearchTests(DatabaseCase):
    @pytest.fixture
    def songs(self, database: Database) -> Table:
        """A table with a search over two of its columns, and rows."""
        table = database.table("songs").create(
            {"id": "integer", "title": "text", "artist": "text", "year": "integer"}, pk="id"
        )
        for year, (title, artist) in enumerate(_SONGS):
            table.insert({"title": title, "artist": artist, "year": year})
        database.enable_search("songs", ["title", "artist"])
        return table

    @pytest.mark.parametrize(
        ("text", "years"),
        [
            ("yellow", [0]), ("YELLOW", [0]), ("ellow Sub", [0]), ("sub yel", [0]),
            ("yellow beatles", [0]),
            ("Beatles", [0, 1]), ("yellow yesterday", []), ("the  beatles\tyester", [1]),
            ("nothing", []),
            ("über", [2]), ("ÜBER", [2]), ("uber", []), ("wolken mey", [2]),
            ("σοφοσ", [3]), ("σοφος", [3]), ("ΣΟΦ", [3]), ("καλοκαίρι", [3]), ("ΕΛΛΆΔΑ", [3]),
            ("100%", [4]), ("%", [4]), ("_", [4]), ("love_s", [4]), ("o'neil", [4]), ('"q"', [4]),
            ('"', [4]),
            ("чёрный", [5]), ("ЧЁР КОТ", [5]), ("чЁ", [5]), ("夜", [6]), ("夜に駆", [6]),
            ("駆ける yoa", [6]),
            ("and", [7]), ("a*b", [7]), ("(c)", [7]), ("d:e", [7]), ("*", [7]), ("^f", [7]),
            ("near", [7]),
            ("or not", [7]), ("straße", [8]), ("STRAßE", [8]), ("strasse", []), ("łódź", [8]),
            ("łó", [8]),
            ("\U0001f600\U0001f3b5\U0001f3b6", [9]), ("\U0001f600", [9]), ("\U0001f3b6 SMILE", [9]),
            ("ye", [0, 1]), ("ye b", [0, 1]), ("S", [0, 1, 4, 6, 8, 9]), ("Σ", [3]),
        ],
    )  # fmt: skip
    def test_words_are_found_whatever_their_case(
        self, database: Database, songs: Table, text: str, years: list[int]
    ) -> None:
        assert [row["year"] for row in database.search("songs", text)] == years

    def test_rows_are_whole_and_in_the_order_of_their_keys(
        self, database: Database, songs: Table
    ) -> None:
        assert database.search("songs", "beatles") == songs.rows_where("year < 2", order_by="id")

    @pytest.mark.parametrize("text", ["", " ", "\t\n"])
    def test_no_word_finds_all(self, database: Database, songs: Table, text: str) -> None:
        assert len(database.search("songs", text)) == len(_SONGS)

    def test_conditions_order_and_pages(self, database: Database, songs: Table) -> None:
        songs.insert_all({"title": f"Yellow {n}", "year": 100 + n} for n in range(20))

        def years(text: str, **rest: Any) -> list[int]:
            return [row["year"] for row in database.search("songs", text, **rest)]

        assert years("yellow", where="year >= :low OR id < 0", params={"low": 117}) == [
            117,
            118,
            119,
        ]
        assert years("yellow", order_by="year DESC", limit=3) == [119, 118, 117]
        assert years("ye", order_by="year DESC", limit=2, offset=20) == [1, 0]
        assert years("yellow", limit=0) == []
        assert years("", where="year > 117", order_by="title DESC") == [119, 118]
        for page in ({"limit": -1}, {"offset": "1"}):
            refused(years, "yellow", **page)
        for where in ("nothing = 1", "year = :missing", "("):
            refused(years, "yellow", where=where)

    def test_fifty_unless_told_otherwise(self, database: Database, songs: Table) -> None:
        songs.insert_all({"title": "again and again"} for _ in range(60))
        assert len(database.search("songs", "again")) == 50
        assert len(database.search("songs", "again", limit=100)) == 60

    def test_it_follows_every_change(self, database: Database, songs: Table) -> None:
        def found(text: str) -> int:
            return len(database.search("songs", text))

        key = songs.insert({"title": "needle", "artist": "hay"})
        assert found("needle") == 1
        songs.update(key, {"title": "thread"})
        assert (found("needle"), found("thread"), found("hay")) == (0, 1, 1)
        songs.update(key, {"artist": None})
        assert (found("hay"), found("thread")) == (0, 1)
        songs.upsert({"id": key, "title": "needle again"})
        assert (found("needle"), found("thread")) == (1, 0)
        songs.update(key, {"id": key + 100})
        assert [row["id"] for row in database.search("songs", "needle")] == [key + 100]
        songs.update(key + 100, {"year": 5})
        assert found("needle") == 1
        database.execute("UPDATE songs SET title = 'thimble' WHERE title = 'needle again'")
        assert (found("needle"), found("thimble")) == (0, 1)
        songs.delete(key + 100)
        assert found("thimble") == 0
        songs.insert_all([{"title": "needle"}, {"title": "needle"}])
        songs.delete_where("title = 'needle'")
        assert found("needle") == 0
        songs.delete_where()
        assert (found("beatles"), found("")) == (0, 0)

    def test_it_is_undone_with_its_transaction(self, database: Database, songs: Table) -> None:
        with pytest.raises(NotFound), database.transaction():
            songs.insert({"title": "needle"})
            songs.delete_where("title = 'Yesterday'")
            assert len(database.search("songs", "needle")) == 1
            assert database.search("songs", "yesterday") == []
            raise NotFound
        assert database.search("songs", "needle") == []
        assert len(database.search("songs", "yesterday")) == 1

    def test_it_follows_a_cascade(self, database: Database, people: Table) -> None:
        owner = Column("integer", references=ForeignKey("people", "id", "cascade"))
        notes = database.table("notes").create(
            {"id": "integer", "owner": owner, "text": "text"}, pk="id"
        )
        database.enable_search("notes", ["text"])
        key = people.insert({"name": "Ann"})
        notes.insert_all({"owner": key, "text": f"needle {n}"} for n in range(3))
        people.delete(key)
        assert database.search("notes", "needle") == []

    def test_a_table_with_a_text_key(self, database: Database) -> None:
        table = database.table("pages").create({"path": "text", "body": "text"}, pk="path")
        database.enable_search("pages", ["path", "body"])
        table.insert_all([{"path": "/b", "body": "needle"}, {"path": "/a", "body": "Needle"}])
        assert [row["path"] for row in database.search("pages", "needle")] == ["/a", "/b"]
        table.update("/b", {"path": "/needle"})
        assert len(database.search("pages", "/needle")) == 1
        table.delete("/needle")
        assert [row["path"] for row in database.search("pages", "needle")] == ["/a"]

    def test_enabling_it_again_changes_the_columns(self, database: Database, songs: Table) -> None:
        database.enable_search("songs", ["title", "artist"])
        assert len(database.search("songs", "beatles")) == 2
        database.enable_search("songs", ["title"])
        assert database.search("songs", "beatles") == []
        assert len(database.search("songs", "yellow")) == 1
        songs.insert({"title": "needle", "artist": "thread"})
        assert (len(database.search("songs", "needle")), database.search("songs", "thread")) == (
            1,
            [],
        )

    def test_what_cannot_be_searched_is_refused(self, database: Database, people: Table) -> None:
        refused(lambda: database.search("people", "ann"))
        refused(lambda: database.search("nowhere", "ann"))
        refused(lambda: database.enable_search("nowhere", ["name"]))
        refused(lambda: database.enable_search("people", []))
        refused(lambda: database.enable_search("people", ["nothing"]))
        refused(lambda: database.enable_search("people", ["age"]))
        database.table("pairs").create({"a": "text", "b": "text"}, pk=("a", "b"))
        refused(lambda: database.enable_search("pairs", ["a"]))
        database.enable_search("people", ["name"])
        for text in ("a\0b", "\ud800"):
            refused(database.search, "people", text)

    def test_long_and_many_words(self, database: Database, songs: Table) -> None:
        words = [f"word{number}" for number in range(40)]
        songs.insert({"title": " ".join(words), "artist": "x" * 5000})
        assert len(database.search("songs", " ".join(reversed(words)))) == 1
        assert len(database.search("songs", "x" * 4000)) == 1
        assert database.search("songs", "x" * 6000) == []
