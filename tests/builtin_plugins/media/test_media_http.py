"""Settings, providers, libraries, scans, lists and search over HTTP (3, 5)."""

from __future__ import annotations

import json

import pytest

ID = "c" + "a" * 24


# Envelopes


@pytest.mark.parametrize(
    ("method", "path", "message"),
    [
        ("GET", "/nope?x=1&x=%41", "Cannot GET /api/v1/nope?x=1&x=%41"),
        ("POST", "/nope", "Cannot POST /api/v1/nope"),
        ("GET", "", "Cannot GET /api/v1"),
        ("GET", "/movies//", "Cannot GET /api/v1/movies//"),
    ],
)
def test_unknown_paths(client, method, path, message):
    answer = client.host.request(method, f"/api/v1{path}")
    assert client.fails(answer, 404, "Route not found")["message"] == message


def test_other_methods(client):
    answer = client.host.request("PATCH", "/api/v1/movies?x=1")
    assert client.fails(answer, 405, "Method not allowed")["message"] == (
        "Cannot PATCH /api/v1/movies?x=1"
    )
    assert "GET" in answer.headers["allow"]
    answer = client.host.options("/api/v1/movies")
    assert (answer.status, answer.content) == (200, b"")
    assert client.host.options("/api/v1/nope").status == 404


def test_headers_of_every_answer(client):
    for path in ("/api/v1/movies", "/api/v1/movies/", "/api/v1/nope", "/health"):
        answer = client.host.get(path)
        assert answer.headers["x-api-version"] == "0.3.0"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "SAMEORIGIN"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
        assert answer.headers["cache-control"] == "no-store"
        head = client.host.head(path)
        assert (head.status, head.content) == (answer.status, b"")


@pytest.mark.parametrize("path", ["/movies/", "/tvshows/", "/stream/"])
@pytest.mark.parametrize(
    "text", ["abc", "C" + "a" * 24, "c" + "a" * 23, "c" + "a" * 26, ID + "%0A"]
)
def test_ids_are_checked_before_anything(client, path, text):
    assert client.refused("GET", path + text) == "id: Invalid ID format"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (f"/movies/{ID}", f"Movie with identifier '{ID}' not found"),
        (f"/tvshows/{ID}", f"TV Show with identifier '{ID}' not found"),
        (f"/stream/{ID}", f"Media file with identifier '{ID}' not found"),
        ("/library/x", "Library with identifier 'x' not found"),
        ("/library/x/stats", "Library with identifier 'x' not found"),
        ("/scan/job/x", "Scan job with identifier 'x' not found"),
        ("/settings/providers/x", "Provider with identifier 'x' not found"),
        ("/image/x", "Image with identifier 'x' not found"),
        (f"/image/{'a' * 32}.png", f"Image with identifier '{'a' * 32}.png' not found"),
    ],
)
def test_things_that_are_not_there(client, path, message):
    answer = client.host.get(f"/api/v1{path}")
    assert client.fails(answer, 404, "Not found")["message"] == message


# Bodies


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_json_is_read_whatever_it_is_called(client, content_type):
    answer = client.host.put(
        "/api/v1/settings", content=b'\n {"port": 4000}', headers={"Content-Type": content_type}
    )
    assert answer.json()["data"]["port"] == 4000


@pytest.mark.parametrize("content", [b"x", b'{"a":', b'{"a": NaN}', b'{"a": 1e999}', b"{'a': 1}"])
def test_what_is_no_json(client, content):
    answer = client.host.put("/api/v1/settings", content=content)
    client.fails(answer, 400, "Invalid JSON")


def test_other_bodies(client):
    assert client.refused("PUT", "/settings", [1]).startswith(": ")
    assert client.ok("PUT", "/settings")["port"] == 3001  # an empty body is {}
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = client.host.post("/api/v1/library", content=b"name=Form+Library", headers=form)
    assert answer.json()["data"]["name"] == "Form Library"
    multipart = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = client.host.post("/api/v1/library", content=b"--x--", headers=multipart)
    client.fails(answer, 415, "Unsupported media type")
    answer = client.host.put("/api/v1/settings", content=b"{" + b" " * 1024 * 1024 + b"}")
    client.fails(answer, 413, "Payload too large")


# Version


@pytest.mark.parametrize("version", ["0.3.0", "0.3.99"])
def test_versions_that_fit(client, version):
    answer = client.host.get("/api/v1/movies", headers={"X-Client-Version": version})
    assert answer.status == 200


