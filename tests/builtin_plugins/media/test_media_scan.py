"""What scans store (7.3 to 7.5), with a provider whose answers are known."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

from plugin_sdk import MediaMetadata, Person, ProviderError

FILMS = {
    "The Matrix (1999) {tmdb-603}/The Matrix (1999) {tmdb-603}.mkv": "The Matrix",
    "The.Matrix.1999.1080p.BluRay.x264-GROUP.mkv": "The Matrix",
    "Inception.2010.1080p/Inception.2010.1080p.BluRay.x264-GRP.mp4": "Inception",
    "Blade Runner 2049 (2017) [1080p].mkv": "Blade Runner 2049",
    "1917.mkv": "1917",
    "Deep/er/Film (2001).mkv": "Film",
    "The Free Sample (2012).mkv": "The Free Sample",
    "Samples.mkv": "Samples",
    "resampled.mkv": "resampled",
    "Folder (2003)/x.MKV": "Folder",
}
NO_FILMS = [
    "Sample.mkv",
    "movie-sample.mkv",
    "movie.sample.mkv",
    "sample.one.mkv",
    "trailer.mkv",
    "Film-trailer.mkv",
    "Film-behindthescenes.mkv",
    ".hidden.mkv",
    "~$lock.mkv",
    "readme.txt",
    "Film {tmdb-1}.srt",
    "Deep/too/far/down/Film (2002).mkv",
    "Extras/Film (2002).mkv",
    "A/TRAILERS/Film (2002).mkv",
    ".git/Film (2002).mkv",
    "@eaDir/Film (2002).mkv",
    "x@eaDirx/Film (2002).mkv",
    "node_modules/Film (2002).mkv",
]
EPISODES = {
    "Breaking Bad (2008) {tmdb-1396}/Season 01/Breaking Bad S01E01 - Pilot.mkv": [(1, 1)],
    "Breaking Bad (2008) {tmdb-1396}/Season 02/Breaking Bad 2x01.mkv": [(2, 1)],
    "Breaking Bad (2008) {tmdb-1396}/Season 00/Breaking Bad S00E01.mkv": [(0, 1)],
    "Breaking Bad (2008) {tmdb-1396}/Breaking.Bad.S01E03.E04.mkv": [(1, 3), (1, 4)],
    "Show/Season 1/01 - Pilot.mkv": [(1, 1)],
    "Show/Show.S02E01-E03.mkv": [(2, 1), (2, 2), (2, 3)],
    "Show/Show.S1E100.mkv": [(1, 100)],
    "Show/Show.1920x1080.S01E02.mkv": [(1, 2)],
    "Show/Specials/Show S00E02.mkv": [(0, 2)],
    "Loose.Show.S02E05.mkv": [(2, 5)],
    "One Piece/One.Piece.1071.mkv": [],
}
SHOW_OF = {"Breaking": "Breaking Bad", "Show": "Show", "Loose.": "Loose Show"}


def test_the_tree_of_films(client, tmp_path, plant):
    root = plant(tmp_path / "films", *FILMS, *NO_FILMS)
    job = client.scan(root)
    expected = sorted((title, str(root / path), None) for path, title in FILMS.items())
    assert sorted(client.films()) == expected
    assert job["status"] == "COMPLETED"
    assert job["progress"]["percentComplete"] == 100
    assert (job["scannedCount"], job["itemsSaved"], job["skippedCount"]) == (10, 10, 0)
    assert job["metadataStatus"] == "NOT_STARTED"
    assert job["metadataFailedCount"] == 0
    # ".", and every folder that may be entered, with or without films.
    assert job["progress"]["totalFolders"] == 6
    library = client.get("/library")[0]
    assert (library["name"], library["mediaCount"]) == ("films", 10)


def test_the_tree_of_episodes(client, tmp_path, plant):
    root = plant(tmp_path / "shows", *EPISODES)
    job = client.scan(root, "tv")
    expected = sorted(
        (next(title for begin, title in SHOW_OF.items() if path.startswith(begin)), *pair)
        for path, pairs in EPISODES.items()
        for pair in pairs
    )
    assert client.episodes() == expected
    assert (job["scannedCount"], job["skippedCount"]) == (len(EPISODES), 1)
    assert job["itemsSaved"] == len(expected)
    shows = {show["media"]["title"]: show for show in client.get("/tvshows")}
    assert sorted(shows) == ["Breaking Bad", "Loose Show", "Show"]
    assert "seasons" not in shows["Show"]
    detail = client.get(f"/tvshows/{shows['Breaking Bad']['id']}")
    assert [each["seasonNumber"] for each in detail["seasons"]] == [0, 1, 2]
    assert detail["seasons"][1]["name"] == "Season 1"
    titles = [each["title"] for each in detail["seasons"][1]["episodes"]]
    assert titles == ["Episode 1", "Episode 3", "Episode 4"]


def test_a_match_is_stored_whole_and_asked_for_once(client, script, tmp_path, film, plant):
    client.use()
    script.answers["movie:603"] = film(
        603,
        "The Matrix",
        overview="A hacker learns.",
        release_date=date(1999, 3, 31),
        rating=8.2,
        runtime_minutes=136,
        genres=("Sci-Fi", "SciFi", "Action & Adventure"),
        people=(Person("Keanu Reeves", "ACTOR", "Neo"), Person("Lana Wachowski", "DIRECTOR")),
        logo_url="https://img.example/logo.png",
    )
    root = plant(
        tmp_path / "films",
        "The Matrix (1999) {tmdb-603}/The Matrix (1999).mkv",
        "The Matrix (1999) {tmdb-603}/The Matrix (1999) copy.mkv",
    )
    job = client.scan(root)
    assert script.take() == [("movie", "603")]
    assert (job["metadataSuccessCount"], job["metadataFailedCount"]) == (1, 0)
    assert job["metadataStatus"] == "COMPLETED"
    first, other = client.get("/movies")
    assert first["mediaId"] == other["mediaId"]
    assert first["id"] != other["id"]
    assert first["duration"] == 136
    media = first["media"]
    assert media["genres"] == ["Action", "Science Fiction"]
    assert media["releaseDate"] == "1999-03-31T00:00:00.000Z"
    assert media["rating"] == 8.2
    assert media["externalIds"] == [{"source": "TMDB", "externalId": "603"}]
    assert media["metadataProvider"] == "fake"
    assert media["logoUrl"] == "https://img.example/logo.png"
    people = client.query(
        "SELECT p.name, l.role, l.character FROM media_person l JOIN person p"
        " ON p.id = l.person_id ORDER BY l.position"
    )
    assert [tuple(each.values()) for each in people] == [
        ("Keanu Reeves", "ACTOR", "Neo"),
        ("Lana Wachowski", "DIRECTOR", None),
    ]
    # Nothing changed: nothing is asked, everything counts as saved.
    again = client.scan(root)
    assert script.take() == []
    assert again["itemsSaved"] == 2
    assert again["metadataStatus"] == "COMPLETED"
    assert client.get("/movies")[0]["media"] == media


def test_empty_values_count_as_none(client, script, tmp_path, film, plant):
    client.use()
    script.answers["movie:Film"] = film(
        1, "Film", overview="", rating=0.0, runtime_minutes=0, genres=("", "War & Politics")
    )
    client.scan(plant(tmp_path / "films", "Film (2001).mkv"))
    [item] = client.get("/movies")
    assert (item["duration"], item["media"]["rating"]) == (None, None)
    assert item["media"]["description"] is None
    assert item["media"]["genres"] == ["War"]


def test_what_is_not_found_is_kept_and_filled_in_later(client, script, tmp_path, film, plant):
    root = plant(tmp_path / "films", "Film (2001).mkv", "Other (2002).mkv")
    client.scan(root)
    before = {item["media"]["title"]: item for item in client.get("/movies")}
    client.use()
    script.answers["movie:Film"] = film(1, "The Film", overview="Now known.")
    job = client.scan(root)
    assert script.take() == [("movie", "Film"), ("movie", "Other")]
    assert (job["metadataSuccessCount"], job["metadataFailedCount"]) == (1, 1)
    assert job["itemsSaved"] == 2
    after = {item["media"]["title"]: item for item in client.get("/movies")}
    assert sorted(after) == ["Other", "The Film"]
    for name in ("id", "mediaId", "createdAt"):
        assert after["The Film"][name] == before["Film"][name]
    assert after["The Film"]["media"]["createdAt"] == before["Film"]["media"]["createdAt"]
    # Only what is still unmatched is asked for again.
    client.scan(root)
    assert script.take() == [("movie", "Other")]


def test_an_unmatched_film_joins_the_media_of_its_match(client, script, tmp_path, film, plant):
    root = plant(tmp_path / "films", "A (2001).mkv", "B (2001).mkv")
    client.use()
    script.answers["movie:A"] = film(1, "A")
    client.scan(root)
    script.answers["movie:B"] = film(1, "A")
    client.scan(root)
    first, second = client.get("/movies")
    assert first["mediaId"] == second["mediaId"]
    assert client.query("SELECT count(*) AS n FROM media")[0]["n"] == 1


def test_films_and_shows_of_one_number_are_different(client, script, tmp_path, film, plant):
    client.use()
    script.answers["movie:1396"] = film(1396, "Mirror")
    script.answers["tv:1396"] = film(1396, "Breaking Bad")
    client.scan(plant(tmp_path / "films", "Mirror {tmdb-1396}.mkv"))
    client.scan(plant(tmp_path / "shows", "Breaking Bad {tmdb-1396}/S01E01.mkv"), "tv")
    rows = client.query("SELECT type, title FROM media ORDER BY type")
    assert [tuple(row.values()) for row in rows] == [
        ("MOVIE", "Mirror"),
        ("TV_SHOW", "Breaking Bad"),
    ]


def test_seasons_are_asked_for_when_there_is_something_new(
    client, script, tmp_path, film, plant, season
):
    client.use()
    script.answers["tv:1396"] = film(1396, "Breaking Bad", creator="Vince", network="AMC")
    script.seasons["1396", 1] = season(1, "Pilot", "Cat's in the Bag")
    script.seasons["1396", 2] = season(2, "Seven Thirty-Seven")
    root = plant(
        tmp_path / "shows",
        "Breaking Bad {tmdb-1396}/Season 1/S01E01.mkv",
        "Breaking Bad {tmdb-1396}/Season 1/S01E03.mkv",
    )
    client.scan(root, "tv")
    assert script.take() == [("season", "1396/1"), ("tv", "1396")]
    [show] = client.get("/tvshows")
    assert (show["creator"], show["network"]) == ("Vince", "AMC")
    detail = client.get(f"/tvshows/{show['id']}")
    assert [each["title"] for each in detail["seasons"][0]["episodes"]] == ["Pilot", "Episode 3"]
    assert detail["seasons"][0]["name"] == "The 1th"
    client.scan(root, "tv")
    assert script.take() == []
    plant(root, "Breaking Bad {tmdb-1396}/Season 2/S02E01.mkv")
    client.scan(root, "tv")
    assert script.take() == [("season", "1396/2")]
    client.scan(root, "tv", rescan=True)
    assert script.take() == [("season", "1396/1"), ("season", "1396/2"), ("tv", "1396")]


def test_a_season_that_failed_is_asked_for_again(client, script, tmp_path, film, plant, season):
    client.use()
    script.answers["tv:Show"] = film(7, "Show")
    script.seasons["7", 1] = ProviderError("overloaded")
    root = plant(tmp_path / "shows", "Show/S01E01.mkv")
    job = client.scan(root, "tv")
    assert job["metadataStatus"] == "FAILED"
    assert job["status"] == "COMPLETED"
    script.seasons["7", 1] = season(1, "Pilot")
    script.take()
    client.scan(root, "tv")
    assert script.take() == [("season", "7/1")]
    show = client.get(f"/tvshows/{client.get('/tvshows')[0]['id']}")
    assert show["seasons"][0]["episodes"][0]["title"] == "Pilot"


def test_an_unmatched_show_joins_the_one_of_its_match(client, script, tmp_path, film, plant):
    root = plant(tmp_path / "shows", "Show A/S01E01.mkv", "Show B/S01E01.mkv", "Show B/S01E02.mkv")
    client.use()
    script.answers["tv:Show A"] = film(7, "Show")
    client.scan(root, "tv")
    assert len(client.get("/tvshows")) == 2
    script.answers["tv:Show B"] = film(7, "Show")
    client.scan(root, "tv")
    [show] = client.get("/tvshows")
    [first] = client.get(f"/tvshows/{show['id']}")["seasons"]
    paths = [Path(each["filePath"]).parts[-2:] for each in first["episodes"]]
    assert paths == [("Show A", "S01E01.mkv"), ("Show B", "S01E02.mkv")]
    # The smaller path has the episode; when it goes, the other takes over.
    shutil.rmtree(root / "Show A")
    client.scan(root, "tv")
    [first] = client.get(f"/tvshows/{show['id']}")["seasons"]
    if len(first["episodes"]) == 1:  # the folder went after its neighbour had been looked at
        client.scan(root, "tv")
        [first] = client.get(f"/tvshows/{show['id']}")["seasons"]
    paths = [Path(each["filePath"]).parts[-2:] for each in first["episodes"]]
    assert paths == [("Show B", "S01E01.mkv"), ("Show B", "S01E02.mkv")]


def test_an_episode_goes_to_the_file_that_still_has_it(
    client, script, tmp_path, film, plant, season
):
    """Also to one that holds others, and with what is known of it."""
    client.use()
    script.answers["tv:7"] = film(7, "Show")
    script.seasons["7", 1] = season(1, "One", "Two")
    root = plant(
        tmp_path / "shows", "A {tmdb-7}/S01E02.mkv", "B {tmdb-7}/S01E01E02.mkv", "C/S01E01.mkv"
    )
    client.scan(root, "tv")
    client.scan(root, "tv")
    plant(root, "A {tmdb-7}/S01E09.mkv")
    (root / "A {tmdb-7}/S01E02.mkv").unlink()
    client.scan(root, "tv")
    rows = client.query(
        "SELECT e.number, e.title, f.path FROM episode e JOIN file f ON f.id = e.file_id"
        " WHERE e.number = 2"
    )
    assert [(row["title"], Path(row["path"]).name) for row in rows] == [("Two", "S01E01E02.mkv")]
    script.take()
    client.scan(root, "tv")
    assert ("season", "7/1") not in script.take()


def test_a_changed_file_keeps_its_ids(client, script, tmp_path, film, plant):
    client.use()
    script.answers["movie:Film"] = film(1, "Film")
    root = plant(tmp_path / "films", "Film (2001).mkv")
    client.scan(root)
    [before] = client.get("/movies")
    script.take()
    plant(root, "Film (2001).mkv", size=99)
    client.scan(root)
    [after] = client.get("/movies")
    assert script.take() == []
    assert after["fileSize"] == "99"
    assert (after["id"], after["mediaId"]) == (before["id"], before["mediaId"])


def test_a_rescan_changes_times_only_with_values(client, script, tmp_path, film, plant):
    client.use()
    script.answers["movie:Film"] = film(1, "Film", genres=("Drama",))
    root = plant(tmp_path / "films", "Film (2001).mkv")
    client.scan(root)
    [before] = client.get("/movies")
    client.scan(root, rescan=True)
    assert client.get("/movies") == [before]
    script.answers["movie:1"] = film(1, "Film", genres=("Comedy",))
    client.scan(root, rescan=True)
    [after] = client.get("/movies")
    assert after["media"]["genres"] == ["Comedy"]
    assert after["media"]["updatedAt"] > before["media"]["updatedAt"]


# Providers in a chain


def test_the_next_provider_is_asked(client, script, second, tmp_path, film, plant):
    client.use("fake", priority=1)
    client.use("second", priority=2)
    script.answers["movie:Broken"] = ProviderError("down")
    second.answers["movie:Broken"] = MediaMetadata({"OTHER": "b"}, "Broken")
    second.answers["movie:Unknown"] = MediaMetadata({"OTHER": "u"}, "Unknown")
    script.answers["movie:Known"] = film(1, "Known")
    root = plant(tmp_path / "films", "Broken.mkv", "Unknown.mkv", "Known.mkv", "Nobody.mkv")
    job = client.scan(root)
    rows = client.query("SELECT title, metadata_provider FROM media ORDER BY title")
    assert [tuple(row.values()) for row in rows] == [
        ("Broken", "second"),
        ("Known", "fake"),
        ("Nobody", None),
        ("Unknown", "second"),
    ]
    assert (job["metadataSuccessCount"], job["metadataFailedCount"]) == (3, 1)
    assert job["metadataStatus"] == "COMPLETED"
    assert second.take() == [("movie", "Broken"), ("movie", "Nobody"), ("movie", "Unknown")]


def test_a_permanent_error_leaves_a_row_out(client, script, tmp_path, plant):
    client.use()
    for name in "ABCD":
        script.answers[f"movie:{name}"] = ProviderError("bad key", permanent=True)
    root = plant(tmp_path / "films", "a/A.mkv", "b/B.mkv", "c/C.mkv", "d/D.mkv")
    job = client.scan(root)
    assert script.take() == [("movie", "A")]
    assert job["itemsSaved"] == 4
    assert job["metadataFailedCount"] == 4
    assert job["metadataStatus"] == "FAILED"
    health = client.host.get("/health").json()
    assert health["services"]["metadata_service"] == "unreachable"


def test_three_errors_in_a_row_leave_a_row_out(client, script, tmp_path, plant):
    client.use()
    script.on_fetch = lambda _query: (_ for _ in ()).throw(OSError("no route"))
    root = plant(tmp_path / "films", *(f"{name}/{name}.mkv" for name in "abcdef"))
    job = client.scan(root)
    assert len(script.take()) == 0
    rows = client.query("SELECT lookup_errors FROM scan_job WHERE id = :id", id=job["id"])
    assert rows[0]["lookup_errors"] == 3
    assert job["metadataFailedCount"] == 6


def test_a_row_without_a_key_is_not_asked(client, script, tmp_path, plant):
    client.ok("POST", "/settings/providers", {"name": "fake"})
    job = client.scan(plant(tmp_path / "films", "Film.mkv"))
    assert script.take() == []
    assert (job["metadataFailedCount"], job["metadataStatus"]) == (0, "NOT_STARTED")
