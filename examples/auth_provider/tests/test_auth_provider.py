from __future__ import annotations

import hashlib
import secrets
from base64 import b64encode
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import example_auth
import pytest
from example_auth import StaticAccountsPlugin
from example_auth.passwords import matches
from example_auth.provider import MAX_FAILURES, WAIT_MS, StaticAccounts

from plugin_sdk import ADMIN, AuthProvider, Login, RateLimited, Unauthenticated
from plugin_sdk.testing import (
    AuthSuite,
    FakeClock,
    FakeCommandIO,
    FakeContext,
    PluginSuite,
    request,
)


def quickly_hashed(password: str) -> str:
    """At a cost that tests can afford; a hash brings its own."""
    salt = secrets.token_bytes(16)
    key = hashlib.scrypt(password.encode(), salt=salt, n=16, r=8, p=1, dklen=32)
    return f"scrypt$16$8$1${b64encode(salt).decode()}${b64encode(key).decode()}"


ADA = {"account": "ada", "password": "correct horse"}
IN_SETTINGS: dict[str, Any] = {
    "account": "ada",
    "name": "Ada",
    "password": quickly_hashed("correct horse"),
    "permissions": ["UPLOAD"],
}
BOB = {"account": "bob", "password": quickly_hashed("battery staple")}


@pytest.fixture
def context() -> Iterator[FakeContext]:
    folder = Path(example_auth.__file__).parent
    with FakeContext.for_folder(folder, settings={"users": [IN_SETTINGS, BOB]}) as context:
        context.start(StaticAccountsPlugin)
        yield context


@pytest.fixture
def accounts(context: FakeContext) -> StaticAccounts:
    return StaticAccounts(context)


class TestItIsSound(PluginSuite):
    plugin = "example_auth:plugin"


class TestItIsAnAuthProvider(AuthSuite):
    @pytest.fixture
    def provider(self, accounts: StaticAccounts) -> AuthProvider:
        return accounts

    @pytest.fixture
    def good_login(self) -> Mapping[str, Any]:
        return ADA

    @pytest.fixture
    def bad_login(self) -> Mapping[str, Any]:
        return {**ADA, "password": "wrong horse"}

    @pytest.fixture
    def clock(self, context: FakeContext) -> FakeClock:
        return context.clock


def login(accounts: StaticAccounts, body: Mapping[str, Any] = ADA) -> Login:
    return accounts.login(body, request("POST"))


def guess(accounts: StaticAccounts, account: str = "ada") -> type[Exception]:
    with pytest.raises((Unauthenticated, RateLimited)) as caught:
        login(accounts, {"account": account, "password": "guessed"})
    return caught.type


def test_the_settings_say_who_somebody_is(accounts: StaticAccounts) -> None:
    ada = login(accounts).principal
    assert (ada.id, ada.name, *ada.permissions) == ("static-ada", "Ada", "UPLOAD")
    bob = login(accounts, {"account": "bob", "password": "battery staple"}).principal
    assert (bob.id, bob.name, *bob.permissions) == ("static-bob", "bob")


def test_an_unknown_account_answers_like_a_wrong_password(accounts: StaticAccounts) -> None:
    messages = set()
    for body in ({**ADA, "password": "wrong"}, {**ADA, "account": "nobody"}):
        with pytest.raises(Unauthenticated) as caught:
            login(accounts, body)
        messages.add((caught.value.message, caught.value.code))
    assert len(messages) == 1


def test_permissions_follow_the_settings_at_once(
    context: FakeContext, accounts: StaticAccounts
) -> None:
    token = login(accounts).token
    assert not accounts.governs()
    context.settings.update({"users": [{**IN_SETTINGS, "permissions": [ADMIN]}]})
    principal = accounts.identify(token)
    assert principal is not None
    assert principal.permissions == {ADMIN}
    assert accounts.governs()


@pytest.mark.parametrize(
    "users", [[], [BOB], [{**IN_SETTINGS, "password": quickly_hashed("correct horse")}]]
)
def test_no_token_outlives_its_account_or_password(
    context: FakeContext, accounts: StaticAccounts, users: list[dict[str, Any]]
) -> None:
    token = login(accounts).token
    context.settings.update({"users": users})
    assert accounts.identify(token) is None


def test_neither_token_nor_password_is_stored(
    context: FakeContext, accounts: StaticAccounts
) -> None:
    token = login(accounts).token
    [row] = context.db.table("tokens").rows_where()
    assert token not in str(row)
    assert ADA["password"] not in str(row)
    assert context.data.keys() == [], "everybody who is signed in may read that"


def test_expired_tokens_are_cleared_away(context: FakeContext, accounts: StaticAccounts) -> None:
    login(accounts)
    context.clock.advance(12 * 60 * 60)
    login(accounts)
    assert context.db.table("tokens").count_where() == 1


def test_guessing_has_an_end(context: FakeContext, accounts: StaticAccounts) -> None:
    guesses = [guess(accounts) for _ in range(MAX_FAILURES + 1)]
    assert guesses == [Unauthenticated] * MAX_FAILURES + [RateLimited]
    with pytest.raises(RateLimited) as caught:
        login(accounts)
    assert caught.value.retry_after == pytest.approx(WAIT_MS / 1000)
    login(accounts, {"account": "bob", "password": "battery staple"})
    context.clock.advance(WAIT_MS / 1000)
    login(accounts)


def test_guessing_in_parallel_gains_nothing(accounts: StaticAccounts) -> None:
    with ThreadPoolExecutor(2) as pool:
        guesses = list(pool.map(lambda _: guess(accounts), range(MAX_FAILURES + 2)))
    assert guesses.count(Unauthenticated) == MAX_FAILURES


def test_a_good_login_sets_the_count_back(accounts: StaticAccounts) -> None:
    for _ in range(2):
        assert {guess(accounts) for _ in range(MAX_FAILURES - 1)} == {Unauthenticated}
        login(accounts)


def test_unknown_accounts_are_not_counted(context: FakeContext, accounts: StaticAccounts) -> None:
    guess(accounts, "nobody")
    assert context.db.table("failures").count_where() == 0


def test_the_command_prints_a_hash(context: FakeContext) -> None:
    terminal = FakeCommandIO()
    StaticAccountsPlugin(context).hash_password(terminal, "correct horse")
    assert matches("correct horse", terminal.output.strip())