@pytest.mark.parametrize("version", ["0.4.0", "1.3.0", "0.3", "x", "0.3.0.0", "0.3.-1"])
@pytest.mark.parametrize("path", ["/api/v1/movies", "/api/v1/logs", "/api/v1/nope"])
def test_versions_that_do_not_fit(client, path, version):
    answer = client.host.get(path, headers={"X-Client-Version": version})
    body = client.fails(answer, 426, "Version mismatch")
    assert body["data"] == {
        "clientVersion": version,
        "apiVersion": "0.3.0",
        "upgradeRequired": True,
    }
    assert answer.headers["x-api-version"] == "0.3.0"
    assert client.host.get("/health", headers={"X-Client-Version": version}).status == 200


# Settings


def test_settings_and_their_defaults(client):
    defaults = {
        "port": 3001,
        "enableRouteGuards": False,
        "firstRun": True,
        "scanSettings": {
            "rescan": False,
            "followSymlinks": True,
            "mediaTypeDepth": {"movie": 2, "tv": 4},
        },
    }
    client.ok("PUT", "/settings", {"tmdbApiKey": ""})
    assert client.get("/settings") == defaults
    assert client.ok("PUT", "/settings", {}) == defaults
    changed = client.ok("PUT", "/settings", {"port": 5000, "scanSettings": {"maxDepth": 3, "x": 1}})
    assert changed == {**defaults, "port": 5000, "scanSettings": {"maxDepth": 3}}
    assert client.ok("POST", "/settings/first-run-complete") is None
    assert client.get("/settings")["firstRun"] is False
    reset = client.ok("POST", "/settings/reset-scan")
    assert reset == {**defaults, "port": 5000, "firstRun": False}
    assert client.ok("POST", "/settings/reset") == defaults


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"port": 999}, "port"),
        ({"port": True}, "port"),
        ({"port": "5000"}, "port"),
        ({"port": 5000.5}, "port"),
        ({"port": None}, "port"),
        ({"firstRun": 1}, "firstRun"),
        ({"enableRouteGuards": "true"}, "enableRouteGuards"),
        ({"tmdbApiKey": 5}, "tmdbApiKey"),
        ({"tmdbApiKey": "x" * 257}, "tmdbApiKey"),
        ({"tmdbApiKey": "a\u0000b"}, ""),
        ({"scanSettings": None}, "scanSettings"),
        ({"scanSettings": []}, "scanSettings"),
        ({"scanSettings": {"mediaType": "movies"}}, "scanSettings.mediaType"),
        ({"scanSettings": {"maxDepth": 11}}, "scanSettings.maxDepth"),
        ({"scanSettings": {"mediaTypeDepth": {"tv": -1}}}, "scanSettings.mediaTypeDepth.tv"),
        ({"scanSettings": {"mediaTypeDepth": 3}}, "scanSettings.mediaTypeDepth"),
        ({"scanSettings": {"fileExtensions": ["x" * 11]}}, "scanSettings.fileExtensions.0"),
        ({"scanSettings": {"fileExtensions": "mkv"}}, "scanSettings.fileExtensions"),
        ({"scanSettings": {"filenamePattern": "("}}, "scanSettings.filenamePattern"),
        (
            {"scanSettings": {"filenamePattern": "((x{900}){900}){900}"}},
            "scanSettings.filenamePattern",
        ),
        ({"scanSettings": {"directoryPattern": 5}}, "scanSettings.directoryPattern"),
        ({"scanSettings": {"minFileSize": -1}}, "scanSettings.minFileSize"),
        ({"scanSettings": {"rescan": "yes"}}, "scanSettings.rescan"),
        ({"scanSettings": {"excludeDirectories": ["a"] * 51}}, "scanSettings.excludeDirectories"),
    ],
    ids=lambda value: json.dumps(value)[:60] if isinstance(value, dict) else "",
)
def test_settings_that_are_refused(client, body, field):
    if not field:
        answer = client.host.put("/api/v1/settings", json=body)
        client.fails(answer, 400, "Invalid JSON")
        return
    refusal = client.refused("PUT", "/settings", {"port": 6000, **body})
    assert refusal.startswith(f"{field}: ")
    assert client.get("/settings")["port"] == 3001
    if "Pattern" in field and body["scanSettings"].get("filenamePattern"):
        assert refusal.endswith("Invalid regex pattern")


