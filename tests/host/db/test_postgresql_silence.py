"""A server that swallows what is sent to it: nobody waits for it as for a slow statement."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest

from host.db import HostDatabase
from host.db.postgresql import PostgresqlEngine, breaker, probe, sessions, wire
from plugin_sdk import DatabaseUnavailable, Migration
from tests.notes import make_notes

pytestmark = pytest.mark.one_engine

_SOON = 60.0
"""Seconds; less than a statement may take."""


class Proxy:
    """Passes everything on to a port until it is ``deaf``: then it takes bytes and connections,
    and nothing comes back, as from behind a firewall that drops packets.

    Silence is noticed soon only then: no stall of this machine passes for a deaf server."""

    def __init__(self, port: int, patch: pytest.MonkeyPatch) -> None:
        self._patch = patch
        self.deaf = False
        self.knocks = 0
        self._target = port
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def deaf(self) -> bool:
        return self._deaf

    @deaf.setter
    def deaf(self, deaf: bool) -> None:
        for module in (probe, wire):
            self._patch.setattr(module, "SILENCE_SECONDS", 0.5 if deaf else _SOON)
        self._deaf = deaf

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        for each in self._sockets:
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for thread in self._threads:
            thread.join()
        for each in (self._listener, *self._sockets):
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.knocks += 1
            self._sockets.append(client)
            if not self.deaf:
                behind = socket.create_connection(("127.0.0.1", self._target))
                self._sockets.append(behind)
                self._pass_on(client, behind)
                self._pass_on(behind, client)

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        def run() -> None:
            try:
                while content := source.recv(65536):
                    if not self.deaf:
                        target.sendall(content)
                target.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

        self._threads.append(threading.Thread(target=run))
        self._threads[-1].start()


@pytest.fixture
def proxy(postgresql_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    proxy = Proxy(urlsplit(postgresql_url).port or 0, monkeypatch)
    yield proxy
    proxy.close()


@pytest.fixture
def engine(postgresql_url: str, proxy: Proxy) -> Iterator[PostgresqlEngine]:
    parts = urlsplit(postgresql_url)
    there = parts._replace(netloc=f"stagebox@127.0.0.1:{proxy.port}")
    engine = PostgresqlEngine(urlunsplit(there))
    yield engine
    engine.close()
    assert engine.connections == 0


@pytest.fixture
def database(engine: PostgresqlEngine) -> HostDatabase:
    database = engine.open("example.plugin")
    make_notes(database)
    return database


def _at_once(*calls: Callable[[], object]) -> list[str]:
    """What each call raises, on a thread of its own."""
    messages: list[str] = []

    def run(call: Callable[[], object]) -> None:
        with pytest.raises(DatabaseUnavailable) as caught:
            call()
        messages.append(caught.value.message)

    threads = [threading.Thread(target=run, args=(call,), daemon=True) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(_SOON)
    assert not any(thread.is_alive() for thread in threads)
    return messages


def _write_twice(database: HostDatabase) -> None:
    with database.transaction():
        database.table("notes").insert({"text": "a"})
        database.table("notes").insert({"text": "b"})


def test_writers_are_told_soon_and_those_behind_them_at_once(
    database: HostDatabase, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker, "PAUSE_SECONDS", 1000.0)
    proxy.deaf, proxy.knocks = True, 0
    notes = database.table("notes")
    writers = [lambda: notes.insert({"text": "x"}), lambda: _write_twice(database)] * 4
    messages = _at_once(*writers)
    assert len(messages) == 8
    assert all("no answer came in time" in message for message in messages)
    assert proxy.knocks == 1, "one asked whether the server is there; nobody connected in vain"


def test_one_tries_to_connect_again_while_others_are_told_at_once(
    database: HostDatabase, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker, "PAUSE_SECONDS", 0.0)
    proxy.deaf = True
    assert len(_at_once(lambda: database.query("SELECT 1"))) == 1
    monkeypatch.setattr(breaker, "PAUSE_SECONDS", 1000.0)
    proxy.knocks = 0
    messages = _at_once(*[lambda: database.query("SELECT 1")] * 6)
    assert proxy.knocks == 1
    assert len(messages) == 6
    assert all(message.count("cannot be reached") == 1 for message in messages)


def test_afterwards_all_goes_on(
    database: HostDatabase, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker, "PAUSE_SECONDS", 0.0)
    for call in (
        lambda: database.query("SELECT * FROM notes"),
        lambda: list(database.iterate("SELECT * FROM notes")),
        lambda: _write_twice(database),
    ):
        database.value("SELECT 1")  # so that a connection lies ready
        proxy.deaf = True
        assert len(_at_once(call)) == 1
        proxy.deaf = False
    _write_twice(database)
    assert database.value("SELECT count(*) FROM notes") == 3


def test_amid_a_transaction_that_is_over(database: HostDatabase, proxy: Proxy) -> None:
    def write() -> None:
        with database.transaction():
            database.table("notes").insert({"text": "a"})
            proxy.deaf = True
            database.value("SELECT count(*) FROM notes")

    assert "no answer" in _at_once(write)[0]


def test_the_listener_asks_whether_somebody_is_there(
    engine: PostgresqlEngine, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("host.db.postgresql.signals._QUIET_SECONDS", 0.0)
    monkeypatch.setattr(breaker, "PAUSE_SECONDS", 0.0)
    ear = engine.signals()
    ear.receive(0.0)
    assert ear.receive(0.01) == []
    proxy.deaf = True
    assert "no answer" in _at_once(lambda: ear.receive(0.01))[0]
    proxy.deaf = False
    ear.receive(0.0)
    ear.send(["back"])
    assert ear.receive(_SOON) == ["back"]
    ear.close()


def test_a_slow_statement_is_waited_for(
    database: HostDatabase,
    proxy: Proxy,
    ask: Callable[[str], Any],
    eventually: Callable[[Callable[[], object]], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wire, "SILENCE_SECONDS", 0.2)
    ask("SELECT pg_advisory_lock(7)")
    before = proxy.knocks
    found: list[Any] = []

    def wait() -> None:
        found.append(database.value("SELECT 7 FROM pg_advisory_xact_lock_shared(7)"))

    waiting = threading.Thread(target=wait, daemon=True)
    waiting.start()
    eventually(lambda: proxy.knocks > before)  # it was asked whether the server is there
    assert found == []
    ask("SELECT pg_advisory_unlock_all()")
    waiting.join(_SOON)
    assert found == [7]


def test_who_is_patient_waits_for_another_process_however_long(
    database: Any, ask: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "PATIENCE", 0.3)
    lock = database._state.lock.sql.decode()
    ask(lock.replace("xact_lock", "lock"))  # of the session: another process is at it
    ran: list[str] = []
    step = Migration("step", lambda db: ran.append(db.value("SELECT 'done' FROM pg_sleep(0.5)")))
    migrating = threading.Thread(target=database.migrate, args=([step],), daemon=True)
    migrating.start()
    migrating.join(0.6)
    assert migrating.is_alive()
    ask("SELECT pg_advisory_unlock_all()")
    migrating.join(_SOON)
    assert ran == ["done"]
    ask("SELECT pg_advisory_lock(7)")
    with pytest.raises(DatabaseUnavailable), database.transaction():
        database.value("SELECT 1 FROM pg_advisory_xact_lock(7)")
