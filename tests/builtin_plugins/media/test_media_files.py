"""Which files a scan sees, and what goes with those that are gone (media contract, 7.3, 7.5)."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest


def test_vanished_files_go_with_what_hung_on_them(client, tmp_path, plant):
    root = plant(tmp_path / "films", "A (2001)/A.mkv", "A (2001)/A2.mkv", "B (2002)/B.mkv")
    client.scan(root)
    (root / "A (2001)/A2.mkv").unlink()
    shutil.rmtree(root / "B (2002)")
    client.scan(root)
    assert [Path(path).name for _, path, _ in client.films()] == ["A.mkv"]
    counts = client.query("SELECT count(*) AS n FROM media")
    assert counts[0]["n"] == 1


def test_an_unmounted_root_removes_nothing(client, tmp_path, plant):
    root = plant(tmp_path / "films", "A (2001)/A.mkv")
    client.scan(root)
    moved = tmp_path / "elsewhere"
    root.rename(moved)
    root.mkdir()
    job = client.scan(root)
    assert (job["status"], job["error"]) == ("FAILED", "Scan root is empty; nothing was removed")
    assert len(client.films()) == 1
    root.rmdir()
    moved.rename(root)
    assert client.scan(root)["status"] == "COMPLETED"
    assert len(client.films()) == 1


def test_an_empty_root_is_complete(client, tmp_path, plant):
    job = client.scan(plant(tmp_path / "films"))
    assert (job["status"], job["itemsSaved"]) == ("COMPLETED", 0)
    assert job["progress"]["totalFolders"] == 0


def test_no_time_of_a_file_is_too_odd(client, tmp_path, plant):
    """A flipped bit, a broken clock: one such file cost the whole scan."""
    root = plant(tmp_path / "films", "Late.mkv", "Early.mkv")
    os.utime(root / "Late.mkv", (0, 250_000_000_000))
    os.utime(root / "Early.mkv", (0, -70_000_000_000))
    for _ in range(2):
        job = client.scan(root)
        assert (job["status"], job["itemsSaved"]) == ("COMPLETED", 2)
    films = {each["media"]["title"]: each for each in client.get("/movies")}
    assert films["Late"]["fileModifiedAt"] == "2262-04-11T23:47:16.854Z"
    assert films["Early"]["fileModifiedAt"] < "1970"
    for each in films.values():
        assert client.host.get(each["streamUrl"]).status == 200


def test_filters_hide_and_do_not_remove(client, tmp_path, plant):
    root = plant(tmp_path / "films", "A/A.mkv", "B/B.mp4", "B/deep/er/C.mkv")
    client.scan(root)
    assert len(client.films()) == 3
    job = client.scan(root, excludeDirectories=["b"], fileExtensions=[".MKV"])
    assert job["scannedCount"] == 1
    assert len(client.films()) == 3


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"mediaTypeDepth": {"movie": 0}}, ["A.mkv", "B.mp4", "Root.mkv"]),
        ({"fileExtensions": ["mp4"]}, ["B.mp4"]),
        ({"filenamePattern": "^[AC]"}, ["A.mkv", "C.mkv"]),
        ({"includePattern": "^B/"}, ["B.mp4", "C.mkv"]),
        ({"excludePattern": "deep"}, ["A.mkv", "B.mp4", "Root.mkv"]),
        ({"directoryPattern": "^a$"}, ["A.mkv", "Root.mkv"]),
        ({"includeDirectories": ["B"]}, ["B.mp4", "C.mkv", "Root.mkv"]),
        ({"excludeDirectories": ["DEEP"]}, ["A.mkv", "B.mp4", "Root.mkv"]),
        ({"minFileSize": 11}, []),
        ({"maxFileSize": 9}, []),
        ({"minFileSize": 10, "maxFileSize": 10}, ["A.mkv", "B.mp4", "C.mkv", "Root.mkv"]),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_filters(client, tmp_path, options, names, plant):
    root = plant(tmp_path / "films", "A/A.mkv", "B/B.mp4", "B/deep/er/C.mkv", "Root.mkv")
    client.scan(root, **options)
    assert sorted(Path(path).name for _, path, _ in client.films()) == names


def test_links(client, tmp_path, plant):
    outside = plant(tmp_path / "outside", "Linked/Film (2001).mkv", "Out (2002).mkv")
    root = plant(tmp_path / "films", "A/A.mkv")
    (root / "L").symlink_to(outside / "Linked")
    (root / "loop").symlink_to(root)
    (root / "A" / "again").symlink_to(root / "A")
    (root / "A" / "Out.mkv").symlink_to(outside / "Out (2002).mkv")
    (root / "A" / "In.mkv").symlink_to(root / "A" / "A.mkv")
    client.scan(root, followSymlinks=False)
    names = [Path(path).name for _, path, _ in client.films()]
    assert names == ["A.mkv", "In.mkv"]
    client.scan(root)
    names = [Path(path).name for _, path, _ in client.films()]
    assert names == ["A.mkv", "In.mkv", "Out.mkv", "Film (2001).mkv"]


def test_links_that_lead_nowhere_cost_nothing(client, tmp_path, plant):
    root = plant(tmp_path / "films", "A/A.mkv", "Root.mkv")
    for folder in (root, root / "A"):
        (folder / "circle").symlink_to("circle")
        (folder / "circle.mkv").symlink_to("circle.mkv")
        (folder / "nowhere.mkv").symlink_to("gone.mkv")
    for follow in (True, False):
        job = client.scan(root, followSymlinks=follow)
        assert (job["status"], job["failedFolderNames"]) == ("COMPLETED", [])
        assert job["itemsSaved"] == 2


def test_a_folder_that_cannot_be_read_fails_alone(client, tmp_path, lose, plant):
    root = plant(tmp_path / "films", "A/A.mkv", "B/B.mkv")
    client.scan(root)
    lose(root / "A")
    job = client.scan(root)
    assert job["status"] == "COMPLETED"
    assert job["failedFolderNames"] == ["A"]
    assert job["progress"]["failedFolders"] == 1
    assert job["progress"]["percentComplete"] == 100
    assert len(client.films()) == 2


def test_the_root_is_a_folder_only_for_files_that_are_wanted(client, tmp_path, plant):
    root = plant(tmp_path / "films", "A/A.mkv", "Root.mkv", "Root.mp4")
    for options, folders in (
        ({}, 2),
        ({"excludePattern": "^Root"}, 1),
        ({"excludePattern": "mkv$"}, 2),
        ({"minFileSize": 11}, 1),
    ):
        assert client.scan(root, **options)["progress"]["totalFolders"] == folders, options


def test_two_libraries_share_a_file(client, tmp_path, plant):
    root = plant(tmp_path / "films", "A/A.mkv", "B/B.mkv")
    client.scan(root)
    client.scan(root / "A")
    assert len(client.films()) == 2
    libraries = {each["name"]: each for each in client.get("/library")}
    assert libraries["A"]["mediaCount"] == 1
    gone = client.ok("DELETE", "/library", {"id": libraries["films"]["id"]})
    assert gone["mediaDeleted"] == 1
    assert [Path(path).name for _, path, _ in client.films()] == ["A.mkv"]
    assert client.ok("DELETE", f"/library/{libraries['A']['id']}")["mediaDeleted"] == 1
    for table in ("media", "file", "movie", "scan_job", "library_file"):
        assert client.query(f"SELECT count(*) AS n FROM {table}")[0]["n"] == 0, table


def test_a_library_that_moved_takes_its_new_files(client, tmp_path, plant):
    root = plant(tmp_path / "films", "A/A.mkv")
    client.scan(root)
    new = plant(tmp_path / "new", "A/A.mkv", "B/B.mkv")
    [library] = client.get("/library")
    client.ok("PUT", "/library", {"id": library["id"], "libraryPath": str(new)})
    assert len(client.films()) == 1
    client.scan(new)
    assert [path for _, path, _ in client.films()] == [str(new / "A/A.mkv"), str(new / "B/B.mkv")]


def test_providers_are_told_where_it_lies(client, script, plant, tmp_path):
    client.use()
    told = []
    script.on_fetch = lambda query: told.append((query.title, dict(query.extra)))
    films = plant(tmp_path / "films", "A (2001)/A.mkv")
    shows = plant(tmp_path / "shows", "B/Season 1/S01E01.mkv", "C S01E01.mkv")
    client.scan(films)
    client.scan(shows, "tv")
    assert sorted(told) == [
        ("A", {"path": str(films / "A (2001)/A.mkv")}),
        ("B", {"path": str(shows / "B")}),
        ("C", {}),
    ]


def test_patterns_have_a_time_limit(client, plant, tmp_path, monkeypatch):
    monkeypatch.setattr("builtin_plugins.media.patterns.SECONDS", 0.25)
    root = plant(tmp_path / "films", f"{'a' * 60}!/A.mkv", f"B/{'a' * 60}!.mkv", "C/C.mkv")
    job = client.scan(root, filenamePattern="^((a|a)*)\\.mkv$|C")
    assert (job["status"], job["failedFolderNames"]) == ("COMPLETED", ["B"])
    assert [Path(path).name for _, path, _ in client.films()] == ["C.mkv"]
    job = client.scan(root, directoryPattern="^(a|a)*$")
    assert (job["status"], job["error"]) == (
        "FAILED",
        "The pattern directoryPattern takes too long",
    )
    assert len(client.films()) == 1
