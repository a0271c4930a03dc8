"""Films and shows from what lies beside them."""

from __future__ import annotations

import os
import tracemalloc
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builtin_plugins.local_files.nfo import MAX_BYTES, read_nfo
from builtin_plugins.local_files.provider import provider_class
from plugin_sdk import MediaQuery, MetadataProvider, Person
from plugin_sdk.testing import FakeContext, FakeProviderContext, MetadataSuite

FILM = """<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<movie>
  <title>Solaris</title><originaltitle>Солярис</originaltitle><year>1972</year>
  <ratings><rating name="a" max="100"><value>5</value></rating>
           <rating name="b" max="5" default="true"><value>4.1</value></rating></ratings>
  <plot>A planet
thinks.</plot><runtime>167 min</runtime><premiered>1972-03-20</premiered>
  <thumb aspect="poster">https://pictures.example/poster.jpg</thumb>
  <thumb aspect="clearlogo">https://pictures.example/logo.png</thumb>
  <fanart><thumb>file:///etc/passwd</thumb><thumb>https://pictures.example/back.jpg</thumb></fanart>
  <uniqueid type="tmdb" default="true">593</uniqueid><uniqueid type="odd">1</uniqueid>
  <id>tt0069293</id><genre>Drama</genre><genre>Sci-Fi</genre><genre>Drama</genre>
  <director>Andrei Tarkovsky</director><credits>Fridrikh Gorenshteyn</credits>
  <actor><name>Donatas Banionis</name><role>Kris Kelvin</role></actor><actor><role>x</role></actor>
  <studio>Mosfilm</studio>
</movie>
https://www.themoviedb.org/movie/593
"""
SHOW = "<tvshow><title>Pilots</title><year>2001</year><studio>AMC</studio></tvshow>"
EPISODES = (
    "<episodedetails><title>One</title><season>1</season><episode>1</episode>"
    "<aired>2001-02-03</aired><runtime>44</runtime></episodedetails>\n"
    "<episodedetails><title>Two</title><season>1</season><episode>2</episode></episodedetails>"
)


@pytest.fixture
def context() -> FakeContext:
    return FakeContext("local_files")


@pytest.fixture
def provider(context: FakeContext) -> MetadataProvider:
    return provider_class(context.data)({}, FakeProviderContext())


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    (tmp_path / "Solaris").mkdir()
    (tmp_path / "Solaris" / "Solaris.nfo").write_text(FILM, encoding="utf-8")
    (tmp_path / "Solaris" / "Solaris.mkv").write_bytes(b"x")
    show = tmp_path / "Pilots"
    (show / "Season 01").mkdir(parents=True)
    (show / "tvshow.nfo").write_text(SHOW)
    (show / "Season 01" / "s01e01-e02.nfo").write_text(EPISODES)
    (show / "Season 01" / "season.nfo").write_text(
        "<season><seasonnumber>1</seasonnumber><title>The first</title></season>"
    )
    return tmp_path


def film(path: Path) -> MediaQuery:
    return MediaQuery("movie", "whatever", extra={"path": str(path)})


def show(path: Path) -> MediaQuery:
    return MediaQuery("tv", "whatever", extra={"path": str(path)})


class TestLocalFiles(MetadataSuite):
    @pytest.fixture
    def provider(self, context: FakeContext) -> MetadataProvider:
        return provider_class(context.data)({}, FakeProviderContext())

    @pytest.fixture
    def known_query(self, shelf: Path) -> MediaQuery:
        return film(shelf / "Solaris" / "Solaris.mkv")

    @pytest.fixture
    def unknown_query(self, shelf: Path) -> MediaQuery:
        return film(shelf / "nothing.mkv")

    @pytest.fixture
    def known_season(self, provider: MetadataProvider, shelf: Path) -> Any:
        found = provider.fetch(show(shelf / "Pilots"))
        assert found is not None
        return found.ids, 1


def test_a_film_is_what_its_nfo_says(provider, shelf):
    found = provider.fetch(film(shelf / "Solaris" / "Solaris.mkv"))
    assert (found.title, found.runtime_minutes, found.rating) == ("Solaris", 167, 8.2)
    assert found.overview == "A planet\nthinks."
    assert found.release_date == date(1972, 3, 20)
    assert {source: found.ids[source] for source in ("TMDB", "IMDB")} == {
        "TMDB": "593",
        "IMDB": "tt0069293",
    }
    assert found.poster_url == "https://pictures.example/poster.jpg"
    assert found.backdrop_url == "https://pictures.example/back.jpg"
    assert found.logo_url == "https://pictures.example/logo.png"
    assert found.genres == ("Drama", "Sci-Fi")
    assert found.people == (
        Person("Andrei Tarkovsky", "DIRECTOR"),
        Person("Fridrikh Gorenshteyn", "WRITER"),
        Person("Donatas Banionis", "ACTOR", "Kris Kelvin"),
    )


