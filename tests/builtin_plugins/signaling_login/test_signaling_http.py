"""Logging in over real sockets: a real host, and signaling servers that behave as they like."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from host.testing import TestHost, database_of
from plugin_sdk import HttpReply, Plugin, hookimpl

from .conftest import ALICE, PASSWORD, Signaling, answering, dripping, silent, vouching

Start = Callable[..., Signaling]
MakeHost = Callable[..., TestHost]


def allow(host: TestHost, *servers: str, **more: Any) -> HttpReply:
    return host.put(
        "/api/plugins/signaling_login/config",
        json={"allowedSignalingServers": list(servers), **more},
    )


def login(host: TestHost, server: str, password: str = PASSWORD, **options: Any) -> HttpReply:
    body = {"username": "alice", "password": password, "serverUrl": server}
    return host.post("/api/auth/login", json=body, **options)


def token_of(host: TestHost, server: str) -> str:
    answer = login(host, server)
    assert answer.status == 200, answer.content
    return str(answer.json()["token"])


def is_live(host: TestHost, token: str) -> bool:
    status = host.get("/api/plugins/realtime/config", token=token).status
    assert status in (200, 401)
    return status == 200


def refused(answer: HttpReply, status: int, code: str) -> None:
    body = answer.json()
    assert (answer.status, body["error"]) == (status, code), answer.content
    assert body["message"]
    assert "www-authenticate" not in answer.headers
    assert "details" not in body or status == 400


@pytest.fixture
def host(make_host: MakeHost) -> TestHost:
    return make_host()


@pytest.fixture
def server(signaling: Start, host: TestHost) -> str:
    url = signaling().url
    assert allow(host, url).status == 200
    return url


def test_a_login_a_look_and_a_logout(host: TestHost, server: str) -> None:
    answer = login(host, server)
    body = answer.json()
    assert answer.status == 200
    assert answer.headers["cache-control"] == "no-store"
    assert list(body) == ["token", "expiresAt", "user"]
    assert body["user"] == ALICE
    token, other = body["token"], token_of(host, server)
    assert is_live(host, token)
    ended = host.post("/api/auth/logout", token=token)
    assert (ended.status, ended.content) == (204, b"")
    assert host.post("/api/auth/logout", token=token).status == 401
    assert not is_live(host, token)
    assert is_live(host, other)


def test_a_token_holds_no_permissions(host: TestHost, server: str) -> None:
    token = token_of(host, server)
    answer = host.post("/api/plugins/realtime/disable", token=token)
    assert (answer.status, answer.json()["error"]) == (403, "FORBIDDEN")


def test_what_the_server_is_asked(host: TestHost, signaling: Start) -> None:
    asked = signaling()
    allow(host, asked.url + "/sub/")
    assert login(host, asked.url.replace("http://", "WS://") + "/sub?x#y").status == 200
    [request] = asked.asked
    assert request.line == "POST /sub/api/users/login HTTP/1.1"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["accept"] == "application/json"
    assert json.loads(request.body) == {"username": "alice", "password": PASSWORD}


@pytest.mark.parametrize("entry", ["ftp://a", "https://u:p@a", "https://", "a b", "http://a:70000"])
def test_an_entry_that_is_no_server_is_refused(host: TestHost, server: str, entry: str) -> None:
    answer = allow(host, server, entry)
    assert (answer.status, answer.json()["error"]) == (400, "INVALID_REQUEST")
    assert answer.json()["details"][0]["path"] == "allowedSignalingServers.1"
    assert login(host, server).status == 200


def test_settings_have_their_ranges(host: TestHost) -> None:
    for bad in (
        {"upstreamTimeoutSeconds": 0.4},
        {"upstreamTimeoutSeconds": 61},
        {"maxTokens": 0},
        {"maxTokens": 1.5},
        {"maxConcurrentLogins": 65},
        {"unknown": 1},
        {"allowedSignalingServers": ["https://a"] * 65},
    ):
        answer = host.put("/api/plugins/signaling_login/config", json=bad)
        assert answer.status == 400, bad
    assert host.get("/api/plugins/signaling_login/config").json() == {
        "allowedSignalingServers": [],
        "upstreamTimeoutSeconds": 10,
        "maxTokens": 1000,
        "maxConcurrentLogins": 8,
    }


def test_no_traffic_before_the_list_test(host: TestHost, signaling: Start) -> None:
    other = signaling()
    refused(login(host, other.url), 403, "NO_ALLOWED_SERVERS")
    allow(host, "https://signal.example.com")
    refused(login(host, other.url), 403, "SERVER_NOT_ALLOWED")
    refused(login(host, "https://signal.example.com@" + other.url[7:]), 403, "SERVER_NOT_ALLOWED")
    assert other.connections == 0


def test_wrong_credentials(host: TestHost, server: str) -> None:
    refused(login(host, server, "wrong"), 401, "INVALID_CREDENTIALS")


def test_bad_bodies(host: TestHost, server: str) -> None:
    def post(content: bytes, kind: str = "application/json") -> HttpReply:
        return host.post("/api/auth/login", content=content, headers={"Content-Type": kind})

    good = json.dumps({"username": "alice", "password": PASSWORD, "serverUrl": server}).encode()
    assert post(good, "text/plain").status == 200
    refused(post(b""), 400, "INVALID_REQUEST")
    refused(post(b"username=alice&password=x"), 400, "INVALID_REQUEST")
    refused(post(b"[]"), 400, "INVALID_REQUEST")
    refused(post(b'{"password": 1, "serverUrl": ""}'), 400, "INVALID_REQUEST")
    refused(post(b'{"neither": 1}'), 400, "INVALID_REQUEST")
    refused(post(b'{"username": "' + b"x" * 65536 + b'"}'), 413, "PAYLOAD_TOO_LARGE")


def test_redirects_are_not_followed(host: TestHost, signaling: Start) -> None:
    target = signaling()
    for status in (301, 302, 307, 308):
        head = f"Location: {target.url}/api/users/login\r\n"
        first = signaling(answering(status, head=head))
        allow(host, first.url, target.url)
        refused(login(host, first.url), 502, "UPSTREAM_UNREACHABLE")
        assert len(first.asked) == 1
    assert target.connections == 0


@pytest.mark.parametrize(
    "behaviour",
    [
        answering(200, b"<html>hello</html>"),
        answering(200, [ALICE]),  # type: ignore[arg-type]
        answering(200, {"id": 1, "username": "alice"}),
        answering(200, {**ALICE, "more": "x" * 70_000}),
        answering(201, ALICE),
        answering(500, ALICE),
        answering(404),
        answering(429),
        lambda connection, _asked, _over: connection.sendall(b"SSH-2.0-OpenSSH_9.9\r\n"),
        lambda connection, _asked, _over: None,  # closes without a word
        lambda connection, _asked, _over: connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"
        ),
    ],
)
def test_answers_that_are_none(host: TestHost, signaling: Start, behaviour: Any) -> None:
    server = signaling(behaviour).url
    allow(host, server)
    refused(login(host, server), 502, "UPSTREAM_UNREACHABLE")


def test_an_endless_body_of_a_refusal_is_not_waited_for(host: TestHost, signaling: Start) -> None:
    def endless(connection: socket.socket, _asked: Any, over: threading.Event) -> None:
        connection.sendall(b"HTTP/1.1 403 No\r\nContent-Length: 1000\r\n\r\n")
        over.wait(60)

    server = signaling(endless).url
    allow(host, server, upstreamTimeoutSeconds=60)
    refused(login(host, server), 401, "INVALID_CREDENTIALS")


def test_nobody_there(host: TestHost) -> None:
    with socket.socket() as silent:  # nobody else gets the port meanwhile
        silent.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{silent.getsockname()[1]}"
        servers = [closed, "http://nowhere.invalid", "http://0.0.0.0:1"]
        allow(host, *servers)
        for server in servers:
            refused(login(host, server, timeout=60), 502, "UPSTREAM_UNREACHABLE")


def test_a_server_without_tls_at_an_https_entry(host: TestHost, signaling: Start) -> None:
    server = signaling(answering(400)).url.replace("http://", "https://")
    allow(host, server, upstreamTimeoutSeconds=2)
    refused(login(host, server), 502, "UPSTREAM_UNREACHABLE")


@pytest.mark.parametrize("behaviour", [silent, dripping])
def test_a_slow_server_is_left_after_the_time_limit(
    host: TestHost, signaling: Start, behaviour: Any
) -> None:
    server = signaling(behaviour).url
    allow(host, server, upstreamTimeoutSeconds=0.5)
    refused(login(host, server, timeout=60), 502, "UPSTREAM_UNREACHABLE")


def test_proxies_of_the_environment_are_ignored(
    host: TestHost, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert login(host, server).status == 200


def test_logins_that_wait_are_limited_and_hold_up_nobody(
    make_host: MakeHost, signaling: Start, wait_until: Callable[..., None]
) -> None:
    host = make_host(config={"threads": 32})
    slow = signaling(silent)
    allow(host, slow.url, upstreamTimeoutSeconds=60)
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(login, host, slow.url, timeout=120) for _ in range(8)]
        wait_until(lambda: len(slow.asked) == 8)
        one_more = login(host, slow.url)
        refused(one_more, 429, "TOO_MANY_REQUESTS")
        assert one_more.headers["retry-after"] == "1"
        assert host.get("/api/health").status == 200
        slow.over.set()
        for each in waiting:
            refused(each.result(), 502, "UPSTREAM_UNREACHABLE")
    assert login(host, slow.url).status == 502  # the places are free again


# The life of tokens


def test_no_token_survives_a_restart(host: TestHost, server: str) -> None:
    token = token_of(host, server)
    host.restart()
    assert not is_live(host, token)


def test_switching_plugins_ends_tokens_at_once(host: TestHost, server: str) -> None:
    for plugin_id in ("signaling_login", "local_api"):
        token = token_of(host, server)
        host.disable("realtime")
        host.enable("realtime")
        assert is_live(host, token)
        host.disable(plugin_id)
        assert not is_live(host, token)
        host.enable(plugin_id)
        assert not is_live(host, token)
        token = token_of(host, server)  # the events of all this may still be under way
        assert is_live(host, token)


def test_without_the_plugin_the_shape_is_unknown(host: TestHost, server: str) -> None:
    host.disable("signaling_login")
    refused(login(host, server), 400, "INVALID_REQUEST")


def test_an_entry_that_leaves_takes_its_tokens_along(
    host: TestHost, server: str, signaling: Start
) -> None:
    second = signaling().url
    allow(host, server, second)
    gone, stays = token_of(host, server), token_of(host, second)
    allow(host, second + "/")
    assert not is_live(host, gone)
    assert is_live(host, stays)
    allow(host, server, second)
    assert not is_live(host, gone)
    assert is_live(host, stays)


def test_the_list_may_change_while_a_server_is_asked(
    host: TestHost, signaling: Start, wait_until: Callable[..., None]
) -> None:
    go_on = threading.Event()

    def late(connection: socket.socket, asked: Any, over: threading.Event) -> None:
        go_on.wait(120)
        vouching(connection, asked, over)

    slow = signaling(late)
    allow(host, slow.url, upstreamTimeoutSeconds=60)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(login, host, slow.url, timeout=120)
        wait_until(lambda: slow.asked)
        allow(host, "https://signal.example.com")
        go_on.set()
        refused(waiting.result(), 403, "SERVER_NOT_ALLOWED")


def test_switching_off_while_a_server_is_asked(
    host: TestHost, signaling: Start, wait_until: Callable[..., None]
) -> None:
    slow = signaling(silent)
    allow(host, slow.url, upstreamTimeoutSeconds=60)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(login, host, slow.url, timeout=120)
        wait_until(lambda: slow.asked)
        host.disable("signaling_login")
        refused(waiting.result(), 502, "UPSTREAM_UNREACHABLE")


def test_commands_beside_a_server(host: TestHost, server: str) -> None:
    where = {
        "STAGEBOX_DATA_DIR": str(host.data_dir),
        "STAGEBOX_DATABASE": database_of(host.data_dir),
    }

    def command(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "host", *arguments],
            env={**os.environ, **where},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return done.stdout

    tokens = [token_of(host, server) for _ in range(2)]
    command("openapi")  # starts the plugins in a process of its own, and stops them
    assert all(is_live(host, token) for token in tokens)
    assert command("signaling_login", "clear-tokens") == "2\n"
    assert not any(is_live(host, token) for token in tokens)


def test_nothing_secret_is_kept(host: TestHost, server: str) -> None:
    tokens = [token_of(host, server) for _ in range(3)]
    login(host, server, "hunter2-" + PASSWORD)
    host.post("/api/auth/logout", token=tokens[0])
    host.host.logs.flush()
    secrets = [PASSWORD, "hunter2", "server-side-token", *tokens]
    files = [path for path in Path(host.data_dir).rglob("*") if path.is_file()]
    assert any(path.suffix == ".log" for path in files)
    for path in files:
        content = path.read_bytes()
        assert [each for each in secrets if each.encode() in content] == [], path


def test_only_the_current_local_user(host: TestHost, server: str) -> None:
    store = host.plugin("plugin_data").context.services.get("plugin_data.store")
    host.put("/api/plugins/local_api/config", json={"restrictToLocalUser": True})
    assert login(host, server).status == 200
    store.set_meta("metoyou_currentUserId", "user-bob-02")
    refused(login(host, server), 403, "USER_NOT_ALLOWED")
    store.set_meta("metoyou_currentUserId", ALICE["id"])
    assert login(host, server).status == 200


class Verifier(Plugin):
    """Answers the hook, like a stranger's plugin."""

    @hookimpl
    def signaling_verify_login(self, server_url: str, username: str, password: str) -> Any:
        if username == "broken":
            raise ValueError(password)
        return {"id": f"hook-{username}", "username": username} if password == "y" else False


def test_another_plugin_may_verify(make_host: MakeHost) -> None:
    host = make_host(Verifier)
    allow(host, "https://signal.invalid")
    assert login(host, "signal.invalid", "y").json()["user"]["id"] == "hook-alice"
    refused(login(host, "signal.invalid", "n"), 401, "INVALID_CREDENTIALS")
    body = {"username": "broken", "password": "x", "serverUrl": "signal.invalid"}
    refused(host.post("/api/auth/login", json=body), 502, "UPSTREAM_UNREACHABLE")
