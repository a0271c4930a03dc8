"""A server that answers like MusicBrainz, on a real socket."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

SONG = "0b382a13-32f0-4743-9248-ba5536a6115e"
ALBUM = "dfdfb4a1-3d5a-4c2c-a8c3-b1f0a5a6a001"
ARTIST = "57961a97-3796-4bf7-9f02-a985a8979ae9"
CREDIT = [{"name": "Motörhead", "joinphrase": "", "artist": {"id": ARTIST, "name": "Motörhead"}}]

RECORDING = {
    "id": SONG,
    "title": "Ace of Spades",
    "length": 167_000,
    "first-release-date": "1980-10-27",
    "disambiguation": "album version",
    "artist-credit": CREDIT,
    "releases": [{"id": ALBUM, "title": "Ace of Spades"}],
    "genres": [{"name": "rock", "count": 1}, {"name": "heavy metal", "count": 9}],
    "rating": {"value": 4.5, "votes-count": 12},
}
LIVE = {**RECORDING, "id": SONG.replace("0b38", "0b39"), "first-release-date": "1981"}
GROUP = {
    "id": ALBUM,
    "title": "Ace of Spades",
    "primary-type": "Album",
    "first-release-date": "1980-11",
    "artist-credit": CREDIT,
    "tags": [{"name": "metal", "count": 2}],
}
PERSON = {"id": ARTIST, "name": "Motörhead", "type": "Group", "country": "GB",
          "life-span": {"begin": "1975"}}  # fmt: skip


class Encyclopedia(ThreadingHTTPServer):
    """``asked``: paths with queries, and headers. ``script``: statuses and headers to give before
    answers begin; a status of 0 hangs up."""

    daemon_threads = False
    block_on_close = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, Mapping[str, str]]] = []
        self.script: list[tuple[int, dict[str, str]]] = []
        self.body: bytes | None = None
        self.url = f"http://127.0.0.1:{self.server_address[1]}/ws/2"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Encyclopedia

    def do_GET(self) -> None:
        self.server.asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
        self.close_connection = True
        status, headers = self.server.script.pop(0) if self.server.script else (200, {})
        if not status:
            return
        body = self.server.body
        if status == 200 and body is None:
            found = answer(self.path)
            status, body = (404, b"{}") if found is None else (200, json.dumps(found).encode())
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body or b""))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_: object) -> None:
        return


def answer(path: str) -> Any:
    parts = urlsplit(path)
    query = parse_qs(parts.query)
    assert query["fmt"] == ["json"]
    name = parts.path.removeprefix("/ws/2/")
    known = {f"recording/{SONG}": RECORDING, f"release-group/{ALBUM}": GROUP,
             f"artist/{ARTIST}": PERSON}  # fmt: skip
    if "/" in name:
        return known.get(name)
    words = query["query"][0]
    scored = {"score": 100}
    if name == "recording":
        found = [RECORDING | scored, LIVE | scored] if "ace of spades" in words.lower() else []
        return {"count": len(found), "recordings": found}
    if name == "release-group":
        return {"release-groups": [GROUP | scored]}
    return {"artists": [PERSON | scored, PERSON | {"name": "Motorhead Tribute", "score": 60}]}


@pytest.fixture
def server() -> Iterator[Encyclopedia]:
    server = Encyclopedia()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()
