"""The routes of the read face, through a real host (local REST contract, sections 2 and 5)."""

from __future__ import annotations

import socket
from typing import Any
from urllib.parse import urlsplit

import pytest

ROUTES = [
    "/api/rooms",
    "/api/rooms/x",
    "/api/rooms/x/users",
    "/api/rooms/x/messages",
    "/api/rooms/x/messages/since",
    "/api/rooms/x/bans",
    "/api/rooms/x/bans/y",
    "/api/messages/x",
    "/api/messages/x/reactions",
    "/api/messages/x/attachments",
    "/api/users/x",
    "/api/attachments",
]


def message(room: str, id: str, timestamp: int, **more: Any) -> dict[str, Any]:
    return {
        "id": id,
        "roomId": room,
        "senderId": "u",
        "content": id,
        "timestamp": timestamp,
        **more,
    }


def test_order_of_judgement(local: Any) -> None:
    for path in ROUTES:
        for token in (None, "wrong", ""):
            answer = local.host.get(path + "?sinceTimestamp=x&limit=x", token=token)
            assert (answer.status, answer.json()["error"]) == (401, "UNAUTHORIZED"), path
            assert answer.headers["www-authenticate"] == "Bearer"
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            answer = local.host.request(method, path)
            assert (answer.status, answer.json()["error"]) == (405, "METHOD_NOT_ALLOWED")
            assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}
        options = local.host.options(path)
        assert (options.status, options.content) == (200, b"")
        assert local.host.get(path + "/").status == 404
        assert local.host.get(path + "/unknown/path").json()["error"] == "NOT_FOUND"
    assert local.ask("rooms", "x", query="token=reader-token", token=None).status == 401


def raw(local: Any, request: bytes) -> bytes:
    """One request over a socket; the answer's first line."""
    parts = urlsplit(local.host.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=30) as connection:
        connection.sendall(request)
        with connection.makefile("rb") as stream:
            return stream.readline()


@pytest.mark.parametrize(
    ("scheme", "status"),
    [
        ("Bearer", 200),
        ("bearer", 200),
        ("BEARER  ", 200),
        ("Basic", 401),
        ("", 401),
    ],
    ids=["plain", "lower", "spaces", "basic", "none"],
)
def test_the_scheme_on_the_wire(local: Any, scheme: str, status: int) -> None:
    line = raw(
        local,
        b"GET /api/rooms HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        b"Authorization: " + f"{scheme} reader-token".encode() + b"\r\n\r\n",
    )
    assert int(line.split()[1]) == status


def test_a_foreign_host_header_comes_first(local: Any) -> None:
    line = raw(
        local, b"POST /api/rooms HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
    )
    assert int(line.split()[1]) == 403


@pytest.mark.parametrize(
    "path", [b"/api/rooms/%FF", b"/api/messages/%C3%28", b"/api/users/%ED%A0%80"]
)
def test_a_segment_that_is_not_utf8_names_nothing(local: Any, path: bytes) -> None:
    line = raw(
        local,
        b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        b"Authorization: Bearer reader-token\r\n\r\n",
    )
    assert int(line.split()[1]) == 404


def test_a_nul_names_nothing(local: Any) -> None:
    for kind in ("rooms", "messages", "users"):
        assert local.ask(kind, "a\0b").status == 404
    for path in (("rooms", "\0", "users"), ("rooms", "\0", "bans"), ("rooms", "\0", "messages")):
        assert local.get(*path) == []
    assert local.get("rooms", "\0", "messages", "since", query="sinceTimestamp=0") == []
    assert local.get("messages", "\0", "reactions") == []
    assert local.get("messages", "\0", "attachments") == []
    assert local.get("rooms", "\0", "bans", "\0") == {"isBanned": False}


