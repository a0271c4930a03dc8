"""What every auth provider promises, as tests."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import pytest

from plugin_sdk.access import Principal
from plugin_sdk.auth import AuthProvider, Login
from plugin_sdk.errors import Invalid, Unauthenticated
from plugin_sdk.strict_json import dump_json
from plugin_sdk.testing.clock import FakeClock
from plugin_sdk.testing.missing import missing
from plugin_sdk.testing.requests import request

__all__ = ["AuthSuite"]

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_YEAR_2001_MS: Final = 978_307_200_000
"""Anything smaller is not milliseconds since the epoch but seconds, or a duration."""
_ODD_TOKENS: Final = ("", " ", "x", "Bearer", "ü", "\U0001f511", "a\0b", "\n", "%00", "a" * 10_000)


class AuthSuite:
    """Subclass it beside your tests, and give the fixtures::

        from plugin_sdk.testing import AuthSuite, FakeContext

        class TestStaffLogin(AuthSuite):
            @pytest.fixture
            def provider(self, fake_context):
                staff = StaffLogin(fake_context)
                staff.add_person("alice", "correct horse")
                return staff

            @pytest.fixture
            def good_login(self):
                return {"staff": "alice", "password": "correct horse"}

            @pytest.fixture
            def bad_login(self):
                return {"staff": "alice", "password": "wrong"}

    Each test gets a fresh provider. Two fixtures more are asked if you give them: ``clock``, the
    `FakeClock` by which the provider's tokens expire; ``stored``, where no token may be found in
    clear: the folder in which it keeps them, or a function that gives all it keeps as text.
    """

    @pytest.fixture
    def provider(self) -> AuthProvider:
        """A provider that knows ``good_login``."""
        raise missing("provider")

    @pytest.fixture
    def good_login(self) -> Mapping[str, Any]:
        """A login body that succeeds, also twice."""
        raise missing("good_login")

    @pytest.fixture
    def bad_login(self) -> Mapping[str, Any]:
        """A login body of the right shape with wrong credentials."""
        raise missing("bad_login")

    @pytest.fixture
    def clock(self) -> FakeClock | None:
        """The clock that the provider looks at; or None."""
        return None

    @pytest.fixture
    def stored(self) -> Path | Callable[[], str] | None:
        """The folder in which the provider keeps what it keeps, or a function that gives it as
        text; or None."""
        return None

    def test_it_says_what_it_is(self, provider: AuthProvider) -> None:
        assert isinstance(provider, AuthProvider)
        assert _NAME.fullmatch(provider.name), "name: lower case, digits, - and _"
        assert isinstance(provider.governs(), bool)

    def test_it_claims_its_logins(
        self, provider: AuthProvider, good_login: Mapping[str, Any], bad_login: Mapping[str, Any]
    ) -> None:
        assert provider.claims(good_login) is True
        assert provider.claims(bad_login) is True

    def test_it_judges_by_keys_alone(
        self, provider: AuthProvider, good_login: Mapping[str, Any]
    ) -> None:
        values: list[Any] = [None, "", 0, [], {"a": 1}, "\U0001f511"]
        for value in values:
            assert provider.claims(dict.fromkeys(good_login, value)) is True

    def test_it_leaves_other_logins_alone(self, provider: AuthProvider) -> None:
        assert provider.claims({}) is False
        assert provider.claims({"somethingElseEntirely": "x"}) is False

    def test_a_good_login(self, provider: AuthProvider, good_login: Mapping[str, Any]) -> None:
        login = _login(provider, good_login)
        assert isinstance(login.token, str)
        assert login.token
        assert login.token not in repr(login)
        assert type(login.expires_at) is int
        assert login.expires_at > _YEAR_2001_MS, "expires_at is milliseconds since the epoch"
        dump_json(dict(login.extra))
        assert not {"token", "expiresAt"} & login.extra.keys(), "extra stands beside these"

    def test_the_principal_of_a_login(
        self, provider: AuthProvider, good_login: Mapping[str, Any]
    ) -> None:
        principal = _login(provider, good_login).principal
        assert principal.signed_in, "the id is empty"
        assert principal.provider == provider.name
        assert isinstance(principal.permissions, frozenset)
        dump_json(dict(principal.user))

    def test_wrong_credentials(self, provider: AuthProvider, bad_login: Mapping[str, Any]) -> None:
        with pytest.raises(Unauthenticated) as caught:
            provider.login(bad_login, request("POST", body=dict(bad_login)))
        assert caught.value.code == "INVALID_CREDENTIALS"

    def test_fields_of_the_wrong_type(
        self, provider: AuthProvider, good_login: Mapping[str, Any]
    ) -> None:
        values: list[Any] = [None, [], {}]
        for value in values:
            body = dict.fromkeys(good_login, value)
            with pytest.raises(Invalid):
                provider.login(body, request("POST", body=body))

    def test_a_token_tells_who_stands_behind_it(
        self, provider: AuthProvider, good_login: Mapping[str, Any]
    ) -> None:
        login = _login(provider, good_login)
        known = provider.identify(login.token)
        assert isinstance(known, Principal)
        assert (known.id, known.provider) == (login.principal.id, provider.name)
        assert known.permissions == login.principal.permissions
        assert known.expires_at in (None, login.expires_at)

    def test_each_login_has_a_token_of_its_own(
        self, provider: AuthProvider, good_login: Mapping[str, Any]
    ) -> None:
        first, second = _login(provider, good_login), _login(provider, good_login)
        assert first.token != second.token
        ids = {_id(provider, login.token) for login in (first, second)}
        assert ids == {first.principal.id}

    def test_unknown_tokens_are_nobody(
        self, provider: AuthProvider, good_login: Mapping[str, Any]
    ) -> None:
        token = _login(provider, good_login).token
        near = (token + "x", token[:-1], " " + token, token + "\0", token[::-1] + "x")
        for unknown in (*_ODD_TOKENS, *near):
            assert provider.identify(unknown) is None, f"{unknown[:80]!r} was let in"
            assert provider.logout(unknown) is False

    def test_logout_ends_exactly_one_token(
        self, provider: AuthProvider, good_login: Mapping[str, Any]
    ) -> None:
        ended, other = _login(provider, good_login), _login(provider, good_login)
        assert provider.logout(ended.token) is True
        assert provider.identify(ended.token) is None
        assert provider.identify(other.token) is not None
        assert provider.logout(ended.token) is False
        assert provider.logout(other.token) is True
        assert provider.identify(other.token) is None

    def test_a_failed_login_ends_nothing(
        self, provider: AuthProvider, good_login: Mapping[str, Any], bad_login: Mapping[str, Any]
    ) -> None:
        token = _login(provider, good_login).token
        with pytest.raises(Unauthenticated):
            provider.login(bad_login, request("POST", body=dict(bad_login)))
        assert provider.identify(token) is not None

    def test_many_threads_at_once(
        self, provider: AuthProvider, good_login: Mapping[str, Any]
    ) -> None:
        with ThreadPoolExecutor(4) as pool:
            tokens = list(pool.map(lambda _: _login(provider, good_login).token, range(4)))
            assert len(set(tokens)) == 4
            known = list(pool.map(lambda token: _id(provider, token), tokens * 8))
            assert len(set(known)) == 1
            assert known[0] is not None
            assert list(pool.map(provider.logout, tokens)) == [True] * 4
            assert list(pool.map(lambda token: _id(provider, token), tokens)) == [None] * 4

    def test_a_token_is_ended_once(
        self, provider: AuthProvider, good_login: Mapping[str, Any]
    ) -> None:
        token = _login(provider, good_login).token
        with ThreadPoolExecutor(4) as pool:
            ended = list(pool.map(provider.logout, [token] * 8))
        assert ended.count(True) == 1

    def test_tokens_expire(
        self, provider: AuthProvider, good_login: Mapping[str, Any], clock: FakeClock | None
    ) -> None:
        if clock is None:
            pytest.skip("the suite has no fixture clock")
        login = _login(provider, good_login)
        assert login.expires_at > clock.ms()
        clock.set((login.expires_at - 1) / 1000)
        assert provider.identify(login.token) is not None
        clock.set(login.expires_at / 1000)
        assert provider.identify(login.token) is None
        assert provider.logout(login.token) is False

    def test_no_token_is_kept_in_clear(
        self,
        provider: AuthProvider,
        good_login: Mapping[str, Any],
        stored: Path | Callable[[], str] | None,
    ) -> None:
        if stored is None:
            pytest.skip("the suite has no fixture stored")
        login = _login(provider, good_login)
        if not isinstance(stored, Path):
            kept = stored()
            assert kept, "nothing is kept: does the function look where the tokens are?"
            assert login.token not in kept
            return
        token = login.token.encode()
        files = [path for path in stored.rglob("*") if path.is_file()]
        assert files, f"{stored} is empty: is it where the provider keeps its tokens?"
        assert [path.name for path in files if token in path.read_bytes()] == []


def _login(provider: AuthProvider, body: Mapping[str, Any]) -> Login:
    login = provider.login(body, request("POST", body=dict(body)))
    assert isinstance(login, Login)
    return login


def _id(provider: AuthProvider, token: str) -> str | None:
    principal = provider.identify(token)
    return None if principal is None else principal.id
