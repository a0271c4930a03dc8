"""A library of made songs in a real host, and the plugin over a real database in a fake context."""

from __future__ import annotations

import io
import json
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from PIL import Image

import builtin_plugins.songs as songs
from builtin_plugins.songs.facts import Arrangement, SongFacts, Stem
from builtin_plugins.songs.filters import LibraryQuery
from builtin_plugins.songs.identity import track_id_of
from builtin_plugins.songs.index import Found, LibraryIndex
from builtin_plugins.songs.listing import Library
from builtin_plugins.songs.tables import create_tables
from host.testing import TestHost, open_database
from plugin_sdk import Migration, Plugin, Provider, Request
from plugin_sdk.testing import FakeClock, FakeContext, FakeSongFormat, request, signed_in

FOLDER = Path(songs.__file__).parent
STANDARD = (0, 0, 0, 0, 0, 0)


def picture(format: str = "PNG", size: tuple[int, int] = (8, 8), colour: str = "red") -> bytes:
    content = io.BytesIO()
    Image.new("RGB", size, colour).save(content, format)
    return content.getvalue()


class Formats(Plugin):
    """Brings the fake format, as any plugin would."""

    manifest: ClassVar[dict[str, Any]] = {
        "id": "fake_songs",
        "providers": [{"type": "song_format", "name": "fakesong"}],
    }

    def providers(self) -> Sequence[Provider]:
        return [Provider("song_format", "fakesong", FakeSongFormat())]


