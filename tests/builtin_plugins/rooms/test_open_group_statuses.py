"""Every row of the status table, in the order of judgement (2.3), and the shapes of answers."""

from __future__ import annotations

import base64
import http.client
import json
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plugin_sdk.testing import FakeCommandIO

NAMES = st.sampled_from(
    (
        *("public_key", "room_id", "ids", "file", "data", "signature", "timestamp", "requests"),
        *("auth_token", "from_message_server_id", "from_deletion_server_id", "x"),
    )
)
HEADER_ROUTES = (
    ("POST", "/claim_auth_token"),
    ("DELETE", "/auth_token"),
    ("POST", "/messages"),
    ("GET", "/messages"),
    ("DELETE", "/messages/1"),
    ("POST", "/delete_messages"),
    ("GET", "/deleted_messages"),
    ("GET", "/moderators"),
    ("DELETE", "/moderators/x"),
    ("GET", "/block_list"),
    ("POST", "/block_list"),
    ("POST", "/ban_and_delete_all"),
    ("DELETE", "/block_list/x"),
    ("GET", "/member_count"),
    ("POST", "/files"),
    ("GET", "/files/1"),
)
MODERATOR_ROUTES = (
    ("POST", "/moderators"),
    ("DELETE", "/moderators/x"),
    ("POST", "/block_list"),
    ("POST", "/ban_and_delete_all"),
    ("DELETE", "/block_list/x"),
)
WITH_BODY = (
    "/claim_auth_token",
    "/messages",
    "/delete_messages",
    "/block_list",
    "/ban_and_delete_all",
    "/files",
    "/moderators",
)


@pytest.mark.parametrize(("method", "path"), HEADER_ROUTES)
def test_room_and_token_come_first(rooms: Any, method: str, path: str) -> None:
    """Whatever the body holds."""
    room, other = rooms.add(), rooms.add()
    client = rooms.client(other)
    unclaimed = client.challenge(room)

    def ask(**headers: str) -> int:
        return int(client.send(method, path, b"{" if method == "POST" else None, **headers)[0])

    good = client.tokens[other]
    assert ask() == 400
    assert ask(Room="", Authorization="x") == 400
    assert ask(Room="  ") == 400
    for unknown in ("nowhere", other.upper(), f"{room}, {room}", "..", "a/b", "é"):
        assert ask(Room=unknown, Authorization=good) == 404, unknown
    assert ask(Room=room) == 401
    for wrong in ("", "  ", "zz", good, f"Bearer {good}", "0" * 96):
        expected = 401 if path != "/claim_auth_token" or not wrong.strip() else 400
        assert ask(Room=room, Authorization=wrong) == expected, wrong
    if path != "/claim_auth_token":
        assert ask(Room=room, Authorization=unclaimed) == 401
    blanks = ask(Room=f"  {other} ", Authorization=f" {good}  ")
    assert blanks == (404 if path == "/files/1" else blanks)  # that file is unknown
    assert blanks in (200, 400, 403) or path == "/files/1"


@pytest.mark.parametrize(("method", "path"), MODERATOR_ROUTES)
def test_role_comes_before_the_body(rooms: Any, method: str, path: str) -> None:
    room = rooms.add()
    alice, moderator = rooms.client(room), rooms.moderator(room)
    for person, status in ((alice, 403), (moderator, 400)):
        headers = {"Room": room, "Authorization": person.tokens[room]}
        body = b"{" if method == "POST" else None
        assert person.send(method, path, body, **headers)[0] == status


@pytest.mark.parametrize("path", WITH_BODY)
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"{}", b'{"public_key": 5, "ids": 5}'])
def test_malformed_bodies(rooms: Any, path: str, body: bytes) -> None:
    room = rooms.add()
    moderator = rooms.moderator(room)
    headers = {"Room": room, "Authorization": moderator.tokens[room]}
    assert moderator.send("POST", path, body, **headers)[0] == 400


