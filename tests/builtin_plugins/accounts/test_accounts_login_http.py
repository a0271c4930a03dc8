"""Signing in and out, sessions (plugin contract, 2; the seed's examples as they stand)."""

from __future__ import annotations

import hashlib
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from builtin_plugins.accounts.permissions import CORE
from plugin_sdk.testing import request

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
HOUR = 60 * 60 * 1000


@pytest.fixture(scope="module")
def alice(shared):
    """Id and token of Alice, as in the seed."""
    return shared.add("Alice")


@pytest.fixture(scope="module")
def elodie(shared):
    return shared.add("Élodie")


def test_the_login_of_the_seed(shared, alice):
    body = {"profileName": "Alice", "pin": "1234"}
    reply = shared.host.post("/api/auth/login", json=body)
    assert reply.status == 200
    answer = reply.json()
    assert list(answer) == ["token", "expiresAt", "profile"]
    assert UUID.fullmatch(answer["token"])
    assert isinstance(answer["expiresAt"], int)
    assert answer["profile"] == shared.host.get(f"/api/profiles/{alice[0]}").json()
    assert answer["profile"]["name"] == "Alice"
    assert reply.headers["cache-control"] == "no-store"


def test_the_session_of_the_seed(shared, alice):
    profile_id, token = alice
    reply = shared.session(token)
    assert reply.status == 200
    answer = reply.json()
    profile = shared.host.get(f"/api/profiles/{profile_id}").json()
    session = answer["session"]
    assert answer == {"session": session, "profile": profile, "permissions": []}
    assert session == {
        "token": token,
        "profileId": profile_id,
        "profileName": "Alice",
        "createdAt": session["createdAt"],
        "expiresAt": session["createdAt"] + 24 * HOUR,
    }


def test_the_session_of_an_administrator_lists_what_the_groups_grant(shared):
    assert shared.session(shared.admin).json()["permissions"] == list(CORE)
    _, token = shared.add("Ann", "Hello:Wave", "admin", "aa:x")
    assert shared.session(token).json()["permissions"] == ["ADMIN", "aa:x", "hello:wave"]


def test_logout_ends_that_token_only(shared, alice):
    token, other = shared.token("Alice"), shared.token("Alice")
    reply = shared.host.post("/api/auth/logout", token=token)
    assert (reply.status, reply.content) == (204, b"")
    assert not shared.alive(token)
    assert shared.alive(other)
    assert shared.host.post("/api/auth/logout", token=token).status == 401


@pytest.mark.parametrize("spelling", ["Bearer {}", "bearer {}", "BEARER   {}  "])
def test_spellings_of_the_header(shared, alice, spelling):
    headers = {"Authorization": spelling.format(alice[1])}
    assert shared.host.get("/api/auth/session", headers=headers).status == 200


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Basic {}", "{}", "Bearer {}x", "Token {}", "Bearer ü", "Bearer a b"],
)
def test_other_tokens_are_nobody(shared, alice, header):
    headers = {"Authorization": header.format(alice[1]).encode().decode("latin-1")}
    reply = shared.host.get("/api/auth/session", headers=headers)
    assert (reply.status, reply.json()["error"]) == (401, "UNAUTHORIZED")
    assert reply.headers["www-authenticate"] == "Bearer"
    assert shared.host.get("/api/profiles", headers=headers).status == 200


def test_a_token_in_upper_case_or_in_the_query_is_nobody(shared, alice):
    assert not shared.alive(alice[1].upper())
    assert shared.host.get(f"/api/auth/session?token={alice[1]}").status == 401


@pytest.mark.parametrize(
    "body",
    [
        {"profileName": "Alice"},
        {"pin": "1234"},
        {"profileName": "", "pin": "1234"},
        {"profileName": "Alice", "pin": ""},
        {"profileName": "x" * 65, "pin": "1234"},
        {"profileName": "Alice", "pin": "x" * 129},
        {"profileName": 1, "pin": "1234"},
        {"profileName": "Alice", "pin": 1234},
        {"profileName": None, "pin": None},
        {"name": "Alice", "pinCode": "1234"},
        {},
    ],
)
def test_malformed_logins(shared, alice, body):
    reply = shared.host.post("/api/auth/login", json=body)
    assert (reply.status, reply.json()["error"]) == (400, "INVALID_REQUEST")


def test_logins_are_read_by_their_content(shared, alice):
    content = b'{"profileName": "Alice", "pin": "1234"}'
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/json"):
        headers = {"Content-Type": kind}
        reply = shared.host.post("/api/auth/login", content=content, headers=headers)
        assert reply.status == 200
    assert shared.host.post("/api/auth/login", content=b"x" * 65537).status == 413


def test_wrong_pin_and_unknown_name_get_the_same_answer(shared, alice):
    wrong, unknown = shared.login("Alice", "4321"), shared.login("Nobody", "1234")
    assert wrong.status == unknown.status == 401
    assert wrong.content == unknown.content
    assert wrong.json()["error"] == "INVALID_CREDENTIALS"
    for reply in (wrong, unknown):
        assert "www-authenticate" not in reply.headers
        assert "retry-after" not in reply.headers


@pytest.mark.parametrize("name", ["ÉLODIE", "élodie", "E\u0301lodie", "  Élodie "])
def test_spellings_of_a_name(shared, elodie, name):
    assert shared.login(name).status == 200


