"""A real host with a metadata provider that answers what a test laid out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest

from builtin_plugins.media import discovery
from host.testing import TestHost
from plugin_sdk import (
    EpisodeMetadata,
    HttpReply,
    MediaMetadata,
    MediaQuery,
    MetadataProvider,
    Plugin,
    Provider,
    SeasonMetadata,
)
from tests import on_disk

tmp_path = on_disk.tmp_path


@dataclass
class Script:
    """What the provider answers, and what it was asked. Titles and ids lead to answers."""

    answers: dict[str, MediaMetadata | Exception] = field(default_factory=dict)
    seasons: dict[tuple[str, int], SeasonMetadata | Exception] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    on_fetch: Callable[[MediaQuery], None] = lambda _query: None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def clear(self) -> None:
        self.answers, self.seasons, self.asked = {}, {}, []
        self.on_fetch = lambda _query: None

    def take(self) -> list[tuple[str, str]]:
        """What was asked since the last look."""
        with self.lock:
            taken, self.asked = sorted(self.asked), []
        return taken


def provider_plugin(plugin_name: str, provider: str, script: Script) -> type[Plugin]:
    class Fake(MetadataProvider):
        name = provider
        display_name = provider
        source = "TMDB" if provider == "fake" else "OTHER"
        kinds = frozenset({"movie", "tv"})
        config_schema: ClassVar[Mapping[str, Any]] = {
            "type": "object",
            "properties": {
                "apiKey": {"type": "string", "minLength": 1},
                "pepper": {"type": "string", "writeOnly": True},
                "rate": {"type": "number"},
            },
        }

        def is_configured(self) -> bool:
            return bool(self.config.get("apiKey"))

        def fetch(self, query: MediaQuery) -> MediaMetadata | None:
            script.on_fetch(query)
            key = query.ids.get("TMDB") or query.title
            with script.lock:
                script.asked.append((query.kind, key))
            answer = script.answers.get(f"{query.kind}:{key}")
            if isinstance(answer, Exception):
                raise answer
            return answer

        def fetch_season(self, ids: Mapping[str, str], number: int) -> SeasonMetadata | None:
            show = ids.get(self.source, "")
            with script.lock:
                script.asked.append(("season", f"{show}/{number}"))
            answer = script.seasons.get((show, number))
            if isinstance(answer, Exception):
                raise answer
            return answer

    class FakeMetadata(Plugin):
        manifest: ClassVar = {
            "id": plugin_name,
            "providers": [{"type": "metadata", "name": provider}],
        }

        def providers(self) -> list[Provider]:
            return [Provider("metadata", provider, Fake)]

    return FakeMetadata


def make_film(number: int, title: str, **more: Any) -> MediaMetadata:
    return MediaMetadata({"TMDB": str(number)}, title, **more)


def make_season(number: int, *names: str) -> SeasonMetadata:
    episodes = tuple(EpisodeMetadata(place, name) for place, name in enumerate(names, 1))
    return SeasonMetadata(number, f"The {number}th", episodes=episodes)


def plant_tree(root: Path, *paths: str, size: int = 10) -> Path:
    """Files below a folder; a path that ends in a slash is an empty folder."""
    root.mkdir(parents=True, exist_ok=True)
    for path in paths:
        target = root / path
        if path.endswith("/"):
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(b"x" * size)
    return root


class Client:
    """Asks a host as clients of this contract do."""

    def __init__(self, host: TestHost) -> None:
        self.host = host

    def ok(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        answer = self.host.request(method, f"/api/v1{path}", json=body)
        assert answer.status == status, answer.content
        envelope = answer.json()
        assert envelope["success"] is True
        return envelope["data"]

    def get(self, path: str) -> Any:
        return self.ok("GET", path)

    def fails(self, answer: HttpReply, status: int, kind: str) -> dict[str, Any]:
        assert answer.status == status, answer.content
        body: dict[str, Any] = answer.json()
        assert body["success"] is False
        assert body["error"] == kind
        assert answer.headers["content-type"].startswith("application/json")
        assert answer.headers["cache-control"] == "no-store"
        return body

    def refused(self, method: str, path: str, body: Any = None) -> str:
        """The field and the message of a 400."""
        answer = self.host.request(method, f"/api/v1{path}", json=body)
        refusal = self.fails(answer, 400, "Validation failed")
        first = refusal["details"][0]
        assert refusal["message"] == first["message"]
        return f"{first['field']}: {first['message']}"

    def job(self, job_id: str) -> Any:
        return self.get(f"/scan/job/{job_id}")

    def ended(self, job_id: str, seconds: float = 60.0) -> Any:
        """The job, once it has ended."""
        deadline = time.monotonic() + seconds
        while True:
            job = self.job(job_id)
            if job["status"] in ("COMPLETED", "FAILED", "PAUSED"):
                return job
            assert time.monotonic() < deadline, job
            time.sleep(0.01)

    def scan(self, root: Path, kind: str = "movie", **options: Any) -> Any:
        body = {"path": str(root), "options": {"mediaType": kind, **options}}
        return self.ended(self.ok("POST", "/scan/path", body, 202)["jobId"])

    def query(self, sql: str, **params: Any) -> list[dict[str, Any]]:
        """Straight from the plugin's database."""
        return self.host.plugin("media").context.db.query(sql, params)

    def films(self) -> list[tuple[str, str, str | None]]:
        rows = self.query(
            "SELECT m.title, f.path, m.release_date FROM movie v JOIN file f ON f.id = v.file_id"
            " JOIN media m ON m.id = v.media_id ORDER BY f.path"
        )
        return [(row["title"], row["path"], row["release_date"]) for row in rows]

    def episodes(self) -> list[tuple[str, int, int]]:
        rows = self.query(
            "SELECT m.title, s.number AS season, e.number FROM episode e"
            " JOIN season s ON s.id = e.season_id JOIN tvshow t ON t.id = s.show_id"
            " JOIN media m ON m.id = t.media_id ORDER BY m.title, s.number, e.number"
        )
        return [(row["title"], row["season"], row["number"]) for row in rows]

    def use(self, name: str = "fake", **row: Any) -> None:
        """Configures a provider."""
        self.ok("POST", "/settings/providers", {"name": name, "config": {"apiKey": "k"}, **row})


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine: an answer waits for its colours, a pattern may take its time."""
    for name in ("LIST_SECONDS", "DETAIL_SECONDS", "patterns.SECONDS"):
        monkeypatch.setattr(f"builtin_plugins.media.{name}", 30.0)


@pytest.fixture(scope="module")
def bundled(bundled: Any) -> Any:
    """The others that share its paths, its sockets and its guards."""
    return bundled and {
        *bundled,
        "accounts",
        "diagnostics",
        "plugin_admin",
        "realtime",
        "web_guard",
    }


@pytest.fixture(scope="module")
def scripts() -> tuple[Script, Script]:
    return Script(), Script()


@pytest.fixture(scope="module")
def shared_host(
    tmp_path_factory: pytest.TempPathFactory, scripts: tuple[Script, Script]
) -> Iterator[TestHost]:
    plugins = [
        provider_plugin("test_fake", "fake", scripts[0]),
        provider_plugin("test_second", "second", scripts[1]),
    ]
    with TestHost(tmp_path_factory.mktemp("media"), plugins=plugins) as host:
        yield host


@pytest.fixture
def script(scripts: tuple[Script, Script]) -> Script:
    return scripts[0]


@pytest.fixture
def second(scripts: tuple[Script, Script]) -> Script:
    return scripts[1]


@pytest.fixture
def client(shared_host: TestHost, scripts: tuple[Script, Script]) -> Client:
    """On a host without libraries and providers."""
    for each in scripts:
        each.clear()
    client = Client(shared_host)
    for library in client.get("/library"):
        client.ok("DELETE", f"/library/{library['id']}")
    for row in client.get("/settings/providers"):
        client.ok("DELETE", f"/settings/providers/{row['name']}")
    client.ok("POST", "/settings/reset")
    return client


@pytest.fixture
def film() -> Callable[..., MediaMetadata]:
    return make_film


@pytest.fixture
def season() -> Callable[..., SeasonMetadata]:
    return make_season


@pytest.fixture
def plant() -> Callable[..., Path]:
    return plant_tree


@pytest.fixture
def lose(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Makes a folder vanish between the listing of its root and its own."""
    real = discovery._opened

    def make(folder: Path) -> None:
        def opened(path: str) -> Any:
            if path == str(folder):
                raise FileNotFoundError(path)
            return real(path)

        monkeypatch.setattr(discovery, "_opened", opened)

    return make


@pytest.fixture
def client_of() -> Callable[[TestHost], Client]:
    return Client


@pytest.fixture
def host_with_provider() -> Callable[..., tuple[Script, TestHost, Client]]:
    """Makes a host of one's own with a provider ``fake``."""

    def make(make_host: Callable[..., TestHost]) -> tuple[Script, TestHost, Client]:
        script = Script()
        host = make_host(provider_plugin("test_fake", "fake", script))
        return script, host, Client(host)

    return make