@pytest.mark.parametrize("path", ["/messages", "/deleted_messages"])
@pytest.mark.parametrize("name", ["from_server_id", "limit"])
def test_integers_of_queries(rooms: Any, refused: Callable[..., int], path: str, name: str) -> None:
    room = rooms.add()
    alice = rooms.client(room)
    for wrong in ("", "%2B5", "+5", "%205", "1_0", "1e2", "5.0", "x", "%D9%A3", str(2**63)):
        assert refused(alice.ask, "GET", f"{path}?{name}={wrong}", room) == 400, wrong
        assert refused(alice.ask, "GET", f"{path}?{name}=5&{name}={wrong}", room) == 400, wrong
        assert refused(alice.ask, "GET", f"{path}?{name}={wrong}&{name}=5", room) == 200, wrong
    assert refused(alice.ask, "GET", f"{path}?{name}=-{2**63}&other=", room) == 200


@pytest.mark.parametrize("key", ["x", "05" + "a" * 63, "06" + "a" * 64, "05" + "a" * 64 + "%0A"])
def test_malformed_keys_of_paths(rooms: Any, refused: Callable[..., int], key: str) -> None:
    room = rooms.add()
    moderator = rooms.moderator(room)
    for path in ("/moderators", "/block_list"):
        assert refused(moderator.ask, "DELETE", f"{path}/{key}", room) == 400


def test_open_routes_ignore_what_is_not_theirs(rooms: Any) -> None:
    room = rooms.add()
    alice = rooms.client()
    odd = {"Authorization": "Bearer é", "Room": "nowhere"}
    for method, path in (("GET", "/rooms"), ("GET", f"/rooms/{room}"), ("HEAD", "/rooms")):
        assert alice.send(method, path, **odd)[0] == 200
    assert alice.send("POST", "/compact_poll", b'{"requests": []}', **odd)[0] == 200
    challenge = f"/auth_token_challenge?public_key={alice.key}"
    assert alice.send("GET", challenge, Room=room, Authorization="Bearer x")[0] == 200
    assert alice.send("GET", challenge, Room="nowhere")[0] == 404
    assert alice.send("GET", challenge)[0] == 400
    for unknown in ("nowhere", room.upper(), "a%00b", "%F0%9F%90%9F", "a" * 65):
        assert alice.send("GET", f"/rooms/{unknown}")[0] == 404, unknown


def test_unknown_paths_and_methods(rooms: Any) -> None:
    alice = rooms.client()
    for path in ("/rooms/", "/messages/1/2", "/files", "/rooms/x/y", "/auth_token/x", "/messages/"):
        method = "GET" if path != "/files" else "POST"
        status, _ = alice.send(method, path)
        assert status == (404 if path != "/files" else 400), path
    for path, allow in (
        ("/rooms", {"GET", "HEAD", "OPTIONS"}),
        ("/messages", {"GET", "HEAD", "OPTIONS", "POST"}),
        ("/messages/1", {"DELETE", "OPTIONS"}),
        ("/compact_poll", {"OPTIONS", "POST"}),
        ("/auth_token", {"DELETE", "OPTIONS"}),
    ):
        assert alice.send("PATCH", path)[0] == 405
        assert set(alice.headers["allow"].split(", ")) == allow
        answer = rooms.host.options(path)
        assert (answer.status, answer.content) == (200, b"")
        assert set(answer.headers["allow"].split(", ")) == allow
    foreign = rooms.host.get("/roomsXYZ")
    assert foreign.status == 404
    assert "status_code" not in foreign.json()
    assert "access-control-allow-origin" not in foreign.headers


def test_heads_are_like_gets(rooms: Any) -> None:
    room = rooms.add()
    alice = rooms.client(room)
    token = {"Room": room, "Authorization": alice.tokens[room]}
    for path in ("/rooms", f"/rooms/{room}", "/messages", "/moderators", "/member_count"):
        assert alice.send("GET", path, **token)[0] == 200
        length = alice.headers["content-length"]
        assert alice.send("HEAD", path, **token)[0] == 200
        assert alice.headers["content-length"] == length
    assert alice.send("HEAD", "/messages", Room=room)[0] == 401
    assert alice.send("HEAD", f"/rooms/{room}/image")[0] == 404


