"""Whatever comes in: it is refused, or comes back as it was; also while others read."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from builtin_plugins.rooms.local.shapes import KINDS
from plugin_sdk import StageboxError

KEY = "05" + "ab" * 32
SIGNATURE = "A" * 86 + "=="
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
