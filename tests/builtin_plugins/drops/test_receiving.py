"""From a drop server's answer to the inbox, with answers laid out by the tests."""

from __future__ import annotations

import json
import threading
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builtin_plugins.drops import Drops, strict
from builtin_plugins.drops.sealing import seal_pdu
from builtin_plugins.drops.wire import Message, wire_text
from plugin_sdk import HttpReply, Response, StreamBody, TextBody
from plugin_sdk.testing import FakeContext, HttpRequest, request

from .conftest import R_PRIV, R_PUB, S_PRIV, S_PUB

BOX = "http://box.example/" + "a" * 43
DOCUMENT = {
    "identities": [{"alias": "me", "keys": {"private_key": R_PRIV.hex()}, "drops": [BOX]}],
    "contacts": [{"alias": "s", "public_key": S_PUB, "my_identity": R_PUB}],
}
MEMBERS = [
    "version",
    "time_stamp",
    "acknowledge_id",
    "sender",
    "receiver",
    "model_object",
    "data",
]


@pytest.fixture
def document() -> Any:
    return DOCUMENT


def sealed(text: bytes) -> bytes:
    return seal_pdu(S_PRIV, bytes.fromhex(R_PUB), text)


def chat(number: int) -> bytes:
    return sealed(wire_text(Message(number, S_PUB, "chat", {"n": number})))


def reply(*pdus: bytes, **headers: str) -> HttpReply:
    parts = b"".join(b"--b-d\r\nDate: x\r\n\r\n" + pdu + b"\r\n" for pdu in pdus)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    kind = {"Content-Type": "multipart/mixed; boundary=b-d"}
    return HttpReply(200, {**kind, **named}, parts + b"--b-d--\r\n")


def lay(context: FakeContext, *answers: Any) -> None:
    for each in answers:
        context.http.answer("GET", BOX, each)


def get(plugin: Drops, **query: str) -> Response:
    return plugin.get_drop(request("GET", "/drop", query=query))


def numbers(response: Response) -> list[int]:
    if isinstance(response.body, StreamBody):
        content = b"".join(response.body.chunks)
    else:
        assert isinstance(response.body, TextBody)
        content = response.body.content
    if response.status == 204:
        assert (content, response.content_type) == (b"", "")
        return []
    return [each["data"]["n"] for each in json.loads(content)]


def test_cursors(context: FakeContext, plugin: Drops) -> None:
    date = "Sat, 21 Nov 2026 12:00:00 GMT"
    lay(
        context,
        reply(chat(1), x_qabel_latest="7.5", last_modified=date),
        reply(chat(2), last_modified=date),
        reply(chat(3)),
        HttpReply(304, {}, b""),
        reply(chat(4), x_qabel_latest="\x01", last_modified=""),
    )
    assert [numbers(get(plugin)) for _ in range(5)] == [[1], [2], [3], [], [4]]
    sent = [dict(each.headers) for each in context.http.requests]
    modified = {"if-modified-since": date}
    assert sent == [{}, {"x-qabel-new-since": "7.5"}, modified, modified, modified]


def test_a_box_that_nobody_reads_leaves_no_row(context: FakeContext, plugin: Drops) -> None:
    lay(context, reply(chat(1), x_qabel_latest="7.5"))
    assert numbers(get(plugin)) == [1]
    assert context.db.table("box").get(BOX)
    plugin._documents.replace("synced", {})
    assert context.db.table("box").get(BOX) is None


@pytest.mark.parametrize(
    "answer",
    [
        HttpReply(302, {"Location": BOX}, b""),
        HttpReply(404, {}, b""),
        HttpReply(200, {"Content-Type": "text/plain"}, b"x"),
        HttpReply(200, {"Content-Type": "multipart/mixed; boundary=b"}, b"--b\r\n\r\ncut"),
    ],
)
def test_a_failed_box(context: FakeContext, plugin: Drops, answer: HttpReply) -> None:
    lay(context, reply(chat(1), x_qabel_latest="1"), answer, reply(chat(2)))
    assert numbers(get(plugin)) == [1]
    failed = get(plugin)
    assert (failed.status, failed.headers["X-Qabel-Drop-Errors"]) == (204, "1")
    assert numbers(get(plugin)) == [2]
    assert context.http.requests[-1].headers["x-qabel-new-since"] == "1"


