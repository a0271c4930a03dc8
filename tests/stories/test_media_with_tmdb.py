"""Media and the provider tmdb together, against a server that answers as TMDB does."""

from __future__ import annotations

import io
import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest
from PIL import Image

from tests import on_disk

tmp_path = on_disk.tmp_path

MATRIX = {
    "id": 603,
    "title": "The Matrix",
    "overview": "A hacker learns.",
    "release_date": "1999-03-31",
    "vote_average": 8.2,
    "runtime": 136,
    "poster_path": "/poster.png",
    "backdrop_path": "/missing.png",
    "genres": [{"name": "Action"}, {"name": "Science Fiction"}],
    "imdb_id": "tt0133093",
}
SHOW = {"id": 1396, "name": "Breaking Bad", "first_air_date": "2008-01-20", "genres": []}
SEASON = {
    "name": "Season One",
    "episodes": [{"episode_number": 1, "name": "Pilot", "runtime": 47, "air_date": "2008-01-20"}],
}


def _poster() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (50, 75), (200, 30, 40)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def tmdb():
    """Its address, and how often each path was asked for."""
    asked: Counter[str] = Counter()
    answers = {
        "/3/movie/603": MATRIX,
        "/3/tv/1396": SHOW,
        "/3/tv/1396/season/1": SEASON,
        "/3/search/movie": {"results": []},
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            asked[path] += 1
            content = b"{}"
            if path == "/t/p/w500/poster.png":
                content = _poster()
            elif path in answers:
                content = json.dumps(answers[path]).encode()
            self.send_response(200 if path in answers or content != b"{}" else 404)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", asked
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_library_is_filled_by_tmdb(make_host, tmdb, scan_media, wait_until, tmp_path):
    url, asked = tmdb
    host = make_host()
    config = {
        "apiKey": "hush",
        "baseUrl": f"{url}/3",
        "imageBaseUrl": f"{url}/t/p",
        "rateLimitRps": 100,
    }
    made = host.post("/api/v1/settings/providers", json={"name": "tmdb", "config": config})
    assert made.json()["data"]["configured"] is True
    for path in ("films/The Matrix (1999) {tmdb-603}.mkv", "films/Unknown (2001).mkv"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(b"x")
    episode = tmp_path / "shows/Breaking Bad {tmdb-1396}/Season 1/S01E01.mkv"
    episode.parent.mkdir(parents=True)
    episode.write_bytes(b"x")

    job = scan_media(host, tmp_path / "films", "movie")
    assert (job["metadataSuccessCount"], job["metadataFailedCount"]) == (1, 1)

    def listed():
        found = host.get("/api/v1/movies").json()["data"]
        return {item["media"]["title"]: item for item in found}

    # a busy machine has no colours ready when it answers first
    wait_until(lambda: listed()["The Matrix"]["media"]["meshGradientColors"])
    films = listed()
    media = films["The Matrix"]["media"]
    assert films["The Matrix"]["duration"] == 136
    assert media["metadataProvider"] == "tmdb"
    assert media["externalIds"] == [
        {"source": "IMDB", "externalId": "tt0133093"},
        {"source": "TMDB", "externalId": "603"},
    ]
    assert host.get(media["posterUrl"]).content == _poster()
    assert media["backdropUrl"] == f"{url}/t/p/w1280/missing.png"
    assert media["meshGradientColors"] == ["#cc1c2c", "#ee8a93", "#741019", "#86121d"]
    scan_media(host, tmp_path / "shows", "tv")
    show = host.get("/api/v1/search?query=breaking").json()["data"]["tvShows"][0]
    detail = host.get(f"/api/v1/tvshows/{show['id']}").json()["data"]
    assert detail["seasons"][0]["name"] == "Season One"
    assert detail["seasons"][0]["episodes"][0]["title"] == "Pilot"
    before = asked.copy()
    scan_media(host, tmp_path / "films", "movie")
    scan_media(host, tmp_path / "shows", "tv")
    assert asked - before == Counter({"/3/search/movie": 1})  # what nobody knew is asked for again
    health = host.get("/health").json()["services"]
    assert health["metadata_service"] == "healthy"
    assert b"hush" not in b"".join(json.dumps(line).encode() for line in host.log_lines())
