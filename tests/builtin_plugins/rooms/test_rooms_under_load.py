"""Many at once, and sudden ends: nothing is lost, doubled or used again (contract, 16)."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from host.testing import TestHost, database_of
from plugin_sdk.testing import FakeCommandIO

SHORT = 3.0
LONG = 10.0


class Crowd:
    """Threads that post, poll, delete and ban in one room, and what they saw."""

    def __init__(self, rooms: Any, seconds: float) -> None:
        self.rooms = rooms
        self.seconds = seconds
        self.room = rooms.add()
        self.posted: list[tuple[int, str]] = []
        self.failures: list[object] = []
        self.pages: list[list[int]] = []
        self._over = threading.Event()
        self._lock = threading.Lock()

    def run(self) -> None:
        moderator = self.rooms.moderator(self.room)
        writers = [self.rooms.client(self.room) for _ in range(36)]
        readers = [self.rooms.client(self.room) for _ in range(12)]
        keys = [writer.key for writer in writers]
        jobs = [(self._write, writer) for writer in writers]
        jobs += [(self._read, reader) for reader in readers]
        jobs += [(self._moderate, moderator, keys[:4])]
        jobs += [(self._count_and_upload, self.rooms.client(self.room))]
        assert len(jobs) == 50
        threads = [threading.Thread(target=self._fenced, args=job) for job in jobs]
        for thread in threads:
            thread.start()
        time.sleep(self.seconds)  # the load itself, not a wait for something
        self._over.set()
        for thread in threads:
            thread.join()

    def _fenced(self, job: Any, *arguments: Any) -> None:
        choice = random.Random(str(arguments[0].key))  # no secret
        try:
            while not self._over.is_set():
                try:
                    job(choice, *arguments)
                except Exception as error:
                    if getattr(error, "status", 0) != 403:  # banned for a moment
                        raise
        except Exception as error:
            self.failures.append(error)

    def _write(self, choice: random.Random, client: Any) -> None:
        message = client.post(self.room, choice.randbytes(60))
        with self._lock:
            self.posted.append((message["server_id"], message["data"]))
        if choice.random() < 0.2:
            client.delete(self.room, message["server_id"])

    def _read(self, choice: random.Random, client: Any) -> None:
        """Follows the room from its beginning."""
        cursor, seen = 0, []
        while not self._over.is_set():
            result = client.poll(self.room, cursor, 0)
            assert result["status_code"] == 200
            gone = {each["deleted_message_id"] for each in result["deletions"]}
            ids = [each["server_id"] for each in result["messages"]]
            assert len(result["deletions"]) >= 256 or not gone & set(ids)
            if ids:
                assert ids == sorted(ids)
                assert ids[0] > cursor
                cursor = ids[-1]
                seen += ids
        with self._lock:
            self.pages.append(seen)

    def _moderate(self, choice: random.Random, client: Any, keys: list[str]) -> None:
        key = choice.choice(keys)
        client.ban(self.room, key, and_delete_all=choice.random() < 0.3)
        client.poll(self.room)
        client.unban(self.room, key)

    def _count_and_upload(self, choice: random.Random, client: Any) -> None:
        client.ask("GET", "/member_count", self.room)
        client.upload(self.room, choice.randbytes(100))

    def check(self) -> None:
        assert not self.failures
        ids = [number for number, _ in self.posted]
        assert len(ids) == len(set(ids))
        rows = self.rooms.db.query(
            "SELECT server_id, data, is_deleted, timestamp FROM messages"
            " WHERE room_id = :room ORDER BY server_id",
            {"room": self.room},
        )
        assert [row["server_id"] for row in rows] == list(range(1, len(rows) + 1))
        assert sorted(ids) == [row["server_id"] for row in rows]
        times = [row["timestamp"] for row in rows]
        assert times == sorted(set(times))
        sent = dict(self.posted)
        dead = {row["server_id"] for row in rows if row["is_deleted"]}
        for row in rows:
            assert row["data"] == (None if row["is_deleted"] else sent[row["server_id"]])
        records = self.rooms.db.query(
            "SELECT id, server_id FROM deletions WHERE room_id = :room ORDER BY id",
            {"room": self.room},
        )
        assert [row["id"] for row in records] == list(range(1, len(records) + 1))
        assert Counter(row["server_id"] for row in records) == Counter(dead)
        for seen in self.pages:  # what a reader did not see was deleted
            missed = set(range(1, max(seen, default=0) + 1)) - set(seen)
            assert missed <= dead


def test_fifty_at_once(rooms: Any) -> None:
    rooms.set(rateLimitMessages=0)
    crowd = Crowd(rooms, SHORT)
    crowd.run()
    crowd.check()


@pytest.mark.soak
def test_fifty_at_once_for_long(rooms: Any) -> None:
    rooms.set(rateLimitMessages=0)
    crowd = Crowd(rooms, LONG)
    crowd.run()
    crowd.check()


def _serve(data_dir: Path) -> tuple[subprocess.Popen[str], str]:
    """A server as a process of its own, and its address."""
    command = [sys.executable, "-m", "host", "serve", "--data-dir", str(data_dir)]
    command += ["--listen", "127.0.0.1:0"]
    if url := database_of(data_dir):
        command += ["--database", url]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert server.stdout is not None
    for line in server.stdout:
        if "http://" in line:
            return server, "http://" + line.partition("http://")[2].split()[0].rstrip("/.,")
    raise AssertionError("the server did not start")


def test_what_was_answered_survives_kill(
    rooms: Any, tmp_path: Path, wait_until: Callable[..., None]
) -> None:
    """Message, deletion, ban, role, file, image, claimed and pending token; and of messages that
    are posted while the end comes, all that were answered."""
    shared = rooms.host
    data_dir = tmp_path / "data"
    with TestHost(data_dir, settings={"rooms": {"rateLimitMessages": 0}}) as host:
        rooms.host = host
        host.plugin("rooms").add_room(FakeCommandIO(), "fish", None)
        boss = rooms.moderator("fish")
    rooms.host = shared
    server, address = _serve(data_dir)
    client = type(boss)
    try:
        boss.move_to(address)
        boss.login("fish")
        alice = client(address)
        alice.login("fish")
        bob = client(address)
        messages = [alice.post("fish") for _ in range(3)]
        alice.delete("fish", 2)
        file_id = alice.upload("fish", b"kept")
        boss.ask("POST", "/moderators", "fish", {"public_key": alice.key})
        image = json.dumps({"file": "aW1hZ2U="}).encode()
        token = {"Authorization": boss.tokens["fish"]}
        assert boss.send("POST", "/rooms/fish/image", image, **token)[0] == 200
        boss.ban("fish", bob.key)
        pending = bob.challenge("fish")
        writers = [client(address) for _ in range(6)]
        for writer in writers:
            writer.login("fish")
        answered, threads = _post_on_and_on(writers)
        wait_until(lambda: len(answered) > 60, 120)
    finally:
        server.send_signal(signal.SIGKILL)
        server.wait()
        assert server.stdout is not None
        server.stdout.close()
    for thread in threads:
        thread.join()
    with TestHost(data_dir) as host:
        for person in (boss, alice, bob):
            person.move_to(host.url)
        result = alice.poll("fish", 0, 0)
        assert result["messages"][:2] == [messages[0], messages[2]]
        kept = {message["server_id"]: message for message in _all_messages(alice)}
        assert [kept[message["server_id"]] for message in answered] == answered
        assert boss.ask("GET", "/rooms/fish/image")["result"] == "aW1hZ2U="
        assert result["deletions"] == [{"id": 1, "deleted_message_id": 2}]
        assert result["moderators"] == sorted([boss.key, alice.key])
        assert alice.download("fish", file_id) == b"kept"
        assert alice.ask("GET", "/block_list", "fish")["banned_members"] == [bob.key]
        assert bob.challenge("fish") == pending
        bob.claim("fish", pending)
        last = alice.post("fish")["server_id"]
        # What was being stored when the end came may be there or not; no number is used again.
        numbers = [message["server_id"] for message in _all_messages(alice)]
        assert numbers == [1, *range(3, last + 1)]
        for person in (boss, alice, bob, *writers):
            person.close()


def _post_on_and_on(people: list[Any]) -> tuple[list[Any], list[threading.Thread]]:
    """Until the server goes away: what was answered, and who posts."""
    answered: list[Any] = []

    def post(person: Any) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            while True:
                answered.append(person.post("fish"))

    threads = [threading.Thread(target=post, args=(person,)) for person in people]
    for thread in threads:
        thread.start()
    return answered, threads


def _all_messages(person: Any) -> list[Any]:
    found: list[Any] = []
    cursor = 0
    while page := person.messages("fish", f"?from_server_id={cursor}"):
        found += page
        cursor = page[-1]["server_id"]
    return found


def test_two_processes_share_the_rooms(rooms: Any) -> None:
    """What one does the other sees with its next request; numbers are drawn once."""
    rooms.set(rateLimitMessages=0)
    room = rooms.add()
    alice, boss = rooms.client(room), rooms.moderator(room)
    server, address = _serve(rooms.host.data_dir)
    try:
        bob = type(alice)(address)
        rooms.clients.append(bob)
        bob.login(room)
        assert bob.poll(room)["moderators"] == [boss.key]
        threads = [
            threading.Thread(target=lambda each=each: [each.post(room) for _ in range(30)])
            for each in (alice, bob)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        numbers = [message["server_id"] for message in bob.messages(room, "?from_server_id=0")]
        assert numbers == list(range(1, 61))
        assert boss.ask("GET", "/member_count", room)["member_count"] == 3
        boss.ask("POST", "/moderators", room, {"public_key": bob.key})
        assert bob.poll(room)["moderators"] == sorted([boss.key, bob.key])
        bob.ban(room, alice.key, and_delete_all=True)
        assert alice.poll(room)["status_code"] == 403
        assert len(boss.deletions(room)) == 30
        assert boss.ask("GET", "/member_count", room)["member_count"] == 2
    finally:
        server.terminate()
        server.wait()
        assert server.stdout is not None
        server.stdout.close()


def test_a_second_process_sees_and_is_seen(rooms: Any) -> None:
    """The command line works beside the server."""
    room = rooms.add()
    alice = rooms.client(room)
    data_dir = rooms.host.data_dir
    environment = {**os.environ, "STAGEBOX_DATA_DIR": str(data_dir)}
    if url := database_of(data_dir):
        environment["STAGEBOX_DATABASE"] = url

    def stagebox(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "host", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    done = stagebox("rooms", "add-moderator", room, alice.key)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert alice.poll(room)["moderators"] == [alice.key]
    done = stagebox("rooms", "add", room)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
