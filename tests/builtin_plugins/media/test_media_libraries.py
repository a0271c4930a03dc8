"""Libraries and scans over HTTP: made, changed, refused, cleaned up (media contract, 5.5, 5.6)."""

from __future__ import annotations

import pytest

from builtin_plugins.media.libraries import Libraries
from builtin_plugins.media.tally import Tally
from plugin_sdk.testing import FakeCommandIO

# Libraries


@pytest.mark.parametrize("name", ["nope", "%00", "%F0%28", "%ED%A0%80", "x" * 5000])
def test_any_other_text_is_an_unknown_library_or_job(client, name):
    for method, path in (
        ("GET", f"library/{name}"),
        ("GET", f"library/{name}/stats"),
        ("PUT", f"library/{name}"),
        ("DELETE", f"library/{name}"),
        ("GET", f"scan/job/{name}"),
        ("POST", f"scan/resume/{name}"),
    ):
        answer = client.host.request(method, f"/api/v1/{path}", json={"name": "x"})
        client.fails(answer, 404, "Not found")


def test_counts_are_made_once_for_each_state(client, plant, tmp_path, monkeypatch):
    plugin = client.host.plugin("media")
    database = plugin.context.db
    elsewhere = Libraries(database, None, plugin.context.clock, None, Tally(database))  # a process
    root = plant(tmp_path / "films", "A (2001).mkv", "B (2002)/B (2002).mkv")
    library = client.scan(root)["libraryId"]

    def counts():
        [listed] = client.get("/library")
        paths = ("/library/stats", f"/library/{library}/stats")
        several = {client.get(path)["totalMedia"] for path in paths}
        several |= {client.get(f"/library/{library}")["mediaCount"], listed["mediaCount"]}
        several |= {each["mediaCount"] for each in elsewhere.all(is_library=None, kind=None)}
        return several

    assert counts() == {2}
    asked = []
    for name in ("query", "value"):
        real = getattr(type(database), name)

        def heard(self, sql, *rest, _real=real, **more):
            if self is database:  # and not of another plugin
                asked.append(sql)
            return _real(self, sql, *rest, **more)

        monkeypatch.setattr(type(database), name, heard)
    assert counts() == {2}
    assert [sql for sql in asked if "count(" in sql or "sum(" in sql] == []
    plant(root, "C (2003).mkv", "C (2003) again.mkv")
    client.scan(root)
    assert counts() == {4}
    (root / "A (2001).mkv").unlink()
    client.scan(root)
    assert counts() == {3}
    other = client.scan(root / "B (2002)")["libraryId"]
    assert client.get(f"/library/{other}")["mediaCount"] == 1
    client.ok("DELETE", f"/library/{library}")
    [left] = client.get("/library")
    assert (left["id"], left["mediaCount"], client.get("/library/stats")["totalMedia"]) == (
        other,
        1,
        1,
    )


def test_what_changes_while_it_is_counted_is_counted_again(client):
    database = client.host.plugin("media").context.db
    tally, films = Tally(database), [1]

    def count():
        found = len(films)
        films.append(2)
        tally.touch()
        return found

    assert tally.get("films", count) == 1
    assert tally.get("films", lambda: len(films)) == 2
    assert tally.get("films", count) == 2

    def undone():
        with database.transaction():
            tally.touch()
            tally.get("films", lambda: 100)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        undone()
    assert tally.get("films", lambda: len(films)) == 2


