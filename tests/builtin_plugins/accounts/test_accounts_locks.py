"""Attempts and locks (plugin contract, 2.4 and 2.8), state by state."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from plugin_sdk import RateLimited, Unauthenticated
from plugin_sdk.testing import request

MINUTES = 60.0
JSON = {"Content-Type": "application/json"}


class Attempts:
    """Logins and recoveries of one profile, as (code, seconds to wait); ("", None) is success."""

    def __init__(self, context, plugin):
        self.context = context
        self.plugin = plugin
        self.provider = context.providers.get("auth", "accounts")

    def login(self, pin="1234", name="Admin", peer="127.0.0.1"):
        body = {"profileName": name, "pin": pin}
        return self._told(lambda: self.provider.login(body, request("POST", peer=peer)))

    def recover(self, phrase="my phrase", pin="1234", name="Admin", peer="127.0.0.1"):
        body = {"name": name, "recoveryPhrase": phrase, "newPin": pin}
        asked = request("POST", body=body, headers=JSON, peer=peer)
        return self._told(lambda: self.plugin.recover(asked))

    def state(self):
        row = self.context.db.table("profiles").get(1)
        return row["failures"], row["locked_until"]

    @staticmethod
    def _told(attempt):
        try:
            attempt()
        except (Unauthenticated, RateLimited) as error:
            return error.code, error.retry_after
        return "", None


@pytest.fixture
def attempts(context, plugin):
    plugin._first_run.init({"name": "Admin", "pin": "1234", "recoveryPhrase": "my phrase"})
    return Attempts(context, plugin)


WRONG = ("INVALID_CREDENTIALS", None)
GOOD = ("", None)


def test_the_fifth_wrong_pin_says_so_and_locks(attempts, context):
    for count in range(1, 6):
        assert attempts.login("x") == WRONG
        assert attempts.state()[0] == count
    assert attempts.state()[1] == context.clock.ms() + 30 * 60 * 1000
    assert attempts.login("x") == ("ACCOUNT_LOCKED", 1800.0)
    assert attempts.login("1234") == ("ACCOUNT_LOCKED", 1800.0)
    assert attempts.state()[0] == 5


def test_a_right_pin_before_sets_the_count_back(attempts):
    for _ in range(4):
        attempts.login("x")
    assert attempts.login() == GOOD
    assert attempts.state() == (0, None)


def test_the_lock_runs_out(attempts, context):
    for _ in range(5):
        attempts.login("x")
    context.clock.advance(30 * MINUTES - 0.001)
    assert attempts.login() == ("ACCOUNT_LOCKED", 0.001)
    context.clock.advance(0.001)
    assert attempts.login("x") == WRONG
    assert attempts.state() == (1, None)
    assert attempts.login() == GOOD
    assert attempts.state() == (0, None)


def test_login_and_recovery_share_the_count(attempts):
    for secret in range(5):
        assert (attempts.login("x") if secret % 2 else attempts.recover("wrong")) == WRONG
    assert attempts.login()[0] == "ACCOUNT_LOCKED"
    assert attempts.recover()[0] == "ACCOUNT_LOCKED"


def test_a_right_phrase_sets_the_count_back(attempts):
    for _ in range(4):
        attempts.login("x")
    assert attempts.recover() == GOOD
    assert attempts.state() == (0, None)


def test_the_lock_of_an_administrator_has_no_end_and_counts_nothing(attempts, context):
    context.db.table("profiles").update(1, {"locked": True})
    for _ in range(7):
        assert attempts.login() == ("ACCOUNT_LOCKED", None)
        assert attempts.login("x") == ("ACCOUNT_LOCKED", None)
    assert attempts.state() == (0, None)
    assert attempts.recover("wrong") == WRONG
    assert attempts.recover(pin="5678") == GOOD
    assert attempts.login("5678") == ("ACCOUNT_LOCKED", None)


def test_settings_say_how_many_and_how_long(attempts, context):
    context.settings.update({"lockAttempts": 2, "lockMinutes": 1})
    assert [attempts.login("x") for _ in range(3)] == [WRONG, WRONG, ("ACCOUNT_LOCKED", 60.0)]


def test_unknown_names_are_never_locked(attempts):
    assert {attempts.login("x", name="Nobody") for _ in range(8)} == {WRONG}
    assert {attempts.recover(name="Nobody") for _ in range(8)} == {WRONG}
    assert attempts.state() == (0, None)


@pytest.mark.parametrize("way", ["login", "recover"])
def test_an_unknown_name_costs_as_much_as_a_wrong_secret(attempts, monkeypatch, way):
    hasher = attempts.plugin._attempts._hasher
    work = []
    compare, begin = hasher.matches, attempts.context.transactions.transaction
    monkeypatch.setattr(hasher, "matches", lambda *a: work.append("argon2") or compare(*a))
    monkeypatch.setattr(
        attempts.context.transactions, "transaction", lambda: work.append("write") or begin()
    )
    attempt = getattr(attempts, way)
    assert attempt("wrong") == WRONG
    known, work[:] = list(work), []
    assert attempt("wrong", name="Nobody") == WRONG
    assert known == work
    assert known.count("argon2") == 1
    assert "write" in known


def test_a_peer_far_away_is_put_off_after_ten(attempts):
    for _ in range(10):
        assert attempts.login("x", name="Nobody", peer="192.0.2.1") == WRONG
    code, wait = attempts.recover(peer="192.0.2.1")
    assert code == "TOO_MANY_REQUESTS"
    assert 0 < wait <= 60
    assert attempts.login("1234", peer="192.0.2.1")[0] == "TOO_MANY_REQUESTS"
    assert attempts.login("1234", peer="192.0.2.2") == GOOD


def test_a_hash_of_weaker_parameters_is_renewed_at_a_good_login(
    hashing_as_agreed, attempts, context
):
    from argon2 import PasswordHasher

    weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    profiles = context.db.table("profiles")
    old = {"pin_hash": weak.hash(b"1234"), "phrase_hash": weak.hash(b"my phrase")}
    profiles.update(1, old)
    assert attempts.login("x") == WRONG
    assert profiles.get(1)["pin_hash"] == old["pin_hash"]
    assert attempts.login() == GOOD
    assert profiles.get(1)["pin_hash"].startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert attempts.login() == GOOD
    assert attempts.recover() == GOOD
    assert profiles.get(1)["phrase_hash"].startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert attempts.recover() == GOOD


def test_a_pin_that_is_changed_while_it_is_compared_is_judged_anew(attempts, monkeypatch):
    hasher, profiles = attempts.plugin._attempts._hasher, attempts.context.db.table("profiles")
    compare, fresh = hasher.matches, hasher.hash("9999")
    seen = []

    def matches(stored, secret):
        if not seen:
            profiles.update(1, {"pin_hash": fresh})
        seen.append(stored)
        return compare(stored, secret)

    monkeypatch.setattr(hasher, "matches", matches)
    assert attempts.login("1234") == WRONG
    assert len(seen) == 2
    assert attempts.login("9999") == GOOD


def test_a_profile_that_is_deleted_while_its_pin_is_compared_is_unknown(attempts, monkeypatch):
    hasher, profiles = attempts.plugin._attempts._hasher, attempts.context.db.table("profiles")
    compare = hasher.matches

    def matches(stored, secret):
        profiles.delete(1)
        return compare(stored, secret)

    monkeypatch.setattr(hasher, "matches", matches)
    assert attempts.login("1234") == WRONG


def test_of_many_wrong_attempts_at_once_five_are_judged(make_host, set_up):
    people = set_up(make_host(config={"threads": 16, "max_calls_per_plugin": 16}))
    people.add("Alice")
    people.add("Bob")
    with ThreadPoolExecutor(12) as pool:
        wrong = [pool.submit(people.login, "Alice", "x") for _ in range(40)]
        others = [pool.submit(people.login, "Bob") for _ in range(4)]
        codes = [each.result().json()["error"] for each in wrong]
        assert [each.result().status for each in others] == [200] * 4
    assert codes.count("INVALID_CREDENTIALS") == 5
    assert codes.count("ACCOUNT_LOCKED") == 35


def test_a_lock_is_told_with_its_end_and_survives_a_restart(people):
    people.add("Alice")
    for _ in range(5):
        people.login("Alice", "x")
    people.host.restart()
    reply = people.login("Alice")
    assert (reply.status, reply.json()["error"]) == (401, "ACCOUNT_LOCKED")
    assert 1700 < int(reply.headers["retry-after"]) <= 1800
    assert "www-authenticate" not in reply.headers
