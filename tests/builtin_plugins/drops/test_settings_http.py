"""``/settings`` and ``/synced`` as clients meet them."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host.testing import TestHost

FRESH = {"poll_interval": 1000, "drop_last_update": "", "module_data": {}}
EMPTY = {
    "accounts": [],
    "contacts": [],
    "identities": [],
    "drop_servers": [],
    "storage_servers": [],
    "storage_volumes": [],
    "module_data": {},
}
SERVER = {"url": "http://localhost:5000"}
S_PRIV = bytes(range(0x01, 0x21)).hex()
S_PUB = "07a37cbc142093c8b755dc1b10e86cb426374ad16aa853ed0bdfc0b2b86d1c7c"
R_PUB = "5869aff450549732cbaaed5e5df9b30a6da31cb0e5742bad5ad4a1a768f1a67b"
BOX = "http://localhost:5000/1234567890123456789012345678901234567890123"
ALICE = {"alias": "Alice", "keys": {"private_key": S_PRIV.upper()}, "drops": [BOX]}
BOB = {"alias": "Bob", "public_key": R_PUB, "my_identity": S_PUB}


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


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


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


def synced(client, **sections: Any) -> dict[str, Any]:
    answer = client.post("/synced", sections)
    assert answer.status == 200, answer.content
    return client.get("/synced")


def test_items_are_completed(client):
    found = synced(client, identities=[ALICE], contacts=[BOB], drop_servers=[{"uri": "http://a.b"}])
    alice = found["identities"][0]
    assert list(alice) == ["id", "created", "updated", "deleted", "alias", "keys", "drops"]
    assert alice["id"] == 1
    assert alice["created"] > 1_700_000_000
    assert (alice["updated"], alice["deleted"]) == (0, 0)
    assert alice["keys"] == {"private_key": S_PRIV, "public_key": S_PUB}
    bob = found["contacts"][0]
    assert bob["keys"] == {"public_key": R_PUB}
    assert (bob["drop_urls"], bob["module_data"]) == ([], {})
    assert "email" not in bob
    server = found["drop_servers"][0]
    assert (server["url"], server["auth"], server["active"]) == ("http://a.b", "", True)
    assert client.post("/synced", found).status == 200
    assert client.get("/synced") == found


def test_ids_follow_the_largest(client):
    servers = [{**SERVER, "id": 7}, SERVER, {**SERVER, "id": 3}, SERVER]
    found = synced(client, drop_servers=servers)["drop_servers"]
    assert [each["id"] for each in found] == [7, 8, 3, 9]
    too_many = [{**SERVER, "id": 2**31 - 1}, SERVER]
    answer = client.post("/synced", {"drop_servers": too_many})
    assert client.fails(answer, 400, "INVALID_SETTINGS") == ["drop_servers.1.id"]


@pytest.mark.parametrize(
    ("document", "paths"),
    [
        ({"accounts": {}}, ["accounts"]),
        ({"accounts": [1]}, ["accounts.0"]),
        ({"accounts": [{"id": 1}, {"id": 1}]}, ["accounts.1.id"]),
        ({"accounts": [{"id": -1}]}, ["accounts.0.id"]),
        ({"accounts": [{"id": True}]}, ["accounts.0.id"]),
        ({"accounts": [{"extra": 1}]}, ["accounts.0.extra"]),
        ({"drop_servers": [{}]}, ["drop_servers.0.url"]),
        ({"drop_servers": [{"url": "ftp://a"}]}, ["drop_servers.0.url"]),
        ({"drop_servers": [{"url": "http://a", "uri": "http://b"}]}, ["drop_servers.0.uri"]),
        ({"drop_servers": [{**SERVER, "active": 1}]}, ["drop_servers.0.active"]),
        ({"identities": [{**ALICE, "alias": ""}]}, ["identities.0.alias"]),
        ({"identities": [{**ALICE, "drops": [BOX, BOX + "x"]}]}, ["identities.0.drops.1"]),
        ({"identities": [{**ALICE, "email": None}]}, ["identities.0.email"]),
        (
            {"identities": [{**ALICE, "keys": {"private_key": S_PRIV, "public_key": R_PUB}}]},
            ["identities.0.keys.public_key"],
        ),
        ({"identities": [ALICE, ALICE]}, ["identities.1.keys"]),
        ({"contacts": [BOB]}, ["contacts.0.my_identity"]),
        ({"identities": [ALICE], "contacts": [BOB, BOB]}, ["contacts.1.keys.public_key"]),
        (
            {"identities": [ALICE], "contacts": [{**BOB, "public_key": "00" * 32}]},
            ["contacts.0.keys.public_key"],
        ),
        (
            {"identities": [ALICE], "contacts": [{**BOB, "keys": {"public_key": R_PUB}}]},
            ["contacts.0.public_key"],
        ),
        (
            {"storage_volumes": [{"storage_server_id": 1, "public_identifier": "p"}]},
            ["storage_volumes.0.storage_server_id"],
        ),
        ({"module_data": {"a": []}}, ["module_data.a"]),
    ],
)
def test_documents_that_do_not_fit(client, document, paths):
    before = synced(client, drop_servers=[SERVER])
    answer = client.post("/synced", document)
    assert client.fails(answer, 400, "INVALID_SETTINGS") == paths
    assert client.get("/synced") == before


def test_tombstones_do_not_count_as_doubles(client):
    found = synced(client, identities=[{**ALICE, "deleted": 5}, ALICE], contacts=[BOB])
    assert [each["deleted"] for each in found["identities"]] == [5, 0]


def test_puts_into_items(client):
    before = synced(client, drop_servers=[{**SERVER, "id": 7, "created": 1}], identities=[ALICE])

    def put(key: str, value: Any) -> int:
        return client.put("/synced", key, value).status

    assert put("drop_servers.0.active", False) == 200
    assert put("drop_servers.0.active", "no") == 400
    assert put("drop_servers.@7.auth", "x") == 200
    after = client.get("/synced")["drop_servers"][0]
    assert (after["active"], after["auth"], after["created"]) == (False, "x", 1)
    assert after["updated"] > 1_700_000_000
    assert put("drop_servers.0.updated", 5) == 200
    assert put("drop_servers.0.auth", "x") == 200  # nothing changed
    assert client.get("/synced")["drop_servers"][0]["updated"] == 5
    assert put("drop_servers.0", {"url": "http://a.b"}) == 200
    replaced = client.get("/synced")["drop_servers"][0]
    assert (replaced["id"], replaced["created"], replaced["active"]) == (7, 1, True)
    assert replaced["updated"] > 5
    assert put("identities.0.email", "a@b") == 200
    assert put("identities.0.drops.0", BOX[:-1] + "x") == 200
    for wrong in (
        "drop_servers.5.active",
        "drop_servers.@1.auth",
        "drop_servers.00.auth",
        "drop_servers.0.uri",
        "keys",
        "identities.0.nope",
        "identities.0.drops.1",
        "identities.0.drops.@1",
        "identities.0.alias.x",
        "contacts.0.public_key",
    ):
        assert put(wrong, 1) == 405, wrong
    assert client.get("/synced")["identities"][0]["created"] == before["identities"][0]["created"]


def test_whole_sections(client):
    synced(client, drop_servers=[{**SERVER, "id": 7, "created": 1}, {**SERVER, "id": 8}])
    value = [{"id": 7, "url": SERVER["url"]}, {"id": 8, "url": "http://a.b"}, {"url": "http://c.d"}]
    assert client.put("/synced", "drop_servers", value).status == 200
    first, second, third = client.get("/synced")["drop_servers"]
    assert (first["created"], first["updated"]) == (1, 0)
    assert second["updated"] > 0
    assert (third["id"], third["updated"]) == (9, 0)


def test_another_private_key(client):
    synced(client, identities=[ALICE])
    other = "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"
    assert client.put("/synced", "identities.0.keys.private_key", other).status == 200
    public = "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"
    assert client.get("/synced")["identities"][0]["keys"]["public_key"] == public
    synced(client, identities=[ALICE], contacts=[BOB])
    answer = client.put("/synced", "identities.0.keys.private_key", other)
    assert client.fails(answer, 400, "INVALID_VALUE") == ["contacts.0.my_identity"]
    assert client.put("/synced", "identities", []).status == 400


def test_what_is_replaced_stays_in_the_history(client):
    history = client.host.plugin("drops")._documents.history
    synced(client, identities=[ALICE])
    assert client.post("/synced", {}).status == 200
    newest = history.entries("synced")[0]["id"]
    assert history.get("synced", newest)["identities"][0]["alias"] == "Alice"
    lost = history.get("identity", history.entries("identity")[0]["id"])
    assert lost["keys"]["private_key"] == S_PRIV
    for number in range(105):
        history.keep("settings", json.dumps({"n": number}))
    assert len(history.entries("settings")) == 100


def test_parallel_puts_lose_nothing(tmp_path, client_of):
    keys = [f"module_data.m{number}.value" for number in range(20)]
    with TestHost(tmp_path / "data") as host, ThreadPoolExecutor(20) as pool:
        client = client_of(host)
        answers = list(pool.map(lambda key: client.put("/settings", key, key), keys))
        assert {each.status for each in answers} == {200}
        assert client.get("/settings")["module_data"] == {
            key.split(".")[1]: {"value": key} for key in keys
        }


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    [
        *EMPTY,
        *FRESH,
        "id",
        "url",
        "uri",
        "keys",
        "public_key",
        "private_key",
        "my_identity",
        "alias",
        "drops",
        "drop_urls",
    ]
)
DOCUMENTS = st.dictionaries(
    NAMES | st.text(max_size=3),
    JSON | st.lists(st.dictionaries(NAMES, JSON | st.just(S_PUB) | st.just(BOX)), max_size=3),
    max_size=5,
)
SEGMENTS = NAMES | st.sampled_from(["0", "1", "@1", "-1", "chat", "a\\.b"]) | st.text(max_size=3)


@pytest.mark.parametrize("path", ["/settings", "/synced"])
@settings(max_examples=150)
@given(document=DOCUMENTS | JSON)
def test_any_document_is_taken_whole_or_not_at_all(client, path, document):
    before = client.get(path)
    content = json.dumps(document).encode()
    status = client.host.post(path, content=content).status
    assert status in (200, 400, 405)
    after = client.get(path)
    if status != 200:
        assert after == before
    else:
        assert client.post(path, after).status == 200
        assert client.get(path) == after


@pytest.mark.parametrize("path", ["/settings", "/synced"])
@settings(max_examples=150)
@given(segments=st.lists(SEGMENTS, min_size=1, max_size=4), value=JSON)
def test_any_put_is_taken_or_leaves_nothing(client, path, segments, value):
    assert client.post("/synced", {"identities": [ALICE], "contacts": [BOB]}).status == 200
    before = client.get(path)
    content = json.dumps({"key": ".".join(segments), "value": value}).encode()
    status = client.host.put(path, content=content).status
    assert status in (200, 400, 405)
    after = client.get(path)
    assert status == 200 or after == before
    assert client.post(path, after).status == 200
