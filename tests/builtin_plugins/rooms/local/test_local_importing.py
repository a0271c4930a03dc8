"""Import and export (local REST contract, 7.1 and 7.2)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builtin_plugins.rooms.local import importing
from builtin_plugins.rooms.local.shapes import KINDS
from plugin_sdk import DatabaseUnavailable, Invalid, Plugin, StageboxError, hookimpl

KEY = "05" + "ab" * 32
SIGNATURE = "A" * 86 + "=="
EXAMPLE: dict[str, Any] = {
    "version": 1,
    "rooms": [
        {"id": "room-1", "name": "Studio", "channels": [{"id": "c1", "name": "general"}]},
    ],
    "users": [{"id": "user-alice-01", "username": "alice", "displayName": "Alice"}],
    "members": [
        {"roomId": "room-1", "userId": "user-alice-01", "role": "host", "joinedAt": 1777470000000}
    ],
    "messages": [
        {
            "id": "m1",
            "roomId": "room-1",
            "senderId": "user-alice-01",
            "content": "hi",
            "timestamp": 1777473600000,
        }
    ],
    "reactions": [
        {
            "id": "r1",
            "messageId": "m1",
            "userId": "user-alice-01",
            "emoji": "+1",
            "timestamp": 1777473600500,
        }
    ],
    "attachments": [
        {"id": "a1", "messageId": "m1", "filename": "a.png", "size": 10, "mime": "image/png"}
    ],
    "bans": [{"roomId": "room-1", "userId": "user-x", "expiresAt": None}],
    "pluginData": [
        {
            "pluginId": "example.soundboard",
            "key": "favorites",
            "scope": "server",
            "serverId": "room-1",
            "value": [{"label": "Chime"}],
        }
    ],
    "meta": {"metoyou_currentUserId": "user-alice-01"},
}
ONE_EACH = dict.fromkeys((name for name in EXAMPLE if name != "version"), 1)
PATHS = [
    ("rooms",),
    ("rooms", "room-1"),
    ("rooms", "room-1", "users"),
    ("rooms", "room-1", "messages"),
    ("rooms", "room-1", "bans"),
    ("messages", "m1"),
    ("messages", "m1", "reactions"),
    ("messages", "m1", "attachments"),
    ("users", "user-alice-01"),
    ("attachments",),
    ("profile",),
    ("meta", "metoyou_currentUserId"),
]
DATA = "pluginId=example.soundboard&key=favorites&scope=server&serverId=room-1"


def everything(local: Any) -> list[Any]:
    return [*(local.get(*path) for path in PATHS), local.get("plugin-data", query=DATA)]


def lines_of(document: dict[str, Any]) -> list[dict[str, Any]]:
    names = {"pluginData": "pluginData", "meta": "meta"}
    found = [
        {"kind": names.get(member, member.removesuffix("s")), "doc": doc}
        for member, docs in document.items()
        if member not in ("version", "meta")
        for doc in docs
    ]
    metas = document.get("meta", {}).items()
    return found + [{"kind": "meta", "doc": {"key": key, "value": value}} for key, value in metas]


def refusal(local: Any, document: Any, **options: Any) -> str:
    """What the import says; nothing may be stored by it."""
    before = local.give_out()
    with pytest.raises(StageboxError) as refused:
        local.take_in(document, **options)
    assert local.give_out() == before
    return refused.value.message


def test_the_example_goes_in_and_out(fresh: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert fresh.take_in(EXAMPLE) == ONE_EACH
    assert list(fresh.take_in(EXAMPLE)) == list(ONE_EACH)
    shown = everything(fresh)
    assert shown[0] == [{**EXAMPLE["rooms"][0], "openGroup": False}]
    assert shown[-1] == {"value": [{"label": "Chime"}]}
    assert fresh.get("profile")["oderId"] == "user-alice-01"
    out = fresh.give_out()
    assert list(out) == ["version", *ONE_EACH]
    assert out["pluginData"][0]["owner"] == "user-alice-01"
    fresh.host.stop()
    fresh.host.data_dir = tmp_path_factory.mktemp("second")
    fresh.host.start()
    assert fresh.get("rooms") == []
    assert fresh.take_in(lines_of(out), name="all.JSONL") == ONE_EACH
    assert everything(fresh) == shown
    assert fresh.give_out() == out


def test_lines_and_standard_input(local: Any) -> None:
    room = local.room()
    doc = {"id": room, "name": "é"}
    lines = ["\ufeff" + json.dumps({"kind": "room", "doc": doc}), "", "  "]
    assert local.take_in(lines, name="x.ndjson")["rooms"] == 1
    assert (
        local.take_in_stream(b"\xef\xbb\xbf" + json.dumps({"rooms": [doc]}).encode())["rooms"] == 1
    )
    assert local.get("rooms", room)["name"] == "é"
    assert local.take_in_stream(b"{}") == dict.fromkeys(ONE_EACH, 0)


def test_rows_replace_and_the_later_one_wins(local: Any) -> None:
    room = local.room()
    local.take_in({"users": [{"id": room, "username": "a", "displayName": "A", "status": "x"}]})
    again = {"id": room, "username": "a", "displayName": "B"}
    local.take_in({"users": [{**again, "displayName": "C"}, again]})
    assert local.get("users", room) == {**again, "oderId": room}
    message = {"id": room, "roomId": room, "senderId": "s", "content": "1", "timestamp": 1}
    lines = [
        {"kind": "message", "doc": {**message, "content": str(n), "roomId": f"{room}{n}"}}
        for n in range(3)
    ]
    local.take_in(lines, name="x.jsonl")
    assert local.get("messages", room)["content"] == "2"
    assert local.get("rooms", f"{room}0", "messages") == []


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"rows": []}, "rows: is no member of an import"),
    ({"version": 2}, "version: must be 1"),
    ({"version": True}, "version: must be 1"),
    ({"rooms": {}}, "rooms: must be an array"),
    ({"meta": []}, "meta: must be an object"),
    ({"meta": {"k": 5}}, "meta.k: must be a text"),
    ({"rooms": [5]}, "rooms[0]: must be an object"),
    ({"rooms": [{"name": "x"}]}, "rooms[0].id: is missing"),
    ({"rooms": [{"id": "a/b", "name": "x"}]}, 'rooms[0].id: must not contain "/"'),
    ({"rooms": [{"id": "", "name": "x"}]}, "rooms[0].id: must be a text of 1 to 255 characters"),
    ({"rooms": [{"id": "x" * 256, "name": "x"}]}, "rooms[0].id: must be a text of 1 to 255 char"),
    ({"rooms": [{"id": "a\n", "name": "x"}]}, "rooms[0].id: must not contain control characters"),
    ({"rooms": [{"id": "a", "name": ""}]}, "rooms[0].name: must be a text that is not empty"),
    ({"rooms": [{"id": "a", "name": "x", "maxUsers": -1}]}, "rooms[0].maxUsers: must be at least"),
    ({"rooms": [{"id": "a", "name": "x", "maxUsers": True}]}, "rooms[0].maxUsers: must be an int"),
    ({"rooms": [{"id": "a", "name": "x", "channels": [1]}]}, "rooms[0].channels: must be an array"),
    ({"users": [{"id": "a", "username": "x", "displayName": None}]}, "users[0].displayName: must"),
    ({"members": [{"roomId": "a", "userId": "b", "joinedAt": 1.0}]}, "members[0].joinedAt: must"),
    ({"messages": [{"id": "a", "roomId": "r", "senderId": "s", "content": "",
                    "timestamp": "x"}]}, "messages[0].timestamp: must be an integer"),
    ({"messages": [{"id": "a", "roomId": "r", "senderId": "s", "content": "",
                    "timestamp": 2**53}]}, "messages[0].timestamp: must be 0 to"),
    ({"messages": [{"id": "a", "roomId": "r", "content": "", "timestamp": 1, "isDeleted": True}]},
     "messages[0].senderId: is missing"),
    ({"reactions": [{"id": "a", "messageId": "m", "userId": "u", "emoji": ""}]},
     "reactions[0].emoji: must be"),
    ({"attachments": [{"id": "a", "messageId": "m", "filename": "a/b", "size": 1, "mime": "x"}]},
     "attachments[0].filename: must not contain"),
    ({"bans": [{"roomId": "r", "userId": "u", "expiresAt": "x"}]}, "bans[0].expiresAt: must be an"),
    ({"pluginData": [{"pluginId": "p", "key": "k"}]}, "pluginData[0].value: is missing"),
    ({"pluginData": [{"pluginId": "p", "key": "k", "value": 1, "x": 1}]},
     "pluginData[0].x: is no member of this object"),
    ({"pluginData": [{"pluginId": "p", "key": "k", "value": 1, "scope": "server"}]},
     "pluginData[0].serverId: must be"),
    ({"pluginData": [{"pluginId": "p", "key": "k", "value": 1, "scope": "x"}]},
     "pluginData[0].scope: must be one of"),
]  # fmt: skip


@pytest.mark.parametrize(("document", "message"), WRONG, ids=[str(n) for n in range(len(WRONG))])
def test_an_error_names_its_place_and_stores_nothing(
    local: Any, document: dict[str, Any], message: str
) -> None:
    good = {"rooms": [{"id": "never-stored", "name": "x"}], **document}
    assert refusal(local, good).startswith(message)
    assert local.ask("rooms", "never-stored").status == 404
    if any(isinstance(value, list) and value and isinstance(value[0], dict)
           for value in document.values()):  # fmt: skip
        lines = [{"kind": "room", "doc": {"id": "never-stored", "name": "x"}}, *lines_of(document)]
        said = refusal(local, lines, name="x.jsonl")
        assert said.startswith("line 2: doc." + message.partition("].")[2][:20])


TEXTS = [
    b"",
    b"[]",
    b"{",
    b'{"rooms": [{"id": "a", "id": "b", "name": "x"}]}',
    b'{"rooms": [{"id": "a", "name": "x", "n": NaN}]}',
    b'{"rooms": [{"id": "a", "name": "x", "n": -Infinity}]}',
    b'{"rooms": [{"id": "a", "name": "\\ud800"}]}',
    b'{"rooms": [{"id": "a", "name": "\xff"}]}',
    b'{"rooms": [' + b"[" * 200 + b"]" * 200 + b"]}",
]


@pytest.mark.parametrize("content", TEXTS, ids=[str(n) for n in range(len(TEXTS))])
def test_what_is_no_strict_json(local: Any, content: bytes) -> None:
    assert refusal(local, content)


LINES = [
    '{"kind": "room"}',
    '{"kind": "rooms", "doc": {}}',
    '{"kind": "room", "doc": {"id": "a", "name": "x"}, "more": 1}',
    '["room"]',
    '{"kind": "room", "doc": {"id": "a", "name": "x"}',
    '{"kind": "meta", "doc": {"key": "k"}}',
    '{"kind": "meta", "doc": 5}',
]


@pytest.mark.parametrize("line", LINES, ids=[str(n) for n in range(len(LINES))])
def test_lines_that_are_none(local: Any, line: str) -> None:
    assert refusal(local, ["", line], name="x.jsonl").startswith("line 2")


def test_a_file_that_is_not_there(local: Any) -> None:
    for name in ("nothing.json", "nothing.jsonl"):
        with pytest.raises(Invalid) as refused:
            local.plugin.import_command(None_IO(), file=str(local.folder / name), replace=False)
        assert "cannot be read" in refused.value.message


class None_IO:
    stdin = None


def test_two_users_cannot_share_a_name(local: Any) -> None:
    room = local.room()
    user = {"username": "u", "displayName": "U", "oderId": f"{room}o"}
    docs = [{**user, "id": f"{room}a"}, {**user, "id": f"{room}b"}]
    assert refusal(local, {"users": docs}) == "users[1].oderId: belongs to another user"
    local.store.save_user(docs[0])
    with pytest.raises(Invalid):
        local.store.save_user(docs[1])


def test_a_reaction_replaces_one_that_says_the_same(local: Any) -> None:
    room = local.room()
    reaction = {"messageId": room, "userId": "u", "emoji": "x"}
    local.take_in({"reactions": [{**reaction, "id": f"{room}a"}, {**reaction, "id": f"{room}b"}]})
    assert local.ids("messages", room, "reactions") == [f"{room}b"]


def test_replace_empties_the_kinds_in_the_file(fresh: Any) -> None:
    fresh.take_in(EXAMPLE)
    public = {"id": "pub", "name": "Public", "openGroup": True}
    member = {"roomId": "pub", "userId": KEY, "role": "moderator"}
    user = {"id": KEY, "username": KEY, "displayName": KEY}
    message = {
        "id": "pub-1", "roomId": "pub", "serverId": 1, "senderId": KEY, "content": "aGk=",
        "signature": SIGNATURE, "timestamp": 5,
    }  # fmt: skip
    fresh.take_in({"rooms": [public], "members": [member], "users": [user], "messages": [message]})
    fresh.take_in({"messages": [], "users": [], "rooms": [], "members": []}, replace=True)
    assert fresh.ids("rooms") == ["pub"]
    assert fresh.ids("rooms", "pub", "messages") == ["pub-1"]
    assert fresh.ids("rooms", "pub", "users") == [KEY]
    assert fresh.get("rooms", "room-1", "messages") == []
    assert fresh.ids("messages", "m1", "reactions") == ["r1"]
    assert fresh.get("meta", "metoyou_currentUserId")["value"] == "user-alice-01"
    fresh.take_in({"reactions": [], "attachments": [], "bans": [], "pluginData": [],
                   "meta": {"k": "v"}}, replace=True)  # fmt: skip
    assert fresh.get("attachments") == []
    assert fresh.get("meta", "k") == {"key": "k", "value": "v"}
    assert fresh.ask("meta", "metoyou_currentUserId").status == 404
    assert fresh.give_out()["pluginData"] == []


def test_meta_says_whose_the_data_are(local: Any) -> None:
    plugin = "example." + local.room()
    data = {"pluginId": plugin, "key": "k", "value": None}
    local.take_in({"pluginData": [data], "meta": {"metoyou_currentUserId": "someone"}})
    rows = [row for row in local.give_out()["pluginData"] if row["pluginId"] == plugin]
    assert rows == [{**data, "scope": "local", "owner": "someone"}]
    local.take_in({"meta": {"metoyou_currentUserId": None}})
    assert local.ask("meta", "metoyou_currentUserId").status == 404


def posted(room: str, number: int, **more: Any) -> dict[str, Any]:
    return {
        "id": f"{room}-{number}", "roomId": room, "serverId": number, "senderId": KEY,
        "content": "aGk", "signature": SIGNATURE.rstrip("="), "timestamp": 5, **more,
    }  # fmt: skip


def deleted(room: str, number: int, **more: Any) -> dict[str, Any]:
    doc = posted(room, number, content="", isDeleted=True, **more)
    return {name: value for name, value in doc.items() if name != "signature"}


OPEN_WRONG = [
    (lambda room: {**posted(room, 1), "serverId": None}, "serverId: is missing"),
    (lambda room: {**posted(room, 1), "id": "x"}, "id: must be"),
    (lambda room: {**posted(room, 1), "senderId": "bob"}, "senderId: must be 05"),
    (lambda room: {**posted(room, 1), "senderId": KEY.upper()}, "senderId: must be 05"),
    (lambda room: {**posted(room, 1), "signature": None}, "signature: is missing"),
    (lambda room: {**posted(room, 1), "signature": "aGk="}, "signature: must be base64 of 64"),
    (lambda room: {**posted(room, 1), "content": "no!"}, "content: must be base64"),
    (lambda room: {**deleted(room, 1), "content": "aGk="}, "content: must be empty"),
    (lambda room: {**posted("elsewhere", 1), "id": f"{room}-7", "serverId": None}, "id: is kept"),
]


@pytest.mark.parametrize(("make", "message"), OPEN_WRONG, ids=[str(n) for n in range(9)])
def test_rules_of_open_groups(local: Any, make: Any, message: str) -> None:
    room = local.room()
    document = {
        "messages": [make(room)],
        "rooms": [{"id": room, "name": "Open", "openGroup": True}],
    }
    assert refusal(local, document).startswith(f"messages[0].{message}")
    said = refusal(local, lines_of(document), name="x.jsonl")
    assert said.startswith(f"line 1: doc.{message}")


def test_the_flag_of_an_open_group(local: Any) -> None:
    room = local.room()
    local.take_in({"rooms": [{"id": room, "name": "A", "openGroup": True}]})
    local.take_in({"rooms": [{"id": room, "name": "B"}]})
    assert local.get("rooms", room) == {"id": room, "name": "B", "openGroup": True}
    said = refusal(local, {"rooms": [{"id": room, "name": "B", "openGroup": False}]})
    assert said.startswith("rooms[0].openGroup")
    said = refusal(local, {"rooms": [{"id": room.upper(), "name": "B", "openGroup": True}]})
    assert said.startswith("rooms[0].id")
    said = refusal(local, {"rooms": [{"id": "not an id", "name": "B", "openGroup": True}]})
    assert said.startswith("rooms[0].id")


def test_a_plain_room_with_messages_stays_plain(local: Any) -> None:
    room = local.room()
    plain = {"id": f"{room}x", "roomId": room, "senderId": "s", "content": "", "timestamp": 1}
    local.take_in({"messages": [plain]})
    said = refusal(local, {"rooms": [{"id": room, "name": "x", "openGroup": True}]})
    assert said.startswith("rooms[0].openGroup")
    other = local.room()
    local.take_in({"messages": [{**plain, "id": f"{other}-12"}]})
    said = refusal(local, {"rooms": [{"id": other, "name": "x", "openGroup": True}]})
    assert said.startswith("rooms[0].id")


def test_messages_of_open_groups(local: Any) -> None:
    room = local.room()
    rooms = [{"id": room, "name": "Open", "openGroup": True}]
    extra = posted(room, 2, note="kept")
    gone = {name: value for name, value in deleted(room, 3).items() if name != "senderId"}
    document = {"rooms": rooms, "messages": [posted(room, 9), extra, gone, deleted(room, 4)]}
    local.take_in(document)
    full = {"content": "aGk=", "signature": SIGNATURE, "isDeleted": False}
    assert local.get("messages", f"{room}-9") == {**posted(room, 9), **full}
    assert local.get("messages", f"{room}-2") == {**extra, **full}
    assert local.get("messages", f"{room}-3") == gone
    assert local.get("messages", f"{room}-4") == deleted(room, 4)
    db = local.plugin.context.db
    group = db.one("SELECT * FROM open_groups WHERE id = :id", {"id": room})
    assert (group["last_server_id"], group["last_deletion_id"]) == (9, 2)
    docs = db.query("SELECT id, doc FROM messages WHERE room_id = :id ORDER BY id", {"id": room})
    assert [row["id"][-1] for row in docs if row["doc"] is None] == ["4", "9"]
    local.take_in(document)
    again = db.one("SELECT * FROM open_groups WHERE id = :id", {"id": room})
    assert (again["last_server_id"], again["last_deletion_id"]) == (9, 2)


def test_deleting_is_for_good(local: Any) -> None:
    room = local.room()
    local.take_in({"rooms": [{"id": room, "name": "Open", "openGroup": True}],
                   "messages": [posted(room, 1), posted(room, 2), posted(room, 3)]})  # fmt: skip
    out = local.give_out()
    local.take_in({"messages": [deleted(room, 1)]})
    local.store.delete_message(f"{room}-2")
    local.store.remove_message(f"{room}-3")
    local.take_in({"rooms": out["rooms"], "messages": out["messages"]})
    assert local.get("messages", f"{room}-1")["isDeleted"] is True
    assert local.get("messages", f"{room}-2")["isDeleted"] is True
    assert local.ask("messages", f"{room}-3").status == 404
    db = local.plugin.context.db
    rows = db.query("SELECT server_id FROM deletions WHERE room_id = :r ORDER BY id", {"r": room})
    assert [row["server_id"] for row in rows] == [1, 2, 3]
    both = [posted(room, 8), deleted(room, 8), posted(room, 8)]
    local.take_in({"messages": both})
    assert local.get("messages", f"{room}-8")["isDeleted"] is True


def test_an_open_group_counts_members_and_bans(local: Any) -> None:
    room = local.room()
    local.take_in({"rooms": [{"id": room, "name": "Open", "openGroup": True}],
                   "members": [{"roomId": room, "userId": KEY, "role": "moderator"}],
                   "bans": [{"roomId": room, "userId": KEY}]})  # fmt: skip
    sql = "SELECT roles_version, counts_version FROM open_groups WHERE id = :id"
    before = local.plugin.context.db.one(sql, {"id": room})
    local.take_in({"members": [{"roomId": room, "userId": KEY, "role": "member"}]})
    local.store.unban(room, KEY)
    after = local.plugin.context.db.one(sql, {"id": room})
    assert after["roles_version"] > before["roles_version"]
    assert after["counts_version"] > before["counts_version"]
    assert local.get("rooms", room, "bans", KEY) == {"isBanned": False}


def test_without_plugin_data(fresh: Any) -> None:
    fresh.host.disable("plugin_data")
    document = {"rooms": [{"id": "a", "name": "A"}]}
    assert fresh.take_in(document)["rooms"] == 1
    assert "plugin_data" in refusal(fresh, {**document, "meta": {"k": "v"}})
    assert fresh.give_out()["meta"] == {}


def test_the_command_line(fresh: Any) -> None:
    file = fresh.folder / "x.json"
    file.write_text(json.dumps(EXAMPLE))

    def run(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-m", "host", *arguments],
            env={**os.environ, **_where(fresh)},
            input=stdin,
            capture_output=True,
            timeout=60,
            check=False,
        )

    done = run("rooms", "import", str(file))
    assert (done.returncode, json.loads(done.stdout)) == (0, ONE_EACH)
    assert done.stdout.count(b"\n") == 1
    assert fresh.get("messages", "m1")["content"] == "hi"
    wrong = run("rooms", "import", "-", stdin=b'{"messages": [{}]}')
    assert (wrong.returncode, wrong.stdout) == (1, b"")
    assert b"messages[0].id: is missing" in wrong.stderr


def _where(local: Any) -> dict[str, str]:
    from host.testing import database_of

    url = database_of(local.host.data_dir)
    more = {"STAGEBOX_DATABASE": url} if url else {}
    return {"STAGEBOX_DATA_DIR": str(local.host.data_dir), **more}


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text('abPath"\\é😀', max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=60)
@given(extra=st.dictionaries(st.text('xyz"\\é', min_size=1, max_size=5), JSON, max_size=4))
def test_whatever_is_stored_comes_back(local: Any, extra: dict[str, Any]) -> None:
    doc = {
        **extra,
        "id": "fuzz",
        "roomId": "fuzz",
        "senderId": "s",
        "content": "\u2028",
        "timestamp": 1,
    }
    local.store.save_message(doc)
    shown = local.get("messages", "fuzz")
    assert shown == {**doc, "isDeleted": False}
    assert json.dumps(shown) == json.dumps({**doc, "isDeleted": False})


class Busy:
    """A core whose transactions begin when others have ended theirs; each try takes a while."""

    def __init__(self, clock: Any, refusals: int, takes: float) -> None:
        self.clock = clock
        self.refusals = refusals
        self.takes = takes

    @contextmanager
    def transaction(self) -> Iterator[None]:
        if self.refusals:
            self.refusals -= 1
            self.clock.now += self.takes
            raise DatabaseUnavailable
        yield


class Clock:
    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("refusals", "takes", "done"), [(3, 10.0, True), (99, 10.0, False), (1, 0.1, False)]
)
def test_an_import_waits_for_its_turn(
    monkeypatch: pytest.MonkeyPatch, refusals: int, takes: float, done: bool
) -> None:
    clock = Clock()
    monkeypatch.setattr(importing, "time", clock)
    worked: list[int] = []
    core: Any = Busy(clock, refusals, takes)
    if done:
        importing.in_turn(core, lambda: worked.append(1))
    else:
        with pytest.raises(DatabaseUnavailable):
            importing.in_turn(core, lambda: worked.append(1))
    assert worked == [1] * done


def test_work_that_fails_is_not_tried_again() -> None:
    tried: list[int] = []

    def work() -> None:
        tried.append(1)
        raise DatabaseUnavailable

    core: Any = Busy(Clock(), 0, 0)
    with pytest.raises(DatabaseUnavailable):
        importing.in_turn(core, work)
    assert tried == [1]


MEMBERS = sorted({name for kind in KINDS.values() for name in (*kind.required, *kind.optional)})
VALUES = JSON | st.sampled_from(
    ["fuzz-room", "fuzz-open", "fuzz-open-1", KEY, "aGk=", SIGNATURE, 1]
)
LIKELY = {
    "id": "fuzz-1", "roomId": "fuzz-open", "userId": KEY, "senderId": KEY, "messageId": "fuzz-1",
    "name": "x", "username": "x", "displayName": "x", "content": "aGk=", "timestamp": 5,
    "serverId": 1, "signature": SIGNATURE, "emoji": "+1", "filename": "f", "size": 1, "mime": "x",
    "pluginId": "example.fuzz", "key": "k", "value": [1],
}  # fmt: skip


@settings(max_examples=80)
@given(
    kind=st.sampled_from(sorted(KINDS)),
    kept=st.sets(st.sampled_from(sorted(LIKELY))),
    changed=st.dictionaries(st.sampled_from(MEMBERS), VALUES, max_size=3),
)
def test_whatever_comes_in_is_stored_or_refused(
    local: Any, kind: str, kept: set[str], changed: dict[str, Any]
) -> None:
    names = {*KINDS[kind].required, *kept}
    doc = {name: LIKELY[name] for name in names if name in LIKELY} | changed
    lines: list[Any] = [{"kind": kind, "doc": doc}]
    if kind != "room":
        lines.append({"kind": "room", "doc": {"id": "fuzz-open", "name": "x", "openGroup": True}})
    try:
        counts = local.take_in(lines, name="fuzz.jsonl")
    except StageboxError as refused:
        status, counts = refused.status, None
    else:
        status = 200
    assert status in (200, 400, 409, 413, 503)
    assert counts is None or counts[KINDS[kind].member] == 1


class Listener(Plugin):
    """Hears what is saved and removed."""

    manifest: ClassVar = {"id": "example.listener"}
    heard: ClassVar[list[Any]] = []

    @hookimpl
    def rooms_saved(self, kind: str, id: str, doc: Any) -> None:
        self.heard.append((kind, id, doc))

    @hookimpl
    def rooms_removed(self, kind: str, id: str) -> None:
        self.heard.append((kind, id))


def test_what_is_saved_is_told(make_host: Any) -> None:
    host = make_host(Listener)
    heard = Listener.heard
    heard.clear()
    store = host.plugin("rooms").store
    room = store.save_room({"name": "x"})
    ban = store.ban("r", "u", timestamp=1)
    store.unban("r", "u")
    with pytest.raises(Invalid):
        store.save_room({"id": "x", "name": ""})
    assert heard == [("room", room["id"], room), ("ban", "r/u", ban), ("ban", "r/u")]
    heard.clear()
    with store.batch():
        member = store.add_member("r", "u", joined_at=1)
        assert heard == [], "it is told after the commit"
    store.remove_member("r", "u")
    assert heard == [("member", "r/u", member), ("member", "r/u")]
    assert member == {"roomId": "r", "userId": "u", "joinedAt": 1}


def test_readers_go_on_while_an_import_runs(local: Any) -> None:
    """They see the state before it or behind it, never a part, and get nothing but answers."""
    room = local.room()
    count = 4000
    lines = [
        {
            "kind": "message",
            "doc": {
                "id": f"{room}-{number:05}x",
                "roomId": room,
                "senderId": "s",
                "content": "",
                "timestamp": number,
            },
        }
        for number in range(count)
    ]
    done = threading.Event()
    seen: list[int] = []

    def read() -> None:
        while True:
            last = done.is_set()
            path = ("rooms", room, "messages", "since")
            seen.append(len(local.get(*path, query="sinceTimestamp=-1")))
            local.get("rooms", room, "messages")
            if last:
                return

    with ThreadPoolExecutor(5) as pool:
        readers = [pool.submit(read) for _ in range(4)]
        try:
            local.take_in(lines, name="many.jsonl")
        finally:
            done.set()
        for reader in readers:
            reader.result()
    assert set(seen) <= {0, count}
    assert count in seen


def test_the_long_list_is_streamed_whole(local: Any) -> None:
    """In pieces of a thousand: the borders are the places to go wrong."""
    room = local.room()
    doc = {"roomId": room, "senderId": "s", "content": "ü"}
    total = 0
    for count in (999, 1, 1, 998, 1, 1):
        local.take_in(
            [
                {"kind": "message", "doc": {**doc, "id": f"{room}-{n:05}x", "timestamp": n // 3}}
                for n in range(total, total + count)
            ],
            name="more.jsonl",
        )
        total += count
        found = local.ids("rooms", room, "messages", "since", query="sinceTimestamp=-1")
        assert found == [f"{room}-{n:05}x" for n in range(total)]
    path = f"/api/rooms/{room}/messages/since?sinceTimestamp=-1"
    head = local.host.head(path, token="reader-token")
    assert (head.status, head.content) == (200, b"")
