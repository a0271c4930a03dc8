"""Several processes: nothing that was answered is forgotten by any of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from builtin_plugins.accounts.freshness import Freshness
from builtin_plugins.accounts.identities import Identities
from plugin_sdk.testing import request

FIRST = {"name": "Admin", "pin": "1234", "recoveryPhrase": "my phrase"}
BOB = {"name": "Bob", "pin": "1234", "recoveryPhrase": "his phrase"}


@pytest.fixture
def pair(make_host, tmp_path, set_up):
    """Two hosts over the same data, as two processes are: they share nothing but files."""
    one = make_host(data_dir=tmp_path / "data")
    people = set_up(one)
    return people, make_host(data_dir=tmp_path / "data")


def test_what_one_process_answers_the_other_knows(pair):
    people, other = pair
    id, token = people.add("Alice", "UPLOAD")
    path = f"/api/profiles/{id}"
    admin = people.admin

    def seen():
        reply = other.get("/api/auth/session", token=token)
        return reply.json()["permissions"] if reply.status == 200 else None

    for number in range(5):
        assert seen() == ["UPLOAD"]
        people.group(f"More {number}", [id], ["EDIT_TRACKS"])
        assert seen() == ["EDIT_TRACKS", "UPLOAD"]
        groups = people.host.get("/api/admin/permission-groups", token=admin).json()
        last = groups[-1]["id"]
        people.host.delete(f"/api/admin/permission-groups/{last}", token=admin)
        assert seen() == ["UPLOAD"]
        people.host.patch(path, json={"pin": "1234"}, token=admin)
        assert seen() is None
        token = people.token("Alice")
        assert seen() == ["UPLOAD"]
        people.host.patch(path, json={"locked": True}, token=admin)
        assert seen() is None
        people.host.patch(path, json={"locked": False}, token=admin)
        token = people.token("Alice")
        assert seen() == ["UPLOAD"]
        people.host.post("/api/auth/logout", token=token)
        assert seen() is None
        token = people.token("Alice")
    assert seen() == ["UPLOAD"]
    body = {"name": "Alice", "recoveryPhrase": "phrase of Alice", "newPin": "5678"}
    people.host.post("/api/auth/recover", json=body)
    assert seen() is None
    token = people.token("Alice", "5678")
    assert seen() == ["UPLOAD"]
    assert people.host.delete(path, token=admin).status == 204
    assert seen() is None


def test_locks_are_counted_over_processes(pair):
    people, other = pair
    people.add("Alice")
    for number in range(5):
        host = other if number % 2 else people.host
        wrong = {"profileName": "Alice", "pin": "x"}
        assert host.post("/api/auth/login", json=wrong).json()["error"] == "INVALID_CREDENTIALS"
    for host in (other, people.host):
        reply = host.post("/api/auth/login", json={"profileName": "Alice", "pin": "1234"})
        assert reply.json()["error"] == "ACCOUNT_LOCKED"


def test_a_first_run_in_one_process_governs_the_other(make_host, tmp_path, set_up):
    one, other = make_host(data_dir=tmp_path / "data"), make_host(data_dir=tmp_path / "data")
    assert other.get("/api/admin/permission-groups").status == 200
    set_up(one)
    assert other.get("/api/admin/permission-groups").status == 401


class Asked:
    """A database that counts how often it is asked."""

    def __init__(self, database) -> None:
        self._database = database
        self.count = 0

    def one(self, *arguments):
        self.count += 1
        return self._database.one(*arguments)


of_one_machine = pytest.mark.one_engine
"""Nothing is remembered where the database is shared between machines."""


class Time:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def signed_in(context, plugin):
    """A database that counts, and the tokens of two sessions of Bob."""
    plugin._first_run.init(FIRST)
    plugin._first_run._profiles.insert(BOB, plugin._profiles.hashed(BOB))
    provider = context.providers.get("auth", "accounts")
    body = {"profileName": "Bob", "pin": "1234"}
    tokens = [provider.login(body, request("POST")).token for _ in range(2)]
    return Asked(context.db), tokens


@of_one_machine
def test_a_session_is_asked_for_again_only_after_a_change(context, plugin, signed_in):
    database, (token, other) = signed_in
    time = Time()
    identities = Identities(database, context.clock, plugin._freshness, time)
    names = {identities.who(token).name for _ in range(10)}
    assert database.count == 1
    assert names == {"Bob"}
    plugin._sessions.end(other)
    assert identities.who(other) is None
    assert identities.who(other) is None
    for _ in range(3):
        assert identities.who(token) is not None
    assert database.count == 4
    time.seconds = 0.99
    identities.who(token)
    assert database.count == 4
    time.seconds = 1.0
    identities.who(token)
    assert database.count == 5


@of_one_machine
def test_a_remembered_session_expires_in_time(context, plugin, signed_in):
    database, (token, _) = signed_in
    identities = Identities(database, context.clock, plugin._freshness, Time())
    assert identities.who(token) is not None
    context.clock.advance(24 * 3600)
    assert identities.who(token) is None


@of_one_machine
def test_a_change_that_nobody_told_of_is_found_within_a_second(context, plugin, signed_in):
    database, (token, _) = signed_in
    time = Time()
    identities = Identities(database, context.clock, plugin._freshness, time)
    assert identities.who(token) is not None
    context.db.table("sessions").delete_where()  # a process that died before it could tell
    time.seconds = 1.0
    assert identities.who(token) is None


@of_one_machine
def test_a_session_that_ends_while_it_is_read_is_not_remembered(context, plugin, signed_in):
    database, (token, _) = signed_in
    read = database.one

    def one(*arguments):
        row = read(*arguments)
        plugin._sessions.end(token)  # after the read, before it is remembered
        return row

    database.one = one
    identities = Identities(database, context.clock, plugin._freshness, Time())
    assert identities.who(token) is not None
    assert identities.who(token) is None


@of_one_machine
def test_where_nothing_is_shared_nothing_is_remembered(context, signed_in):
    database, (token, _) = signed_in
    identities = Identities(
        database, context.clock, Freshness(context.db, None, context.log), Time()
    )
    for _ in range(3):
        assert identities.who(token) is not None
    assert database.count == 3


@of_one_machine
def test_what_is_remembered_is_bounded(context, plugin, signed_in, monkeypatch):
    from builtin_plugins.accounts import identities as module

    monkeypatch.setattr(module, "_MAX_REMEMBERED", 1)
    database, tokens = signed_in
    identities = Identities(database, context.clock, plugin._freshness, Time())
    for token in tokens * 3:
        assert identities.who(token) is not None
    assert len(identities._known) == 1


def test_the_number_is_shared_and_random(context, tmp_path):
    one, other = (Freshness(context.db, tmp_path, context.log) for _ in range(2))
    seen = {one.number}
    for number in range(1, 20):
        with (one if number % 2 else other).changing():
            assert one.number in seen
        assert one.number == other.number
        seen.add(one.number)
        assert len(seen) == number + 1
    before = one.number
    with pytest.raises(ZeroDivisionError), one.changing():
        raise ZeroDivisionError
    assert other.number != before
    one.close()
    other.close()
    again = Freshness(context.db, tmp_path, context.log)
    assert again.number is not None
    again.close()
    assert again.number is None


def test_without_room_for_the_file_it_works_all_the_same(context, tmp_path):
    (tmp_path / "freshness").mkdir()
    freshness = Freshness(context.db, tmp_path, context.log)
    assert freshness.number is None
    with freshness.changing():
        pass
    assert any("looked up anew" in message for message in context.log.messages)


CRASH = """
    import os, signal, sys
    from pathlib import Path
    from host.testing import TestHost

    with TestHost(Path(sys.argv[1])) as host:
        first = {"name": "Admin", "pin": "1234", "recoveryPhrase": "my phrase"}
        assert host.post("/api/setup/init", json=first).status == 201
        login = {"profileName": "Admin", "pin": "1234"}
        kept, ended = (host.post("/api/auth/login", json=login).json()["token"] for _ in range(2))
        bob = {"name": "Bob", "pin": "1234", "recoveryPhrase": "his phrase"}
        assert host.post("/api/profiles", json=bob, token=kept).status == 201
        group = {"name": "Uploaders", "profileIds": [2], "permissions": ["UPLOAD"]}
        assert host.post("/api/admin/permission-groups", json=group, token=kept).status == 201
        host.post("/api/auth/login", json={"profileName": "Bob", "pin": "x"})
        assert host.post("/api/auth/logout", token=ended).status == 204
        print(kept, ended, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_was_answered_survives_a_kill(tmp_path, make_host):
    script = tmp_path / "crash.py"
    script.write_text(textwrap.dedent(CRASH))
    data = tmp_path / "data"
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, str(script), str(data)],
        capture_output=True,
        text=True,
        timeout=100,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    kept, ended = done.stdout.split()
    host = make_host(data_dir=data)
    assert host.get("/api/auth/session", token=kept).status == 200
    assert host.get("/api/auth/session", token=ended).status == 401
    groups = host.get("/api/admin/permission-groups", token=kept).json()
    assert [(each["name"], each["profileIds"]) for each in groups] == [
        ("admin", [1]),
        ("Uploaders", [2]),
    ]
    db = host.plugin("accounts").context.db
    assert db.value("SELECT failures FROM profiles WHERE id = 2") == 1
