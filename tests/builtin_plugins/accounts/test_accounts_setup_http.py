"""First run: `/api/setup` (plugin contract, 4)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from builtin_plugins.accounts.permissions import CORE
from host.testing import TestHost
from plugin_sdk import Forbidden
from plugin_sdk.testing import request

JSON = {"Content-Type": "application/json"}
FIRST = {"name": "Admin", "pin": "1234", "recoveryPhrase": "my phrase"}


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """A host that is not set up, for tests that leave it so."""
    with TestHost(tmp_path_factory.mktemp("fresh")) as host:
        yield host


def test_a_fresh_host_is_not_configured(fresh):
    reply = fresh.get("/api/setup/status")
    assert (reply.status, reply.json()) == (200, {"configured": False, "profiles": 0})
    assert reply.headers["cache-control"] == "no-store"


def test_the_first_profile_is_an_administrator_with_every_permission(host):
    reply = host.post("/api/setup/init", json=FIRST)
    assert reply.status == 201
    assert reply.headers["location"] == "/api/profiles/1"
    profile = reply.json()
    assert profile == {
        "id": 1,
        "name": "Admin",
        "avatarId": None,
        "recoveryPhraseHint": "",
        "locked": False,
        "profileSettings": {},
        "createdAt": profile["createdAt"],
        "updatedAt": profile["createdAt"],
    }
    assert host.get("/api/setup/status").json() == {"configured": True, "profiles": 1}
    login = host.post("/api/auth/login", json={"profileName": "Admin", "pin": "1234"})
    token = login.json()["token"]
    (group,) = host.get("/api/admin/permission-groups", token=token).json()
    assert (group["name"], group["profileIds"]) == ("admin", [1])
    assert group["permissions"] == list(CORE)


def test_all_fields_are_taken(host):
    body = {**FIRST, "name": "  Ann ", "recoveryPhraseHint": "colour", "avatarId": 7}
    profile = host.post("/api/setup/init", json=body).json()
    assert (profile["name"], profile["avatarId"]) == ("Ann", 7)
    assert profile["recoveryPhraseHint"] == "colour"


def test_it_is_over_afterwards_whatever_is_sent(people):
    host = people.host
    for sent in (
        {"json": FIRST},
        {"json": {}},
        {"content": b"{", "headers": JSON},
        {"content": b"x", "headers": {"Content-Type": "text/plain"}},
        {},
    ):
        reply = host.post("/api/setup/init", **sent)
        assert (reply.status, reply.json()["error"]) == (403, "SETUP_COMPLETE")


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        ({"json": {}}, 400, "INVALID_REQUEST"),
        ({"json": []}, 400, "INVALID_REQUEST"),
        ({"content": b"{", "headers": JSON}, 400, "INVALID_REQUEST"),
        ({"content": b"\xff", "headers": JSON}, 400, "INVALID_REQUEST"),
        ({"content": b'{"name": NaN}', "headers": JSON}, 400, "INVALID_REQUEST"),
        ({"content": b'{"name": "\\u0000"}', "headers": JSON}, 400, "INVALID_REQUEST"),
        ({"content": b'{"name": "\\ud800"}', "headers": JSON}, 400, "INVALID_REQUEST"),
        ({"content": b'{"x": ' + b"[" * 32 + b"]" * 32 + b"}", "headers": JSON}, 400,
         "INVALID_REQUEST"),
        ({"content": b"name=x", "headers": {"Content-Type": "text/plain"}}, 415,
         "UNSUPPORTED_MEDIA_TYPE"),
        ({"content": b"{}"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        ({"content": b" " * (1024 * 1024 + 1), "headers": JSON}, 413, "PAYLOAD_TOO_LARGE"),
    ],
)  # fmt: skip
def test_what_is_refused_leaves_the_first_run_open(fresh, sent, status, code):
    reply = fresh.post("/api/setup/init", **sent)
    assert (reply.status, reply.json()["error"]) == (status, code)
    assert fresh.get("/api/setup/status").json()["configured"] is False


def test_every_problem_is_listed(host):
    reply = host.post("/api/setup/init", json={"name": " ", "pin": 1234, "avatarId": 1.0})
    paths = [each["path"] for each in reply.json()["details"]]
    assert paths == ["name", "pin", "recoveryPhrase", "avatarId"]
    assert host.post("/api/setup/init", json=FIRST).status == 201


def test_the_last_of_two_equal_keys_counts(host):
    content = b'{"name": "A", "pin": "1", "pin": "1234", "recoveryPhrase": "abcd", "x": 1}'
    assert host.post("/api/setup/init", content=content, headers=JSON).status == 201


def test_of_racing_calls_one_wins(host):
    def init(number):
        return host.post("/api/setup/init", json={**FIRST, "name": f"Admin {number}"})

    with ThreadPoolExecutor(6) as pool:
        replies = list(pool.map(init, range(6)))
    assert sorted(reply.status for reply in replies) == [201] + [403] * 5
    lost = {reply.json()["error"] for reply in replies if reply.status == 403}
    assert lost == {"SETUP_COMPLETE"}
    assert host.get("/api/setup/status").json() == {"configured": True, "profiles": 1}


def test_until_then_this_machine_administers_but_makes_no_profile_without_administrator(host):
    assert host.get("/api/admin/permission-groups").json() == []
    body = {"name": "Bob", "pin": "0000", "recoveryPhrase": "my phrase"}
    reply = host.post("/api/profiles", json=body)
    assert (reply.status, reply.json()["error"]) == (409, "LAST_ADMIN")
    reply = host.post("/api/admin/permission-groups", json={"name": "admin"})
    assert (reply.status, reply.json()["error"]) == (409, "LAST_ADMIN")
    assert host.get("/api/setup/status").json() == {"configured": False, "profiles": 0}
    assert host.post("/api/setup/init", json=FIRST).status == 201
    assert host.get("/api/admin/permission-groups").status == 401


def init_from(plugin, peer):
    return plugin.setup_init(request("POST", body=FIRST, headers=JSON, peer=peer))


def test_another_machine_may_not_do_it(plugin):
    with pytest.raises(Forbidden) as caught:
        init_from(plugin, "192.0.2.1")
    assert caught.value.code == "FORBIDDEN"
    assert plugin.setup_status(request()) == {"configured": False, "profiles": 0}


def test_another_machine_may_if_the_setting_says_so(context, plugin):
    context.settings.update({"remoteSetup": True})
    assert init_from(plugin, "192.0.2.1").status == 201
    with pytest.raises(Forbidden) as caught:
        init_from(plugin, "192.0.2.1")
    assert caught.value.code == "SETUP_COMPLETE"


def test_however_often_another_machine_asks_it_hears_why_not(context, plugin):
    """There is no secret to guess, and the setting counts at once."""
    for _ in range(12):
        with pytest.raises(Forbidden):
            init_from(plugin, "192.0.2.1")
    context.settings.update({"remoteSetup": True})
    assert init_from(plugin, "192.0.2.1").status == 201


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/api/setup/status", {"GET", "HEAD", "OPTIONS"}),
        ("/api/setup/init", {"POST", "OPTIONS"}),
        ("/api/auth/session", {"GET", "HEAD", "OPTIONS"}),
        ("/api/auth/recover", {"POST", "OPTIONS"}),
        ("/api/auth/login", {"POST", "OPTIONS"}),
        ("/api/auth/logout", {"POST", "OPTIONS"}),
        ("/api/profiles", {"GET", "HEAD", "POST", "OPTIONS"}),
        ("/api/profiles/1", {"GET", "HEAD", "PATCH", "DELETE", "OPTIONS"}),
        ("/api/admin/permission-groups", {"GET", "HEAD", "POST", "OPTIONS"}),
        ("/api/admin/permission-groups/1", {"PATCH", "DELETE", "OPTIONS"}),
    ],
)
def test_methods_of_each_path(fresh, path, methods):
    reply = fresh.options(path)
    assert (reply.status, reply.content) == (200, b"")
    assert {each.strip() for each in reply.headers["allow"].split(",")} == methods
    refused = fresh.put(path, json={})
    assert (refused.status, refused.json()["error"]) == (405, "METHOD_NOT_ALLOWED")
    assert fresh.get(path + "/").status == 404
    if "HEAD" in methods and path != "/api/auth/session":
        got, head = fresh.get(path), fresh.head(path)
        assert (head.status, head.content) == (got.status, b"")
        assert head.headers["content-length"] == str(len(got.content))
