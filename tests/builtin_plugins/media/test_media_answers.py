"""Answers as such: envelopes, headers, ids, bodies, versions; lists and search (media contract, 3,
5.2)."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from builtin_plugins.media.pages import page
from plugin_sdk.testing import request

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


def test_identifiers_of_other_things_may_be_any_text(client):
    for path in (
        "/library/%00",
        "/scan/job/%00",
        "/settings/providers/%00",
        "/library/%F0%9F%8E%AC",
    ):
        client.fails(client.host.get(f"/api/v1{path}"), 404, "Not found")
    body = {"id": "x" * 300, "name": "A"}
    client.fails(client.host.put("/api/v1/library", json=body), 404, "Not found")


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


@pytest.mark.parametrize("version", ["0.3.0", "0.3.99", "0.3.12345678901"])
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
        ("query=a%00b", "query must not contain control characters"),
        ("query=%1Fa", "query must not contain control characters"),
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
def test_lists_need_few_statements(client, plant, tmp_path, path, monkeypatch, wait_until):
    client.scan(plant(tmp_path / "films", *(f"A{n} (2001).mkv" for n in range(12))))
    client.scan(plant(tmp_path / "shows", *(f"A{n}/S01E01.mkv" for n in range(12))), "tv")
    wait_until(lambda: not client.host.host.jobs.busy("media"))  # that looked for another scan
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


def test_the_page_is_told_of_sockets_that_have_a_port_of_their_own():
    def told(sockets, **more):
        answer = page(replace(request("GET", "/media"), **more), sockets)
        found = re.search(r'<meta name="sockets" content="([^"]*)">', answer.body.content.decode())
        policy = answer.headers.get("Content-Security-Policy", "")
        return found[1], policy.partition("connect-src ")[2]

    assert told(None) == ("", "")
    here = "ws://127.0.0.1:8086"
    assert told(here, host="127.0.0.1:8085") == (here, f"'self' {here}")
    assert told(here, host="box.lan")[0] == "ws://box.lan:8086"
    assert told(here, host="box.lan", scheme="https")[0] == "wss://box.lan:8086"
    assert told("ws://[::1]:8086", host="[::1]:8085")[0] == "ws://[::1]:8086"
    for odd in ('a"b', "a b", "[::1", "a;b", ""):
        assert told(here, host=odd) == ("", "")
