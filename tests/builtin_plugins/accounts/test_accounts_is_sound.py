"""Accounts is a sound plugin and a sound auth provider."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

import builtin_plugins.accounts as accounts
from host.testing import TestHost
from plugin_sdk import AuthProvider, Manifest
from plugin_sdk.testing import AuthSuite, FakeClock, FakeContext, leak_check
from tests.bundled import BundledSuite

FIRST = {"name": "Admin", "pin": "1234", "recoveryPhrase": "my phrase"}


class TestAccountsIsSound(BundledSuite):
    plugin = "builtin_plugins.accounts:plugin"
    bundled = "protected"

    def test_it_starts_and_stops_in_a_real_host(
        self, tmp_path: Path, manifest: Manifest, started_paths: Sequence[tuple[str, str]]
    ) -> None:
        with leak_check(60.0), TestHost(tmp_path / "data") as host:
            assert host.entry("accounts").state == "active"
            for method, path in started_paths:
                answer = host.options(path)
                assert (answer.status, method in answer.headers["allow"]) == (200, True), path


class TestProfileLogin(AuthSuite):
    @pytest.fixture
    def provider(self, context: FakeContext, plugin: accounts.Accounts) -> AuthProvider:
        plugin._first_run.init(FIRST)
        provider = context.providers.get("auth", "accounts")
        assert isinstance(provider, AuthProvider)
        return provider

    @pytest.fixture
    def good_login(self) -> dict[str, str]:
        return {"profileName": "Admin", "pin": "1234"}

    @pytest.fixture
    def bad_login(self) -> dict[str, str]:
        return {"profileName": "Admin", "pin": "4321"}

    @pytest.fixture
    def clock(self, context: FakeContext) -> FakeClock:
        return context.clock

    @pytest.fixture
    def stored(self, context: FakeContext) -> Path | Callable[[], str]:
        if context.db.engine == "sqlite":
            return context.paths.data.parent  # pages that are free show, too
        tables = context.db.tables()
        return lambda: str([context.db.query(f"SELECT * FROM {each}") for each in tables])


@pytest.mark.parametrize(
    "body",
    [
        {"name": "Admin", "pinCode": "1234"},
        {"username": "Admin", "password": "1234"},
        {"PROFILENAME": "x"},
        {},
    ],
)
def test_bodies_of_others_are_not_claimed(context, plugin, body):
    assert context.providers.get("auth", "accounts").claims(body) is False


def test_it_governs_from_the_first_run_on(context, plugin):
    provider = context.providers.get("auth", "accounts")
    assert provider.governs() is False
    plugin._first_run.init(FIRST)
    assert provider.governs() is True
