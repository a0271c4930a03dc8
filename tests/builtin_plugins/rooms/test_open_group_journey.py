"""What people do in open groups, over a real socket with a client of our own."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest


def test_a_round_trip(rooms: Any) -> None:
    room = rooms.add("Fish Talk")
    alice, bob = rooms.client(room), rooms.client(room)
    assert {"id": room, "name": "Fish Talk"} in alice.ask("GET", "/rooms")["rooms"]
    assert alice.ask("GET", f"/rooms/{room}")["room"] == {"id": room, "name": "Fish Talk"}
    assert bob.poll(room) == {
        "room_id": room,
        "status_code": 200,
        "deletions": [],
        "messages": [],
        "moderators": [],
    }
    first = alice.post(room, b"one")
    assert first["server_id"] == 1
    assert first["public_key"] == alice.key
    assert first["data"] == base64.b64encode(b"one").decode()
    second = bob.post(room, b"two")
    assert second["timestamp"] > first["timestamp"]
    assert bob.poll(room)["messages"] == [second, first]
    assert bob.poll(room, 0)["messages"] == [first, second]
    assert bob.poll(room, -5)["messages"] == [first, second]
    assert bob.poll(room, 1)["messages"] == [second]
    assert bob.poll(room, 2)["messages"] == []
    alice.delete(room, 1)
    news = bob.poll(room, 2)
    assert news["messages"] == []
    assert news["deletions"] == [{"id": 1, "deleted_message_id": 1}]
    assert bob.poll(room, 2, 1)["deletions"] == []
    assert bob.poll(room)["messages"] == [second]
    assert bob.messages(room) == [second]
    alice.ask("DELETE", "/auth_token", room)
    assert alice.poll(room)["status_code"] == 401
    alice.login(room)
    assert alice.post(room)["server_id"] == 3


def test_pages_go_on_without_gaps(rooms: Any) -> None:
    rooms.set(rateLimitMessages=0)
    room = rooms.add()
    alice = rooms.client(room)
    posted = [alice.post(room, bytes([number % 251])) for number in range(300)]
    alice.delete(room, *range(1, 11))
    living = posted[10:]
    assert alice.messages(room) == living[:-257:-1]
    assert alice.messages(room, "?limit=3") == living[:-4:-1]
    assert alice.messages(room, "?from_server_id=0") == living[:256]
    assert alice.messages(room, "?from_server_id=-1&limit=2") == living[:2]
    assert alice.messages(room, "?limit=0&from_server_id=12") == [posted[12]]
    assert len(alice.messages(room, "?limit=70000")) == 256
    assert alice.messages(room, "?from_server_id=1&from_server_id=298") == posted[298:]
    seen, cursor = [], 0
    while page := alice.poll(room, cursor)["messages"]:
        seen += page
        cursor = page[-1]["server_id"]
    assert seen == living
    records = [{"id": number, "deleted_message_id": number} for number in range(1, 11)]
    assert alice.deletions(room) == records[::-1]
    assert alice.deletions(room, "?from_server_id=8") == records[8:]
    assert alice.deletions(room, "?from_server_id=0&limit=3") == records[:3]
    assert alice.poll(room, 300)["deletions"] == records[::-1]
    assert alice.poll(room, 300, 0)["deletions"] == records


def test_a_poll_of_many_rooms(rooms: Any) -> None:
    one, two, banned = rooms.add(), rooms.add(), rooms.add()
    alice = rooms.client(one, two, banned)
    moderator = rooms.moderator(banned)
    moderator.ban(banned, alice.key)
    message = alice.post(two)
    odd = ["a" * 5000, "nul\0", "\ud800", "Ünknown", "../etc", one.upper(), ""]
    wanted = [
        (one, alice.tokens[one], 200),
        (two, alice.tokens[two], 200),
        (two, alice.tokens[two].upper(), 200),
        (one, alice.tokens[two], 401),
        (one, "", 401),
        (one, "zz", 401),
        (one, "\ud800\0", 401),
        (banned, alice.tokens[banned], 403),
        (banned, "00", 401),
        *((room, alice.tokens[one], 404) for room in odd),
        (one, alice.tokens[one], 200),
    ]
    entries = [{"room_id": room, "auth_token": token, "x": 1} for room, token, _ in wanted]
    results = alice.ask("POST", "/compact_poll", body={"requests": entries})["results"]
    assert [(each["room_id"], each["status_code"]) for each in results] == [
        (room, status) for room, _, status in wanted
    ]
    for each in results:
        if each["status_code"] != 200:
            assert (each["deletions"], each["messages"], each["moderators"]) == ([], [], [])
    assert results[1]["messages"] == results[2]["messages"] == [message]
    assert alice.ask("POST", "/compact_poll", body={"requests": []})["results"] == []
    most = {"requests": [entries[0]] * 1000}
    assert len(alice.ask("POST", "/compact_poll", body=most)["results"]) == 1000


def test_a_poll_of_very_much(rooms: Any) -> None:
    """It is made while it is sent, and is the same."""
    rooms.set(rateLimitMessages=0)
    room, other = rooms.add(), rooms.add()
    alice = rooms.client(room, other)
    posted = [alice.post(room, bytes(60_000)) for _ in range(20)]
    kept = alice.post(other)
    entries = [{"room_id": each, "auth_token": alice.tokens[each]} for each in (room, other) * 8]
    results = alice.ask("POST", "/compact_poll", body={"requests": entries})["results"]
    assert "content-length" not in alice.headers
    assert [each["messages"] for each in results] == [posted[::-1], [kept]] * 8
    call = rooms.plugin.context.services.get("rooms.call")
    assert call("POST", "/compact_poll", {}, {}, json.dumps({"requests": entries}))[1] == {
        "status_code": 200,
        "results": results,
    }


ENTRY = {"room_id": "x", "auth_token": "y"}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"requests": None},
        {"requests": {}},
        {"requests": [1]},
        {"requests": [ENTRY] * 1001},
        {"requests": [{"room_id": "x"}]},
        {"requests": [{"auth_token": "x"}]},
        {"requests": [{**ENTRY, "room_id": 1}]},
        {"requests": [{**ENTRY, "auth_token": None}]},
        {"requests": [{**ENTRY, "from_message_server_id": "1"}]},
        {"requests": [{**ENTRY, "from_message_server_id": True}]},
        {"requests": [{**ENTRY, "from_deletion_server_id": 1.0}]},
        {"requests": [ENTRY, {**ENTRY, "from_deletion_server_id": 2**63}]},
    ],
    ids=str,
)
def test_malformed_polls(rooms: Any, refused: Callable[..., int], body: Any) -> None:
    assert refused(rooms.client().ask, "POST", "/compact_poll", None, body) == 400


def test_bodies_are_judged_by_content(rooms: Any) -> None:
    room = rooms.add()
    alice = rooms.client(room)

    def send(content: bytes, **headers: str) -> int:
        status, _ = alice.send("POST", "/compact_poll", content, **headers)
        return int(status)

    good = b'{"requests": []}'
    for headers in ({}, {"Content-Type": "text/plain"}, {"Content-Type": "application/xml"}):
        assert send(good, **headers) == 200
    assert send(b'{"requests": 5, "requests": [], "x": ' + b"[" * 62 + b"]" * 62 + b"}") == 200
    for bad in (
        b"",
        b" ",
        b"null",
        b"[]",
        b'"x"',
        good + b"x",
        b"\xef\xbb\xbf" + good,
        b'{"requests": [], "x": NaN}',
        b'{"requests": [], "x": -Infinity}',
        b'{"requests": [], "x": "\xff"}',
        b'{"requests": [], "x": ' + b"[" * 64 + b"]" * 64 + b"}",
        b"[" * 100_000,
        b'{"requests": [], "x": ' + b"9" * 6000 + b"}",
        good.decode().encode("utf-16"),
    ):
        assert send(bad) == 400, bad[:60]


def test_moderators(rooms: Any, refused: Callable[..., int]) -> None:
    room, other = rooms.add(), rooms.add()
    moderator, alice = rooms.moderator(room), rooms.client(room)
    assert moderator.ask("GET", "/moderators", room)["moderators"] == [moderator.key]
    upper = "05" + alice.key[2:].upper()
    assert refused(alice.ask, "POST", "/moderators", room, {"public_key": alice.key}) == 403
    for _ in range(2):
        assert set(moderator.ask("POST", "/moderators", room, {"public_key": upper})) == {
            "status_code"
        }
    both = sorted([moderator.key, alice.key])
    assert alice.ask("GET", "/moderators", room)["moderators"] == both
    assert alice.poll(room)["moderators"] == both

    def appoint(body: Any, header: str | None = None) -> int:
        headers = {"Authorization": moderator.tokens[room]}
        if header is not None:
            headers["Room"] = header
        content = json.dumps(body).encode()
        return int(moderator.send("POST", "/moderators", content, **headers)[0])

    key = {"public_key": "05" + "ab" * 32}
    assert appoint({**key, "room_id": room}) == 200
    assert appoint({**key, "room_id": room}, room) == 200
    assert appoint({**key, "room_id": None}, room) == 200
    assert appoint(key) == 400
    assert appoint({**key, "room_id": 5}) == 400
    assert appoint({**key, "room_id": 5}, room) == 400
    assert appoint({**key, "room_id": other}, room) == 400
    assert appoint({**key, "room_id": other}) == 401
    assert appoint({**key, "room_id": "nowhere"}) == 404
    assert appoint({"public_key": "x", "room_id": "nowhere"}) == 400  # the body comes first
    assert len(alice.ask("GET", "/moderators", room)["moderators"]) == 3
    for _ in range(2):
        alice.ask("DELETE", f"/moderators/{key['public_key'].upper()}", room)
    alice.ask("DELETE", f"/moderators/{moderator.key}", room)
    assert refused(moderator.ask, "DELETE", f"/moderators/{alice.key}", room) == 403
    alice.ask("DELETE", f"/moderators/{alice.key}", room)
    assert alice.poll(room)["moderators"] == []


def test_bans(rooms: Any, refused: Callable[..., int]) -> None:
    room, other = rooms.add(), rooms.add()
    moderator, alice, bob = rooms.moderator(room), rooms.client(room, other), rooms.client(room)
    file_id = alice.upload(room, b"x")
    message = alice.post(room)
    assert refused(alice.ban, room, bob.key) == 403
    assert refused(moderator.ban, room, moderator.key) == 403
    rooms.plugin.core.roles.add(room, bob.key, "cli")
    assert refused(moderator.ban, room, bob.key) == 403
    moderator.ask("DELETE", f"/moderators/{bob.key}", room)
    for _ in range(2):
        moderator.ban(room, alice.key.upper().replace("X", "x"))
    stranger = "05" + "cd" * 32
    moderator.ban(room, stranger)
    listed = bob.ask("GET", "/block_list", room)
    assert set(listed) == {"status_code", "banned_members"}
    assert listed["banned_members"] == sorted([alice.key, stranger])
    for method, path in (
        ("DELETE", "/auth_token"),
        ("GET", "/messages"),
        ("POST", "/messages"),
        ("DELETE", f"/messages/{message['server_id']}"),
        ("POST", "/delete_messages"),
        ("GET", "/deleted_messages"),
        ("GET", "/moderators"),
        ("POST", "/moderators"),
        ("DELETE", "/moderators/x"),
        ("GET", "/block_list"),
        ("POST", "/block_list"),
        ("POST", "/ban_and_delete_all"),
        ("DELETE", "/block_list/x"),
        ("GET", "/member_count"),
        ("POST", "/files"),
        ("GET", f"/files/{file_id}"),
        ("POST", f"/rooms/{room}/image"),
    ):
        assert refused(alice.ask, method, path, room) == 403, path
    assert alice.poll(room)["status_code"] == 403
    assert alice.poll(other)["status_code"] == 200
    assert alice.ask("GET", f"/rooms/{room}")["room"]["id"] == room
    alice.login(room)
    assert alice.poll(room)["status_code"] == 403
    assert bob.poll(room)["messages"] == [message]
    for _ in range(2):
        moderator.unban(room, alice.key)
    assert alice.poll(room)["status_code"] == 200
    assert alice.download(room, file_id) == b"x"
    assert refused(moderator.ask, "DELETE", "/block_list/nokey", room) == 400


def test_a_ban_that_ends_becomes_one_for_good(rooms: Any) -> None:
    room = rooms.add()
    moderator, alice, bob = rooms.moderator(room), rooms.client(room), rooms.client(room)
    soon = rooms.plugin.context.clock.ms() + 3_600_000
    store = rooms.plugin.store
    store.ban(room, alice.key, expiresAt=soon, reason="spam", oderId=bob.key)
    for _ in range(2):
        moderator.ban(room, alice.key)
    rooms.move_clock(7200)
    assert [person.poll(room)["status_code"] for person in (alice, bob)] == [403, 403]
    (stored,) = store.active_bans(room)
    assert (stored["expiresAt"], stored["bannedBy"]) == (None, moderator.key)
    assert (stored["reason"], stored["oderId"]) == ("spam", bob.key)
    moderator.unban(room, alice.key)
    assert [person.poll(room)["status_code"] for person in (alice, bob)] == [200, 200]


def test_ban_and_delete_all(rooms: Any, refused: Callable[..., int]) -> None:
    rooms.set(rateLimitMessages=0)
    room, other = rooms.add(), rooms.add()
    moderator, alice, bob = rooms.moderator(room), rooms.client(room, other), rooms.client(room)
    for person in (alice, bob, alice, alice):
        person.post(room)
    kept = alice.post(other)
    alice.delete(room, 3)
    files = [alice.upload(room, b"mine"), bob.upload(room, b"his")]
    for _ in range(2):
        moderator.ban(room, alice.key, and_delete_all=True)
    news = bob.poll(room, 0, 0)
    assert [each["server_id"] for each in news["messages"]] == [2]
    assert [each["deleted_message_id"] for each in news["deletions"]] == [3, 1, 4]
    assert [each["id"] for each in news["deletions"]] == [1, 2, 3]
    assert refused(bob.download, room, files[0]) == 404
    assert bob.download(room, files[1]) == b"his"
    assert alice.messages(other) == [kept]
    assert rooms.plugin.files.prune() == 1
    assert [blob.key for blob in rooms.plugin.context.blobs.list(f"files/{room}/")] == [
        f"files/{room}/{files[1]}"
    ]


def test_deleting(rooms: Any, refused: Callable[..., int]) -> None:
    rooms.set(rateLimitMessages=0)
    room = rooms.add()
    moderator, alice, bob = rooms.moderator(room), rooms.client(room), rooms.client(room)
    for person in (alice, bob, alice, bob, alice):
        person.post(room)

    def one(person: Any, number: object) -> int:
        return refused(person.ask, "DELETE", f"/messages/{number}", room)

    assert one(alice, 2) == 403
    assert one(alice, 99) == 200
    assert one(alice, 2**63 - 1) == 200
    for wrong in ("x", "-1", "+1", "1.0", str(2**63), "%D9%A3", "1%0A"):
        assert one(alice, wrong) == 400, wrong
    assert one(alice, 1) == 200
    assert one(alice, 1) == 200
    assert one(bob, 1) == 403
    assert refused(alice.delete, room, 3, 4) == 403
    assert refused(alice.delete, room, 1, 3, 2) == 403
    assert [each["deleted_message_id"] for each in alice.deletions(room)] == [1]
    alice.delete(room)
    alice.delete(room, 5, 3, 5, -7, 0, 1000, 1)
    moderator.delete(room, 4, 2)
    assert [each["deleted_message_id"] for each in alice.deletions(room, "?from_server_id=0")] == [
        *(1, 3, 5, 2, 4)
    ]
    for ids in (None, {}, [1.0], ["1"], [True], [2**63], [None]):
        assert refused(alice.ask, "POST", "/delete_messages", room, {"ids": ids}) == 400, ids
    moderator.delete(room, *range(1, 40_001))
    rows = rooms.db.query(
        "SELECT data, signature, is_deleted FROM messages WHERE room_id = :room", {"room": room}
    )
    assert rows == [{"data": None, "signature": None, "is_deleted": 1}] * 5


def test_member_count(rooms: Any) -> None:
    room = rooms.add()
    moderator, alice = rooms.moderator(room), rooms.client(room)

    def count() -> int:
        number: int = moderator.ask("GET", "/member_count", room)["member_count"]
        return number

    assert count() == 2
    alice.login(room)  # a second device
    assert count() == 2
    moderator.ban(room, alice.key)
    assert count() == 1
    moderator.unban(room, alice.key)
    assert count() == 2
    alice.ask("DELETE", "/auth_token", room)
    assert count() == 2
    rooms.move_clock(4 * 86_400)
    moderator.login(room)
    assert count() == 2
    rooms.move_clock(7 * 86_400 + 60)
    assert count() == 1
    rooms.move_clock(0)
    assert count() == 2