def test_done_is_exactly_that(rooms: Any) -> None:
    room = rooms.add()
    moderator = rooms.moderator(room)
    key = "05" + "ef" * 32
    done = {"status_code": 200}
    for method, path, body in (
        ("POST", "/block_list", {"public_key": key}),
        ("DELETE", f"/block_list/{key}", None),
        ("POST", "/ban_and_delete_all", {"public_key": key}),
        ("POST", "/moderators", {"public_key": "05" + "ab" * 32}),
        ("DELETE", f"/moderators/{key}", None),
        ("POST", "/delete_messages", {"ids": []}),
        ("DELETE", "/messages/5", None),
        ("DELETE", "/auth_token", None),
    ):
        assert moderator.ask(method, path, room, body) == done, path


def _early(rooms: Any, head: str) -> tuple[int, dict[str, str], Any]:
    """The answer to a head whose body never comes."""
    address = rooms.host.server.addresses[0].rpartition(":")
    with socket.create_connection((address[0], int(address[2])), timeout=30) as connection:
        connection.sendall(head.replace("\n", "\r\n").encode())
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, headers, json.loads(answer.read())


@pytest.mark.parametrize("expect", ["", "Expect: 100-continue\n"])
@pytest.mark.parametrize(
    ("path", "most"),
    [("/compact_poll", 2**20), ("/messages", 2**20), ("/files", 15_000_000)],
)
def test_too_large_is_told_before_the_body_comes(
    rooms: Any, path: str, most: int, expect: str
) -> None:
    head = f"POST {path} HTTP/1.1\nHost: localhost\nContent-Length: {most + 1}\n{expect}\n"
    status, headers, body = _early(rooms, head)
    assert status == 413
    assert headers["connection"] == "close"
    assert set(body) == {"status_code", "error"}
    assert body["status_code"] == 413


@pytest.mark.parametrize("path", ["/files", "/rooms/x/image"])
def test_the_limit_of_uploads_follows_the_setting(rooms: Any, path: str) -> None:
    rooms.set(maxFileBytes=20_000)
    head = f"POST {path} HTTP/1.1\nHost: localhost\nContent-Length: 30001\n\n"
    assert _early(rooms, head)[0] == 413
    room = rooms.add()
    alice = rooms.client(room)
    assert alice.download(room, alice.upload(room, bytes(20_000))) == bytes(20_000)
    rooms.set(maxFileBytes=200_000_000)
    head = f"POST {path} HTTP/1.1\nHost: localhost\nContent-Length: 300000001\n\n"
    assert _early(rooms, head)[0] == 413


