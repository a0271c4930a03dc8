"""Commands, services, events and hooks of the rooms (open-group contract, 12 to 15)."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from builtin_plugins.rooms.server_key import ServerKey
from plugin_sdk import Conflict, Forbidden, Invalid, Plugin, StageboxError, event_handler, hookimpl
from plugin_sdk.testing import FakeCommandIO

KEY = "05" + "ab" * 32


def run(rooms: Any, command_name: str, /, *arguments: Any, status: int = 0, **options: Any) -> str:
    """What a command prints; its sentence when it is refused with status 1."""
    io = FakeCommandIO()
    (command,) = (each for each in rooms.plugin.commands() if each.name == command_name)
    declared = {
        each.name.lstrip("-").lower().replace("-", "_"): each.default or False
        if each.flag
        else None
        for each in command.arguments
    }
    named = [name for name in declared if name not in options][: len(arguments)]
    values = {**declared, **dict(zip(named, arguments, strict=True)), **options}
    try:
        assert (command.handler(io, **values) or 0) == status
    except StageboxError as error:
        assert status == 1
        return error.message
    return io.output.strip() if status == 0 else io.errors


def test_adding_and_removing(rooms: Any, refused: Callable[..., int]) -> None:
    run(rooms, "add", "Fish", name="Fish Talk")
    shown = {room["id"]: room for room in json.loads(run(rooms, "list"))}
    assert shown["Fish"]["name"] == "Fish Talk"
    assert shown["Fish"]["openGroup"] is True
    assert shown["Fish"]["createdAt"] > 0
    for wrong in ("Fish", "fish", "a b", "", "a" * 65, "é", "a\n"):
        assert " id " in run(rooms, "add", wrong, status=1) or wrong == "Fish"
    for name in ("", "x" * 201, "a\nb", "\x7f"):
        run(rooms, "add", "whale", name=name, status=1)
    run(rooms, "add", "whale", name="🐋" * 200)
    alice = rooms.client("Fish")
    first, second = alice.post("Fish"), alice.post("Fish")
    alice.upload("Fish", b"x")
    moderator = rooms.moderator("Fish")
    moderator.delete("Fish", second["server_id"])
    pending = rooms.client().challenge("Fish")
    assert run(rooms, "remove", "nowhere", yes=True, status=1)
    run(rooms, "remove", "Fish")
    assert refused(alice.messages, "Fish") == 404
    assert alice.poll("Fish")["status_code"] == 404
    assert refused(alice.claim, "Fish", pending) == 404
    for table in ("messages", "deletions", "members", "bans", "tokens", "pending_tokens", "files"):
        assert rooms.db.table(table).count_where("room_id = 'Fish'") == 0, table
    rooms.plugin.files.prune()
    assert rooms.plugin.context.blobs.list("files/Fish/") == []
    assert run(rooms, "add", "FISH", status=1)
    run(rooms, "add", "Fish")
    assert alice.poll("Fish")["status_code"] == 401
    alice.login("Fish")
    assert alice.poll("Fish", 0, 0) == {
        "room_id": "Fish",
        "status_code": 200,
        "deletions": [],
        "messages": [],
        "moderators": [],
    }
    third = alice.post("Fish")
    assert third["server_id"] == 3
    assert third["timestamp"] > first["timestamp"]
    alice.delete("Fish", 3)
    assert alice.deletions("Fish") == [{"id": 2, "deleted_message_id": 3}]


def test_ids_that_messages_have_taken(rooms: Any) -> None:
    def message(id: str) -> dict[str, Any]:
        return {"id": id, "room_id": "plain", "sender_id": "u", "timestamp": 1, "doc": "{}"}

    rooms.db.table("messages").insert_all([message("taken-7"), message("free-7b"), message("x-")])
    assert run(rooms, "add", "taken", status=1)
    run(rooms, "add", "free")
    rooms.db.table("rooms").insert({"id": "private", "name": "P", "doc": '{"id":"private"}'})
    assert run(rooms, "add", "private", status=1)
    assert rooms.client().send("GET", "/rooms/private")[0] == 404
    rooms.db.table("messages").delete_where("room_id = 'plain'")
    run(rooms, "remove", "private")
    assert rooms.db.table("retired_rooms").get("private") is None


def test_moderators_of_commands(rooms: Any) -> None:
    room = rooms.add()
    upper = "05" + "AB" * 32
    for _ in range(2):
        run(rooms, "add-moderator", room, upper)
    alice = rooms.client(room)
    assert alice.poll(room)["moderators"] == [KEY]
    member = rooms.db.table("members").get((room, KEY))
    assert (member["role"], member["joined_at"]) == ("moderator", None)
    run(rooms, "add-moderator", room, alice.key)
    for _ in range(2):
        run(rooms, "remove-moderator", room, KEY)
    run(rooms, "remove-moderator", room, alice.key)
    assert alice.poll(room)["moderators"] == []
    assert rooms.db.table("members").get((room, KEY)) is None
    assert rooms.db.table("members").get((room, alice.key))["role"] == "member"
    for command in ("add-moderator", "remove-moderator"):
        assert run(rooms, command, "nowhere", KEY, status=1)
        assert run(rooms, command, room, KEY[:-1], status=1)


def test_image_of_a_command(rooms: Any, tmp_path: Path) -> None:
    room = rooms.add()
    file = tmp_path / "image.png"
    file.write_bytes(b"\x89PNG")
    run(rooms, "image", room, str(file))
    assert rooms.client().ask("GET", f"/rooms/{room}/image")["result"] == "iVBORw=="
    rooms.set(maxFileBytes=3)
    assert run(rooms, "image", room, str(file), status=1)
    assert run(rooms, "image", room, str(tmp_path / "none"), status=1)
    file.write_bytes(b"")
    assert run(rooms, "image", room, str(file), status=1)
    assert run(rooms, "image", "nowhere", str(file), status=1)


def test_join_url(rooms: Any) -> None:
    room = rooms.add()
    base, _, rest = run(rooms, "join-url", room).partition(f"/{room}?public_key=")
    assert base.startswith("http://127.0.0.1:")
    assert len(bytes.fromhex(rest)) == 32
    rooms.set(publicUrl="https://rooms.example.org/x/")
    assert run(rooms, "join-url", room) == f"https://rooms.example.org/x/{room}?public_key={rest}"
    assert run(rooms, "join-url", "nowhere", status=1)
    path = rooms.plugin.context.paths.data / "x25519.key"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_size == 32
    key = rooms.plugin.context.services.get("rooms.server_key")
    assert key.public().hex() == rest


def test_the_server_key_is_made_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = list(pool.map(lambda _: ServerKey(tmp_path).public(), range(16)))
    assert len(set(keys)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["x25519.key"]
    other = ServerKey(tmp_path / "other")
    assert other.exchange(keys[0]) == ServerKey(tmp_path).exchange(other.public())
    with pytest.raises(Invalid):
        other.exchange(bytes(32))
    (tmp_path / "x25519.key").write_bytes(b"short")
    with pytest.raises(Invalid):
        ServerKey(tmp_path).public()


def test_calls_without_a_transport(rooms: Any) -> None:
    room = rooms.add()
    alice = rooms.client(room)
    call = rooms.plugin.context.services.get("rooms.call")
    headers = {"ROOM": room, "authorization": alice.tokens[room]}
    assert call("GET", "/rooms")[0] == 200
    body = json.dumps({"data": "eA==", "signature": "A" * 86, "timestamp": 1}).encode()
    status, answer = call("POST", "/messages", "", headers, body)
    assert (status, answer["message"]["server_id"]) == (200, 1)
    assert call("get", "/messages", "limit=1&limit=5", headers, b"")[1] == {
        "status_code": 200,
        "messages": [answer["message"]],
    }
    assert call("GET", "/messages", {"limit": "x"}, headers)[0] == 400
    assert call("DELETE", "/messages/1", "", headers)[1] == {"status_code": 200}
    assert call("GET", "/messages")[0] == 400
    assert call("GET", "/messages", "", {"Room": room})[0] == 401
    assert call("GET", "/nowhere")[0] == 404
    assert call("GET", "/api/rooms")[0] == 404
    assert call("PUT", "/messages")[0] == 405
    status, answer = call("POST", "/compact_poll", "", {}, b" " * (2**20 + 1))
    assert (status, set(answer)) == (413, {"status_code", "error"})


def test_the_store_keeps_the_rules(rooms: Any) -> None:
    rooms.set(rateLimitMessages=0)
    room = rooms.add()
    alice = rooms.client(room)
    store = rooms.plugin.context.services.get("rooms.store")
    for _ in range(3):
        alice.post(room)
    store.delete_message(f"{room}-1")
    store.delete_message(f"{room}-1")
    with pytest.raises(Conflict):
        store.edit_message(f"{room}-2", "other")
    store.remove_message(f"{room}-3")
    assert alice.post(room)["server_id"] == 4
    assert alice.poll(room, 0, 0)["deletions"] == [
        {"id": 1, "deleted_message_id": 1},
        {"id": 2, "deleted_message_id": 3},
    ]
    assert [each["server_id"] for each in alice.messages(room)] == [4, 2]

    store.add_member(room, KEY, role="moderator")
    with pytest.raises(Forbidden):
        store.ban(room, KEY)
    assert store.active_bans(room) == []

    def both() -> None:
        with store.batch():
            store.delete_message(f"{room}-2")
            store.delete_message("nowhere")

    with pytest.raises(StageboxError):
        both()
    assert [each["server_id"] for each in alice.messages(room)] == [4, 2]
    assert store.remove_room(room)
    assert not store.remove_room(room)
    assert alice.poll(room)["status_code"] == 404


class Follower(Plugin):
    """Writes down what it hears."""

    def enable(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.hooks: list[tuple[str, ...]] = []

    @event_handler("rooms.*")
    def heard(self, event: Any) -> None:
        self.events.append((event.name, dict(event.data)))

    @hookimpl
    def rooms_saved(self, kind: str, id: str, doc: Any) -> None:
        self.hooks.append(("saved", kind, id, json.dumps(doc, sort_keys=True)))
        if kind == "ban":
            raise RuntimeError("a hook that fails changes no answer")

    @hookimpl
    def rooms_removed(self, kind: str, id: str) -> None:
        self.hooks.append(("removed", kind, id))


def test_events_and_hooks(make_host: Callable[..., Any], rooms: Any) -> None:
    host = make_host(Follower)
    shared, rooms.host = rooms.host, host
    (follower,) = (
        published.plugin
        for published in host.host.manager.catalog.plugins.values()
        if isinstance(published.plugin, Follower)
    )
    try:
        _follow(rooms, follower)
        follower.events.clear()
        _follow_store(rooms, follower)
    finally:
        rooms.host = shared


def _follow_store(rooms: Any, follower: Follower) -> None:
    """What plugins and imports do to an open group is told as what its people do."""
    store = rooms.plugin.store
    other = "05" + "cd" * 32
    room = store.save_room({"name": "Whales", "id": "whales", "openGroup": True})["id"]
    alice, bob = rooms.client(room), rooms.client(room)

    def count() -> int:
        number: int = bob.ask("GET", "/member_count", room)["member_count"]
        return number

    for role in ("moderator", "moderator", "member", "moderator"):
        store.add_member(room, KEY, role=role)
    store.remove_member(room, KEY)
    store.add_member(room, "nobody", role="moderator")
    assert count() == 2
    for _ in range(2):
        store.ban(room, "someone", oderId=alice.key)
    assert alice.poll(room)["status_code"] == 403
    assert count() == 1
    store.unban(room, "someone")
    assert count() == 2
    store.ban(room, other, expiresAt=1)
    store.ban(room, other)
    store.ban(room, other, expiresAt=1)
    store.ban("plain", other)
    assert rooms.plugin.context.events.settle(60.0)
    told = [event for event in follower.events if event[0] not in ("rooms.saved", "rooms.removed")]
    moderator = {"room": room, "key": KEY, "by": "rooms"}
    assert told == [
        ("rooms.created", {"room": room}),
        ("rooms.member_joined", {"room": room, "key": alice.key}),
        ("rooms.member_joined", {"room": room, "key": bob.key}),
        ("rooms.moderator_added", moderator),
        ("rooms.moderator_removed", moderator),
        ("rooms.moderator_added", moderator),
        ("rooms.moderator_removed", moderator),
        ("rooms.banned", {"room": room, "key": alice.key, "by": "rooms"}),
        ("rooms.unbanned", {"room": room, "key": alice.key, "by": "rooms"}),
        ("rooms.banned", {"room": room, "key": other, "by": "rooms"}),
        ("rooms.unbanned", {"room": room, "key": other, "by": "rooms"}),
    ]


def _follow(rooms: Any, follower: Follower) -> None:
    room = rooms.add()
    moderator, alice = rooms.moderator(room), rooms.client(room)
    message = alice.post(room)
    file_id = alice.upload(room, b"abc")
    moderator.ban(room, alice.key, and_delete_all=True)
    moderator.unban(room, alice.key)
    rooms.plugin.remove_moderator_command(FakeCommandIO(), room, moderator.key)
    run(rooms, "remove", room)
    assert rooms.plugin.context.events.settle(60.0)
    told = [event for event in follower.events if event[0] not in ("rooms.saved", "rooms.removed")]
    here = {"room": room}
    assert told == [
        ("rooms.created", here),
        ("rooms.member_joined", {**here, "key": moderator.key}),
        ("rooms.moderator_added", {**here, "key": moderator.key, "by": "cli"}),
        ("rooms.member_joined", {**here, "key": alice.key}),
        (
            "rooms.message_posted",
            {**here, "serverId": 1, "id": f"{room}-1", "sender": alice.key},
        ),
        ("rooms.file_stored", {**here, "fileId": file_id, "size": 3}),
        ("rooms.banned", {**here, "key": alice.key, "by": moderator.key}),
        ("rooms.messages_deleted", {**here, "serverIds": [1], "by": moderator.key}),
        ("rooms.unbanned", {**here, "key": alice.key, "by": moderator.key}),
        ("rooms.moderator_removed", {**here, "key": moderator.key, "by": "cli"}),
        ("rooms.deleted", here),
    ]
    generic = [event for event in follower.events if event[0] in ("rooms.saved", "rooms.removed")]
    assert ("rooms.saved", {"kind": "message", "id": f"{room}-1"}) in generic
    assert [hook[:3] for hook in follower.hooks] == [
        (name.removeprefix("rooms."), data["kind"], data["id"]) for name, data in generic
    ]
    docs = [json.loads(hook[3]) for hook in follower.hooks if hook[:2] == ("saved", "message")]
    assert [doc["isDeleted"] for doc in docs] == [False, True]
    assert docs[0]["content"] == message["data"]
    assert docs[1]["content"] == ""
    assert "signature" not in docs[1]


class Echo(Plugin):
    """Answers each message with another, from within the hook."""

    def enable(self) -> None:
        self.headers: dict[str, str] = {}
        self.body = json.dumps({"data": "ZWNobw==", "signature": "A" * 86, "timestamp": 1}).encode()

    @hookimpl
    def rooms_saved(self, kind: str, doc: Any) -> None:
        if kind == "message" and doc["content"] != "ZWNobw==":
            call = self.context.services.get("rooms.call")
            assert call("POST", "/messages", "", self.headers, self.body)[0] == 200


def test_a_hook_may_post(make_host: Callable[..., Any], rooms: Any) -> None:
    host = make_host(Echo, settings={"rooms": {"rateLimitMessages": 0}})
    shared, rooms.host = rooms.host, host
    try:
        (echo,) = (
            published.plugin
            for published in host.host.manager.catalog.plugins.values()
            if isinstance(published.plugin, Echo)
        )
        room = rooms.add()
        bot, alice = rooms.client(room), rooms.client(room)
        echo.headers = {"Room": room, "Authorization": bot.tokens[room]}
        for _ in range(3):
            alice.post(room)
        authors = [each["public_key"] for each in alice.messages(room, "?from_server_id=0")]
        assert authors == [alice.key, bot.key] * 3
    finally:
        rooms.host = shared