def test_the_settings_are_the_plugins_settings(client):
    client.ok("PUT", "/settings", {"tmdbApiKey": "hush", "port": 5001})
    config = client.host.get("/api/plugins/media/config").json()
    text = json.dumps(config)
    assert "hush" not in text
    assert "5001" in text
    client.host.plugin("media").context.settings.update({"port": 5002})
    assert client.get("/settings")["port"] == 5002


def test_the_key_goes_to_the_provider(client):
    assert client.ok("PUT", "/settings", {"tmdbApiKey": " hush "})["tmdbApiKey"] == "********"
    [row] = client.get("/settings/providers")
    assert row["name"] == "tmdb"
    assert (row["enabled"], row["priority"]) == (True, 0)
    assert row["config"] == {
        "apiKey": "********",
        "baseUrl": "https://api.themoviedb.org/3",
        "rateLimitRps": 4,
    }
    config = {"apiKey": "********", "language": "de-DE"}
    client.ok("PUT", "/settings/providers/tmdb", {"priority": 7, "config": config})
    client.ok("PUT", "/settings", {"tmdbApiKey": "********"})
    assert _stored(client) == {"apiKey": "hush", "language": "de-DE"}
    client.ok("PUT", "/settings", {"tmdbApiKey": "other"})
    assert _stored(client) == {"apiKey": "other", "language": "de-DE"}
    assert client.ok("PUT", "/settings", {"tmdbApiKey": ""}).get("tmdbApiKey") is None
    [row] = client.get("/settings/providers")
    assert (row["enabled"], row["priority"]) == (False, 7)
    assert _stored(client) == {"apiKey": "other", "language": "de-DE"}
    # Setting it elsewhere does the same; resetting keeps it.
    client.host.plugin("media").context.settings.update({"tmdbApiKey": "third"})
    assert client.get("/settings/providers")[0]["enabled"] is True
    assert client.ok("POST", "/settings/reset")["tmdbApiKey"] == "********"


def _stored(client):
    [row] = client.query("SELECT config FROM provider WHERE name = 'tmdb'")
    return json.loads(row["config"])


# Providers


def test_providers(client):
    made = client.ok(
        "POST",
        "/settings/providers",
        {"name": " Fake ", "config": {"apiKey": "hush", "pepper": "hot", "rate": 1}},
    )
    assert made["config"] == {"apiKey": "********", "pepper": "********", "rate": 1}
    assert (made["available"], made["configured"], made["priority"]) == (True, True, 0)
    assert "created_at" in made
    client.ok(
        "POST", "/settings/providers", {"name": "b", "priority": 5, "config": {"type": "fake"}}
    )
    client.ok("POST", "/settings/providers", {"name": "a", "priority": 5, "enabled": False})
    rows = client.get("/settings/providers")
    assert [(row["name"], row["available"]) for row in rows] == [
        ("fake", True),
        ("a", False),
        ("b", True),
    ]
    changed = client.ok("PUT", "/settings/providers/FAKE", {"config": {"pepper": "********"}})
    assert changed["config"] == {"pepper": "********"}
    assert changed["configured"] is False
    assert client.ok("PUT", "/settings/providers/fake", {}) == changed
    again = client.ok("POST", "/settings/providers", {"name": "a"})
    assert (again["enabled"], again["priority"], again["config"]) == (True, 0, {})
    assert client.ok("DELETE", "/settings/providers/A/") is None
    missing = client.host.put("/api/v1/settings/providers/a", json={})
    client.fails(missing, 404, "Not found")


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        ({}, "name: Provider name is required"),
        ({"name": " "}, "name: Provider name is required"),
        ({"name": "a/b"}, "name: "),
        ({"name": "x" * 65}, "name: "),
        ({"name": "x", "enabled": 1}, "enabled: "),
        ({"name": "x", "priority": -1}, "priority: "),
        ({"name": "x", "priority": 1.5}, "priority: "),
        ({"name": "x", "config": []}, "config: "),
        ({"name": "x", "config": {"a": "b" * 17000}}, "config: "),
        ({"name": "fake", "config": {"rate": "fast"}}, "config.rate: "),
        ({"name": "x", "config": {"type": "fake", "apiKey": 5}}, "config.apiKey: "),
    ],
    ids=lambda value: str(value)[:40],
)
def test_providers_that_are_refused(client, body, refusal):
    assert client.refused("POST", "/settings/providers", body).startswith(refusal)
    assert client.get("/settings/providers") == []


