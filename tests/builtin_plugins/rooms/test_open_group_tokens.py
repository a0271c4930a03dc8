"""Challenges, claims and the life of tokens (4), rates and times (6.3)."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from plugin_sdk import DatabaseUnavailable

LOW_ORDER = "05e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"


def test_a_token_must_be_claimed(rooms: Any, refused: Callable[..., int]) -> None:
    room, other = rooms.add(), rooms.add()
    alice, bob = rooms.client(), rooms.client()
    token = alice.challenge(room)
    assert refused(alice.ask, "GET", "/messages", room, token=token) == 401
    flipped = ("1" if token[0] == "0" else "0") + token[1:]
    for wrong in (flipped, "zz", token[:-2], "Bearer " + token, "é"):
        assert refused(alice.claim, room, wrong) == 403, wrong
    assert refused(bob.claim, room, token) == 403
    assert refused(alice.claim, other, token) == 403
    for missing in ("", "  "):
        assert refused(alice.claim, room, missing) == 401
    body = {"public_key": "05"}
    assert refused(alice.ask, "POST", "/claim_auth_token", room, body, token=token) == 400
    alice.claim(room, token.upper())
    assert refused(alice.claim, room, token) == 403
    alice.tokens[room] = token.upper()
    assert alice.messages(room) == []
    assert refused(alice.ask, "GET", "/messages", other, token=token) == 401
    assert refused(alice.ask, "GET", "/messages", room, token=f"Bearer {token}") == 401
    alice.ask("DELETE", "/auth_token", room)
    assert refused(alice.ask, "GET", "/messages", room) == 401
    assert refused(alice.ask, "DELETE", "/auth_token", room) == 401
    assert refused(alice.claim, room, token) == 403


def test_challenges(rooms: Any, refused: Callable[..., int]) -> None:
    room = rooms.add()
    alice = rooms.client()
    first = alice.challenge(room)
    path = "/auth_token_challenge"
    one = alice.ask("GET", f"{path}?public_key={alice.key}", room)["challenge"]
    other = alice.ask("GET", f"{path}?public_key=x&public_key={alice.key.upper()}", room)
    assert one["ephemeral_public_key"] != other["challenge"]["ephemeral_public_key"]
    assert alice.decrypt(one) == alice.decrypt(other["challenge"]) == first
    for query in ("", "?public_key=", "?public_key=x", f"?public_key={LOW_ORDER}"):
        assert refused(alice.ask, "GET", path + query, room) == 400, query
    count = "SELECT COUNT(*) FROM pending_tokens WHERE room_id = :room"
    assert rooms.db.value(count, {"room": room}) == 1
    with ThreadPoolExecutor(8) as pool:
        people = [rooms.client() for _ in range(8)]
        for person in people:
            person._secret, person.key = people[0]._secret, people[0].key
        assert len(set(pool.map(lambda person: person.challenge(room), people))) == 1


@pytest.mark.usefixtures("still")
def test_pending_tokens_live_ten_minutes(rooms: Any, refused: Callable[..., int]) -> None:
    room = rooms.add()
    alice = rooms.client()
    first = alice.challenge(room)
    rooms.move_clock(299)
    assert alice.challenge(room) == first
    rooms.move_clock(301)
    second = alice.challenge(room)
    assert second != first
    rooms.move_clock(598)
    assert alice.challenge(room) == second
    alice.claim(room, first)
    assert refused(alice.claim, room, second) == 403  # gone with the claim of the other
    third = alice.challenge(room)
    rooms.move_clock(598 + 601)
    assert refused(alice.claim, room, third) == 403
    assert rooms.plugin.logins.prune() >= 1
    assert rooms.plugin.core.groups.row(room)["pending_count"] == 0


@pytest.mark.usefixtures("still")
def test_tokens_live_seven_days(rooms: Any) -> None:
    room = rooms.add()
    alice = rooms.client(room)
    rooms.move_clock(7 * 86_400 - 5)
    assert alice.poll(room)["status_code"] == 200
    rooms.move_clock(7 * 86_400)
    assert alice.poll(room)["status_code"] == 401
    rooms.set(tokenLifetimeDays=8)
    assert alice.poll(room)["status_code"] == 200
    rooms.set(tokenLifetimeDays=0.5)
    assert rooms.plugin.logins.prune() >= 1
    rooms.move_clock(0)
    assert alice.poll(room)["status_code"] == 401


@pytest.mark.parametrize("much", [1e12, 1e300])
def test_any_length_of_time_is_legal(rooms: Any, refused: Callable[..., int], much: float) -> None:
    room = rooms.add()
    spans = ("tokenLifetimeDays", "fileLifetimeDays", "pendingTokenMinutes", "rateLimitSeconds")
    rooms.set(**dict.fromkeys(spans, much))
    alice = rooms.client(room)
    file_id = alice.upload(room, b"x")
    for _ in range(5):
        alice.post(room)
    assert refused(alice.post, room) == 429
    assert int(alice.headers["retry-after"]) > 10**9
    assert rooms.plugin.logins.prune() == 0
    assert alice.ask("GET", "/member_count", room)["member_count"] == 1
    rooms.set(**dict.fromkeys(spans, 1e-9))
    assert alice.poll(room)["status_code"] == 401
    rooms.set(tokenLifetimeDays=None)
    alice.post(room)
    assert refused(alice.download, room, file_id) == 404


def test_devices_side_by_side(rooms: Any) -> None:
    room = rooms.add()
    alice = rooms.client(room)
    phone = alice.tokens[room]
    laptop = alice.login(room)
    alice.ask("DELETE", "/auth_token", room, token=phone)
    assert alice.poll(room)["status_code"] == 200
    assert alice.tokens[room] == laptop
    stored = rooms.db.query("SELECT digest FROM tokens WHERE room_id = :room", {"room": room})
    assert len(stored) == 1
    assert laptop not in stored[0]["digest"]


def test_only_so_many_are_pending(rooms: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("builtin_plugins.rooms.logins._MOST_PENDING", 3)
    room = rooms.add()
    people = [rooms.client() for _ in range(5)]
    tokens = [person.challenge(room) for person in people]
    assert rooms.plugin.core.groups.row(room)["pending_count"] == 3
    found = rooms.db.query(
        "SELECT token FROM pending_tokens WHERE room_id = :room ORDER BY id", {"room": room}
    )
    assert [row["token"] for row in found] == tokens[2:]


def test_a_first_claim_makes_a_member(rooms: Any, refused: Callable[..., int]) -> None:
    room = rooms.add()
    alice = rooms.client(room)
    member = rooms.db.table("members").get((room, alice.key))
    assert member["role"] == "member"
    assert member["joined_at"] > 0
    rooms.move_clock(100)
    for method, path, body in (
        ("GET", "/messages?limit=x", None),
        ("POST", "/messages", {}),
        ("POST", "/block_list", {"public_key": alice.key}),
    ):
        assert refused(alice.ask, method, path, room, body) in (400, 403)
    rooms.plugin.activity.flush()
    assert rooms.db.table("members").get((room, alice.key)) == member  # only success counts
    alice.poll(room)
    before = member["last_seen_at"]
    rooms.plugin.activity.flush()
    member = rooms.db.table("members").get((room, alice.key))
    assert member["last_seen_at"] > member["joined_at"] + 99_000
    assert before is None
    rooms.move_clock(200)
    alice.messages(room)
    rooms.plugin.activity.flush()
    seen = rooms.db.table("members").get((room, alice.key))["last_seen_at"]
    assert seen > member["last_seen_at"] + 99_000
    user = rooms.db.table("users").get(alice.key)
    assert json.loads(user["doc"])["displayName"] == alice.key


def test_activity_that_cannot_be_written_is_kept(
    rooms: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = rooms.add()
    alice = rooms.client(room)
    activity = rooms.plugin.activity
    alice.poll(room)

    def away(*_arguments: Any) -> None:
        raise DatabaseUnavailable

    monkeypatch.setattr(activity, "_db", SimpleNamespace(executemany=away))
    with pytest.raises(DatabaseUnavailable):
        activity.flush()
    monkeypatch.undo()
    assert rooms.db.table("members").get((room, alice.key))["last_seen_at"] is None
    activity.flush()
    assert rooms.db.table("members").get((room, alice.key))["last_seen_at"]


@pytest.mark.usefixtures("still")
def test_five_messages_in_sixteen_seconds(rooms: Any, refused: Callable[..., int]) -> None:
    room, other = rooms.add(), rooms.add()
    moderator = rooms.moderator(room)
    moderator.login(other)
    first = moderator.post(room)
    for _ in range(4):
        moderator.post(room)
    moderator.delete(room, 3)
    assert refused(moderator.post, room) == 429
    assert 1 <= int(moderator.headers["retry-after"]) <= 16
    moderator.post(other)
    rooms.client(room).post(room)
    rooms.set(rateLimitMessages=6)
    moderator.post(room)
    for much in (2**63, 10**30):
        rooms.set(rateLimitMessages=much)
        moderator.post(room)
    rooms.set(rateLimitMessages=None)
    rooms.move_clock(11)
    assert refused(moderator.post, room) == 429
    assert 1 <= int(moderator.headers["retry-after"]) <= 6
    rooms.move_clock(20)
    assert moderator.post(room)["timestamp"] > first["timestamp"] + 16_000


def test_of_parallel_posts_five_succeed(rooms: Any, refused: Callable[..., int]) -> None:
    rooms.set(rateLimitSeconds=3600)
    room = rooms.add()
    alice = rooms.client(room)
    devices = [rooms.client() for _ in range(12)]
    for device in devices:
        device.tokens = alice.tokens
    with ThreadPoolExecutor(12) as pool:
        statuses = list(pool.map(lambda device: refused(device.post, room), devices))
    assert sorted(statuses) == [200] * 5 + [429] * 7


def test_the_rooms_clock_never_goes_back(rooms: Any) -> None:
    rooms.set(rateLimitMessages=0)
    room = rooms.add()
    alice = rooms.client(room)
    times = [alice.post(room)["timestamp"]]
    rooms.move_clock(-3600)
    times += [alice.post(room)["timestamp"] for _ in range(3)]
    assert times[1:] == [times[0] + 1, times[0] + 2, times[0] + 3]
    rooms.move_clock(3600)
    assert alice.post(room)["timestamp"] >= times[0] + 3_599_000


def test_messages_are_checked(rooms: Any, refused: Callable[..., int]) -> None:
    rooms.set(rateLimitMessages=0)
    room = rooms.add()
    alice = rooms.client(room)
    good = {
        "data": base64.b64encode(b"x" * 40).decode(),
        "signature": base64.b64encode(bytes(64)).decode(),
        "timestamp": 5,
        "public_key": 7,
        "server_id": "x",
    }

    def post(**changes: Any) -> int:
        body = {name: value for name, value in {**good, **changes}.items() if value is not ...}
        return refused(alice.ask, "POST", "/messages", room, body)

    assert post() == 200
    assert post(data=str(good["data"]).rstrip("=")) == 200
    assert alice.messages(room)[0]["data"] == good["data"]
    for name in ("data", "signature", "timestamp"):
        for wrong in (..., None, True, [], {}, ""):
            assert post(**{name: wrong}) == 400, (name, wrong)
    assert post(signature=base64.b64encode(bytes(63)).decode()) == 400
    assert post(timestamp=0) == 400
    assert post(timestamp=5.0) == 400
    assert post(timestamp=2**63) == 400
    rooms.set(maxMessageBytes=40)
    assert post() == 200
    assert post(data=base64.b64encode(b"x" * 41).decode()) == 413
    rooms.set(verifySignatures=True)
    assert post() == 400


def test_signatures_are_verified_if_asked(rooms: Any, refused: Callable[..., int]) -> None:
    """The account of the contract's vector signs what it posts."""
    rooms.set(verifySignatures=True)
    room = rooms.add()
    secret = bytes.fromhex("3894eea49c580aef816935762be049559d6d1440dede12e6a125f1841fff8e6f")
    alice = type(rooms.client())(rooms.host.url, secret)
    rooms.clients.append(alice)
    alice.login(room)
    signature = bytes.fromhex(
        "8681481e17fe52481652784d24bb1c97274e5006bc4a32524dc7f931b81d004b"
        "fb5c5b05c3e099660e2dabb72696ffe367f5249544d24ed9d80474c1b131958f"
    )
    body = {
        "data": base64.b64encode(b"hello session").decode(),
        "signature": base64.b64encode(signature).decode(),
        "timestamp": 1,
    }
    assert refused(alice.ask, "POST", "/messages", room, body) == 200
    body["data"] = base64.b64encode(b"hello sessioN").decode()
    assert refused(alice.ask, "POST", "/messages", room, body) == 400
