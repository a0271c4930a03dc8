"""The database server dies, and comes back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import httpx
import psycopg
import pytest

from host.db.postgresql.names import lock_key, schema_of

pytestmark = pytest.mark.one_engine  # files have no server

NOTES = """
    from plugin_sdk import Plugin, event_handler, job, migration, route

    class plugin(Plugin):
        @migration("001")
        def tables(self, db):
            db.table("notes").create({"id": "integer", "text": "text"}, pk="id")
            db.table("heard").create({"note": "integer"}, pk="note")

        @route("POST", "/notes", access="open")
        def add(self, request):
            with self.context.db.transaction():
                note = self.context.db.table("notes").insert({"text": request.json()})
                self.context.events.emit("notes.added", {"note": note})
            return note

        @route("GET", "/notes", access="open")
        def notes(self, request):
            return [row["id"] for row in self.context.db.query("SELECT id FROM notes")]

        @event_handler("notes.added")
        def hear(self, event):
            self.context.db.table("heard").upsert({"note": event.data["note"]})

        @route("GET", "/heard", access="open")
        def heard(self, request):
            return [row["note"] for row in self.context.db.query("SELECT note FROM heard")]

        @route("GET", "/long", access="open")
        def long(self, request):
            return self.context.db.value("SELECT 1 FROM pg_sleep(100)")

        @job("count")
        def count(self, run):
            return self.context.db.value("SELECT count(*) FROM notes")

        @route("POST", "/jobs", access="open")
        def start(self, request):
            return self.context.jobs.start("count").id

        @route("GET", "/jobs/{id}", access="open")
        def look(self, request):
            return self.context.jobs.get(request.params["id"]).state
"""
ADDRESS = "/api/plugins/notes"


class Asked(NamedTuple):
    status: int
    seconds: float
    answer: Any
    retry_after: str | None


class Client:
    """Asks from several threads."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=30, trust_env=False)

    def ask(self, method: str, path: str, **options: Any) -> Asked:
        begun = time.monotonic()
        reply = self._client.request(method, path, **options)
        seconds = time.monotonic() - begun
        return Asked(reply.status_code, seconds, reply.json(), reply.headers.get("retry-after"))

    def get(self, path: str) -> Asked:
        return self.ask("GET", ADDRESS + path)

    def post(self, path: str, body: Any = None) -> Asked:
        return self.ask("POST", ADDRESS + path, json=body)

    def close(self) -> None:
        self._client.close()


@pytest.fixture
def database(make_postgresql_server: Callable[..., Any]) -> Any:
    """A server that keeps its promises, of the test's own."""
    return make_postgresql_server(durable=True)


@pytest.fixture
def client(serve: Any, write_plugin: Any, tmp_path: Any, database: Any) -> Iterator[Client]:
    write_plugin("notes", NOTES, capabilities=["db"], into=tmp_path / "served" / "plugins")
    served = serve(env={"STAGEBOX_DATABASE": database.url()})
    enabled = served.command("plugin", "enable", "notes")
    assert enabled.returncode == 0, enabled.stderr
    client = Client(served.url)
    yield client
    client.close()
    assert served.stop() == 0


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def is_refused(asked: Asked) -> bool:
    """503, with a word on when to come back."""
    assert asked.status == 503, asked
    assert asked.answer["error"] == "DATABASE_UNAVAILABLE"
    assert "stagebox@" not in asked.answer["message"]
    assert int(asked.retry_after or 0) >= 1
    return True


def test_requests_are_refused_at_once_and_all_heals(
    client: Client, database: Any, threads: ThreadPoolExecutor, wait_until: Any
) -> None:
    kept: list[int] = []
    refused: list[Asked] = []
    over = threading.Event()

    def write() -> None:
        while not over.is_set():
            asked = client.post("/notes", "text")
            if asked.status == 200:
                kept.append(asked.answer)
            elif is_refused(asked):
                refused.append(asked)
                over.wait(0.05)

    writers = [threads.submit(write) for _ in range(4)]
    wait_until(lambda: len(kept) > 50)
    database.kill()
    wait_until(lambda: len(refused) > 20)
    assert is_refused(client.get("/notes"))
    health = client.ask("GET", "/api/health")
    assert health.status == 200
    before = len(kept)
    database.start()
    wait_until(lambda: len(kept) > before + 50, 60, "writing did not go on")
    over.set()
    for writer in writers:
        writer.result()
    assert max(asked.seconds for asked in refused) < 20
    assert set(kept) <= set(client.get("/notes").answer)  # nothing answered with success is lost
    wait_until(lambda: set(kept) <= set(client.get("/heard").answer), 60, "an event was lost")

    def job_begun() -> bool:  # the host's own tables are in a database of their own
        asked = client.post("/jobs")
        jobs.append(asked.answer)
        return asked.status == 200 or not is_refused(asked)

    jobs: list[Any] = []
    wait_until(job_begun, 60)
    job = jobs[-1]
    wait_until(
        lambda: client.get(f"/jobs/{job}").answer == "succeeded", 60, "no job is run any more"
    )
    assert client.ask("POST", "/api/plugins/notes/disable").status == 200
    assert client.get("/notes").status == 404


def test_who_waits_already_is_told(
    client: Client, database: Any, threads: ThreadPoolExecutor, wait_until: Any
) -> None:
    """Behind a statement that takes long, for the lock of another process, for a thread before
    them."""
    assert client.post("/notes", "first").status == 200
    with psycopg.connect(database.url()) as other:
        other.execute(f"SELECT pg_advisory_xact_lock({lock_key(schema_of('notes'))})")
        waiting: list[Future[Asked]] = [threads.submit(client.get, "/long")]
        waiting += [threads.submit(client.post, "/notes", "more") for _ in range(3)]
        with psycopg.connect(database.url(), autocommit=True) as watcher:

            def held_up() -> bool:
                found = watcher.execute(
                    "SELECT array_agg(DISTINCT wait_event) FROM pg_stat_activity "
                    "WHERE application_name = 'stagebox'"
                ).fetchone()
                return found is not None and {"PgSleep", "advisory"} <= set(found[0] or ())

            wait_until(held_up)
            killed = time.monotonic()
            database.kill()
        for each in waiting:
            assert is_refused(each.result(30))
        assert time.monotonic() - killed < 20
        other.close()
    database.start()
    wait_until(lambda: client.post("/notes", "last").status == 200, 30)