def test_what_is_unknown(local: Any) -> None:
    for path in (("rooms", "nobody"), ("messages", "nobody"), ("users", "nobody")):
        answer = local.ask(*path)
        assert (answer.status, answer.json()["error"]) == (404, "NOT_FOUND")
    for path in (
        ("rooms", "nobody", "users"),
        ("rooms", "nobody", "messages"),
        ("rooms", "nobody", "bans"),
        ("messages", "nobody", "reactions"),
        ("messages", "nobody", "attachments"),
    ):
        assert local.get(*path) == []
    assert local.get("rooms", "nobody", "bans", "nobody") == {"isBanned": False}


def test_head_is_as_get(local: Any) -> None:
    room = local.room()
    local.store.save_room({"id": room, "name": "x"})
    answer = local.host.head(f"/api/rooms/{room}", token="reader-token")
    assert (answer.status, answer.content) == (200, b"")
    assert answer.headers["content-length"] == str(len(local.ask("rooms", room).content))


def test_members_that_nobody_knows_come_back(local: Any) -> None:
    room = local.room()
    extra = {
        "big": 2**70,
        "real": 1.0,
        "small": -0.5e-7,
        "list": [3, 1, 2],
        "none": None,
        "é😀": "ü",
    }
    stored = local.store.save_room({"id": room, "name": "Ünïcode", "extra": extra, "topic": None})
    assert stored == {
        "id": room,
        "name": "Ünïcode",
        "extra": extra,
        "topic": None,
        "openGroup": False,
    }
    shown = local.get("rooms", room)
    assert shown == stored
    assert type(shown["extra"]["real"]) is float
    assert "Ünïcode".encode() in local.ask("rooms", room).content


def test_numbers_of_plain_messages_may_be_any(local: Any) -> None:
    doc = {"id": f"{local.room()}x", "roomId": "r", "senderId": "u", "content": "", "timestamp": 1}
    local.store.save_message({**doc, "serverId": 2**70})
    assert local.get("messages", doc["id"])["serverId"] == 2**70


def test_ids_are_exact(local: Any) -> None:
    room = local.room()
    for id in ("Case", "case", "sp ace", "per%cent", "q?#&", "ü", "ü", "x.y", "'\"\\"):
        local.store.save_user({"id": f"{room}{id}", "username": "u", "displayName": id})
    for id in ("Case", "case", "sp ace", "per%cent", "q?#&", "ü", "ü", "x.y", "'\"\\"):
        assert local.get("users", f"{room}{id}")["displayName"] == id
    assert local.ask("users", f"{room}CASE").status == 404


def test_rooms_by_name_code_point_by_code_point(local: Any) -> None:
    room = local.room()
    for number, name in enumerate(["alpha", "Beta", "beta", "Ä", "😀", "ﬀ", "Beta"]):
        local.store.save_room({"id": f"{room}-{number}", "name": name})
    shown = [each for each in local.get("rooms") if each["id"].startswith(f"{room}-")]
    assert [each["id"][-1] for each in shown] == ["1", "6", "0", "2", "3", "5", "4"]
    names = [each["name"] for each in local.get("rooms")]
    assert names == sorted(names)


def test_users_of_a_room(local: Any) -> None:
    room = local.room()
    store = local.store
    for id, name in (("a", "zoe"), ("b", "Zoe"), ("c", "zoe"), ("d", "Åsa")):
        user = {"id": room + id, "username": id, "displayName": name, "joinedAt": 5, "role": "none"}
        store.save_user(user)
        store.add_member(room, room + id)
    store.add_member(room, room + "a", role="host", joined_at=7, last_seen_at=9)
    store.add_member(room, room + "ghost", role="host")
    store.save_user({"id": room + "e", "username": "e", "displayName": "aa"})
    store.add_member(room, room + "e", role='quote " and \\')
    shown = local.get("rooms", room, "users")
    assert [each["id"][-1] for each in shown] == ["b", "e", "a", "c", "d"]
    by_id = {each["id"][-1]: each for each in shown}
    assert (by_id["a"]["role"], by_id["a"]["joinedAt"], by_id["a"]["lastSeenAt"]) == ("host", 7, 9)
    assert (by_id["b"]["role"], by_id["b"]["joinedAt"]) == ("none", 5)
    assert "lastSeenAt" not in by_id["b"]
    assert by_id["e"]["role"] == 'quote " and \\'
    assert local.store.room_users(room) == shown
    assert store.remove_member(room, room + "a")
    assert not store.remove_member(room, room + "a")
    assert len(local.get("rooms", room, "users")) == 4


