"""``/synced``: items, whole documents, cross rules, and the history."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .conftest import ALICE, BOB, BOX, R_PUB, S_PRIV, S_PUB

SERVER = {"url": "http://localhost:5000"}


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
    assert alice["keys"] == {"private_key": S_PRIV.hex(), "public_key": S_PUB}
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
            {"identities": [{**ALICE, "keys": {"private_key": S_PRIV.hex(), "public_key": R_PUB}}]},
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
    assert lost["keys"]["private_key"] == S_PRIV.hex()
    for number in range(105):
        history.keep("settings", json.dumps({"n": number}))
    assert len(history.entries("settings")) == 100
