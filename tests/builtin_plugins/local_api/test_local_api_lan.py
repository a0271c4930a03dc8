"""Another machine at the door, played by this one through an address that is not loopback."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from host.testing import TestHost

GUARDED = [
    "/api/health",
    "/api/profile",
    "/api/rooms",
    "/api/rooms/x",
    "/api/rooms/x/messages",
    "/api/messages/x",
    "/api/users/x",
    "/api/attachments",
    "/api/plugin-data",
    "/api/meta/k",
]
OPEN = ["/api/openapi.json", "/docs", "/docusaurus/", "/api/docs", "/api/docs.json"]


def own_address() -> str:
    """An address of this machine in its network; nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET-1 (RFC 5737)
        except OSError:
            pytest.skip("this machine is in no network")
        address: str = probe.getsockname()[0]
    if address.startswith("127."):
        pytest.skip("this machine is in no network")
    return address


@pytest.fixture(scope="module")
def lan(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestHost, str, int]]:
    address = own_address()
    folder: Path = tmp_path_factory.mktemp("lan")
    with TestHost(folder / "data", config={"listen": ["0.0.0.0:0"]}) as host:
        yield host, address, int(host.url.rpartition(":")[2])


def ask(lan: tuple[TestHost, str, int], method: str, path: str, **headers: str) -> tuple[int, Any]:
    _, address, port = lan
    connection = http.client.HTTPConnection(address, port, timeout=30)
    try:
        connection.request(method, path, headers={"X-Forwarded-For": "127.0.0.1", **headers})
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    is_json = bool(content) and answer.headers.get_content_type() == "application/json"
    return answer.status, json.loads(content)["error"] if is_json and answer.status >= 400 else None


def test_the_door_comes_before_everything_but_the_host_check(
    lan: tuple[TestHost, str, int],
) -> None:
    for path in GUARDED:
        for method in ("GET", "POST", "DELETE"):
            assert ask(lan, method, path) == (403, "LAN_DISABLED"), (method, path)
        assert ask(lan, "HEAD", path)[0] == 403
        assert ask(lan, "GET", path, Authorization="Bearer wrong") == (403, "LAN_DISABLED")
        assert ask(lan, "GET", path, Host="evil.example") == (403, "FORBIDDEN")
    assert ask(lan, "GET", "/api/rooms/x/y/z") == (403, "LAN_DISABLED")
    for path in OPEN:
        assert ask(lan, "GET", path) == (200, None)
    assert lan[0].get("/api/health").json()["exposeOnLan"] is False


def test_the_door_opens_with_the_next_request(lan: tuple[TestHost, str, int]) -> None:
    host = lan[0]
    host.host.settings.update("local_api", {"exposeOnLan": True})
    assert host.get("/api/health").json()["exposeOnLan"] is True
    assert ask(lan, "GET", "/api/health") == (200, None)
    for path in GUARDED[1:]:
        assert ask(lan, "GET", path) == (401, "UNAUTHORIZED"), path
        assert ask(lan, "POST", path) == (405, "METHOD_NOT_ALLOWED")
    warnings = [line for line in host.log_lines() if line["level"] in ("warn", "warning")]
    (said,) = [line for line in warnings if "unencrypted" in json.dumps(line)]
    assert "restrictToLocalUser" in json.dumps(said)
    host.host.settings.update("local_api", {"exposeOnLan": False})
    assert ask(lan, "GET", "/api/rooms") == (403, "LAN_DISABLED")


def test_the_setting_counts_while_its_plugin_is_off(lan: tuple[TestHost, str, int]) -> None:
    host = lan[0]
    others = [path for path in GUARDED if path not in ("/api/health", "/api/profile")]
    host.disable("local_api")
    try:
        for path in others:
            assert ask(lan, "GET", path) == (403, "LAN_DISABLED"), path
        host.host.settings.update("local_api", {"exposeOnLan": True})
        for path in others:
            assert ask(lan, "GET", path) == (401, "UNAUTHORIZED"), path
        assert ask(lan, "GET", "/api/health") == (404, "NOT_FOUND")
    finally:
        host.host.settings.update("local_api", {"exposeOnLan": False})
        host.enable("local_api")