def test_libraries(client, plant, tmp_path):
    made = client.ok("POST", "/library", {"name": "Übung & Co"}, 201)
    assert made["slug"] == "ubung-co"
    assert made["isLibrary"] is True
    assert made["mediaCount"] == 0
    assert client.ok("POST", "/library", {"name": "Übung / Co!"}, 201)["slug"] == "ubung-co-1"
    folder = client.ok("POST", "/library", {"name": "???", "isLibrary": False}, 201)
    assert folder["slug"] == "library"
    path = str(plant(tmp_path / "films"))
    client.ok("PUT", f"/library/{made['id']}", {"libraryPath": path + "//./", "name": "Films"})
    assert client.get(f"/library/{made['id']}")["libraryPath"] == path
    taken = client.host.put("/api/v1/library", json={"id": folder["id"], "libraryPath": path})
    client.fails(taken, 409, "Conflict")
    answer = client.ok("PUT", "/library", {"id": made["id"], "description": "x", "posterUrl": ""})
    assert answer["message"] == "Library updated successfully"
    assert "mediaCount" not in answer["library"]
    assert (answer["library"]["description"], answer["library"]["slug"]) == ("x", "ubung-co")
    assert (
        client.ok("PUT", "/library", {"id": made["id"], "description": None})["library"][
            "description"
        ]
        is None
    )
    names = [each["name"] for each in client.get("/library")]
    assert names == ["Films", "Übung / Co!", "???"]
    assert [each["name"] for each in client.get("/library?isLibrary=no")] == ["???"]
    assert client.get("/library?libraryType=COMIC") == []
    assert client.get("/library/stats")["totalLibraries"] == 2
    stats = client.get(f"/library/{made['id']}/stats")
    assert (stats["libraryName"], stats["totalMedia"], stats["totalSize"]) == ("Films", 0, "0")
    gone = client.ok("DELETE", "/library", {"id": folder["id"]})
    assert (gone["libraryName"], gone["mediaDeleted"]) == ("???", 0)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": " "}, "name"),
        ({"name": "x" * 256}, "name"),
        ({"name": 5}, "name"),
        ({"name": "a\u007fb"}, "name"),
        ({"name": "x", "description": "y" * 1001}, "description"),
        ({"name": "x", "posterUrl": "ftp://a/b"}, "posterUrl"),
        ({"name": "x", "backdropUrl": "/b"}, "backdropUrl"),
        ({"name": "x", "libraryType": "movie"}, "libraryType"),
        ({"name": "x", "libraryType": []}, "libraryType"),
        ({"name": "x", "libraryPath": "relative"}, "libraryPath"),
        ({"name": "x", "libraryPath": "/etc/"}, "libraryPath"),
        ({"name": "x", "isLibrary": "true"}, "isLibrary"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_libraries_that_are_refused(client, body, field):
    assert client.refused("POST", "/library", body).startswith(f"{field}: ")


def test_what_is_sent_is_checked_before_anything_is_looked_for(client):
    assert client.refused("PUT", "/library/nobody", {"name": ""}).startswith("name: ")
    assert client.refused("PUT", "/settings/providers/nobody", {"enabled": 1}).startswith("enabled")


def test_library_lists_that_are_refused(client):
    assert client.refused("GET", "/library?libraryType=x").startswith("libraryType: ")
    assert client.refused("GET", "/library?isLibrary=true&isLibrary=true").startswith("isLibrary: ")


# Scans


@pytest.mark.parametrize(
    "path",
    [
        "relative",
        "/a/../b",
        "/a<b",
        "/a\tb",
        "/a\0b",
        "\x1f/tmp",
        "/",
        "//",
        "/./",
        "/HOME/",
        "/usr",
        "/proc/1/cwd",
        "/dev/shm",
        "/Program Files",
    ],
)
def test_paths_that_are_unsafe(client, path):
    assert client.refused("POST", "/scan/path", {"path": path}) == (
        "path: Invalid or unsafe file path"
    )


def test_a_command_names_the_folder_that_is_refused(client, tmp_path):
    media = client.host.plugin("media")
    missing = str(tmp_path / "missing")
    for path, name, said in (
        ("relative", None, "Invalid or unsafe file path: relative\n"),
        (missing, None, f"The path does not exist: {missing}\n"),
        (missing, "", "name must have 1 to 255 characters\n"),
    ):
        terminal = FakeCommandIO()
        assert media.scan_command(terminal, path, "movie", name) == 2
        assert (terminal.errors, terminal.output) == (said, "")


def test_paths_that_do_not_fit_the_disk(client, plant, tmp_path):
    root = plant(tmp_path / "films", "file.mkv")
    (tmp_path / "link").symlink_to("/etc")
    for path in (str(tmp_path / "missing"), str(root / "file.mkv"), str(tmp_path / "link")):
        refusal = client.refused("POST", "/scan/path", {"path": path})
        assert refusal.startswith("path: ")
        assert path in refusal
    settings = client.host.plugin("media").context.settings
    settings.update({"allowedRoots": [str(tmp_path / "other")]})
    try:
        assert "allowed root" in client.refused("POST", "/scan/path", {"path": str(root)})
    finally:
        settings.update({"allowedRoots": None})
    assert client.get("/library") == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "path"),
        ({"path": 5}, "path"),
        ({"path": " "}, "path"),
        ({"path": "/srv", "name": ""}, "name"),
        ({"path": "/srv", "mediaType": "music"}, "mediaType"),
        ({"path": "/srv", "options": {"mediaType": "x"}}, "options.mediaType"),
        ({"path": "/srv", "options": {"filenamePattern": "["}}, "options.filenamePattern"),
        ({"path": "/srv", "options": []}, "options"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_scans_that_are_refused(client, body, field):
    assert client.refused("POST", "/scan/path", body).startswith(f"{field}: ")


def test_a_scan_makes_or_renames_its_library(client, plant, tmp_path):
    root = plant(tmp_path / "films", "A.mkv")
    data = client.ok("POST", "/scan/path", {"path": f"{root}//", "mediaType": "TV Show"}, 202)
    assert data["libraryName"] == "films"
    assert (data["path"], data["mediaType"], data["maxDepth"]) == (str(root), "tv", 4)
    assert data["jobId"] == data["scanJobId"]
    client.ended(data["jobId"])
    body = {
        "path": str(root),
        "name": "Films",
        "description": "all",
        "mediaType": "tv",
        "options": {"mediaType": "Movies", "mediaTypeDepth": {"movie": 1}},
    }
    again = client.ok("POST", "/scan/path", body, 202)
    assert again["libraryId"] == data["libraryId"]
    assert (again["libraryName"], again["mediaType"], again["maxDepth"]) == ("Films", "movie", 1)
    job = client.ended(again["jobId"])
    assert job["library"] == {"id": data["libraryId"], "name": "Films", "libraryPath": str(root)}
    [library] = client.get("/library")
    assert (library["description"], library["libraryType"]) == ("all", "MOVIE")
    listed = client.get("/scan/jobs")
    assert [each["id"] for each in listed["jobs"]] == [again["jobId"], data["jobId"]]
    assert listed["pagination"] == {"total": 2, "limit": 50, "offset": 0, "hasMore": False}
    page = client.get("/scan/jobs?limit=1&offset=0&status=completed")
    assert page["pagination"] == {"total": 2, "limit": 1, "offset": 0, "hasMore": True}
    assert client.get("/scan/jobs?libraryId=x")["jobs"] == []
    assert client.get("/scan/jobs?limit=1000")["pagination"]["limit"] == 100


@pytest.mark.parametrize(
    "query", ["limit=-1", "limit=x", "offset=1.5", "status=DONE", "limit=1&limit=1"]
)
def test_job_lists_that_are_refused(client, query):
    assert client.refused("GET", f"/scan/jobs?{query}")


def test_only_ended_scans_resume(client, plant, tmp_path):
    job = client.scan(plant(tmp_path / "films", "A.mkv"))
    answer = client.host.post(f"/api/v1/scan/resume/{job['id']}")
    client.fails(answer, 409, "Conflict")
    client.fails(client.host.post("/api/v1/scan/resume/x"), 404, "Not found")


def test_cleanup(client, plant, tmp_path):
    job = client.scan(plant(tmp_path / "films", "A.mkv"))
    for query, body in (
        ("?days=0", {}),
        ("", {"days": 3651}),
        ("", {"days": True}),
        ("?days=x", {}),
        ("", {"days": "5"}),
    ):
        assert client.refused("POST", f"/scan/cleanup{query}", body).startswith("days: ")
    database = client.host.plugin("media").context.db
    now = client.host.plugin("media").context.clock.ms()
    old = now - 2 * 24 * 3600 * 1000
    database.execute("UPDATE scan_job SET completed_at = :old", {"old": old})
    assert client.ok("POST", "/scan/cleanup?days=3")["cleanedCount"] == 0
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = client.host.post("/api/v1/scan/cleanup", content=b"days=3", headers=form)
    assert answer.json()["data"]["cleanedCount"] == 0
    stale = {"old": now - 6 * 3600 * 1000 - 60_000, "id": job["id"]}
    database.execute(
        "UPDATE scan_job SET status = 'IN_PROGRESS', last_batch_at = :old WHERE id = :id", stale
    )
    cleaned = client.ok("POST", "/scan/cleanup")
    assert (cleaned["cleanedCount"], cleaned["staleCount"], cleaned["deletedCount"]) == (1, 1, 0)
    failed = client.job(job["id"])
    assert failed["status"] == "FAILED"
    assert failed["error"]
    database.execute("UPDATE scan_job SET completed_at = :old", {"old": old})
    assert client.ok("POST", "/scan/cleanup", {"days": 1})["deletedCount"] == 1
    client.fails(client.host.get(f"/api/v1/scan/job/{job['id']}"), 404, "Not found")
