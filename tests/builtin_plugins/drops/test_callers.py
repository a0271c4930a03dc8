"""Who may call (contract, 1.2)."""

from __future__ import annotations

import json
from contextlib import closing
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from builtin_plugins.drops import Drops
from plugin_sdk import Forbidden, MethodNotAllowed, NotFound, Request, Unauthenticated
from plugin_sdk.testing import FakeContext, request, signed_in

ELSEWHERE = "192.0.2.7"
_CHUNKED = {"Transfer-Encoding": "chunked"}
BEARER = {"Authorization": "Bearer t"}


def asked(
    headers: dict[str, str] | None = None,
    peer: str = "127.0.0.1",
    path: str = "/synced",
    *permissions: str,
) -> Request:
    token = "t" if headers and "Authorization" in headers else None
    who = signed_in(*permissions) if token else None
    return request("GET", path, headers=headers, peer=peer, principal=who, token=token)


def test_this_machine_may(plugin: Drops) -> None:
    plugin.guard(asked())
    plugin.guard(asked({"Origin": "http://localhost"}))
    for site in ("same-origin", "none"):
        plugin.guard(asked({"Sec-Fetch-Site": site}))


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "https://localhost"},
        {"Origin": "http://localhost:1"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": ""},
        {**BEARER, "Origin": "http://evil.example"},
    ],
)
@pytest.mark.parametrize("path", ["/synced", "/nowhere", "/drop"])
def test_pages_of_others_may_not(plugin: Drops, headers: dict[str, str], path: str) -> None:
    with pytest.raises(Forbidden):
        plugin.guard(asked(headers, path=path))


def test_other_machines_need_a_token_with_the_permission(plugin: Drops) -> None:
    with pytest.raises(Unauthenticated):
        plugin.guard(asked(peer=ELSEWHERE))
    with pytest.raises(Unauthenticated):
        plugin.guard(asked({"X-Forwarded-For": "127.0.0.1"}, ELSEWHERE))
    with pytest.raises(Forbidden):
        plugin.guard(asked(BEARER, ELSEWHERE))
    foreign = {**BEARER, "Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}
    plugin.guard(asked(foreign, ELSEWHERE, "/synced", "MANAGE_SETTINGS"))


def test_the_local_administrator_is_no_token(plugin: Drops) -> None:
    local = signed_in("ADMIN")
    with pytest.raises(Forbidden):
        plugin.guard(request("GET", "/drop", headers={"Origin": "null"}, principal=local))
    cookie = request(
        "GET", "/drop", headers={"Origin": "null", "Cookie": "x"}, principal=local, token="t"
    )
    with pytest.raises(Forbidden):
        plugin.guard(cookie)


def test_behind_a_proxy_everybody_needs_a_token(context: FakeContext, plugin: Drops) -> None:
    context.settings.update({"requireToken": True})
    with pytest.raises(Unauthenticated):
        plugin.guard(asked())
    plugin.guard(asked(BEARER, "127.0.0.1", "/synced", "MANAGE_SETTINGS"))


def test_who_comes_before_what(plugin: Drops) -> None:
    with pytest.raises(NotFound):
        plugin.guard(asked(path="/settings/"))
    with pytest.raises(MethodNotAllowed) as refused:
        plugin.guard(request("PUT", "/drop"))
    assert refused.value.headers["Allow"] == "GET, HEAD, POST, OPTIONS"
    with pytest.raises(Unauthenticated):
        plugin.guard(asked(peer=ELSEWHERE, path="/settings/"))


def test_through_a_real_host(client) -> None:
    for method in ("GET", "DELETE", "OPTIONS"):
        answer = client.host.request(method, "/synced", headers={"Origin": "null"})
        assert answer.status == 403
        assert answer.json()["error"] == "FORBIDDEN"
        assert not [name for name in answer.headers if name.startswith("access-control")]
    assert client.host.get("/synced", headers={"Host": "evil.example"}).status == 403


def test_who_comes_before_how_much(client) -> None:
    """A body of another site's page is not even measured."""
    body = b" " * (5 * 1024 * 1024)
    for path in ("/settings", "/synced", "/drop"):
        answer = client.host.post(path, content=body, headers={"Origin": "http://evil.example"})
        client.fails(answer, 403, "FORBIDDEN")
        client.fails(client.host.post(path, content=body), 413, "PAYLOAD_TOO_LARGE")


def test_what_the_host_itself_refuses_has_the_same_form(client) -> None:
    answer = client.host.get("/synced", headers={"Host": "evil.example"})
    assert answer.status == 403
    assert answer.headers["content-type"] == "application/json; charset=UTF-8"
    address = urlsplit(client.host.url)
    with closing(HTTPConnection(address.hostname, address.port, timeout=60)) as connection:
        chunks = (b" " * 65536 for _ in range(17))
        connection.request("POST", "/drop", chunks, encode_chunked=True, headers=_CHUNKED)
        refused = connection.getresponse()
        assert refused.status == 413
        assert refused.headers["content-type"] == "application/json; charset=UTF-8"
        assert json.loads(refused.read())["error"] == "PAYLOAD_TOO_LARGE"


def test_options(client) -> None:
    expected = {
        "/settings": "GET, HEAD, PUT, POST, OPTIONS",
        "/synced": "GET, HEAD, PUT, POST, OPTIONS",
        "/drop": "GET, HEAD, POST, OPTIONS",
    }
    for path, allow in expected.items():
        answer = client.host.options(path)
        assert (answer.status, answer.content) == (200, b"")
        assert answer.headers["allow"] == allow
        assert answer.headers["content-length"] == "0"
        assert answer.headers["cache-control"] == "no-store"
        assert "content-type" not in answer.headers
    assert client.host.options("/settings/x").status == 404
