"""The life of tokens (local REST contract, 4), in memory."""

from __future__ import annotations

from typing import Any

import pytest

from builtin_plugins.signaling_login import SignalingLoginPlugin
from builtin_plugins.signaling_login.provider import SignalingLogin
from plugin_sdk import Event, HttpReply, Unavailable
from plugin_sdk.testing import FakeCommandIO, FakeContext, HttpRequest

from .conftest import OTHER, SERVER, Api, Plugins, code_of, login

pytestmark = pytest.mark.usefixtures("allowed")


def test_the_oldest_token_goes_when_there_are_too_many(
    provider: SignalingLogin, context: FakeContext
) -> None:
    context.settings.update({"maxTokens": 2})
    tokens = [login(provider).token for _ in range(4)]
    assert [provider.identify(token) is not None for token in tokens] == [False, False, True, True]
    context.settings.update({"maxTokens": 1})
    last = login(provider).token
    assert [provider.identify(token) is not None for token in (*tokens, last)] == [False] * 4 + [
        True
    ]


def test_a_token_says_since_when_and_until_when(
    provider: SignalingLogin, context: FakeContext
) -> None:
    made = login(provider)
    who = provider.identify(made.token)
    assert who is not None
    assert (who.created_at, who.expires_at) == (context.clock.ms(), made.expires_at)


def test_expired_tokens_leave_the_disk(provider: SignalingLogin, context: FakeContext) -> None:
    token, _other = login(provider).token, login(provider).token
    context.clock.advance(3600)
    assert provider.identify(token) is None
    assert context.db.table("tokens").count_where() == 1
    login(provider)
    assert context.db.table("tokens").count_where() == 1


def test_use_does_not_prolong(provider: SignalingLogin, context: FakeContext) -> None:
    token = login(provider).token
    for _ in range(59):
        context.clock.advance(60)
        assert provider.identify(token) is not None
    context.clock.advance(60)
    assert provider.identify(token) is None


def test_tokens_of_an_entry_that_leaves_the_list_are_gone_for_good(
    provider: SignalingLogin, context: FakeContext
) -> None:
    gone, stays = login(provider).token, login(provider, serverUrl=OTHER).token
    context.settings.update({"allowedSignalingServers": [OTHER + "/"]})
    assert provider.identify(gone) is None
    assert provider.identify(stays) is not None
    context.settings.update({"allowedSignalingServers": [SERVER, OTHER]})
    assert provider.identify(gone) is None
    assert provider.logout(gone) is False
    assert provider.identify(stays) is not None


def test_an_entry_that_leaves_the_list_while_it_is_asked(
    provider: SignalingLogin, context: FakeContext
) -> None:
    def leave(_request: HttpRequest) -> HttpReply:
        context.settings.update({"allowedSignalingServers": [OTHER]})
        return HttpReply(200, {}, b'{"id": "a", "username": "b"}')

    context.http.answer("POST", f"{SERVER}/api/users/login", leave)
    login(provider)
    assert code_of(lambda: login(provider)) == "SERVER_NOT_ALLOWED"
    assert context.db.table("tokens").count_where() == 0


def switch(api: Api, plugins: Plugins, plugin_id: str = "local_api") -> None:
    plugins.switch(plugin_id)
    api.version += 1


def test_switching_local_api_clears_at_once(
    provider: SignalingLogin, api: Api, plugins: Plugins
) -> None:
    token = login(provider).token
    api.version += 1  # something else was switched
    assert provider.identify(token) is not None
    for _ in ("off", "on"):
        switch(api, plugins)
        assert provider.identify(token) is None
        token = login(provider).token  # the event that tells of it is still under way
        assert provider.identify(token) is not None
    switch(api, plugins)
    switch(api, plugins)
    assert provider.identify(token) is None


def test_an_event_that_comes_late_ends_nothing(
    provider: SignalingLogin, plugin: SignalingLoginPlugin, api: Api, plugins: Plugins
) -> None:
    switch(api, plugins)
    token = login(provider).token
    plugin.life_may_have_begun(Event("host.plugin_disabled", {"pluginId": "local_api"}))
    assert provider.identify(token) is not None


def test_a_process_that_follows_late_ends_nothing(
    provider: SignalingLogin, context: FakeContext, api: Api, plugins: Plugins
) -> None:
    behind = Api()
    context.services.add("host.api", behind)
    other = SignalingLoginPlugin(context)  # type: ignore[arg-type]  # as another process
    other.enable()
    beside = other.providers()[0].implementation
    old = login(beside, peer="127.0.0.1").token
    for _ in ("off", "on"):
        switch(api, plugins)
        assert provider.identify(old) is None
    token = login(provider).token
    for _ in ("off", "on"):
        behind.version += 1
        assert beside.identify(token) is not None
    switch(api, plugins, "signaling_login")
    switch(api, plugins, "signaling_login")
    token = login(provider).token
    other.disable()  # it follows the first of both
    assert provider.identify(token) is not None


def test_the_processes_of_one_life_share_their_tokens(
    provider: SignalingLogin, context: FakeContext, info: Any
) -> None:
    token = login(provider).token
    other = SignalingLoginPlugin(context)  # type: ignore[arg-type]  # as another process, later
    other.enable()
    beside = other.providers()[0].implementation
    assert beside.identify(token) is not None
    assert provider.identify(token) is not None
    info.outlived = True
    other.disable()
    assert provider.identify(token) is not None


def test_a_new_life_begins_without_tokens(
    provider: SignalingLogin, plugin: SignalingLoginPlugin, context: FakeContext, info: Any
) -> None:
    token = login(provider).token
    table = context.db.table("tokens")
    left = table.rows_where()
    context.stop(plugin)
    assert table.count_where() == 0
    table.insert_all(left)  # as after a crash
    info.life = "second"
    again = context.start(SignalingLoginPlugin)
    provider = context.providers.get("auth", "signaling")
    assert provider.identify(token) is None
    assert table.count_where() == 0
    context.stop(again)
    table.insert_all(left)
    info.life = "third"
    again = context.start(SignalingLoginPlugin)
    again.life_may_have_begun(Event("host.started"))
    assert table.count_where() == 0


def test_a_command_beside_a_server_ends_no_token(
    provider: SignalingLogin, context: FakeContext
) -> None:
    token = login(provider).token
    beside = SignalingLoginPlugin(context)  # type: ignore[arg-type]
    beside.enable()
    beside.disable()
    assert provider.identify(token) is not None


def test_clear_tokens(
    provider: SignalingLogin, plugin: SignalingLoginPlugin, context: FakeContext
) -> None:
    expired = login(provider).token
    context.clock.advance(3600)
    tokens = [login(provider).token for _ in range(3)]
    assert plugin.diagnostics() == {"allowedServers": 2, "liveTokens": 3}
    terminal = FakeCommandIO()
    plugin.clear_tokens(terminal)
    assert terminal.output == "3\n"
    assert [provider.identify(token) for token in (expired, *tokens)] == [None] * 4


def test_a_login_that_outlives_the_plugin_leaves_no_token(
    provider: SignalingLogin, plugin: SignalingLoginPlugin, context: FakeContext
) -> None:
    token = login(provider).token
    plugin.disable()
    with pytest.raises(Unavailable):
        login(provider)
    assert provider.identify(token) is None
    assert context.db.table("tokens").count_where() == 0
