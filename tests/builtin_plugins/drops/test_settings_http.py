"""``/settings``, and how parameters arrive at both documents."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from .conftest import EMPTY, FRESH

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def test_fresh_documents(client):
    assert client.post("/settings", {}).status == 200
    assert list(client.get("/settings").items()) == list(FRESH.items())
    assert list(client.get("/synced").items()) == list(EMPTY.items())


def test_head_and_unknown_paths(client):
    for path in ("/settings", "/synced"):
        get, head = client.host.get(path), client.host.head(path)
        assert head.status == 200
        assert head.content == b""
        assert head.headers["content-length"] == get.headers["content-length"]
        client.fails(client.host.get(path + "/"), 404, "NOT_FOUND")
        client.fails(client.host.get(path + "/x"), 404, "NOT_FOUND")
        answer = client.host.delete(path)
        client.fails(answer, 405, "METHOD_NOT_ALLOWED")
        assert answer.headers["allow"] == "GET, HEAD, PUT, POST, OPTIONS"


@pytest.mark.parametrize(
    ("key", "value", "status"),
    [
        ("poll_interval", 250, 200),
        ("poll_interval", 2**63 - 1, 200),
        ("poll_interval", 2**63, 400),
        ("poll_interval", "abc", 400),
        ("poll_interval", "5", 400),
        ("poll_interval", -1, 400),
        ("poll_interval", True, 400),
        ("poll_interval", 1.5, 400),
        ("poll_interval", None, 400),
        ("drop_last_update", "now", 200),
        ("drop_last_update", 5, 400),
        ("module_data.chat.ui.color", "red", 200),
        ("module_data.chat.x", None, 200),
        ("module_data.chat", "x", 400),
        ("module_data.chat", None, 400),
        ("module_data", {"a": {}}, 200),
        ("module_data", {"a": 1}, 400),
        ("poll_interval.x", 1, 405),
        ("nope", "not", 405),
        ("foo.bar.baz", None, 405),
        ("", 1, 405),
        (".a", 1, 405),
        ("module_data..a", 1, 405),
        ("module_data.", 1, 405),
        (5, 1, 405),
        (None, 1, 405),
        ("module_data." + ".".join("a" * 63), 1, 200),
        ("module_data." + ".".join("a" * 64), 1, 405),
    ],
)
def test_put_of_local_settings(client, key, value, status):
    before = client.get("/settings")
    answer = client.put("/settings", key, value)
    code = {400: ("INVALID_VALUE", "INVALID_REQUEST"), 405: ("INVALID_KEY",)}.get(status)
    assert answer.status == status, answer.content
    if status == 200:
        assert (answer.content, answer.headers["content-length"]) == (b"", "0")
    else:
        assert answer.json()["error"] in code
        assert client.get("/settings") == before


def test_free_data_is_walked(client):
    def put(key: str, value: Any) -> int:
        return client.put("/settings", key, value).status

    assert put("module_data.chat", {"list": [1, {"a": "b"}], "text": "x", "none": None}) == 200
    assert put("module_data.chat.list.0", [True]) == 200
    assert put("module_data.chat.list.1.a", 2) == 200
    for wrong in ("list.2", "list.-1", "list.00", "list.x", "text.a", "none.a", "list.1.a.b"):
        assert put(f"module_data.chat.{wrong}", 1) == 405
    assert put(r"module_data.de\.qabel\.chat", {}) == 200
    assert put(r"module_data.a\\b\c", {}) == 200
    assert client.get("/settings")["module_data"] == {
        "chat": {"list": [[True], {"a": 2}], "text": "x", "none": None},
        "de.qabel.chat": {},
        "a\\b\\c": {},
    }


def test_a_missing_value(client):
    client.fails(client.host.put("/settings", json={"key": "poll_interval"}), 400, "INVALID_VALUE")
    client.fails(client.host.put("/settings", json={"key": "nope"}), 405, "INVALID_KEY")
    client.fails(client.host.put("/settings"), 405, "INVALID_KEY")


@pytest.mark.parametrize(
    ("key", "text", "stored"),
    [
        ("poll_interval", "250", 250),
        ("poll_interval", "1.5", None),
        ("poll_interval", "", None),
        ("poll_interval", "0x1", None),
        ("drop_last_update", "250", "250"),
        ("module_data", '{"a": {"b": 1}}', {"a": {"b": 1}}),
        ("module_data", "{", None),
        ("module_data.a", "text", None),
        ("module_data.a.b", "text", "text"),
        ("module_data.a.b", "true", True),
        ("module_data.a.b", '{"a":1,"a":2}', '{"a":1,"a":2}'),
        ("module_data.a.b", "ü", "ü"),
    ],
)
@pytest.mark.parametrize("way", ["form", "query", "multipart"])
def test_untyped_values_take_the_type_of_their_target(client, way, key, text, stored):
    fields = {"key": key, "value": text}
    if way == "form":
        answer = client.host.put("/settings", content=urlencode(fields).encode(), headers=FORM)
    elif way == "query":
        answer = client.host.put("/settings?" + urlencode(fields))
    else:
        lines = [
            f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in fields.items()
        ]
        headers = {"Content-Type": 'multipart/form-data; boundary="b"'}
        content = ("".join(lines) + "--b--\r\n").encode()
        answer = client.host.put("/settings", content=content, headers=headers)
    if stored is None:
        client.fails(answer, 400, "INVALID_VALUE")
        return
    assert answer.status == 200, answer.content
    found = client.get("/settings")
    for name in key.split("."):
        found = found[name]
    assert (found, type(found)) == (stored, type(stored))


def test_the_body_wins_over_the_query(client):
    answer = client.host.put(
        "/settings?key=nope&value=7", json={"key": "poll_interval", "other": [1]}
    )
    assert answer.status == 200
    assert client.get("/settings")["poll_interval"] == 7


@pytest.mark.parametrize(
    ("content", "headers", "status", "code"),
    [
        (b"{", {}, 400, "INVALID_REQUEST"),
        (b"[]", {}, 400, "INVALID_REQUEST"),
        (b"\xff", {}, 400, "INVALID_REQUEST"),
        (b'{"key":"poll_interval","key":"x","value":1}', {}, 400, "INVALID_REQUEST"),
        (b'{"key":"poll_interval","value":NaN}', {}, 400, "INVALID_REQUEST"),
        (b'{"key":"x","value":' + b"[" * 100_000, {}, 400, "INVALID_REQUEST"),
        (b"key=poll_interval&key=x", FORM, 400, "INVALID_REQUEST"),
        (b"key=poll_interval&value=%ff", FORM, 400, "INVALID_REQUEST"),
        (b"x", {"Content-Type": "text/plain"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        (b"x", {"Content-Type": "multipart/form-data"}, 400, "INVALID_REQUEST"),
        (b"x", {"Content-Type": "multipart/form-data; boundary=b"}, 400, "INVALID_REQUEST"),
        (b" " * (1024 * 1024 + 1), {}, 413, "PAYLOAD_TOO_LARGE"),
    ],
)
def test_bodies_that_cannot_be_read(client, content, headers, status, code):
    answer = client.host.put("/settings", content=content, headers=headers)
    assert (answer.status, answer.json()["error"]) == (status, code)


@pytest.mark.parametrize("value", ["9" * 5000, "9223372036854775808", "-1e999", r'["\ud800"]'])
@pytest.mark.parametrize(
    ("key", "status", "code"),
    [
        ("poll_interval", 400, "INVALID_VALUE"),
        ("module_data.a.b", 400, "INVALID_VALUE"),
        ("nope", 405, "INVALID_KEY"),
        (r"module_data.\ud800.b", 405, "INVALID_KEY"),
    ],
)
def test_the_key_is_judged_before_a_value_that_cannot_be_kept(client, key, value, status, code):
    content = f'{{"key": "{key}", "value": {value}}}'.encode()
    client.fails(client.host.put("/settings", content=content), status, code)


@pytest.mark.parametrize("query", ["settings={}&settings={}", "sender=1&sender=1"])
def test_a_name_is_sent_once_whatever_else_is_sent(client, query):
    client.fails(client.host.post(f"/settings?{query}", json={}), 400, "INVALID_REQUEST")


@pytest.mark.parametrize(
    "type_", [None, "application/json", "application/vnd.x+json; charset=utf-8"]
)
def test_json_by_any_name(client, type_):
    headers = {} if type_ is None else {"Content-Type": type_}
    content = b'{"key":"poll_interval","value":1}'
    assert client.host.put("/settings", content=content, headers=headers).status == 200


def test_every_way_to_post_is_equal(client):
    wanted = {"poll_interval": 5, "drop_last_update": "x", "module_data": {"a": {"ü": [1]}}}
    text = json.dumps(wanted)
    ways = [
        lambda: client.post("/settings", wanted),
        lambda: client.post("/settings", {"settings": wanted}),
        lambda: client.post("/settings", {"settings": text}),
        lambda: client.host.post("/settings?settings=" + quote(text)),
        lambda: client.host.post(
            "/settings", content=urlencode({"settings": text}).encode(), headers=FORM
        ),
    ]
    for way in ways:
        assert client.post("/settings", {}).status == 200
        answer = way()
        assert (answer.status, answer.content) == (200, b"")
        assert client.get("/settings") == wanted


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"", 405, "INVALID_JSON"),
        (b" ", 405, "INVALID_JSON"),
        (b"{", 405, "INVALID_JSON"),
        (b"\xff", 405, "INVALID_JSON"),
        (b"[" * 65 + b"]" * 65, 405, "INVALID_JSON"),
        (b"[" * 100_000, 405, "INVALID_JSON"),
        (b'{"settings": ""}', 405, "INVALID_JSON"),
        (b'{"settings": "{"}', 405, "INVALID_JSON"),
        (b"[]", 400, "INVALID_SETTINGS"),
        (b"5", 400, "INVALID_SETTINGS"),
        (b"null", 400, "INVALID_SETTINGS"),
        (b'{"settings": null}', 400, "INVALID_SETTINGS"),
        (b'{"settings": "5"}', 400, "INVALID_SETTINGS"),
        (b'{"nope": 1}', 400, "INVALID_SETTINGS"),
        (b'{"poll_interval": true}', 400, "INVALID_SETTINGS"),
        (b'{"poll_interval": 1, "poll_interval": 2}', 400, "INVALID_SETTINGS"),
        (b'{"module_data": {"a": {"b": 1e999}}}', 400, "INVALID_SETTINGS"),
        (b'{"module_data": {"a": {"b": 9223372036854775808}}}', 400, "INVALID_SETTINGS"),
    ],
)
def test_posts_that_are_refused(client, content, status, code):
    before = client.get("/settings")
    answer = client.host.post("/settings", content=content)
    client.fails(answer, status, code)
    assert client.get("/settings") == before


def test_parallel_puts_lose_nothing(client):
    keys = [f"module_data.m{number}.value" for number in range(20)]
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda key: client.put("/settings", key, key), keys))
    assert {each.status for each in answers} == {200}
    assert client.get("/settings")["module_data"] == {
        key.split(".")[1]: {"value": key} for key in keys
    }
