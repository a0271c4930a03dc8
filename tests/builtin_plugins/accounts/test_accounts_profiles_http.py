"""`/api/profiles` (plugin contract, 3)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

JSON = {"Content-Type": "application/json"}
BOB = {
    "name": "Bob",
    "pin": "0000",
    "recoveryPhrase": "my phrase",
    "recoveryPhraseHint": "favourite colour + number",
    "avatarId": 2,
}
"""As in the seed."""


def test_the_profile_of_the_seed(people):
    host = people.host
    reply = host.post("/api/profiles", json=BOB, token=people.admin)
    assert (reply.status, reply.headers["location"]) == (201, "/api/profiles/2")
    bob = reply.json()
    assert bob == {
        "id": 2,
        "name": "Bob",
        "avatarId": 2,
        "recoveryPhraseHint": "favourite colour + number",
        "locked": False,
        "profileSettings": {},
        "createdAt": bob["createdAt"],
        "updatedAt": bob["createdAt"],
    }
    assert bob["createdAt"].endswith("Z")
    assert len(bob["createdAt"]) == len("2026-05-01T12:00:00.000Z")
    assert host.get("/api/profiles/2").json() == bob
    listed = host.get("/api/profiles")
    assert [each["id"] for each in listed.json()] == [1, 2]
    assert listed.json()[1] == bob
    assert listed.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("id", ["0", "-1", "x", "1.0", "1e0", "%201", "%D9%A3", "+1", "00"])
def test_malformed_ids(shared, id):
    for method in ("GET", "PATCH", "DELETE"):
        reply = shared.host.request(method, f"/api/profiles/{id}", token=shared.admin)
        assert (reply.status, reply.json()["error"]) == (400, "INVALID_REQUEST")


@pytest.mark.parametrize("id", ["2", "9223372036854775807", "9" * 30, "9" * 5000])
def test_ids_that_nobody_has(shared, id):
    host = shared.host
    assert host.get(f"/api/profiles/{id}").status == 404
    assert host.patch(f"/api/profiles/{id}", json={"avatarId": 1}, token=shared.admin).status == 404
    assert host.delete(f"/api/profiles/{id}", token=shared.admin).status == 404


@pytest.mark.parametrize("name", ["bob", " BOB ", "Bob"])
def test_a_name_is_taken_in_every_spelling(people, name):
    people.host.post("/api/profiles", json=BOB, token=people.admin)
    reply = people.host.post("/api/profiles", json={**BOB, "name": name}, token=people.admin)
    assert (reply.status, reply.json()["error"]) == (409, "CONFLICT")


def test_who_may_write(people):
    host = people.host
    plain_id, plain = people.add("Plain")
    _, manager = people.add("Manager", "MANAGE_PROFILES")
    other = {"name": "Other", "pin": "1234", "recoveryPhrase": "abcd"}
    path = f"/api/profiles/{plain_id}"
    for token, expected in ((None, 401), (plain, 403)):
        for reply in (
            host.post("/api/profiles", json=other, token=token),
            host.post("/api/profiles", content=b"{", headers=JSON, token=token),
            host.patch("/api/profiles/1", json={"avatarId": 1}, token=token),
            host.delete("/api/profiles/1", token=token),
            host.delete(path, token=token),
        ):
            assert reply.status == expected
            assert expected == 401 or reply.json() == {
                "error": "FORBIDDEN",
                "message": "Missing permission: MANAGE_PROFILES",
            }
    assert host.post("/api/profiles", json=other, token=manager).status == 201
    assert host.patch(path, json={"name": "Renamed"}, token=manager).status == 200
    assert host.delete(path, token=manager).status == 204


def test_the_owner_changes_avatar_and_settings_only(people):
    host = people.host
    id, token = people.add("Alice")
    path = f"/api/profiles/{id}"
    settings = {"theme": "dark", "volume": 0.5, "deep": [{"a": None}]}
    reply = host.patch(path, json={"avatarId": 3, "profileSettings": settings}, token=token)
    assert (reply.status, reply.json()["profileSettings"]) == (200, settings)
    assert host.patch(path, json={"profileSettings": {}}, token=token).json()["avatarId"] == 3
    assert host.patch(path, json={}, token=token).status == 200
    assert host.patch(path, json={"unknown": 1}, token=token).status == 200
    for field, value in (
        ("name", "Other"),
        ("pin", "9999"),
        ("recoveryPhrase", "other"),
        ("recoveryPhraseHint", "other"),
        ("locked", False),
        ("name", 1),
    ):
        reply = host.patch(path, json={"avatarId": 4, field: value}, token=token)
        assert (reply.status, reply.json()["error"]) == (403, "FORBIDDEN")
    assert host.get(path).json()["avatarId"] == 3
    assert host.patch(path, json={"avatarId": "x"}, token=token).status == 400


def test_nobody_changes_an_administrator_from_below(people):
    host = people.host
    _, manager = people.add("Manager", "MANAGE_PROFILES")
    for reply in (
        host.patch("/api/profiles/1", json={"pin": "9999"}, token=manager),
        host.patch("/api/profiles/1", json={}, token=manager),
        host.patch("/api/profiles/1", content=b"{", headers=JSON, token=manager),
        host.delete("/api/profiles/1", token=manager),
    ):
        assert (reply.status, reply.json()["error"]) == (403, "FORBIDDEN")
    assert people.login("Admin").status == 200


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        ({"json": [1]}, 400, "INVALID_REQUEST"),
        ({"content": b"", "headers": JSON}, 400, "INVALID_REQUEST"),
        ({"content": b"a=1", "headers": {"Content-Type": "text/plain"}}, 415,
         "UNSUPPORTED_MEDIA_TYPE"),
        ({"content": b"{}"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        ({"content": b" " * (1024 * 1024 + 1), "headers": JSON}, 413, "PAYLOAD_TOO_LARGE"),
    ],
)  # fmt: skip
def test_bodies_that_are_refused(shared, sent, status, code):
    reply = shared.host.post("/api/profiles", token=shared.admin, **sent)
    assert (reply.status, reply.json()["error"]) == (status, code)


def test_fields_come_before_the_missing_profile(shared):
    reply = shared.host.patch("/api/profiles/99", json={"pin": "1"}, token=shared.admin)
    assert (reply.status, reply.json()["details"][0]["path"]) == (400, "pin")


def test_only_what_is_sent_changes(people):
    host = people.host
    before = host.post("/api/profiles", json=BOB, token=people.admin).json()
    for body in ({}, {"unknown": 1}):
        reply = host.patch("/api/profiles/2", json=body, token=people.admin)
        assert (reply.status, reply.json()) == (200, before)
    assert host.patch("/api/profiles/2", token=people.admin).json() == before
    changes = {"name": "BOB", "recoveryPhraseHint": "", "avatarId": None}
    after = host.patch("/api/profiles/2", json=changes, token=people.admin).json()
    assert after == {**before, **changes, "updatedAt": after["updatedAt"]}
    assert after["updatedAt"] >= before["updatedAt"]
    taken = host.patch("/api/profiles/2", json={"name": "admin"}, token=people.admin)
    assert (taken.status, taken.json()["error"]) == (409, "CONFLICT")
    assert people.login("bob", "0000").status == 200


def test_a_new_phrase_is_in_force(people):
    host = people.host
    host.post("/api/profiles", json=BOB, token=people.admin)
    host.patch("/api/profiles/2", json={"recoveryPhrase": "another one"}, token=people.admin)
    body = {"name": "Bob", "newPin": "9999"}
    old, new = {**body, "recoveryPhrase": "my phrase"}, {**body, "recoveryPhrase": "another one"}
    assert host.post("/api/auth/recover", json=old).status == 401
    assert host.post("/api/auth/recover", json=new).status == 200


def test_a_new_pin_ends_all_sessions_but_the_one_that_asks(people):
    id, token = people.add("Alice")
    own = people.token("Admin")
    people.host.patch(f"/api/profiles/{id}", json={"pin": "5678"}, token=people.admin)
    assert not people.alive(token)
    assert people.login("Alice").status == 401
    assert people.login("Alice", "5678").status == 200
    people.host.patch("/api/profiles/1", json={"pin": "5678"}, token=own)
    assert people.alive(own)
    assert not people.alive(people.admin)


def test_a_new_pin_and_an_end_of_the_lock_forget_attempts(people):
    id, _ = people.add("Alice")
    for change in ({"pin": "1234"}, {"locked": False}):
        for _ in range(5):
            people.login("Alice", "x")
        assert people.login("Alice").json()["error"] == "ACCOUNT_LOCKED"
        people.host.patch(f"/api/profiles/{id}", json=change, token=people.admin)
        assert people.login("Alice").status == 200


def test_a_lock_ends_all_sessions_at_once(people):
    id, token = people.add("Alice")
    assert people.alive(token)
    reply = people.host.patch(f"/api/profiles/{id}", json={"locked": True}, token=people.admin)
    assert reply.json()["locked"] is True
    assert not people.alive(token)
    refused = people.login("Alice")
    assert (refused.status, refused.json()["error"]) == (401, "ACCOUNT_LOCKED")
    assert "retry-after" not in refused.headers
    people.host.patch(f"/api/profiles/{id}", json={"locked": False}, token=people.admin)
    assert not people.alive(token)
    assert people.login("Alice").status == 200


def test_a_new_name_is_seen_by_sessions_that_are_open(people):
    id, token = people.add("Alice")
    assert people.alive(token)
    people.host.patch(f"/api/profiles/{id}", json={"name": "Alicia"}, token=people.admin)
    assert people.session(token).json()["session"]["profileName"] == "Alicia"
    assert people.login("Alice").status == 401


def test_a_deleted_profile_leaves_nothing(people):
    host = people.host
    id, token = people.add("Alice", "UPLOAD")
    group = people.group("both", [1, id])
    reply = host.delete(f"/api/profiles/{id}", token=people.admin)
    assert (reply.status, reply.content) == (204, b"")
    assert not people.alive(token)
    assert host.get(f"/api/profiles/{id}").status == 404
    assert people.login("Alice").json()["error"] == "INVALID_CREDENTIALS"
    groups = host.get("/api/admin/permission-groups", token=people.admin).json()
    assert {each["id"]: each["profileIds"] for each in groups}[group] == [1]
    assert host.delete(f"/api/profiles/{id}", token=people.admin).status == 404
    again, _ = people.add("Alice")
    assert again > id
    db = host.plugin("accounts").context.db
    assert db.value("SELECT count(*) FROM sessions WHERE profile_id = :id", {"id": id}) == 0


LAST_ADMIN = (409, "LAST_ADMIN")


def answer(reply):
    return reply.status, reply.json().get("error")


def test_the_last_administrator_stays(people):
    host, token = people.host, people.admin
    people.add("Bob")
    assert answer(host.delete("/api/profiles/1", token=token)) == LAST_ADMIN
    locked = {"locked": True, "name": "Locked"}
    assert answer(host.patch("/api/profiles/1", json=locked, token=token)) == LAST_ADMIN
    assert host.get("/api/profiles/1").json()["name"] == "Admin"
    group = "/api/admin/permission-groups/1"
    for change in ({"profileIds": []}, {"profileIds": [2], "permissions": []},
                   {"permissions": ["UPLOAD"], "name": "x"}):  # fmt: skip
        assert answer(host.patch(group, json=change, token=token)) == LAST_ADMIN
    assert answer(host.delete(group, token=token)) == LAST_ADMIN
    (kept,) = host.get("/api/admin/permission-groups", token=token).json()
    assert (kept["name"], kept["profileIds"], len(kept["permissions"])) == ("admin", [1], 8)
    assert people.alive(token)


def test_a_locked_administrator_does_not_count(people):
    host = people.host
    ann, _ = people.add("Ann", "ADMIN")
    assert (
        host.patch(f"/api/profiles/{ann}", json={"locked": True}, token=people.admin).status == 200
    )
    assert answer(host.delete("/api/profiles/1", token=people.admin)) == LAST_ADMIN
    host.patch(f"/api/profiles/{ann}", json={"locked": False}, token=people.admin)
    assert host.delete("/api/profiles/1", token=people.admin).status == 204
    assert host.get("/api/setup/status").json() == {"configured": True, "profiles": 1}


def test_of_two_administrators_who_lock_each_other_one_succeeds(people):
    host = people.host
    ann, token = people.add("Ann", "ADMIN")

    def lock(pair):
        return host.patch(f"/api/profiles/{pair[0]}", json={"locked": True}, token=pair[1]).status

    with ThreadPoolExecutor(2) as pool:
        statuses = sorted(pool.map(lock, [(1, token), (ann, people.admin)]))
    assert statuses == [200, 401]
    assert sum(each["locked"] for each in host.get("/api/profiles").json()) == 1


def test_of_two_administrators_who_take_each_other_s_rights_one_succeeds(people):
    host = people.host
    ann, token = people.add("Ann")
    group = {"profileIds": [1, ann]}
    path = "/api/admin/permission-groups/1"
    assert host.patch(path, json=group, token=people.admin).status == 200

    def take(pair):
        return host.patch(path, json={"profileIds": [pair[0]]}, token=pair[1]).status

    for _ in range(3):
        with ThreadPoolExecutor(2) as pool:
            statuses = list(pool.map(take, [(1, people.admin), (ann, token)]))
        (left,) = host.plugin("accounts").context.db.query(
            "SELECT profile_id FROM group_members WHERE group_id = 1"
        )
        assert sorted(statuses) == [200, 403]
        winner = people.admin if left["profile_id"] == 1 else token
        assert host.patch(path, json=group, token=winner).status == 200


def test_of_racing_creations_and_renames_one_succeeds(people):
    host = people.host
    ids = [people.add(f"Person {number}")[0] for number in range(4)]

    def create(number):
        body = {**BOB, "name": ["Zoe", "ZOE", "zoe ", " zoE"][number]}
        return host.post("/api/profiles", json=body, token=people.admin).status

    def rename(number):
        path = f"/api/profiles/{ids[number]}"
        return host.patch(path, json={"name": "zoë"}, token=people.admin).status

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(create, range(4))) == [201, 409, 409, 409]
        assert sorted(pool.map(rename, range(4))) == [200, 409, 409, 409]


def test_an_unknown_token_on_an_open_route_is_nobody(shared):
    assert shared.host.get("/api/profiles", token="nonsense").status == 200
    assert shared.host.get("/api/profiles/1", token="nonsense").status == 200