class Book:
    """The plugin at work in a fake context, its library filled by hand."""

    def __init__(self, context: FakeContext) -> None:
        self.context = context
        self.plugin = context.start(songs.plugin)
        self.index = LibraryIndex(context.db, context.clock)

    def put(self, *found: Found) -> None:
        with self.context.db.transaction():
            self.index.put(found)

    def add(self, filename: str, signature: str = "1", **facts: Any) -> str:
        """Adds a song; its trackId."""
        self.put(found(filename, signature, **facts))
        return track_id_of(filename)

    def ask(self, method: Any, handler: str, track_id: str = "", **options: Any) -> Any:
        """Calls a handler as profile 1, or as whoever is named in ``as_``."""
        who = options.pop("as_", signed_in(profile_id=1, name="Alice"))
        params = {"track_id": track_id, **options.pop("params", {})}
        asked: Request = request(method, principal=who, params=params, **options)
        return getattr(self.plugin, handler)(asked)

    def edit(self, track: str, **body: Any) -> Any:
        """The Track after an edit."""
        return self.ask("POST", "edit_track", track, body=body)

    def listed(self, query: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """Songs of a page of the library."""
        page = json.loads(self.ask("GET", "library", query=query or {}).body.content)
        songs: list[dict[str, Any]] = page["songs"]
        return songs

    def told(self, name: str) -> list[Any]:
        """What was told in events of that name."""
        return [each.data for each in self.context.events.emitted if each.name == name]


def found(filename: str, signature: str = "1", **facts: Any) -> Found:
    values: dict[str, Any] = {"title": "Title", "artist": "Artist", "tuning": STANDARD}
    values |= {"format": "sloppak", "arrangements": [Arrangement("Lead", 3)]}
    values |= facts
    for name, make in (("arrangements", Arrangement), ("stems", Stem)):
        if name in values:
            values[name] = [make(each) if isinstance(each, str) else each for each in values[name]]
    return Found(filename, filename, values["format"], signature, SongFacts(**values))


class FormerSettings:
    """The part of host.settings that is asked here: app_settings' own values."""

    def __init__(self) -> None:
        self.stored: dict[str, Any] = {}
        self.defaults = {
            "dlcDir": "",
            "psarcPlatform": "both",
            "defaultArrangement": "Lead",
            "avOffsetMs": 0,
            "demucsServerUrl": "",
        }

    def schema(self, plugin_id: str) -> Mapping[str, Any]:
        assert plugin_id == "app_settings"
        return {"properties": {key: {"default": each} for key, each in self.defaults.items()}}

    def values(self, plugin_id: str) -> Mapping[str, Any]:
        return {**self.defaults, **self.stored}

    def pinned(self, plugin_id: str) -> frozenset[str]:
        return frozenset()

    def update(self, plugin_id: str, changes: Mapping[str, Any]) -> None:
        self.stored = {key: each for key, each in self.stored.items() if key not in changes}


def _at_once(number: int, call: Callable[[], Any]) -> list[Any]:
    """Calls it on so many threads at the same moment."""
    results: list[Any] = []
    gate = threading.Barrier(number)

    def run() -> None:
        gate.wait(60)
        results.append(call())

    threads = [threading.Thread(target=run) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == number
    return results


@pytest.fixture
def at_once() -> Callable[[int, Callable[[], Any]], list[Any]]:
    return _at_once


@pytest.fixture(scope="module")
def bundled(bundled: Any) -> Any:
    """What songs are read with, and who keeps things with them."""
    return bundled and {*bundled, "song_formats", "accounts", "app_settings"}


@pytest.fixture
def former_settings() -> FormerSettings:
    return FormerSettings()


@pytest.fixture
def context(former_settings: FormerSettings) -> Iterator[FakeContext]:
    with FakeContext.for_folder(FOLDER) as context:
        context.services.add("host.settings", former_settings)
        context.services.add("host.info", SimpleNamespace(life="one"))
        yield context


@pytest.fixture
def book(context: FakeContext) -> Iterator[Book]:
    book = Book(context)
    yield book
    context.stop(book.plugin)


@pytest.fixture
def folder(book: Book, tmp_path: Path) -> Path:
    """The song folder of the book; scans of it run when the test lets jobs run."""
    reader: Any = FakeSongFormat()
    reader.kept_here = lambda: None  # cannot be pickled: songs are read here, sooner
    book.context.providers.add("song_format", "fakesong", reader)
    book.context.settings.update({"dlcDir": str(tmp_path), "scanWorkers": 1})
    return tmp_path


class LiveLibrary:
    """A host with a song folder; scans are asked for by the test."""

    def __init__(self, host: TestHost, folder: Path) -> None:
        self.host = host
        self.folder = folder

    def write(self, name: str, **song: Any) -> str:
        """Writes a song; its trackId."""
        FakeSongFormat.write(self.folder / name, **song)
        return track_id_of(name)

    def scan(self, *, full: bool = False) -> dict[str, Any]:
        """Runs a scan to its end; its status."""
        before = self.status()["startedAt"]
        reply = self.host.post("/api/rescan/full" if full else "/api/rescan")
        assert reply.status == 202, reply.content
        return self.settled(after=before)

    def settled(self, after: str | None = None) -> dict[str, Any]:
        """The status of the scan that ended last; of one that began later than ``after``, as one
        that is asked for begins a moment later."""
        deadline = time.monotonic() + 120
        while True:
            status: dict[str, Any] = self.status()
            over = not status["running"] and status["status"] != "idle"
            if over and (after is None or status["startedAt"] != after):
                return status
            assert time.monotonic() < deadline, status
            time.sleep(0.02)

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = self.host.get("/api/scan-status").json()
        return status

    def songs(self, query: str = "") -> list[dict[str, Any]]:
        page = self.host.get(f"/api/library?{query}").json()
        songs: list[dict[str, Any]] = page["songs"]
        return songs

    def titles(self, query: str = "") -> list[str]:
        return [song["title"] for song in self.songs(query)]


@pytest.fixture
def make_library(make_host: Callable[..., TestHost], tmp_path: Path) -> Callable[..., LiveLibrary]:
    def make(*plugins: Any, **settings: Any) -> LiveLibrary:
        folder = tmp_path / "library"
        folder.mkdir(exist_ok=True)
        own = {"dlcDir": str(folder), "scanOnStart": False, **settings}
        host = make_host(*(plugins or (Formats,)), settings={"songs": own})
        return LiveLibrary(host, folder)

    return make


@pytest.fixture
def library(make_library: Callable[..., LiveLibrary]) -> LiveLibrary:
    return make_library()


ARTISTS = ["AC/DC", "ac/dc", "Ørsted", "Édith Piaf", "edith piaf", "", "3 Doors", "Zoë 100%", "{x}"]
TITLES = ["Thunder_struck", "thunder", "Été", "100% 'pure'", "a!b", "Straße", "x y z"]
TUNINGS = [(0,) * 6, (-2, 0, 0, 0, 0, 0), (-8,) * 6, (0, 0, 0, 0), (-2, 0, 0, 0)]
ARRANGEMENTS = [["Lead"], ["Lead", "Bass"], ["Bonus Lead"], ["BASS", "Rhythm"], ["Lead", "lead"]]
STEMS: list[list[str]] = [[], ["full"], ["Full", "drums"], ["guitar"]]


def make_songs(count: int) -> list[Found]:
    chance = random.Random(7)
    return [
        Found(
            name := f"{chance.choice('ab')}/{number}{chance.choice(['_x', '_EStd_x', '_DropD_x'])}",
            name,
            chance.choice(["sloppak", "psarc", "loose"]),
            "1",
            SongFacts(
                chance.choice(TITLES),
                chance.choice(ARTISTS),
                chance.choice(["", "Album", "Trois Étés"]),
                chance.choice([None, 0, 1979, 2001, 9999]),
                12.5,
                chance.choice(TUNINGS),
                [Arrangement(each, 2) for each in chance.choice(ARRANGEMENTS)],
                [Stem(each) for each in chance.choice(STEMS)],
                chance.random() < 0.5,
                chance.random() < 0.5,
            ),
        )
        for number in range(count)
    ]


class Shelf:
    def __init__(self, folder: Path) -> None:
        self.db: Any = open_database(folder)
        self.db.migrate([Migration("001-library", create_tables)])
        self.clock = FakeClock()
        self.index = LibraryIndex(self.db, self.clock)
        self.songs = make_songs(150)
        for start in range(0, len(self.songs), 40):
            self.clock.advance(60)
            with self.db.transaction():
                self.index.put(self.songs[start : start + 40])
        self.library = Library(self.db)
        self.all = self.page(LibraryQuery(size=200))["songs"]
        self.favorites = {song["trackId"] for song in self.all[::3]}
        with self.db.transaction():
            for song in self.db.query("SELECT id, track_id FROM tracks"):
                if song["track_id"] in self.favorites:
                    self.db.table("favorites").insert({"profile_id": 7, "id": song["id"]})

    def page(self, query: LibraryQuery, profile: int | None = None) -> dict[str, Any]:
        page: dict[str, Any] = json.loads(self.library.page(query, profile))
        return page


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory, database_engine: str) -> Iterator[Shelf]:
    shelf = Shelf(tmp_path_factory.mktemp("shelf"))
    yield shelf
    shelf.db.close()