def test_choosing_a_provider(client, wait_until):
    client.use("second", priority=3)
    client.host.host.providers.choose("metadata", "fake")

    def rows():
        found = client.get("/settings/providers")
        return [(row["name"], row["priority"], row["enabled"]) for row in found]

    wait_until(lambda: rows() == [("fake", 0, True), ("second", 4, True)])


# Libraries


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
    ):
        assert client.refused("POST", f"/scan/cleanup{query}", body).startswith("days: ")
    database = client.host.plugin("media").context.db
    now = client.host.plugin("media").context.clock.ms()
    old = now - 2 * 24 * 3600 * 1000
    database.execute("UPDATE scan_job SET completed_at = :old", {"old": old})
    assert client.ok("POST", "/scan/cleanup?days=3")["cleanedCount"] == 0
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


# Search


def test_search_is_literal(client, plant, tmp_path):
    names = ["100% Wolf", "A_B", "AxB", "Straße", "Élite", r"Back\slash", "Plain"]
    client.scan(plant(tmp_path / "films", *(f"{name} (2001)/f.mkv" for name in names)))

    def titles(query):
        answer = client.host.get("/api/v1/search?query=" + query)
        return [item["media"]["title"] for item in answer.json()["data"]["movies"]]

    assert titles("%25") == ["100% Wolf"]
    assert titles("_") == ["A B"] or titles("a%20b") == ["A B"]
    assert titles("STRASSE") == ["Straße"]
    assert titles("%C3%89LITE") == ["Élite"]
    assert titles("e%CC%81lite") == ["Élite"]
    assert titles("%5C") == [r"Back\slash"]
    assert titles("%20plain%20") == ["Plain"]


@pytest.mark.parametrize(
    ("movies", "shows", "found"), [(8, 8, (5, 5)), (2, 20, (2, 8)), (12, 0, (10, 0))]
)
def test_search_takes_turns(client, plant, tmp_path, movies, shows, found):
    client.scan(plant(tmp_path / "films", *(f"Thing {n:02} (2001).mkv" for n in range(movies))))
    root = plant(tmp_path / "shows", *(f"Thing {n:02}/S01E01.mkv" for n in range(shows)))
    client.scan(root, "tv")
    data = client.get("/search?query=thing")
    assert (len(data["movies"]), len(data["tvShows"])) == found
    for kind in ("movies", "tvShows"):
        titles = [item["media"]["title"] for item in data[kind]]
        assert titles == sorted(titles)
        assert titles[:1] in ([], ["Thing 00"])


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("", "Search query is required"),
        ("query=", "Search query must be at least 1 character"),
        ("query=%20", "Search query must be at least 1 character"),
        (f"query={'x' * 101}", "Search query must be at most 100 characters"),
        ("query=a&query=b", "query was sent more than once"),
    ],
)
def test_searches_that_are_refused(client, query, message):
    assert client.refused("GET", f"/search?{query}") == f"query: {message}"


def test_lists_are_short_and_newest_first(client, plant, tmp_path):
    client.scan(plant(tmp_path / "films", *(f"{n:02}/F{n:02}.mkv" for n in range(12))))
    titles = [item["media"]["title"] for item in client.get("/movies")]
    assert titles == [f"F{n:02}" for n in range(11, 1, -1)]
    item = client.get("/movies")[0]
    assert client.get(f"/movies/{item['id']}") == item


@pytest.mark.parametrize("path", ["/movies", "/tvshows", "/search?query=a"])
def test_lists_need_few_statements(client, plant, tmp_path, path, monkeypatch):
    client.scan(plant(tmp_path / "films", *(f"A{n} (2001).mkv" for n in range(12))))
    client.scan(plant(tmp_path / "shows", *(f"A{n}/S01E01.mkv" for n in range(12))), "tv")
    database = client.host.plugin("media").context.db
    counted = []
    for name in ("query", "one", "value", "execute"):
        real = getattr(type(database), name)

        def counting(self, sql, *rest, _real=real, **more):
            if self is database:
                counted.append(sql)
            return _real(self, sql, *rest, **more)

        monkeypatch.setattr(type(database), name, counting)
    client.get(path)
    assert 1 <= len(counted) <= 4, counted


def test_a_strange_host_is_refused_in_this_shape(client):
    answer = client.host.get("/api/v1/movies", headers={"Host": "evil.example"})
    body = client.fails(answer, 403, "Forbidden")
    assert body == {"success": False, "error": "Forbidden", "message": "Host not allowed"}
