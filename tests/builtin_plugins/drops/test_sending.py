"""``POST /drop``: what is judged in which order, and what drop servers answer."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builtin_plugins.drops import Drops
from builtin_plugins.drops.sealing import Opener, Recipient
from plugin_sdk import HttpReply, Response, StageboxError, TextBody, UpstreamFailed, hookimpl
from plugin_sdk.testing import FakeContext, HttpRequest, request

from .conftest import R_PRIV, R_PUB, S_PRIV, S_PUB

OTHER = "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"
ONE, TWO, THREE = (f"http://box.example/{letter * 43}" for letter in "abc")
GOOD = {"model_object": "chat", "data": {"text": "hi"}, "time_stamp": 1443484800000}
DOCUMENT = {
    "identities": [
        {"alias": "me", "keys": {"private_key": S_PRIV.hex()}},
        {"alias": "gone", "keys": {"private_key": "11" * 32}, "deleted": 5},
    ],
    "contacts": [
        {"alias": "r", "public_key": R_PUB, "my_identity": S_PUB, "drop_urls": [ONE, TWO]},
        {"alias": "o", "public_key": OTHER, "my_identity": S_PUB, "drop_urls": [THREE]},
        {"alias": "mute", "public_key": S_PUB, "my_identity": S_PUB},
        {
            "alias": "gone",
            "public_key": "09" + "00" * 31,
            "my_identity": S_PUB,
            "drop_urls": [ONE],
            "deleted": 1,
        },
    ],
}


@pytest.fixture
def document() -> Any:
    return DOCUMENT


def answer(context: FakeContext, url: str, *statuses: int) -> None:
    for status in statuses:
        context.http.answer("POST", url, HttpReply(status, {}, b""))


def send(plugin: Drops, recipients: Any, sender: Any = 1, message: Any = GOOD) -> Response:
    body = {"recipients": recipients, "sender": sender, "drop_message": message}
    return plugin.post_drop(request("POST", "/drop", body=body))


def shown(response: Response) -> Any:
    assert isinstance(response.body, TextBody)
    return json.loads(response.body.content)


def test_what_goes_out(context: FakeContext, plugin: Drops) -> None:
    answer(context, ONE, 200)
    response = send(plugin, [1])
    assert response.status == 201
    assert shown(response) == {"results": [{"recipient": 1, "status": "sent", "drop_url": ONE}]}
    (sent,) = context.http.requests
    assert sent.headers["content-type"] == "application/octet-stream"
    assert sent.headers["authorization"] == "Client Qabel"
    opened = Opener([Recipient.of(R_PRIV, None)]).open_pdu(sent.content)
    assert opened is not None
    assert opened.sender.hex() == S_PUB
    assert opened.text.decode() == (
        '{"version":1,"time_stamp":1443484800000,"sender":"' + S_PUB + '","acknowledge_id":"0",'
        '"drop_payload":"{\\"text\\":\\"hi\\"}","drop_payload_type":"chat"}'
    )
    (event,) = context.events.emitted
    data = {"receiver": R_PUB, "sender": S_PUB, "model_object": "chat"}
    assert (event.name, event.data) == ("drops.sent", data)


@pytest.mark.parametrize("recipients", [[1], ["1"], [R_PUB], [R_PUB.upper(), 1, "1"]])
@pytest.mark.parametrize("sender", [1, "1", S_PUB, S_PUB.upper()])
def test_three_forms_of_an_id(
    context: FakeContext, plugin: Drops, recipients: Any, sender: Any
) -> None:
    answer(context, ONE, 200)
    assert len(shown(send(plugin, recipients, sender))["results"]) == 1


def test_any_name_of_a_module(context: FakeContext, plugin: Drops) -> None:
    answer(context, ONE, 200)
    message = json.dumps({**GOOD, "model_object": "a\0b"})
    assert send(plugin, [1], 1, message).status == 201
    (event,) = context.events.emitted
    assert event.data["model_object"] == "a\N{REPLACEMENT CHARACTER}b"


def test_form_and_query(context: FakeContext, plugin: Drops) -> None:
    answer(context, ONE, 200)
    fields = {"recipients": "[1]", "sender": "1", "drop_message": json.dumps(GOOD)}
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    form = request("POST", "/drop", raw=urlencode(fields).encode(), headers=headers)
    assert plugin.post_drop(form).status == 201
    assert plugin.post_drop(request("POST", "/drop", query=fields)).status == 201


def test_the_next_box_is_tried(context: FakeContext, plugin: Drops) -> None:
    answer(context, ONE, 500)
    answer(context, TWO, 200)
    answer(context, THREE, 200)
    results = shown(send(plugin, [2, 1]))["results"]
    assert [(each["recipient"], each["drop_url"]) for each in results] == [(2, THREE), (1, TWO)]


def test_what_was_not_delivered_is_told(context: FakeContext, plugin: Drops) -> None:
    answer(context, ONE, 301)
    context.http.answer("POST", TWO, UpstreamFailed("box.example is away."))
    answer(context, THREE, 200)
    response = send(plugin, [1, 2])
    assert response.status == 502
    body = shown(response)
    assert body["error"] == "DROP_NOT_DELIVERED"
    assert body["results"] == [
        {"recipient": 1, "status": "failed", "error": "box.example is away."},
        {"recipient": 2, "status": "sent", "drop_url": THREE},
    ]


def test_a_server_that_finds_it_too_large(context: FakeContext, plugin: Drops) -> None:
    answer(context, ONE, 413)
    answer(context, TWO, 404)
    response = send(plugin, [1])
    assert (response.status, shown(response)["error"]) == (413, "DROP_MESSAGE_TOO_LARGE")


def test_a_connection_that_was_closed_is_opened_again(context: FakeContext, plugin: Drops) -> None:
    context.http.answer("POST", ONE, UpstreamFailed("broke off"))
    answer(context, ONE, 200)
    assert send(plugin, [1]).status == 201
    first, second = (each.content for each in context.http.requests)
    assert first != second


@pytest.mark.parametrize(
    ("recipients", "sender", "message", "status", "code"),
    [
        (None, None, None, 400, "INVALID_RECIPIENTS"),
        ([], 1, GOOD, 400, "INVALID_RECIPIENTS"),
        ("[1]", 1, GOOD, 400, "INVALID_RECIPIENTS"),
        ([True], 1, GOOD, 400, "INVALID_RECIPIENTS"),
        ([1.5], 1, GOOD, 400, "INVALID_RECIPIENTS"),
        ([1, "x"], 9, GOOD, 400, "INVALID_RECIPIENTS"),
        ([2**31], 1, GOOD, 400, "INVALID_RECIPIENTS"),
        (["2147483648"], 1, GOOD, 400, "INVALID_RECIPIENTS"),
        ([2**31 - 1], 1, GOOD, 404, "RECIPIENTS_NOT_FOUND"),
        (["2147483647"], 1, GOOD, 404, "RECIPIENTS_NOT_FOUND"),
        ([99], None, GOOD, 400, "INVALID_SENDER"),
        ([99], [1], GOOD, 400, "INVALID_SENDER"),
        ([99], 9, {}, 400, "INVALID_SENDER"),
        ([99], 2, GOOD, 400, "INVALID_SENDER"),
        ([99], 9, "{", 400, "INVALID_DROP_MESSAGE"),
        ([99], 9, [], 400, "INVALID_DROP_MESSAGE"),
        ([99], 1, {}, 400, "INVALID_DROP_MESSAGE"),
        ([99], 1, {**GOOD, "model_object": "drop"}, 400, "INVALID_DROP_MESSAGE"),
        ([99], 1, {**GOOD, "model_object": ""}, 400, "INVALID_DROP_MESSAGE"),
        ([99], 1, {**GOOD, "data": []}, 400, "INVALID_DROP_MESSAGE"),
        ([99], 1, {**GOOD, "version": True}, 400, "INVALID_DROP_MESSAGE"),
        ([99], 1, {**GOOD, "version": 2}, 400, "INVALID_DROP_MESSAGE"),
        ([99], 1, {**GOOD, "time_stamp": -1}, 400, "INVALID_DROP_MESSAGE"),
        ([99], 1, {**GOOD, "time_stamp": 1.0}, 400, "INVALID_DROP_MESSAGE"),
        ([99], 1, {**GOOD, "acknowledge_id": 0}, 400, "INVALID_DROP_MESSAGE"),
        ([99], 1, {**GOOD, "sender": R_PUB}, 400, "INVALID_DROP_MESSAGE"),
        ([99], 1, {**GOOD, "extra": 1}, 400, "INVALID_DROP_MESSAGE"),
        ([1, 99], 1, GOOD, 404, "RECIPIENTS_NOT_FOUND"),
        ([4], 1, GOOD, 404, "RECIPIENTS_NOT_FOUND"),
        ([1], 1, {**GOOD, "receiver": OTHER}, 400, "INVALID_DROP_MESSAGE"),
        ([1, 2], 1, {**GOOD, "receiver": R_PUB}, 400, "INVALID_DROP_MESSAGE"),
        ([1, 99], 1, {**GOOD, "receiver": OTHER}, 400, "INVALID_DROP_MESSAGE"),
        ([R_PUB, 99], 1, {**GOOD, "receiver": R_PUB}, 400, "INVALID_DROP_MESSAGE"),
        (["ab" * 32], 1, {**GOOD, "receiver": R_PUB}, 400, "INVALID_DROP_MESSAGE"),
        ([99], 1, {**GOOD, "receiver": R_PUB}, 404, "RECIPIENTS_NOT_FOUND"),
        ([1, 3], 1, {**GOOD, "data": {"x": "y" * 3000}}, 400, "NO_DROP_URL"),
        ([1], 1, {**GOOD, "data": {"x": "y" * 3000}}, 413, "DROP_MESSAGE_TOO_LARGE"),
    ],
)
def test_what_is_refused_in_which_order(
    context: FakeContext,
    plugin: Drops,
    recipients: Any,
    sender: Any,
    message: Any,
    status: int,
    code: str,
) -> None:
    with pytest.raises(StageboxError) as refused:
        send(plugin, recipients, sender, message)
    assert (refused.value.status, refused.value.code) == (status, code)
    assert context.http.requests == []


def test_the_largest_message(context: FakeContext, plugin: Drops) -> None:
    answer(context, ONE, 200)
    empty = len(_wire(plugin, {"x": ""}))
    assert send(plugin, [1], 1, {**GOOD, "data": {"x": "y" * (2048 - empty)}}).status == 201
    with pytest.raises(StageboxError) as refused:
        send(plugin, [1], 1, {**GOOD, "data": {"x": "y" * (2049 - empty)}})
    assert refused.value.status == 413
    with pytest.raises(StageboxError):  # a quotation mark is escaped twice
        send(plugin, [1], 1, {**GOOD, "data": {"x": '"' * (2048 - empty)}})


def _wire(plugin: Drops, data: dict[str, Any]) -> bytes:
    from builtin_plugins.drops.wire import Message, wire_text

    return wire_text(Message(1443484800000, S_PUB, "chat", data))


class Listener:
    """Another plugin that answers the hooks."""

    def __init__(self, refuse: str = "") -> None:
        self.refuse = refuse
        self.told: list[Any] = []

    @hookimpl
    def drops_sent(self, message: Any, results: Any) -> None:
        self.told.append((message["data"], results[0]["status"]))

    @hookimpl
    def drops_settings_changed(self, kind: str, path: str) -> None:
        self.told.append((kind, path))

    @hookimpl
    def drops_check_module_data(self, module: str, value: Any) -> str | None:
        return f"{module} may not" if self.refuse == module else None


def test_hooks(context: FakeContext, plugin: Drops) -> None:
    listener = Listener("bad")
    context.hooks.register("example.listener", listener)
    answer(context, ONE, 200)
    send(plugin, [1])

    def put(key: str) -> None:
        body = {"key": key, "value": {}}
        plugin.put_settings(request("PUT", "/settings", body=body))

    put("module_data.good")
    with pytest.raises(StageboxError) as refused:
        put("module_data.bad")
    assert refused.value.code == "INVALID_VALUE"
    assert "bad may not" in refused.value.message
    assert listener.told == [({"text": "hi"}, "sent"), ("settings", "module_data.good")]
    assert "bad" not in plugin._documents.read("settings")[0]["module_data"]


def test_diagnostics_hold_no_keys(context: FakeContext, plugin: Drops) -> None:
    assert plugin.diagnostics() == {
        "identities": 1,
        "contacts": 3,
        "boxes": 0,
        "messages": 0,
        "new": 0,
    }
    directory = plugin._directories.present()
    assert S_PRIV.hex() not in repr(directory.identities)
    assert repr(S_PRIV) not in repr(directory.identities)


def test_a_recipient_named_twice_gets_it_once(context: FakeContext, plugin: Drops) -> None:
    seen: list[str] = []

    def note(sent: HttpRequest) -> HttpReply:
        seen.append(sent.url)
        return HttpReply(200, {}, b"")

    for url in (ONE, THREE):
        context.http.answer("POST", url, note)
    assert send(plugin, [1, 2, 1]).status == 201
    assert sorted(seen) == [ONE, THREE]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**64), 2**64) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
IDS = st.sampled_from([1, 2, 99, "1", R_PUB, OTHER, S_PUB]) | JSON
MESSAGES = st.fixed_dictionaries(
    {"model_object": st.just("chat") | JSON, "data": st.dictionaries(st.text(), JSON) | JSON},
    optional={
        "version": st.just(1) | JSON,
        "time_stamp": st.integers(0, 2**63) | JSON,
        "acknowledge_id": st.text() | JSON,
        "sender": st.just(S_PUB) | JSON,
        "receiver": st.just(R_PUB) | JSON,
        "x": JSON,
    },
)


@settings(max_examples=60)
@given(
    recipients=st.lists(IDS, max_size=3) | JSON,
    sender=IDS,
    message=MESSAGES | JSON,
    raw=st.binary(),
)
def test_any_request(
    context: FakeContext, plugin: Drops, recipients: Any, sender: Any, message: Any, raw: bytes
) -> None:
    context.http._answers.clear()
    for url in (ONE, TWO, THREE):
        context.http.answer("POST", url, HttpReply(200, {}, b""))
    body = {"recipients": recipients, "sender": sender, "drop_message": message}
    for content in (json.dumps(body).encode(), raw):
        assert status_of(plugin, content) in (201, 400, 404, 413)


def status_of(plugin: Drops, content: bytes) -> int:
    try:
        return plugin.post_drop(request("POST", "/drop", raw=content)).status
    except StageboxError as error:
        return error.status
