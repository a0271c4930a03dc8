"""Folders that a scan remembers: what changes in them is seen all the same (contract, 7.5)."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def films(client, script, film, plant, tmp_path):
    """Two folders of matched films, remembered by now."""
    client.use()
    for number, title in enumerate("ABCD", 1):
        script.answers[f"movie:{title}"] = film(number, title)
    root = plant(tmp_path / "films", "One/A.mkv", "One/B.mkv", "Two/C.mkv")
    client.scan(root)
    client.scan(root)
    assert remembered(client) == ["One", "Two"]
    script.take()
    return root


def remembered(client):
    rows = client.query("SELECT folder FROM scanned_folder ORDER BY folder")
    return [row["folder"] for row in rows]


def names(client):
    return sorted(Path(path).name for _, path, _ in client.films())


def test_nothing_new_is_counted_all_the_same(client, script, films, monkeypatch):
    monkeypatch.setattr(
        "builtin_plugins.media.film_scan.FilmScan.known",
        lambda *_: pytest.fail("the database was asked for files that are remembered"),
    )
    before = client.get("/movies")
    job = client.scan(films)
    assert (job["scannedCount"], job["itemsSaved"], job["skippedCount"]) == (3, 3, 0)
    assert job["metadataStatus"] == "COMPLETED"
    assert client.get("/movies") == before
    assert script.take() == []


def test_what_changes_is_seen(client, script, films, plant):
    plant(films, "One/D.mkv")
    assert client.scan(films)["itemsSaved"] == 4
    assert script.take() == [("movie", "D")]
    (films / "One/D.mkv").unlink()  # the folder is again as it was when it was remembered
    client.scan(films)
    assert names(client) == ["A.mkv", "B.mkv", "C.mkv"]
    plant(films, "Two/C.mkv", size=99)
    client.scan(films)
    sizes = {Path(each["filePath"]).name: each["fileSize"] for each in client.get("/movies")}
    assert sizes == {"A.mkv": "10", "B.mkv": "10", "C.mkv": "99"}
    shutil.rmtree(films / "One")
    client.scan(films)
    assert names(client) == ["C.mkv"]
    assert script.take() == []


def test_a_filter_hides_and_the_rest_stays_known(client, script, films):
    assert client.scan(films, filenamePattern="^[BC]")["itemsSaved"] == 2
    (films / "One/A.mkv").unlink()
    assert client.scan(films, filenamePattern="^[BC]")["itemsSaved"] == 2
    client.scan(films)
    assert names(client) == ["B.mkv", "C.mkv"]
    assert script.take() == []


def test_a_rescan_asks_for_everything(client, script, films, film):
    script.answers["movie:2"] = film(2, "Other")
    client.scan(films, rescan=True)
    assert script.take() == [("movie", "1"), ("movie", "2"), ("movie", "3")]
    assert "Other" in [title for title, _, _ in client.films()]


def test_a_folder_of_another_kind(client, script, films, film, season, plant):
    """What a second library makes of the same files is seen by the first."""
    plant(films, "Two/E S01E01.mkv")
    script.answers["movie:E S01E01"] = film(9, "E")
    client.scan(films)
    client.scan(films)
    assert remembered(client) == ["One", "Two"]
    client.scan(films / "Two", "tv")
    assert "E S01E01.mkv" not in names(client)
    script.take()
    client.scan(films)
    assert "E S01E01.mkv" in names(client)


def test_a_library_that_moves_leaves_nothing_behind(client, script, films, tmp_path):
    """Its folders are remembered by the names that they have in the new place as well."""
    [library] = client.get("/library")
    shutil.copytree(films, tmp_path / "moved")
    moved = {"libraryPath": str(tmp_path / "moved")}
    client.ok("PUT", f"/library/{library['id']}", moved)
    for time in range(2):
        client.scan(tmp_path / "moved")
        paths = [Path(path).relative_to(tmp_path / "moved") for _, path, _ in client.films()]
        assert [str(path) for path in paths] == ["One/A.mkv", "One/B.mkv", "Two/C.mkv"]
        assert remembered(client) == (["One", "Two"] if time else [])
    assert (films / "One/A.mkv").exists()


def test_a_second_file_of_an_episode_takes_over(client, script, film, season, plant, tmp_path):
    client.use()
    script.answers["tv:Show"] = film(7, "Show")
    script.answers["tv:7"] = film(7, "Show")
    script.seasons["7", 1] = season(1, "Pilot", "Second")
    root = plant(tmp_path / "shows", "a/Show/Show S01E01.mkv", "b/Show/Show S01E01.mkv")
    plant(root, "b/Show/Show S01E02.mkv", "c/Show/Show S01E02.mkv")

    def paths():
        rows = client.query(
            "SELECT f.path FROM episode e JOIN file f ON f.id = e.file_id ORDER BY e.number"
        )
        return [Path(row["path"]).relative_to(root).parts[0] for row in rows]

    for _ in range(3):
        client.scan(root, "tv")
        assert paths() == ["a", "b"]
    shutil.rmtree(root / "a")
    (root / "b/Show/Show S01E02.mkv").unlink()
    client.scan(root, "tv")
    client.scan(root, "tv")
    assert paths() == ["b", "c"]
