"""Edits of tracks: the layer over what their files say (songs contract, 5.4)."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from builtin_plugins.songs.editing import _read
from builtin_plugins.songs.identity import track_id_of
from plugin_sdk import Form, Invalid, NotFound, SongChart, SongSource, TooLarge
from plugin_sdk.testing import FakeSongFormat, FakeUpload, request

NOBODY = track_id_of("nobody")


def picture(shade: int) -> bytes:
    content = io.BytesIO()
    Image.new("L", (8, 8), shade).save(content, "PNG")
    return content.getvalue()


class Still(FakeSongFormat):
    """Of songs without files."""

    name = "sloppak"

    def signature(self, source: SongSource) -> str:
        return "1"

    def chart(self, source: SongSource, index: int) -> SongChart:
        return SongChart()


BAD_FIELDS: list[dict[str, Any]] = [
    {"title": ""},
    {"title": " "},
    {"title": "x" * 256},
    {"title": 5},
    {"album": "x" * 256},
    {"year": -1},
    {"year": 10000},
    {"year": "10000"},
    {"year": "x"},
    {"year": 1.5},
    {"year": True},
    {"coverImage": "x"},
]


def test_edits_lie_over_what_the_file_says(book: Any) -> None:
    track = book.add("a", title="Old", artist="Zed", album="X", year=1990)
    book.add("b", title="Other", artist="Mid")
    shown = book.edit(track, title=" New ", artist="abe", year="2001", other=5)
    assert (shown["title"], shown["artist"], shown["year"], shown["album"]) == (
        "New",
        "abe",
        2001,
        "X",
    )
    assert shown["edited"] == ["title", "artist", "year"]
    assert [song["title"] for song in book.listed()] == ["New", "Other"]
    assert [song["title"] for song in book.listed({"q": "new"})] == ["New"]
    assert book.listed({"q": "old"}) == []
    assert book.ask("GET", "library_stats")["letters"] == {"A": 1, "M": 1}
    book.add("a", "2", title="Changed", artist="Yed", album="Y")  # the file changed
    again = book.ask("GET", "track", track)
    assert (again["title"], again["artist"], again["album"]) == ("New", "abe", "Y")
    assert (again["id"], again["createdAt"]) == (shown["id"], shown["createdAt"])
    back = book.edit(track, title=None, artist=None, year="")
    assert (back["title"], back["artist"], back["year"]) == ("Changed", "Yed", None)
    assert back["edited"] == ["year"]
    assert book.edit(track)["edited"] == ["year"]
    assert book.told("songs.track_edited")[-1] == {"trackId": track}
    with pytest.raises(NotFound):
        book.edit(NOBODY, title="x")


def test_edits_at_once_keep_each_other(book: Any, at_once: Any) -> None:
    track = book.add("a", title="Old")
    values = {"title": "New", "artist": "Somebody", "album": "LP", "year": 2001}
    waiting = [*values.items()] * 2
    at_once(len(waiting), lambda: book.edit(track, **dict([waiting.pop()])))
    shown = book.ask("GET", "track", track)
    assert {name: shown[name] for name in values} == values
    assert book.listed()[0]["title"] == "New"
    (revision,) = (row["revision"] for row in book.context.db.table("edits").rows_where())
    assert revision == 8
    assert book.ask("GET", "library_stats")["letters"] == {"S": 1}


def test_covers_at_once_leave_one(book: Any, at_once: Any) -> None:
    """Beside the texts that came with them."""
    track = book.add("a")
    names = ("title", "artist", "album")
    waiting = [*range(6)]

    def edit() -> None:
        number = waiting.pop()
        cover = FakeUpload("coverImage", picture(number))
        form = Form({names[number % 3]: f"New {names[number % 3]}"}, [cover])
        book.ask("POST", "edit_track", track, form=form)

    at_once(len(waiting), edit)
    shown = book.ask("GET", "track", track)
    assert [shown[name] for name in names] == ["New title", "New artist", "New album"]
    assert shown["edited"] == [*names, "coverImage"]
    with book.ask("GET", "cover", track).body.source.open() as stream:
        assert stream.read() in [picture(number) for number in range(6)]
    assert len(book.context.blobs.list()) == 1
    assert book.context.db.table("objects").count_where() == 1


def test_one_bad_field_changes_nothing(book: Any) -> None:
    track = book.add("a", title="Old", album="B")
    for wrong in BAD_FIELDS:
        with pytest.raises(Invalid) as caught:
            book.edit(track, **{"album": "good", "title": "good", **wrong})
        assert [problem.path for problem in caught.value.details] == list(wrong)
    assert book.ask("GET", "track", track)["edited"] == []


def test_edits_after_a_return_are_others(book: Any, tmp_path: Path) -> None:
    """As many edits as before make another chart, so another tag."""
    book.context.providers.add("song_format", "sloppak", Still())
    book.context.settings.update({"dlcDir": str(tmp_path)})
    tags = []
    for title in ("One", "Two"):
        track = book.add("a", arrangements=["Lead"])
        book.edit(track, title=title)
        chart = book.ask("GET", "track_highway", track)
        assert json.loads(chart.body.content)["song"]["title"] == title
        tags.append(chart.headers["ETag"])
        book.ask("DELETE", "delete_track", track)
    assert tags[0] != tags[1]


@given(st.integers(0, 9999))
def test_years_are_read_as_numbers_and_digits(year: int) -> None:
    for sent in (year, str(year)):
        assert _read(request("POST", body={"year": sent}))["year"] == str(year)


def test_covers_too_large(book: Any) -> None:
    upload = FakeUpload("coverImage", b"x" * (10 * 1024 * 1024 + 1))
    with pytest.raises(TooLarge):
        book.ask("POST", "edit_track", book.add("a"), form=Form({}, [upload]))
