"""The signaling login is a sound plugin and an auth provider like any other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from plugin_sdk import AuthProvider, HttpReply
from plugin_sdk.testing import AuthSuite, FakeClock, FakeContext, HttpRequest, PluginSuite

SERVER = "https://signal.example.com"


class TestSignalingLoginIsSound(PluginSuite):
    plugin = "builtin_plugins.signaling_login:plugin"

    def prepare(self, context: FakeContext) -> None:
        context.services.add("host.api", object())
        context.services.add("host.info", object())
        context.services.add("host.plugins", object())
        context.services.add("host.settings", object())


def _answer(request: HttpRequest) -> HttpReply:
    if request.json()["password"] != "right":
        return HttpReply(401, {}, b"")
    return HttpReply(200, {}, b'{"id": "user-alice-01", "username": "alice"}')


class TestSignalingLoginKeepsThePromises(AuthSuite):
    @pytest.fixture
    def provider(self, context: FakeContext, provider: Any) -> AuthProvider:
        context.settings.update({"allowedSignalingServers": [SERVER]})
        context.http.answer("POST", f"{SERVER}/api/users/login", _answer)
        assert isinstance(provider, AuthProvider)
        return provider

    @pytest.fixture
    def good_login(self) -> Mapping[str, Any]:
        return {"username": "alice", "password": "right", "serverUrl": SERVER}

    @pytest.fixture
    def bad_login(self) -> Mapping[str, Any]:
        return {"username": "alice", "password": "wrong", "serverUrl": SERVER}

    @pytest.fixture
    def clock(self, context: FakeContext) -> FakeClock:
        return context.clock

    @pytest.fixture
    def stored(self, context: FakeContext) -> Path | Callable[[], str]:
        if context.db.engine == "sqlite":
            return context._own_folder()  # pages that are free show, too
        tables = context.db.tables()
        return lambda: str([context.db.query(f"SELECT * FROM {each}") for each in tables])
