"""What an import must be like for open groups, and what it makes of them (open-group contract,
12.1; local REST contract, 7.1)."""

from __future__ import annotations

from typing import Any

import pytest

from builtin_plugins.rooms.local.rows import Rows

KEY = "05" + "ab" * 32
SIGNATURE = "A" * 86 + "=="


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
    (lambda room: {**posted(room, 2**31)}, "serverId: must be 1 to 2147483647"),
]


@pytest.mark.parametrize(("make", "message"), OPEN_WRONG, ids=[str(n) for n in range(10)])
def test_rules_of_open_groups(local: Any, make: Any, message: str) -> None:
    room = local.room()
    document = {
        "messages": [make(room)],
        "rooms": [{"id": room, "name": "Open", "openGroup": True}],
    }
    assert local.refusal(document).startswith(f"messages[0].{message}")
    said = local.refusal(local.lines_of(document), name="x.jsonl")
    assert said.startswith(f"line 1: doc.{message}")


def test_the_flag_of_an_open_group(local: Any) -> None:
    room = local.room()
    local.take_in({"rooms": [{"id": room, "name": "A", "openGroup": True}]})
    local.take_in({"rooms": [{"id": room, "name": "B"}]})
    assert local.get("rooms", room) == {"id": room, "name": "B", "openGroup": True}
    said = local.refusal({"rooms": [{"id": room, "name": "B", "openGroup": False}]})
    assert said.startswith("rooms[0].openGroup")
    said = local.refusal({"rooms": [{"id": room.upper(), "name": "B", "openGroup": True}]})
    assert said.startswith("rooms[0].id")
    said = local.refusal({"rooms": [{"id": "not an id", "name": "B", "openGroup": True}]})
    assert said.startswith("rooms[0].id")


def test_a_plain_room_with_messages_stays_plain(local: Any) -> None:
    room = local.room()
    plain = {"id": f"{room}x", "roomId": room, "senderId": "s", "content": "", "timestamp": 1}
    local.take_in({"messages": [plain]})
    said = local.refusal({"rooms": [{"id": room, "name": "x", "openGroup": True}]})
    assert said.startswith("rooms[0].openGroup")
    other = local.room()
    local.take_in({"messages": [{**plain, "id": f"{other}-12"}]})
    said = local.refusal({"rooms": [{"id": other, "name": "x", "openGroup": True}]})
    assert said.startswith("rooms[0].id")


def test_numbers_of_another_room_are_no_hindrance(local: Any) -> None:
    room = local.room()
    other = {"id": f"{room}-1", "name": "x", "openGroup": True}
    local.take_in({"rooms": [other], "messages": [posted(f"{room}-1", 2)]})
    local.take_in({"rooms": [{**other, "id": room}], "messages": [posted(room, 1)]})
    assert local.ids("rooms", room, "messages") == [f"{room}-1"]


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


def test_an_import_remembers_little(local: Any) -> None:
    """However many messages there are, and in however many rooms."""
    room = local.room()
    local.take_in({"rooms": [{"id": room, "name": "R", "openGroup": True}]})
    core = local.plugin.core
    with core.transaction():
        rows = Rows(core, "cli")
        for number in range(1, 2502):
            rows.put("message", posted(room, number), "")
            assert len(rows._open_messages._seen) < 1001
        rows._open |= {f"room{number}": False for number in range(10_000)}
        assert not rows.is_open("one more")
        assert len(rows._open) == 1
        rows.put("member", {"roomId": "plain", "userId": "u"}, "")
        rows.put("ban", {"roomId": "plain", "userId": "u"}, "")
        assert not rows._roles | rows._counts
        rows.finish()
    assert local.store.message(f"{room}-2501")["serverId"] == 2501
