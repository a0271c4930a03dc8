"""`/api/auth/recover` (plugin contract, 2.8)."""

from __future__ import annotations

import pytest


@pytest.fixture
def recover(people):
    body = {"name": "Alice", "pin": "1234", "recoveryPhrase": "blue sky 42"}
    people.host.post("/api/profiles", json=body, token=people.admin)

    def recover(**changes):
        body = {"name": "Alice", "recoveryPhrase": "blue sky 42", "newPin": "5678", **changes}
        return people.host.post("/api/auth/recover", json=body)

    return recover


def test_the_recovery_of_the_seed(people, recover):
    tokens = [people.token("Alice"), people.token("Alice")]
    reply = recover()
    assert reply.status == 200
    profile = people.host.get("/api/profiles/2").json()
    assert reply.json() == profile
    assert "token" not in reply.json()
    assert [people.alive(token) for token in tokens] == [False, False]
    assert people.login("Alice", "1234").status == 401
    assert people.login("Alice", "5678").status == 200
    assert people.alive(people.admin)


@pytest.mark.parametrize(
    "phrase", ["blue sky", "Blue sky 42", "blue sky 42 ", "blue  sky 42", "", "x" * 1000]
)
def test_the_phrase_is_compared_exactly(recover, phrase):
    reply = recover(recoveryPhrase=phrase)
    assert (reply.status, reply.json()["error"]) == (401, "INVALID_CREDENTIALS")
    assert "www-authenticate" not in reply.headers


def test_an_unknown_name_gets_the_same_answer(recover):
    assert recover(name="Nobody").content == recover(recoveryPhrase="wrong").content
    assert recover(name="").status == 401
    assert recover(name="ALICE ").status == 200


@pytest.mark.parametrize(
    ("changes", "paths"),
    [
        ({"newPin": "123"}, ["newPin"]),
        ({"newPin": "x" * 33, "name": 1}, ["name", "newPin"]),
        ({"recoveryPhrase": None}, ["recoveryPhrase"]),
    ],
)
def test_fields_come_first_and_count_nothing(people, recover, changes, paths):
    for _ in range(6):
        reply = recover(**{"recoveryPhrase": "wrong", **changes})
        assert (reply.status, reply.json()["error"]) == (400, "INVALID_REQUEST")
        assert [each["path"] for each in reply.json()["details"]] == paths
    assert people.login("Alice").status == 200


def test_the_lock_of_an_administrator_stays(people, recover):
    people.host.patch("/api/profiles/2", json={"locked": True}, token=people.admin)
    reply = recover()
    assert (reply.status, reply.json()["locked"]) == (200, True)
    assert people.login("Alice", "5678").json()["error"] == "ACCOUNT_LOCKED"
    people.host.patch("/api/profiles/2", json={"locked": False}, token=people.admin)
    assert people.login("Alice", "5678").status == 200


def test_a_locked_profile_cannot_recover(people, recover):
    for _ in range(5):
        recover(recoveryPhrase="wrong")
    reply = recover()
    assert (reply.status, reply.json()["error"]) == (401, "ACCOUNT_LOCKED")
    assert "retry-after" in reply.headers