def test_a_user_has_two_names(local: Any) -> None:
    name = local.room()
    local.store.save_user({"id": name, "username": "u", "displayName": "U", "oderId": name + "-o"})
    local.store.save_user({"id": name + "-p", "username": "p", "displayName": "P"})
    assert local.get("users", name) == local.get("users", name + "-o")
    assert local.get("users", name + "-p")["oderId"] == name + "-p"


def test_reactions(local: Any) -> None:
    room = local.room()
    store = local.store
    first = store.add_reaction(room, "u", "+1")
    assert store.add_reaction(room, "u", "+1") == first
    local.take_in(
        {"reactions": [
            {"id": f"{room}b", "messageId": room, "userId": "u", "emoji": "b", "timestamp": 2},
            {"id": f"{room}a", "messageId": room, "userId": "u", "emoji": "a", "timestamp": 2},
            {"id": f"{room}c", "messageId": room, "userId": "u", "emoji": "+1", "timestamp": 1},
        ]}
    )  # fmt: skip
    shown = local.get("messages", room, "reactions")
    assert [each["id"][-1] for each in shown] == ["c", "a", "b"]
    assert store.reactions(room) == shown
    assert store.remove_reaction(room, "u", "a")
    assert not store.remove_reaction(room, "u", "a")
    assert len(local.get("messages", room, "reactions")) == 2


def test_attachments_hide_places(local: Any) -> None:
    room = local.room()
    doc = {
        "id": f"{room}a", "messageId": room, "filename": "a.png", "size": 10, "mime": "image/png",
        "filePath": "x", "PATH": 1, "pathology": "kept", "url": "file:///etc",
        "share": "\\\\nas\\x",
        "drive": "C:\\x", "drive2": "d:/x", "plain": "CC:/x", "web": "http://x/C:/",
        "n": {"path": 1},
    }  # fmt: skip
    local.store.save_attachment(doc)
    (shown,) = local.get("messages", room, "attachments")
    kept = ("id", "messageId", "filename", "size", "mime", "pathology", "plain", "web", "n")
    assert shown == {name: doc[name] for name in kept}
    assert local.store.remove_attachment(f"{room}a")
    assert local.get("messages", room, "attachments") == []


def test_names_are_no_places_and_what_is_exported_goes_in_again(local: Any) -> None:
    room = local.room()
    doc = {"messageId": f"file:{room}", "size": 1, "mime": "file:x", "filename": "file:a.png"}
    local.take_in({"attachments": [{**doc, "id": f"file:{room}"}]})
    shown = [{"id": f"file:{room}", "messageId": f"file:{room}", "size": 1}]
    assert local.get("messages", f"file:{room}", "attachments") == shown
    local.take_in(local.give_out())
    assert local.get("messages", f"file:{room}", "attachments") == shown
    assert local.store.remove_attachment(f"file:{room}")


def test_all_attachments_in_the_order_of_their_messages(local: Any) -> None:
    room = local.room()
    for id, timestamp in ((f"{room}m1", 9), (f"{room}m2", 5)):
        local.store.save_message(message(room, id, timestamp))
    base = {"filename": "f", "size": 0, "mime": "x/y"}
    for id, parent in (("a", "m1"), ("b", "none"), ("c", "m2"), ("d", "m2"), ("e", "gone")):
        local.store.save_attachment({**base, "id": f"{room}-{id}", "messageId": f"{room}{parent}"})
    shown = [each[-1] for each in local.ids("attachments") if each.startswith(f"{room}-")]
    assert shown == ["c", "d", "a", "b", "e"]


