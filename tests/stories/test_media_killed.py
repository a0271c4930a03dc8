"""Scans that are killed: they are finished, and nobody is asked twice (media contract, 7.2)."""

from __future__ import annotations

import io
import json
import re
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from PIL import Image

from tests import on_disk

tmp_path = on_disk.tmp_path

FILMS = range(300)
UNKNOWN = 50
COPIES = (UNKNOWN, 7, 8, 201)
SHOWS = range(20)
LONG_SHOW = 10
PART = 40
SMALL_PARTS = f"from builtin_plugins.media import folder_plan\nfolder_plan.PART = {PART}\n"
"""So that a folder of 150 films is a large one."""


def _seasons(show: int) -> range:
    return range(1, 13 if show == LONG_SHOW else 4)


_NOTHING = re.compile("(?!)")


def _picture(number: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (2, 3), (number % 256, number // 256, 7)).save(file, "PNG")
    return file.getvalue()


def _film(number: int) -> dict[str, object]:
    return {
        "id": 1000 + number,
        "title": f"Film {number:03}",
        "overview": f"What happens in {number}.",
        "release_date": "2001-02-03",
        "runtime": 90 + number % 7,
        "poster_path": f"/p{number}.png",
        "backdrop_path": {0: f"/b{number}.png", 1: f"/missing{number}.png"}.get(number % 10),
        "genres": [{"name": "Drama"}],
        "credits": {"cast": [{"id": number, "name": f"Actor {number}", "character": "Eve"}]},
    }


def _show(number: int) -> dict[str, object]:
    name = f"Show {number:02}"
    return {"id": 500 + number, "name": name, "overview": name, "poster_path": f"/s{number}.png"}


def _season(number: int) -> dict[str, object]:
    episodes = [{"episode_number": 1, "name": f"Pilot {number}", "air_date": "2008-01-20"}]
    return {"name": f"Part {number}", "episodes": episodes}


def _answer(path: str, query: dict[str, str]) -> object:
    """As The Movie Database answers; None for what it does not know."""
    if found := re.fullmatch(r"/t/p/w\d+/([pbs])(\d+)\.png", path):
        return _picture(int(found[2]))
    if found := re.fullmatch(r"/3/search/(?:movie|tv)", path):
        number = int(query["query"].split()[1])
        known = path.endswith("tv") or number != UNKNOWN
        return {"results": [{"id": number + (500 if path.endswith("tv") else 1000)}] * known}
    if found := re.fullmatch(r"/3/movie/(\d+)", path):
        return _film(int(found[1]) - 1000)
    if found := re.fullmatch(r"/3/tv/(\d+)", path):
        return _show(int(found[1]) - 500)
    if found := re.fullmatch(r"/3/tv/\d+/season/(\d+)", path):
        return _season(int(found[1]))
    return None


class Peer:
    """A server with the shapes of The Movie Database. From a certain request on it holds back all
    answers: who then waits for one is known exactly."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._begins = self._spared = _NOTHING
        self._held: list[str] | None = None
        self._go_on = threading.Event()
        peer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                where = urlsplit(self.path)
                query = dict(parse_qsl(where.query))
                query.pop("api_key", None)
                name = f"{where.path}?{urlencode(sorted(query.items()))}"
                if not peer.may_answer(name):
                    return
                content = _answer(where.path, query)
                body = content if isinstance(content, bytes) else json.dumps(content).encode()
                self.send_response(404 if content is None else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                with peer._lock:
                    peer.answered[name] += 1

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def may_answer(self, name: str) -> bool:
        with self._lock:
            self.asked[name] += 1
            if self._held is None and self._begins.match(name):
                self._held = []
            if self._held is None or self._spared.match(name):
                return True
            self._held.append(name)
            go_on = self._go_on
        go_on.wait(120)
        return False

    def hold(self, begins: str, spared: str) -> None:
        """From the first request on that ``begins`` fits, but for those that ``spared`` fits."""
        with self._lock:
            self._begins, self._spared = re.compile(begins), re.compile(spared)

    @property
    def held(self) -> list[str]:
        with self._lock:
            return list(self._held or ())

    def counted(self) -> tuple[Counter[str], Counter[str]]:
        """What was asked for and what was answered. An answer is counted when it was given: a
        moment after it arrived."""
        with self._lock:
            return self.asked.copy(), self.answered.copy()

    def release(self) -> None:
        """Those who waited are dead: nobody is answered."""
        with self._lock:
            self._begins, self._held = _NOTHING, None
            self._go_on.set()
            self._go_on = threading.Event()


@pytest.fixture
def peer() -> Iterator[Peer]:
    peer = Peer()
    thread = threading.Thread(target=peer.server.serve_forever)
    thread.start()
    yield peer
    peer.release()
    peer.server.shutdown()
    thread.join()
    peer.server.server_close()


def _plant(root):
    """Half of the films in one folder, half of them in folders of their own, and some a second
    time in the last one; every tenth has no id in its name. Shows have three seasons, one has
    twelve."""
    for number in FILMS:
        name = f"Film {number:03} (2001)" + (f" {{tmdb-{1000 + number}}}" if number % 10 else "")
        folder = root / "films" / ("A all" if number < len(FILMS) // 2 else name)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.mkv").touch()
        if number in COPIES:
            (root / "films" / "Z copies").mkdir(exist_ok=True)
            (root / "films" / "Z copies" / f"{name}.mkv").touch()
    for number in SHOWS:
        for season in _seasons(number):
            folder = root / "shows" / f"Show {number:02}" / f"Season {season}"
            folder.mkdir(parents=True)
            (folder / f"S{season:02}E01.mkv").touch()


VARYING = re.compile(r"(?i)(.*id|streamUrl|createdAt|updatedAt|fileModifiedAt)")


def _bare(value):
    """Without what differs from one scan to the next."""
    if isinstance(value, dict):
        kept = {name: each for name, each in value.items() if not VARYING.fullmatch(name)}
        return {name: _bare(each) for name, each in kept.items()}
    return [_bare(each) for each in value] if isinstance(value, list) else value


class Scans:
    """Both scans, and what they led to."""

    def __init__(self, served, root) -> None:
        self._served = served
        self._root = root
        self._jobs: list[str] = []

    def _get(self, path):
        return self._served.client.get(f"/api/v1{path}").json()["data"]

    def begin(self) -> None:
        self._jobs = []
        for folder, kind in (("films", "movie"), ("shows", "tv")):
            body = {"path": str(self._root / folder), "mediaType": kind}
            answer = self._served.client.post("/api/v1/scan/path", json=body)
            self._jobs.append(answer.json()["data"]["jobId"])

    def are_over(self) -> bool:
        return all(self._get(f"/scan/job/{job}")["status"] == "COMPLETED" for job in self._jobs)

    def _coloured(self, wait_until, path, shown):
        """Items, once their pictures have colours: an answer does not wait for them for long."""
        found = []

        def all_have():
            found[:] = shown(self._get(path))
            media = [each["media"] for each in found]
            return all(each["meshGradientColors"] or not each["posterUrl"] for each in media)

        wait_until(all_have, 60)
        return found

    def rows(self, wait_until):
        jobs = [self._get(f"/scan/job/{job}") for job in self._jobs]
        counters = ("scannedCount", "itemsSaved", "metadataSuccessCount", "metadataFailedCount")
        # a search tells of ten
        words = [f"{ten:02}" for ten in range(len(FILMS) // 10)]
        words += [f"{number:03}" for number in FILMS if number // 10 in {n // 10 for n in COPIES}]
        films = {
            each["filePath"]: each
            for word in words
            for each in self._coloured(
                wait_until, f"/search?query=film+{word}", lambda data: data["movies"]
            )
        }
        shows = [
            self._coloured(wait_until, f"/tvshows/{each['id']}", lambda data: [data])[0]
            for ten in range(len(SHOWS) // 10)
            for each in self._get(f"/search?query=show+{ten}")["tvShows"]
        ]
        shows.sort(key=lambda each: each["media"]["title"])
        told = [{name: job[name] for name in (*counters, "metadataStatus")} for job in jobs]
        return (
            told,
            _bare([films[path] for path in sorted(films)]),
            _bare(shows),
            self.stats(),
        )

    def stats(self):
        return self._get("/library/stats")

    def forget(self) -> None:
        for library in self._get("/library"):
            self._served.client.delete(f"/api/v1/library/{library['id']}")


def test_nothing_is_asked_for_twice_but_what_was_on_its_way(serve, wait_until, peer, tmp_path):
    """The criterion, and why it is exact: a thread keeps each answer in the database before it
    asks for anything else. The peer, from a certain request on, answers nobody; when all threads
    that the scan has at that point wait for it (eight in a folder of many films or a show of many
    seasons, one in a folder of one film), everything that was answered before is kept, and
    what is in flight is what the peer holds. So after the kill exactly that is asked for again,
    and nothing else, be it a search, details, a season, a picture or the refusal of one."""
    _plant(tmp_path)
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "sitecustomize.py").write_text(SMALL_PARTS)
    served = serve(env={"PYTHONPATH": str(tmp_path / "small")})
    config = {"apiKey": "k", "baseUrl": f"{peer.url}/3", "imageBaseUrl": f"{peer.url}/t/p"}
    config |= {"rateLimitRps": 100, "timeoutSeconds": 60}
    row = {"name": "tmdb", "config": config}
    assert served.client.post("/api/v1/settings/providers", json=row).status_code == 200
    scans = Scans(served, tmp_path)
    moments = (
        # details after a search, in the folder with many films, of which two parts are stored
        (r"/3/movie/1100\?", "(?!)", 8),
        # a picture after details, in a folder with one film
        (r"/t/p/w500/p201\.png", "(?!)", 1),
        # seasons 5 to 12: whoever asked for 1 to 4 has gone on
        (r"/3/tv/510/season/([5-9]|1.)\?", r"/3/tv/510/season/[1-4]\?", 8),
    )
    in_flight: Counter[str] = Counter()
    for begins, spared, threads in moments:
        peer.hold(begins, spared)
        if in_flight:
            served.start()  # the scans go on by themselves
        else:
            scans.begin()
        wait_until(lambda threads=threads: len(peer.held) == threads, 60)
        if not in_flight:
            assert scans.stats()["totalMedia"] == 2 * PART
        served.kill()
        held = peer.held
        assert len(set(held)) == len(held) == threads
        assert any(re.match(begins, name) for name in held)
        in_flight.update(held)
        peer.release()
    served.start()
    wait_until(scans.are_over, 90)
    disturbed = scans.rows(wait_until)
    wait_until(lambda: set(peer.counted()[0]) == set(peer.counted()[1]))
    asked, answered = peer.counted()
    assert answered == Counter(set(asked))  # each exactly once
    assert asked - answered == in_flight

    scans.forget()
    peer.asked.clear()
    scans.begin()
    wait_until(scans.are_over, 90)
    assert peer.counted()[0] == answered
    assert scans.rows(wait_until) == disturbed
    told, films, shows, stats = disturbed
    assert (len(films), len(shows)) == (304, 20)
    assert stats["totalMedia"] == 301 + 20  # nobody knows that two files are one film
    assert [each["metadataFailedCount"] for each in told] == [1, 0]
    assert films[0]["media"]["posterUrl"].startswith("/api/v1/image/")
    assert served.stop() == 0