def test_any_number_of_sessions_and_each_survives_a_restart(people):
    tokens = [people.admin, *(people.token("Admin") for _ in range(5))]
    assert len(set(tokens)) == 6
    people.host.restart()
    assert [people.alive(token) for token in tokens] == [True] * 6


def test_sessions_end_after_a_day_to_the_millisecond(context, plugin):
    plugin._first_run.init({"name": "Admin", "pin": "1234", "recoveryPhrase": "my phrase"})
    provider = context.providers.get("auth", "accounts")
    login = provider.login({"profileName": "Admin", "pin": "1234"}, request("POST"))
    assert login.expires_at == context.clock.ms() + 24 * HOUR
    context.clock.advance(24 * 60 * 60 - 0.001)
    assert provider.identify(login.token) is not None
    context.clock.advance(0.001)
    assert provider.identify(login.token) is None


def test_the_host_s_clock_decides(moved_people, clock_file):
    token = moved_people.admin
    clock_file.write_text(str(24 * 3600 - 600))
    assert moved_people.alive(token)
    clock_file.write_text(str(24 * 3600 + 1))
    assert not moved_people.alive(token)
    assert moved_people.host.post("/api/auth/logout", token=token).status == 401


def test_the_setting_changes_sessions_to_come(people):
    people.host.put("/api/plugins/accounts/config", json={"sessionHours": 1}, token=people.admin)
    session = people.session(people.token("Admin")).json()["session"]
    assert session["expiresAt"] - session["createdAt"] == HOUR
    old = people.session(people.admin).json()["session"]
    assert old["expiresAt"] - old["createdAt"] == 24 * HOUR


def test_expired_sessions_are_swept(context, plugin):
    plugin._first_run.init({"name": "Admin", "pin": "1234", "recoveryPhrase": "my phrase"})
    provider = context.providers.get("auth", "accounts")
    sessions = context.db.table("sessions")
    provider.login({"profileName": "Admin", "pin": "1234"}, request("POST"))
    context.clock.advance(12 * 3600)
    provider.login({"profileName": "Admin", "pin": "1234"}, request("POST"))
    context.clock.advance(12 * 3600)
    (job,) = plugin.jobs()
    assert (job.every, job.at_start) == (3600, True)
    info = context.jobs.start("sweep-sessions")
    context.jobs.run_all()
    assert context.jobs.get(info.id).result == 1
    assert sessions.count_where() == 1


def test_many_logins_at_once_all_succeed(make_host, set_up):
    people = set_up(make_host(config={"threads": 16, "max_calls_per_plugin": 16}))
    people.add("Alice")
    with ThreadPoolExecutor(12) as pool:
        replies = list(pool.map(lambda _: people.login("Alice"), range(200)))
    assert {reply.status for reply in replies} == {200}
    assert len({reply.json()["token"] for reply in replies}) == 200


def test_no_secret_is_in_any_file(people):
    host = people.host
    pin, phrase, other = "7391-pin-secret", "zebra phrase secret", "8462-new-secret"
    body = {"name": "Zoe", "pin": pin, "recoveryPhrase": phrase}
    host.post("/api/profiles", json=body, token=people.admin)
    token = people.token("Zoe", pin)
    people.login("Zoe", "wrong-secret-0")
    recovery = {"name": "Zoe", "recoveryPhrase": phrase, "newPin": other}
    assert host.post("/api/auth/recover", json=recovery).status == 200
    ended = people.token("Zoe", other)
    host.post("/api/auth/logout", token=ended)
    host.log_lines()
    secrets = (pin, phrase, other, token, ended, people.admin, "wrong-secret-0")
    host.host.engine.open("accounts").copy_to(host.data_dir / "accounts.copy")
    files = [path for path in host.data_dir.rglob("*") if path.is_file()]
    assert any(b"Zoe" in path.read_bytes() for path in files)
    for path in files:
        content = path.read_bytes()
        found = [secret for secret in secrets if secret.encode() in content]
        assert found == [], f"in {path.name}"
    rows = host.plugin("accounts").context.db.table("sessions").rows_where(select="token_hash")
    assert hashlib.sha256(people.admin.encode()).hexdigest() in {r["token_hash"] for r in rows}


def test_a_token_without_profile(make_host, write_plugin):
    folder = write_plugin(
        "strangers",
        """
        from plugin_sdk import AuthProvider, Login, Plugin, Principal, Provider

        ALICE = Principal(
            id="user-alice", name="Alice", provider="strangers", user={"id": "a"},
            created_at=2**40, expires_at=2**41,
        )

        class Strangers(AuthProvider):
            name = "strangers"
            def claims(self, body): return "stranger" in body
            def login(self, body, request): return Login("stranger-token", 2**41, ALICE)
            def identify(self, token): return ALICE if token == "stranger-token" else None
            def logout(self, token): return False

        class plugin(Plugin):
            def providers(self): return [Provider("auth", "strangers", Strangers())]
        """,
        providers=[{"type": "auth", "name": "strangers"}],
    )
    host = make_host(folder)
    token = host.post("/api/auth/login", json={"stranger": 1}).json()["token"]
    assert host.get("/api/auth/session", token=token).json() == {
        "session": {
            "token": "stranger-token",
            "profileId": None,
            "profileName": None,
            "createdAt": 2**40,
            "expiresAt": 2**41,
        },
        "profile": None,
        "permissions": [],
        "user": {"id": "a"},
    }
    assert host.patch("/api/profiles/1", json={}, token=token).status == 403
    assert host.get("/api/admin/permission-groups", token=token).status == 403