def test_bans_end(local: Any) -> None:
    room = local.room()
    now = local.plugin.context.clock.ms()
    store = local.store
    store.ban(room, "late", expiresAt=now + 3_600_000, timestamp=2, reason="x")
    store.ban(room, "ever", timestamp=1)
    store.ban(room, "gone", expiresAt=now)
    store.save_user({"id": f"{room}u", "username": "u", "displayName": "U", "oderId": f"{room}o"})
    store.ban(room, f"{room}o", timestamp=3)
    store.ban(room, "someone", oderId=f"{room}by-oder", timestamp=4)
    shown = local.get("rooms", room, "bans")
    assert [each["userId"] for each in shown] == ["ever", "late", f"{room}o", "someone"]
    assert shown[0] == {"roomId": room, "userId": "ever", "timestamp": 1, "expiresAt": None}

    def banned(user: str) -> bool:
        body = local.get("rooms", room, "bans", user)
        assert list(body) == ["isBanned"]
        return bool(body["isBanned"])

    assert [banned(each) for each in ("ever", "late", "gone", "nobody")] == [
        True,
        True,
        False,
        False,
    ]
    assert banned(f"{room}u")
    assert banned(f"{room}o")
    assert banned(f"{room}by-oder")
    assert local.get("rooms", room + "x", "bans", "ever") == {"isBanned": False}
    local.move_clock(7200)
    assert not banned("late")
    assert [each["userId"] for each in local.get("rooms", room, "bans")] == [
        "ever", f"{room}o", "someone",
    ]  # fmt: skip
    assert store.unban(room, "ever")
    assert not store.unban(room, "ever")
    assert not banned("ever")


def test_removing_takes_along_what_belongs(local: Any) -> None:
    room = local.room()
    store = local.store
    store.save_room({"id": room, "name": "x"})
    store.save_message(message(room, f"{room}m", 1))
    store.save_message(message(room, f"{room}n", 1))
    store.add_reaction(f"{room}m", "u", "+1")
    attachment = {
        "id": f"{room}a",
        "messageId": f"{room}m",
        "filename": "f",
        "size": 0,
        "mime": "x",
    }
    store.save_attachment(attachment)
    store.ban(room, "u")
    store.add_member(room, "u")
    store.remove_message(f"{room}m")
    assert local.ask("messages", f"{room}m").status == 404
    assert local.get("messages", f"{room}m", "reactions") == []
    assert local.get("messages", f"{room}m", "attachments") == []
    assert store.remove_room(room)
    assert local.ask("rooms", room).status == 404
    assert local.get("rooms", room, "messages") == []
    assert local.get("rooms", room, "bans") == []


def test_the_profile_is_the_row_that_meta_names(local: Any) -> None:
    user = {"id": local.room(), "username": "u", "displayName": "U", "big": 2**65}
    stored = local.store.save_user(user)
    person = {"id": "user-alice-01", "username": "alice", "displayName": "Alice"}
    assert local.get("profile") == person
    local.texts.set_meta("metoyou_currentUserId", user["id"])
    assert local.get("profile") == stored
    local.texts.unset_meta("metoyou_currentUserId")
    assert local.get("profile") == person


def test_what_is_switched_off_is_not_there(fresh: Any) -> None:
    fresh.host.disable("rooms")
    for path in ROUTES:
        assert fresh.host.get(path, token="reader-token").status == 404
        assert fresh.host.get(path).json()["error"] == "NOT_FOUND"


def test_other_machines_are_kept_out(local: Any) -> None:
    from plugin_sdk import Forbidden
    from plugin_sdk.testing import request

    stranger = request("GET", "/api/rooms", peer="192.168.1.5", headers={"X-Forwarded-For": "::1"})
    guarded = {"/api/rooms", "/api/messages", "/api/users", "/api/attachments"}
    assert set(local.plugin.guarded) == guarded
    with pytest.raises(Forbidden) as refused:
        local.plugin.guard(stranger)
    assert refused.value.code == "LAN_DISABLED"
    local.host.host.settings.update("local_api", {"exposeOnLan": True})
    local.plugin.guard_local(stranger)
    local.host.host.settings.update("local_api", {"exposeOnLan": None})
