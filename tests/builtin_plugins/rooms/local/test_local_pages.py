"""Pages of messages, and those behind a moment (local REST contract, 5.2)."""

from __future__ import annotations

from typing import Any

import pytest


def message(room: str, id: str, timestamp: int, **more: Any) -> dict[str, Any]:
    return {
        "id": id,
        "roomId": room,
        "senderId": "u",
        "content": id,
        "timestamp": timestamp,
        **more,
    }


@pytest.fixture(scope="module")
def paged(_local: Any) -> str:
    """A room of 1,050 messages, many with the same timestamp."""
    room: str = _local.room()
    lines = [
        {"kind": "message", "doc": message(room, f"{room}m{n:05}", 1000 + n // 7)}
        for n in range(1050)
    ]
    _local.take_in(lines[::-1], name="paged.jsonl")
    return room


LIMITS = [
    ("", 100),
    ("limit=5", 5),
    ("limit=007", 7),
    ("limit=0", 1),
    ("limit=-5", 1),
    ("limit=9999", 500),
    ("limit=" + "9" * 5000, 500),
    ("limit=-" + "9" * 5000, 1),
    ("limit=abc", 100),
    ("limit=", 100),
    ("limit=1e2", 100),
    ("limit=5.0", 100),
    ("limit=+5", 100),
    ("limit=%205", 100),
    ("limit=5%0A", 100),
    ("limit=1_0", 100),
    ("limit=%D9%A5", 100),
    ("limit=5&limit=7", 5),
    ("limit=x&limit=7", 100),
]


@pytest.mark.parametrize(("query", "count"), LIMITS, ids=[str(n) for n in range(len(LIMITS))])
def test_limits_are_clamped(local: Any, paged: str, query: str, count: int) -> None:
    found = local.ids("rooms", paged, "messages", query=query)
    assert found == [f"{paged}m{n:05}" for n in range(count)]


OFFSETS = [
    ("offset=3", 3),
    ("offset=-1", 0),
    ("offset=x", 0),
    ("offset=", 0),
    ("offset=1.0", 0),
    ("offset=1049", 1049),
    ("offset=1050", None),
    ("offset=9223372036854775807", None),
    ("offset=9223372036854775808", None),
    ("offset=" + "9" * 5000, None),
    ("offset=-" + "9" * 5000, 0),
]


@pytest.mark.parametrize(("query", "first"), OFFSETS, ids=[str(n) for n in range(len(OFFSETS))])
def test_offsets(local: Any, paged: str, query: str, first: int | None) -> None:
    found = local.ids("rooms", paged, "messages", query=f"limit=1&{query}")
    assert found == ([] if first is None else [f"{paged}m{first:05}"])


@pytest.mark.parametrize("order", ["asc", "desc", "DESC", "x"])
def test_pages_show_each_message_once(local: Any, paged: str, order: str) -> None:
    seen: list[str] = []
    while page := local.ids(
        "rooms", paged, "messages", query=f"limit=333&offset={len(seen)}&order={order}"
    ):
        seen += page
    expected = [f"{paged}m{n:05}" for n in range(1050)]
    assert seen == (expected[::-1] if order == "desc" else expected)


SINCE = [
    ("1149", 0),
    ("1148", 7),
    ("1100", 343),
    ("0", 1050),
    ("-1", 1050),
    ("-" + "9" * 30, 1050),
    ("9" * 30, 0),
    ("9" * 5000, 0),
    ("9223372036854775807", 0),
    ("0" * 30 + "1148", 7),
]


@pytest.mark.parametrize(("since", "count"), SINCE, ids=[str(n) for n in range(len(SINCE))])
def test_messages_since(local: Any, paged: str, since: str, count: int) -> None:
    found = local.ids("rooms", paged, "messages", "since", query=f"sinceTimestamp={since}")
    assert found == [f"{paged}m{n:05}" for n in range(1050 - count, 1050)]


NO_SINCE = [
    "",
    "sinceTimestamp=",
    "sinceTimestamp=x",
    "sinceTimestamp=1.5",
    "sinceTimestamp=%201",
    "sinceTimestamp=x&sinceTimestamp=1",
]


@pytest.mark.parametrize("query", NO_SINCE, ids=[str(n) for n in range(len(NO_SINCE))])
def test_since_needs_a_whole_number(local: Any, paged: str, query: str) -> None:
    answer = local.ask("rooms", paged, "messages", "since", query=query)
    body = answer.json()
    assert (answer.status, body["error"]) == (400, "INVALID_REQUEST")
    assert [each["path"] for each in body["details"]] == ["sinceTimestamp"]


def test_deleted_messages_stay(local: Any) -> None:
    room = local.room()
    kept = local.store.save_message({**message(room, "", 5), "id": None})
    local.store.delete_message(kept["id"])
    (shown,) = local.get("rooms", room, "messages")
    assert shown == local.get("messages", kept["id"])
    assert (shown["isDeleted"], shown["content"], shown["timestamp"]) == (True, "", 5)


def test_an_edit_keeps_the_timestamp(local: Any) -> None:
    room = local.room()
    local.store.save_message(message(room, f"{room}m", 5))
    local.store.edit_message(f"{room}m", "new")
    shown = local.get("messages", f"{room}m")
    assert (shown["content"], shown["timestamp"]) == ("new", 5)
    assert shown["editedAt"] > 5
    assert local.get("rooms", room, "messages", "since", query="sinceTimestamp=5") == []