def test_a_folder_may_have_one_nfo_for_its_film(provider, shelf):
    (shelf / "Solaris" / "Solaris.nfo").rename(shelf / "Solaris" / "movie.nfo")
    found = provider.fetch(film(shelf / "Solaris" / "Solaris.mkv"))
    assert found.title == "Solaris"


def test_two_files_of_one_film_are_one(provider, shelf):
    twin = shelf / "Solaris HD"
    twin.mkdir()
    (twin / "a.nfo").write_text("<movie><title>SOLARIS</title><year>1972</year></movie>")
    (twin / "b.nfo").write_text("<movie><title>Solaris</title><year>1972</year></movie>")
    (twin / "c.nfo").write_text("<movie><title>Solaris</title><year>2002</year></movie>")
    (twin / "d.nfo").write_text("<movie><title>Solaris</title><year>10000</year></movie>")
    assert provider.fetch(film(twin / "d.mkv")).release_date is None
    ids = [provider.fetch(film(twin / f"{name}.mkv")).ids["OTHER"] for name in "abc"]
    assert ids[0] == ids[1] != ids[2]


def test_a_show_with_its_seasons(provider, context, shelf):
    found = provider.fetch(show(shelf / "Pilots"))
    assert (found.title, found.network) == ("Pilots", "AMC")
    assert found.release_date == date(2001, 1, 1), "no more is known than the year"
    season = provider.fetch_season(found.ids, 1)
    assert (season.name, [each.episode_number for each in season.episodes]) == ("The first", [1, 2])
    first = season.episodes[0]
    assert (first.name, first.air_date, first.runtime_minutes) == ("One", date(2001, 2, 3), 44)
    assert provider.fetch_season(found.ids, 2) is None
    later = provider_class(context.data)({}, FakeProviderContext())
    assert later.fetch_season(found.ids, 1) == season, "also of an instance that was not asked"


def test_without_a_path_nothing_is_known(provider):
    assert provider.fetch(MediaQuery("movie", "Solaris")) is None
    assert provider.fetch(MediaQuery("movie", "Solaris", extra={"path": 5})) is None
    assert provider.fetch(MediaQuery("song", "Solaris", extra={"path": "/x"})) is None


BOMB = (
    '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
    "<movie><title>&b;</title></movie>"
)
OUTSIDE = '<!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/passwd">]><movie><title>&a;</title></movie>'


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"https://www.themoviedb.org/movie/593",
        b"<movie><title>cut",
        b"<movie><title> </title></movie>",
        b"<tvshow><title>not a film</title></tvshow>",
        BOMB.encode(),
        OUTSIDE.encode(),
        b"<movie>" + b"<a>" * 50 + b"</a>" * 50 + b"<title>deep</title></movie>",
        b"<movie>" + b"<a/>" * 30_000 + b"<title>wide</title></movie>",
        b"<movie><title>" + b"x" * MAX_BYTES + b"</title></movie>",
        b'<?xml version="1.0" encoding="odd"?><movie><title>x</title></movie>',
    ],
    ids=["empty", "address", "cut", "blank", "show", "bomb", "outside", "deep", "wide", "large",
         "encoding"],
)  # fmt: skip
def test_what_cannot_be_believed_is_nothing(provider, tmp_path, content):
    (tmp_path / "a.nfo").write_bytes(content)
    assert provider.fetch(film(tmp_path / "a.mkv")) is None


@given(st.binary(max_size=300), st.sampled_from([b"", b"<movie><title>x</title>"]))
def test_no_content_raises(tmp_path_factory, content, before):
    path = tmp_path_factory.mktemp("fuzz") / "a.nfo"
    path.write_bytes(before + content)
    for nfo in read_nfo(path):
        nfo.rating(), nfo.ids(), nfo.minutes(), list(nfo.people())


def test_a_folder_or_a_missing_file_is_nothing(tmp_path):
    assert read_nfo(tmp_path) == []
    assert read_nfo(tmp_path / "missing.nfo") == []


def test_nobody_waits_for_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "a.nfo")
    assert read_nfo(tmp_path / "a.nfo") == []


# Tags


def box(kind: bytes, *content: bytes) -> bytes:
    inner = b"".join(content)
    return (len(inner) + 8).to_bytes(4, "big") + kind + inner