def test_a_crash_while_storing_loses_nothing(
    context: FakeContext, plugin: Drops, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay(context, reply(chat(1), chat(2), x_qabel_latest="1"))
    with monkeypatch.context() as patch:
        patch.setattr(plugin._cursors, "set", lambda *_: 1 / 0)
        assert get(plugin).headers["X-Qabel-Drop-Errors"] == "1"
    assert context.db.table("inbox").count_where() == 0
    assert context.events.emitted == []
    assert numbers(get(plugin)) == [1, 2]


def test_a_crash_while_answering_loses_nothing(
    context: FakeContext, plugin: Drops, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay(context, reply(chat(1), x_qabel_latest="1"), HttpReply(304, {}, b""))
    with monkeypatch.context() as patch:
        patch.setattr(plugin._inbox, "take", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            get(plugin)
    assert numbers(get(plugin)) == [1]
    assert numbers(get(plugin, all="true")) == [1]


def test_a_change_during_a_round_is_not_passed_over(context: FakeContext, plugin: Drops) -> None:
    """Somebody becomes a contact while the box is being read: it is read again."""
    plugin._documents.replace("synced", {**DOCUMENT, "contacts": []})

    def meanwhile(_: HttpRequest) -> HttpReply:
        plugin._documents.replace("synced", DOCUMENT)
        return reply(chat(1), x_qabel_latest="1")

    lay(context, meanwhile, reply(chat(1), x_qabel_latest="1"))
    assert numbers(get(plugin)) == []
    assert numbers(get(plugin)) == [1]
    assert context.http.requests[-1].headers == {}


def test_only_some_callers_wait_for_a_dead_server(context: FakeContext, plugin: Drops) -> None:
    """The host lets in so many calls of a plugin; when all of them waited, no other route of it
    would answer."""
    begun, answering = threading.Event(), threading.Event()

    def hang(_: HttpRequest) -> HttpReply:
        begun.set()
        assert answering.wait(60)
        return reply(chat(1))

    lay(context, hang)
    with ThreadPoolExecutor(5) as pool:
        calls = [pool.submit(get, plugin) for _ in range(5)]
        assert begun.wait(30)
        done, waiting = wait(calls, 30, FIRST_COMPLETED)
        assert len(waiting) == 4
        (quick,) = (each.result() for each in done)
        assert (quick.status, quick.headers["X-Qabel-Drop-Errors"]) == (204, "1")
        answering.set()
        listed = [each for call in waiting for each in numbers(call.result())]
    assert listed == [1]


def test_very_many_messages_are_not_held_at_once(context: FakeContext, plugin: Drops) -> None:
    lay(context, reply(*(chat(number) for number in range(700))), HttpReply(304, {}, b""))
    assert plugin.get_drop(request("HEAD", "/drop")).status == 200
    response = get(plugin, all="true")
    assert isinstance(response.body, StreamBody)
    pieces = list(response.body.chunks)
    assert len(pieces) > 1
    assert [each["data"]["n"] for each in json.loads(b"".join(pieces))] == list(range(700))
    assert numbers(get(plugin)) == list(range(700))
    assert get(plugin).status == 204


def test_events_tell_no_content(context: FakeContext, plugin: Drops) -> None:
    lay(context, reply(chat(1), chat(1)))
    get(plugin)
    (event,) = context.events.emitted
    assert event.name == "drops.received"
    assert event.data == {"receiver": R_PUB, "sender": S_PUB, "model_object": "chat"}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
WIRE = st.fixed_dictionaries(
    {"version": st.just(1) | VALUES, "time_stamp": st.integers(0) | VALUES},
    optional={
        "sender": st.just(S_PUB) | VALUES,
        "acknowledge_id": st.text() | VALUES,
        "model_object": st.text() | VALUES,
        "data": st.dictionaries(st.text(), VALUES) | VALUES,
        "drop_payload_type": st.text() | VALUES,
        "drop_payload": VALUES.map(json.dumps) | VALUES,
        "extra": VALUES,
    },
)


@settings(max_examples=50)
@given(
    shapes=st.lists(WIRE.map(json.dumps) | st.text(), max_size=4),
    raw=st.lists(st.binary(max_size=2200), max_size=2),
)
def test_any_messages(context: FakeContext, plugin: Drops, shapes: list[str], raw: Any) -> None:
    texts = [each.encode("utf-8", "surrogatepass") for each in shapes]
    pdus = [sealed(each) for each in texts if len(each) <= 2048]
    context.http._answers.clear()
    lay(context, reply(*pdus, *raw))
    response = get(plugin)
    assert response.status in (200, 204)
    assert isinstance(response.body, TextBody)
    if response.status == 200:
        for each in strict.parse(response.body.content, unique=False):
            assert list(each) == MEMBERS
            assert (each["sender"], each["receiver"]) == (S_PUB, R_PUB)
            assert isinstance(each["data"], dict)
            assert each["model_object"] not in ("", "drop")
    assert get(plugin).status == 204
