"""The table of the login route, top to bottom (local REST contract, 3.3), in memory."""

from __future__ import annotations

from typing import Any

import pytest

from builtin_plugins.signaling_login.provider import SignalingLogin
from plugin_sdk import (
    Forbidden,
    HttpReply,
    Invalid,
    ProviderUnavailable,
    Unauthenticated,
    UpstreamFailed,
    hookimpl,
)
from plugin_sdk.testing import FakeContext, HttpRequest

from .conftest import ALICE, OTHER, SERVER, HostSettings, Store, code_of, login

pytestmark = pytest.mark.usefixtures("allowed")


@pytest.mark.parametrize(
    ("keys", "claimed"),
    [
        ("username password serverUrl", True),
        ("username", True),
        ("password", True),
        ("serverUrl", True),
        ("username somethingElse", True),
        ("username password serverUrl pin", False),
        ("username password serverUrl profileName", False),
        ("account password", False),
        ("profileName pin", False),
        ("name", False),
        ("", False),
    ],
)
def test_what_it_claims(provider: SignalingLogin, keys: str, claimed: bool) -> None:
    assert provider.claims(dict.fromkeys(keys.split())) is claimed


@pytest.mark.parametrize(
    ("changes", "paths"),
    [
        ({"username": ...}, ["username"]),
        ({"password": ...}, ["password"]),
        ({"serverUrl": ...}, ["serverUrl"]),
        ({"username": ..., "password": ..., "serverUrl": 1}, ["username", "password", "serverUrl"]),
        ({"username": " \t", "password": ""}, ["username", "password"]),
        ({"serverUrl": "  "}, ["serverUrl"]),
        ({"username": "x" * 256}, ["username"]),
        ({"password": "x" * 4097}, ["password"]),
        (
            {"username": None, "password": False, "serverUrl": []},
            ["username", "password", "serverUrl"],
        ),
    ],
)
def test_bad_fields_are_all_named(
    provider: SignalingLogin, context: FakeContext, changes: dict[str, Any], paths: list[str]
) -> None:
    context.settings.update({"allowedSignalingServers": []})  # fields are judged before the list
    with pytest.raises(Invalid) as caught:
        login(provider, **changes)
    assert [problem.path for problem in caught.value.details] == paths
    assert "right" not in caught.value.message


def test_the_longest_fields_pass(provider: SignalingLogin, context: FakeContext) -> None:
    login(provider, username=" " + "x" * 255 + " ", password=" " + "y" * 4095)
    assert context.http.requests[-1].json() == {"username": "x" * 255, "password": " " + "y" * 4095}


def test_what_is_sent(provider: SignalingLogin, context: FakeContext) -> None:
    login(
        provider, username="  alice ", password=" right ", serverUrl="WSS://Signal.example.com:443/"
    )
    sent = context.http.requests[-1]
    assert (sent.method, sent.url) == ("POST", f"{SERVER}/api/users/login")
    assert sent.headers["content-type"] == sent.headers["accept"] == "application/json"
    assert sent.content == b'{"username":"alice","password":" right "}'
    assert sent.timeout == 10
    login(provider, serverUrl=OTHER)
    assert context.http.requests[-1].url == f"{OTHER}/api/users/login"


def test_nothing_is_sent_before_the_list_test(
    provider: SignalingLogin, context: FakeContext
) -> None:
    assert (
        code_of(lambda: login(provider, serverUrl="https://evil.example.com"))
        == "SERVER_NOT_ALLOWED"
    )
    assert code_of(lambda: login(provider, serverUrl="::")) == "SERVER_NOT_ALLOWED"
    context.settings.update({"allowedSignalingServers": []})
    assert code_of(lambda: login(provider)) == "NO_ALLOWED_SERVERS"
    assert context.http.requests == []


def test_the_lan_guard_comes_first(
    provider: SignalingLogin, context: FakeContext, host_settings: HostSettings
) -> None:
    assert code_of(lambda: login(provider, peer="192.0.2.7", username=None)) == "LAN_DISABLED"
    host_settings.local_api = None  # no such plugin: nothing is exposed
    assert code_of(lambda: login(provider, peer="192.0.2.7")) == "LAN_DISABLED"
    assert context.http.requests == []
    host_settings.local_api = {"exposeOnLan": True}
    login(provider, peer="192.0.2.7")


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        (ALICE, "Alice"),
        ({**ALICE, "displayName": ""}, "alice"),
        ({**ALICE, "displayName": 7}, "alice"),
        ({"id": "i", "username": "alice", "token": "x", "admin": True}, "alice"),
    ],
)
def test_who_it_is(
    provider: SignalingLogin, context: FakeContext, answer: dict[str, Any], name: str
) -> None:
    context.http.answer_json("POST", f"{SERVER}/api/users/login", answer)
    login(provider)
    found = login(provider)
    user = {"id": answer["id"], "username": "alice", "displayName": name}
    assert found.extra == {"user": user}
    assert found.token.startswith("local_")
    assert len(found.token) == 46
    assert found.expires_at == context.clock.ms() + 3_600_000
    principal = provider.identify(found.token)
    assert principal == found.principal
    assert principal is not None
    assert principal.user == user
    assert (principal.name, principal.profile_id, principal.permissions) == (
        name,
        None,
        frozenset(),
    )


