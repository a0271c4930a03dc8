"""Import and export (local REST contract, 7.1 and 7.2)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from plugin_sdk import Invalid
from plugin_sdk.testing import FakeCommandIO

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
    assert fresh.take_in(fresh.lines_of(out), name="all.JSONL") == ONE_EACH
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
    assert local.refusal(good).startswith(message)
    assert local.ask("rooms", "never-stored").status == 404
    if any(isinstance(value, list) and value and isinstance(value[0], dict)
           for value in document.values()):  # fmt: skip
        lines = [
            {"kind": "room", "doc": {"id": "never-stored", "name": "x"}},
            *local.lines_of(document),
        ]
        said = local.refusal(lines, name="x.jsonl")
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
    assert local.refusal(content)


@pytest.mark.parametrize("value", ["NaN", '"\\ud800"', "[" * 99 + "]" * 99], ids=["0", "1", "2"])
def test_the_place_of_what_is_no_strict_json(local: Any, value: str) -> None:
    rooms = '{"rooms": [{"id": "a", "name": "x"}, {"id": "b", "name": "x", "n": %s}]}'
    assert local.refusal((rooms % value).encode()).startswith("rooms[1]: This is not")


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
    assert local.refusal(["", line], name="x.jsonl").startswith("line 2")


def test_a_file_that_is_not_there(local: Any) -> None:
    for name in ("nothing.json", "nothing.jsonl"):
        with pytest.raises(Invalid) as refused:
            local.plugin.import_command(None_IO(), file=str(local.folder / name), replace=False)
        assert "cannot be read" in refused.value.message


def test_a_file_that_cannot_be_written(local: Any, tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "nowhere" / "x.json"):
        with pytest.raises(Invalid) as refused:
            local.plugin.export_command(FakeCommandIO(), file=str(place))
        assert refused.value.message.startswith(f"{place}: cannot be written")
    assert list(tmp_path.iterdir()) == []


class None_IO:
    stdin = None


def test_two_users_cannot_share_a_name(local: Any) -> None:
    room = local.room()
    user = {"username": "u", "displayName": "U", "oderId": f"{room}o"}
    docs = [{**user, "id": f"{room}a"}, {**user, "id": f"{room}b"}]
    assert local.refusal({"users": docs}) == "users[1].oderId: belongs to another user"
    local.store.save_user(docs[0])
    with pytest.raises(Invalid):
        local.store.save_user(docs[1])
    local.take_in({"users": [docs[1], {**docs[0], "oderId": f"{room}p"}]})
    assert local.get("users", f"{room}o")["id"] == f"{room}b"
    both = [{**docs[0], "oderId": f"{room}o"}, {**docs[1], "oderId": f"{room}p"}]
    local.take_in({"users": both})
    assert [local.get("users", f"{room}{name}")["id"] for name in "op"] == [f"{room}a", f"{room}b"]


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


def test_without_plugin_data(fresh: Any) -> None:
    fresh.host.disable("plugin_data")
    document = {"rooms": [{"id": "a", "name": "A"}]}
    assert fresh.take_in(document)["rooms"] == 1
    assert "plugin_data" in fresh.refusal({**document, "meta": {"k": "v"}})
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


def test_what_is_no_file_of_its_own_is_written_to_and_not_replaced(
    local: Any, tmp_path: Path
) -> None:
    target, link, pipe = tmp_path / "target", tmp_path / "link", tmp_path / "pipe"
    target.write_text("before")
    link.symlink_to(target)
    os.mkfifo(pipe)
    local.plugin.export_command(FakeCommandIO(), file=str(link))
    assert link.is_symlink()
    assert json.loads(target.read_text())["version"] == 1
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        local.plugin.export_command(FakeCommandIO(), file=str(pipe))
        assert os.read(reader, 1 << 16) == target.read_bytes()
    finally:
        os.close(reader)
    assert pipe.is_fifo()
