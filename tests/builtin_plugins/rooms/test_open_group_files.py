"""Files and images of open groups (open-group contract, 5.3, 5.4 and 10)."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any


def test_files(rooms: Any, refused: Callable[..., int]) -> None:
    room, other = rooms.add(), rooms.add()
    alice, bob = rooms.client(room, other), rooms.client(room)
    content = bytes(range(256)) * 5
    file_id = alice.upload(room, content)
    assert 0 < file_id < 2**53
    assert bob.download(room, file_id) == content
    assert refused(alice.download, other, file_id) == 404
    assert refused(alice.download, room, file_id + 1 or 1) == 404
    assert refused(alice.download, room, 2**63 - 1) == 404
    for wrong in ("x", "-1", str(2**63)):
        assert refused(alice.ask, "GET", f"/files/{wrong}", room) == 400
    rooms.set(maxFileBytes=1280)
    assert bob.download(room, alice.upload(room, content)) == content
    assert refused(alice.upload, room, content + b"!") == 413
    for body in ({}, {"file": None}, {"file": ""}, {"file": "QR=="}, {"file": "a b="}, []):
        assert refused(alice.ask, "POST", "/files", room, body) == 400, body
    rooms.move_clock(15 * 86_400 + 5)
    alice.login(room)
    assert refused(alice.download, room, file_id) == 404
    rooms.plugin.files.prune()
    assert rooms.plugin.context.blobs.list(f"files/{room}/") == []
    assert rooms.db.table("files").count_where("room_id = :room", {"room": room}) == 0


def test_a_large_file(rooms: Any, refused: Callable[..., int]) -> None:
    room = rooms.add()
    alice = rooms.client(room)
    content = b"\x5a" * 10_000_000
    assert alice.download(room, alice.upload(room, content)) == content
    assert refused(alice.upload, room, content + b"!") == 413


def test_given_up_uploads_go_with_their_bytes(rooms: Any) -> None:
    room = rooms.add()
    files = rooms.plugin.files
    _, key = files._begin(room, "05" + "ab" * 32, f"files/{room}", 3)
    rooms.plugin.context.blobs.put(key, b"abc")
    assert files.prune() == 0
    rooms.move_clock(3601)
    assert files.prune() == 1
    assert not rooms.plugin.context.blobs.exists(key)


def test_images(rooms: Any, refused: Callable[..., int]) -> None:
    room, other = rooms.add(), rooms.add()
    moderator, alice = rooms.moderator(room), rooms.client(room)
    path = f"/rooms/{room}/image"
    assert refused(alice.ask, "GET", path) == 404
    assert refused(alice.ask, "GET", "/rooms/nowhere/image") == 404
    for content in (b"first", b"second"):
        body = json.dumps({"file": base64.b64encode(content).decode()}).encode()
        token = {"Authorization": moderator.tokens[room]}
        assert moderator.send("POST", path, body, **token)[1] == {
            "status_code": 200,
            "room_id": room,
        }
        assert base64.b64decode(alice.ask("GET", path)["result"]) == content
    assert moderator.send("POST", path, body, Room=room, **token)[0] == 200
    assert moderator.send("POST", path, body, Room=other, **token)[0] == 400
    assert moderator.send("POST", path, body, Room=other)[0] == 400
    assert moderator.send("POST", "/rooms/nowhere/image", body, Room=other, **token)[0] == 404
    assert moderator.send("POST", f"/rooms/{other}/image", body, **token)[0] == 401
    assert alice.send("POST", path, b"{", Authorization=alice.tokens[room])[0] == 403
    assert moderator.send("POST", path, b"{", **token)[0] == 400
    rooms.plugin.files.prune()
    assert len(rooms.plugin.context.blobs.list(f"images/{room}/")) == 1