def test_polls_without_news_write_nothing(rooms: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    room = rooms.add()
    alice = rooms.client(room)
    alice.post(room)
    assert rooms.plugin.context.events.settle(60.0)
    writes = []
    original = rooms.db.enter

    def enter() -> Any:
        if threading.current_thread().name.startswith("stagebox-http"):  # not what cleans up
            writes.append(1)
        return original()

    monkeypatch.setattr(rooms.db, "enter", enter)
    polls = [alice.poll(room, 1) for _ in range(20)] + [alice.poll(room) for _ in range(5)]
    seen = list(writes)
    alice.post(room)
    assert writes
    assert all(each["status_code"] == 200 for each in polls)
    assert seen == []


def test_chunked_bodies(rooms: Any) -> None:
    alice = rooms.client()
    alice._connection.request("POST", "/compact_poll", body=iter([b'{"requests"', b": []}"]))
    assert alice._connection.getresponse().read() == b'{"status_code":200,"results":[]}'
    alice.close()
    alice._connection.putrequest("POST", "/compact_poll")
    alice._connection.putheader("Transfer-Encoding", "chunked")
    alice._connection.endheaders()
    for _ in range(16):
        alice._connection.send(b"10000\r\n" + b" " * 65_536 + b"\r\n")
    alice._connection.send(b"1\r\n ")  # one byte too many, and none that would meet a closed door
    answer = alice._connection.getresponse()
    assert answer.status == 413
    assert json.loads(answer.read())["status_code"] == 413


def test_the_host_check_has_our_shape(rooms: Any) -> None:
    answer = rooms.host.get("/rooms", headers={"Host": "evil.example"})
    assert answer.status == 403
    assert answer.json()["status_code"] == 403


def test_failures_have_an_incident(rooms: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    room = rooms.add()
    alice = rooms.client(room)
    secret = "something that must not be shown"

    def fail(*_: object) -> None:
        raise RuntimeError(secret)

    monkeypatch.setattr(rooms.plugin.lists, "messages", fail)
    status, body = alice.send("GET", "/messages", Room=room, Authorization=alice.tokens[room])
    assert status == 500
    assert len(body["incident"]) == 12
    assert secret not in json.dumps(body)
    call = rooms.plugin.context.services.get("rooms.call")
    headers = {"Room": room, "Authorization": alice.tokens[room]}
    status, body = call("GET", "/messages", "", headers)
    assert status == body["status_code"] == 500
    assert len(body["incident"]) == 12
    assert call("POST", "/compact_poll", "", {}, "\ud800")[0] == 400
    alice.post(room)
    assert alice.poll(room)["status_code"] == 500
    monkeypatch.undo()
    assert alice.poll(room)["status_code"] == 200


def test_without_storage_files_are_unavailable(
    rooms: Any, refused: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    from plugin_sdk import ProviderUnavailable

    room = rooms.add()
    alice = rooms.client(room)
    file_id = alice.upload(room, b"x")

    class Nothing:
        def __getattr__(self, name: str) -> Any:
            raise ProviderUnavailable

    monkeypatch.setattr(rooms.plugin.files, "_blobs", lambda: Nothing())
    assert refused(alice.download, room, file_id) == 503
    assert refused(alice.upload, room, b"y") == 503
    assert alice.poll(room)["status_code"] == 200
    monkeypatch.undo()
    assert alice.download(room, file_id) == b"x"
    assert rooms.db.table("files").count_where("state = 'writing'") == 0


ODD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=()), max_size=8)
    | st.sampled_from(["05" + "ab" * 32, "eHh4", "A" * 86, "nowhere"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150)
@given(path=st.sampled_from([*WITH_BODY, "/compact_poll"]), body=st.dictionaries(NAMES, ODD))
def test_no_body_is_a_failure(rooms: Any, path: str, body: dict[str, Any]) -> None:
    """Whatever it holds, the answer is one of those of the table."""
    if "fuzzed" not in {row["id"] for row in rooms.db.query("SELECT id FROM open_groups")}:
        rooms.plugin.add_room(FakeCommandIO(), "fuzzed", None)
    moderator = rooms.moderator("fuzzed")
    call = rooms.plugin.context.services.get("rooms.call")
    headers = {"Room": "fuzzed", "Authorization": moderator.tokens["fuzzed"]}
    moderator.close()
    status, answer = call("POST", path, "", headers, json.dumps(body).encode())
    assert status in (200, 400, 403, 413, 429), answer
    assert answer["status_code"] == status


def test_off_means_unknown(rooms: Any) -> None:
    rooms.host.disable("rooms")
    try:
        answer = rooms.host.get("/rooms")
        assert answer.status == 404
        assert answer.json() == rooms.host.get("/roomsXYZ").json()
    finally:
        rooms.host.enable("rooms")
    assert rooms.client().ask("GET", "/rooms")["rooms"]


def test_nul_and_surrogates_match_nothing(rooms: Any, refused: Callable[..., int]) -> None:
    room = rooms.add()
    moderator = rooms.moderator(room)
    for odd in ("\0", "\ud800", "05" + "\0" * 64):
        assert refused(moderator.ban, room, odd) == 400
        assert refused(moderator.ask, "POST", "/files", room, {"file": odd}) == 400
        content = json.dumps({"public_key": moderator.key, "room_id": odd}).encode()
        token = {"Authorization": moderator.tokens[room]}
        assert moderator.send("POST", "/moderators", content, **token)[0] == 404
    data = base64.b64encode(b"\0").decode()
    assert refused(moderator.ask, "POST", "/messages", room, {"data": data, "\0": "\ud800"}) == 400


def test_the_api_document_describes_them(rooms: Any) -> None:
    document = rooms.host.get("/api/openapi.json").json()
    found = {
        (method, path)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if "open groups" in operation["tags"]
    }
    assert len(found) == 23
    post = document["paths"]["/messages"]["post"]
    assert post["security"] == [{"roomToken": []}]
    assert document["paths"]["/rooms"]["get"]["security"] == []
    scheme = document["components"]["securitySchemes"]["roomToken"]
    assert scheme == {"type": "apiKey", "in": "header", "name": "Authorization"}