@pytest.mark.parametrize("status", [400, 401, 403, 422])
def test_rejected(provider: SignalingLogin, context: FakeContext, status: int) -> None:
    reply = HttpReply(status, {}, b"x" * 100_000)
    context.http.answer("POST", f"{SERVER}/api/users/login", lambda _request: reply)
    login(provider)
    assert code_of(lambda: login(provider), Unauthenticated) == "INVALID_CREDENTIALS"


@pytest.mark.parametrize("status", [201, 204, 301, 302, 404, 405, 408, 429, 500, 503])
def test_no_usable_status(provider: SignalingLogin, context: FakeContext, status: int) -> None:
    reply = HttpReply(
        status, {"Location": f"{OTHER}/api/users/login"}, b'{"id":"a","username":"b"}'
    )
    context.http.answer("POST", f"{SERVER}/api/users/login", lambda _request: reply)
    login(provider)
    with pytest.raises(UpstreamFailed):
        login(provider)
    assert len(context.http.requests) == 2  # no redirect was followed


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>",
        b"[]",
        b"null",
        b'"alice"',
        b"{}",
        b'{"id": "x"}',
        b'{"username": "x"}',
        b'{"id": 7, "username": "x"}',
        b'{"id": "", "username": "x"}',
        b'{"id": "x", "username": ""}',
        b'{"id": "x", "username": "y", "n": NaN}',
        b'{"id": "x\\ud800", "username": "y"}',
        b'{"id": "x\\u0000", "username": "y"}',
        b"\xff\xfe{",
        b'{"id": "x", "username": "y", "more": ' + b"[" * 100 + b"]" * 100 + b"}",
        b'{"id": "x", "username": "y", "more": "' + b"z" * 65536 + b'"}',
    ],
)
def test_nonsense(provider: SignalingLogin, context: FakeContext, content: bytes) -> None:
    context.http.answer("POST", f"{SERVER}/api/users/login", HttpReply(200, {}, content))
    login(provider)
    with pytest.raises(UpstreamFailed) as caught:
        login(provider)
    assert "example.com" not in caught.value.message


def test_neither_password_nor_token_is_logged(
    provider: SignalingLogin, context: FakeContext
) -> None:
    def refuse(_request: HttpRequest) -> HttpReply:
        raise UpstreamFailed("it broke")

    token = login(provider, password="hunter2-hunter2").token
    context.http.answer("POST", f"{SERVER}/api/users/login", refuse)
    login(provider)
    with pytest.raises(UpstreamFailed):
        login(provider, password="hunter2-hunter2")
    provider.logout(token)
    assert any("it broke" in message for message in context.log.messages)
    assert not any("hunter2" in text or token in text for text in context.log.messages)


# The current local user


def test_only_the_current_local_user(
    provider: SignalingLogin, context: FakeContext, host_settings: HostSettings, store: Store
) -> None:
    host_settings.local_api = {"restrictToLocalUser": True}
    login(provider)  # nobody is the current user
    store.meta["metoyou_currentUserId"] = "user-bob-02"
    assert code_of(lambda: login(provider)) == "USER_NOT_ALLOWED"
    store.meta["metoyou_currentUserId"] = ALICE["id"]
    login(provider)
    context.services.remove("plugin_data.store")
    with pytest.raises(ProviderUnavailable):  # who it is cannot be known
        login(provider)
    host_settings.local_api = {"restrictToLocalUser": False}
    login(provider)


# The hook


class Verifier:
    def __init__(self, verdict: Any) -> None:
        self.verdict = verdict
        self.asked: list[tuple[str, str, str]] = []

    @hookimpl
    def signaling_verify_login(self, server_url: str, username: str, password: str) -> Any:
        self.asked.append((server_url, username, password))
        if isinstance(self.verdict, Exception):
            raise self.verdict
        return self.verdict


def test_a_plugin_may_verify_in_the_servers_place(
    provider: SignalingLogin, context: FakeContext
) -> None:
    verifier = Verifier({"id": "hook-1", "username": "alice", "token": "x"})
    context.hooks.register("example.verifier", verifier)
    assert login(provider).extra["user"]["id"] == "hook-1"
    assert verifier.asked == [(SERVER, "alice", "right")]
    assert context.http.requests == []
    verifier.verdict = False
    assert code_of(lambda: login(provider), Unauthenticated) == "INVALID_CREDENTIALS"
    verifier.verdict = None
    assert login(provider).extra["user"]["id"] == ALICE["id"]


@pytest.mark.parametrize(
    "verdict",
    [
        True,
        {},
        [],
        "alice",
        {"id": 7, "username": "x"},
        {"id": "a", "username": "b", "c": object()},
        RuntimeError("hunter2"),
        Forbidden("hunter2"),
    ],
)
def test_a_hook_that_fails_answers_502(
    provider: SignalingLogin, context: FakeContext, verdict: Any
) -> None:
    context.hooks.register("example.verifier", Verifier(verdict))
    with pytest.raises(UpstreamFailed):
        login(provider, password="hunter2")
    assert context.http.requests == []
    assert not any("hunter2" in text for text in context.log.messages)


def test_the_list_is_tested_before_the_hook(provider: SignalingLogin, context: FakeContext) -> None:
    verifier = Verifier({"id": "hook-1", "username": "alice"})
    context.hooks.register("example.verifier", verifier)
    assert code_of(lambda: login(provider, serverUrl="https://x.example")) == "SERVER_NOT_ALLOWED"
    assert verifier.asked == []