def tagged(title: str, year: str) -> bytes:
    def item(kind: bytes, text: str) -> bytes:
        data = b"\0\0\0\1\0\0\0\0" + text.encode()
        return box(kind, box(b"data", data))

    items = box(b"ilst", item(b"\xa9nam", title), item(b"\xa9day", year), item(b"\xa9gen", "Drama"))
    handler = box(b"hdlr", bytes(8), b"mdirappl", bytes(9))
    header = box(b"mvhd", bytes(12), (1000).to_bytes(4, "big"), (600_000).to_bytes(4, "big"),
                 bytes(80))  # fmt: skip
    meta = box(b"udta", box(b"meta", bytes(4), handler, items))
    return box(b"ftyp", b"isom\0\0\2\0isomiso2") + box(b"moov", header, meta)


def test_an_mp4_says_what_it_is_itself(provider, tmp_path):
    (tmp_path / "a.mp4").write_bytes(tagged("Stalker", "1979-05-25"))
    found = provider.fetch(film(tmp_path / "a.mp4"))
    assert (found.title, found.release_date) == ("Stalker", date(1979, 5, 25))
    assert found.genres == ("Drama",)
    (tmp_path / "a.nfo").write_text("<movie><title>From the nfo</title></movie>")
    assert provider.fetch(film(tmp_path / "a.mp4")).title == "From the nfo"


@pytest.mark.parametrize(
    "address",
    [
        "http://192.168.1.1/reboot",
        "http://127.1/",
        "http://0x7f.0.0.0x1/",
        "http://2130706433/",
        "http://127.0.0.1./",
        "http://[::1]/a.png",
        "http://[::ffff:10.0.0.1]/a.png",
        "http://[fe80::1%25eth0]/a.png",
        "http://localhost:8085/a.png",
        "http://printer/a.png",
        "http://nas.local./a.png",
        "http://pictures.example@127.0.0.1/a.png",
        "http://pictures.example\\@127.0.0.1/a.png",
        "http://127。0。0。1/a.png",
        "http://[/a.png",
        "file:///etc/passwd",
    ],
)
def test_no_address_leads_home(provider, tmp_path, address):
    film = tmp_path / "A.mkv"
    film.with_suffix(".nfo").write_text(
        f"<movie><title>A</title><thumb>{address}</thumb><fanart><thumb>{address}</thumb></fanart>"
        '<thumb aspect="clearlogo">HTTPS://Pictures.example:8/a.png?b=1</thumb></movie>',
        encoding="utf-8",
    )
    found = provider.fetch(MediaQuery("movie", "A", extra={"path": str(film)}))
    assert (found.poster_url, found.backdrop_url) == (None, None)
    assert found.logo_url == "HTTPS://Pictures.example:8/a.png?b=1"


@pytest.mark.parametrize("content", [b"", b"\0\0\0\x08ftyp", b"x" * 100, tagged("", "1979")])
def test_an_mp4_that_says_nothing(provider, tmp_path, content):
    (tmp_path / "a.mp4").write_bytes(content)
    (tmp_path / "a.mkv").write_bytes(tagged("In a wrong file", "1979"))
    assert provider.fetch(film(tmp_path / "a.mp4")) is None
    assert provider.fetch(film(tmp_path / "a.mkv")) is None


def claiming(size: int) -> bytes:
    """A title of that length, of which the file holds nothing but zeros."""
    found = (size + 8).to_bytes(4, "big") + b"data" + b"\0\0\0\1\0\0\0\0"
    size += 8
    for kind in (b"\xa9nam", b"ilst", b"meta", b"udta", b"moov"):
        size += 8
        inner = bytes(4) + found if kind == b"meta" else found
        size += 4 if kind == b"meta" else 0
        found = size.to_bytes(4, "big") + kind + inner
    return box(b"ftyp", b"isom\0\0\2\0isomiso2") + found


def test_a_title_without_end_is_not_read(provider, tmp_path):
    for size, known in ((2_000, True), (50_000_000, False)):
        with (tmp_path / "a.mp4").open("wb") as file:
            file.write(claiming(size))
            file.truncate(size + 1000)
        tracemalloc.start()
        found = provider.fetch(film(tmp_path / "a.mp4"))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert (found is not None) == known
        assert most < 5_000_000


def test_parts_without_end_are_not_counted(provider, tmp_path):
    (tmp_path / "a.mp4").write_bytes(
        box(b"ftyp", b"isom\0\0\2\0isomiso2") + b"\0\0\0\x08free" * 20_000 + tagged("Late", "1979")
    )
    assert provider.fetch(film(tmp_path / "a.mp4")) is None
