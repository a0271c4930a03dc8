"""Names of files and folders: the contract's rows, and whatever may come (7.4)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builtin_plugins.media.episodes import episode_mark, season_of, show_place
from builtin_plugins.media.ids import ID_PATTERN, Ids
from builtin_plugins.media.names import folded, movie_name, read_name, stem_of
from plugin_sdk.testing import FakeClock

FILMS = [
    ("The Matrix (1999) {tmdb-603}.mkv", "The Matrix", 1999, {"TMDB": "603"}),
    ("The.Matrix.1999.1080p.BluRay.x264-GROUP.mkv", "The Matrix", 1999, {}),
    ("Inception.2010.1080p.BluRay.x264-GRP.mp4", "Inception", 2010, {}),
    ("Blade Runner 2049 (2017) [1080p].mkv", "Blade Runner 2049", 2017, {}),
    ("Wonder Woman 1984 (2020).mkv", "Wonder Woman 1984", 2020, {}),
    ("1917 (2019).mkv", "1917", 2019, {}),
    ("1917.mkv", "1917", None, {}),
    ("2012.2009.720p.mkv", "2012", 2009, {}),
    ("300 (2006).mkv", "300", 2006, {}),
    ("Dune Part Two (2024).mkv", "Dune Part Two", 2024, {}),
    ("Kill Bill Vol. 2 (2004).mkv", "Kill Bill Vol. 2", 2004, {}),
    ("Spider-Man.No.Way.Home.2021.2160p.WEB-DL.mkv", "Spider-Man No Way Home", 2021, {}),
    ("Charlotte's.Web.2006.1080p.mkv", "Charlotte's Web", 2006, {}),
    ("[GRP] Some Film [720p].mkv", "Some Film", None, {}),
    ("Avengers Endgame.mkv", "Avengers Endgame", None, {}),
    ("Amélie (2001) [imdb-tt0211915].mkv", "Amélie", 2001, {"IMDB": "tt0211915"}),
    # Beyond the contract's table: what its rules say.
    ("Film (1888) imdbid=TT1.mkv", "Film", 1888, {"IMDB": "tt1"}),
    ("Film (1887).mkv", "Film", None, {}),
    ("Old_Film_2001.mkv", "Old Film", 2001, {}),
    ("720p.mkv", "720p", None, {}),
    ("Film x264 2001.mkv", "Film", None, {}),
    ("mytmdb-603.mkv", "mytmdb-603", None, {}),
]


@pytest.mark.parametrize(("name", "title", "year", "ids"), FILMS, ids=[row[0] for row in FILMS])
def test_films(name, title, year, ids):
    named = movie_name((), stem_of(name), 2027)
    assert (named.title, named.year, dict(named.ids)) == (title, year, ids)


def test_a_film_without_a_year_is_named_by_its_folder():
    named = movie_name(("The Matrix (1999) {imdb-tt0133093}", "CD1 {tmdb-603}"), "x", 2027)
    assert (named.title, named.year) == ("The Matrix", 1999)
    assert named.ids == {"TMDB": "603", "IMDB": "tt0133093"}
    assert movie_name(("Films", "CD1"), "x", 2027).title == "x"


def test_the_nearest_id_of_a_source_counts():
    named = movie_name(("A {tmdb-1}", "B {tmdb-2}"), "C (2001)", 2027)
    assert named.ids == {"TMDB": "2"}


def test_years_of_the_future_are_titles():
    assert read_name("Film 2026", 2025).year is None
    assert read_name("Film 2025", 2025).year == 2025


MARKS = [
    ("Breaking Bad S01E01 - Pilot", ("Breaking Bad (2008)", "Season 01"), 1, (1,)),
    ("Breaking Bad 2x01", ("Breaking Bad (2008)", "Season 02"), 2, (1,)),
    ("Breaking Bad S00E01", ("Breaking Bad (2008)", "Season 00"), 0, (1,)),
    ("Breaking.Bad.S01E03.E04", ("Breaking Bad (2008)",), 1, (3, 4)),
    ("01 - Pilot", ("Show", "Season 1"), 1, (1,)),
    ("Show.S01E01-E03", ("Show",), 1, (1, 2, 3)),
    ("Show.S1E100", ("Show",), 1, (100,)),
    ("Show.1920x1080.S01E02", ("Show",), 1, (2,)),
    ("Show S00E02", ("Show", "Specials"), 0, (2,)),
    ("Loose.Show.S02E05", (), 2, (5,)),
    ("Show S01E01-03", ("Show",), 1, (1, 2, 3)),
    ("Show S01E01-720p", ("Show",), 1, (1,)),
    ("Show S01E01-60", ("Show",), 1, (1,)),
    ("Show S01E05-E03", ("Show",), 1, (5,)),
    ("Show S01E01E02E03", ("Show",), 1, (1, 2, 3)),
    ("Show season 3 - the end - episode 7", ("Show",), 3, (7,)),
    ("Ep 4", ("Show", "staffel 2"), 2, (4,)),
    ("E04", ("Show", "S2"), 2, (4,)),
    ("Show S01E00", ("Show",), 1, (0,)),
]


@pytest.mark.parametrize(
    ("stem", "folders", "season", "numbers"), MARKS, ids=[row[0] for row in MARKS]
)
def test_episodes(stem, folders, season, numbers):
    mark = episode_mark(stem, folders)
    assert mark is not None
    assert (mark.season, mark.episodes) == (season, numbers)


@pytest.mark.parametrize("stem", ["One.Piece.1071", "Pilot", "1080p", "12x1234"])
def test_no_episode(stem):
    assert episode_mark(stem, ("One Piece",)) is None


@pytest.mark.parametrize(
    ("folder", "number"),
    [
        ("Season 01", 1),
        ("SERIES 2", 2),
        ("staffel.3", 3),
        ("Saison 4", 4),
        ("s5", 5),
        ("Specials", 0),
        ("special", 0),
        ("Season", None),
        ("s123", None),
        ("Season 1 extras", None),
    ],
)
def test_season_folders(folder, number):
    assert season_of(folder) == number


def test_the_nearest_folder_that_is_no_season_is_the_show():
    assert show_place(("Drama", "Show", "Season 1")) == 2
    assert show_place(("Season 1",)) == 0
    assert show_place(()) == 0


def test_folding():
    assert folded("STRASSE") == folded("straße")
    assert folded("É") == folded("e\u0301")


@given(st.text(max_size=120), st.lists(st.text(max_size=40), max_size=3))
def test_every_name_has_a_title(stem, folders):
    named = movie_name(tuple(folders), stem, 2027)
    assert isinstance(named.title, str)
    assert named.title or not stem
    assert named.year is None or 1888 <= named.year <= 2027
    mark = episode_mark(stem, tuple(folders))
    assert mark is None or (mark.episodes and len(mark.episodes) <= 60)


def test_own_ids_tell_their_time_and_sort():
    clock = FakeClock()
    ids = Ids(clock)
    made = [ids.new() for _ in range(40)]
    clock.advance(5)
    made.append(ids.new())
    clock.advance(-3600)  # set back: order is worth more
    made.append(ids.new())
    assert made == sorted(made)
    assert len({each[13:] for each in made}) == len(made)
    for each in made:
        assert ID_PATTERN.fullmatch(each)
        assert len(each) == 25
    assert int(made[40][1:9], 36) == clock.ms() + 3_600_000
    assert [int(each[9:13], 36) for each in made[:40]] == list(range(40))
