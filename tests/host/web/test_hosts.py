"""Which Host headers are served."""

from __future__ import annotations

import socket

import pytest

from host.web.hosts import HostNames
from plugin_sdk import Route


def allows(host, *, names=(), listening=(), protocol="HTTP/1.1", peer="192.0.2.1", own=()):
    hosts = HostNames(lambda: frozenset(names), listening, lambda name: name in own)
    return hosts.allows(host, protocol, peer)


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST", "localhost:8085", "localhost:", "127.0.0.1", "127.0.0.1:1",
     "[::1]", "[::1]:8085", " localhost "],
)  # fmt: skip
def test_this_machine_answers_to_its_own_names(host):
    assert allows(host)


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", "localhost.evil.example", "evil.example:80", "localhost, evil.example",
     "user@localhost", "localhost:80:80", "localhost:x", "::1", "[::1", "127.0.0.1.evil.example",
     "127.0.0.2", "0.0.0.0", "[::]", "localhost/", "\u0661"],
)  # fmt: skip
def test_other_names_are_refused(host):
    assert not allows(host)


def test_configured_names_and_addresses_listened_on():
    assert allows("Stage.local:8085", names=["stage.local"])
    assert allows("stage.local", names=["STAGE.local"])
    assert allows("[fe80::5]:1", names=["fe80::5"])
    assert allows("[2001:db8::1]:1", listening=["2001:DB8::1"])
    assert allows("192.0.2.9", listening=["192.0.2.9"])
    assert not allows("other.local", names=["stage.local"])


def test_own_addresses_are_asked_for_once():
    asked: list[str] = []

    def own(name: str) -> bool:
        asked.append(name)
        return name == "192.0.2.9"

    hosts = HostNames(own_address=own)
    for _ in range(3):
        assert hosts.allows("192.0.2.9:8085", "HTTP/1.1", "192.0.2.1")
        assert not hosts.allows("192.0.2.8", "HTTP/1.1", "192.0.2.1")
    assert asked.count("192.0.2.9") == 1


def test_real_addresses_of_this_machine():
    hosts = HostNames()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        own = probe.getsockname()[0]
    assert hosts.allows(own, "HTTP/1.1", "")
    assert hosts.allows("127.8.8.8", "HTTP/1.1", "")  # all of 127.0.0.0/8 is this machine
    for foreign in ("192.0.2.77", "8.8.8.8", "0.0.0.0", "224.0.0.1", "[2001:db8::77]", "[::]"):
        assert not hosts.allows(foreign, "HTTP/1.1", ""), foreign
    assert not hosts.allows("[fe80::1%lo]", "HTTP/1.1", "")


def test_without_a_host_only_old_clients_of_this_machine():
    assert allows(None, protocol="HTTP/1.0", peer="127.0.0.1")
    assert not allows(None, protocol="HTTP/1.0", peer="192.0.2.1")
    assert not allows(None, protocol="HTTP/1.1", peer="127.0.0.1")


def test_the_check_comes_before_everything(site):
    called: list[object] = []
    site.add("x", Route("GET", "/do", called.append, access="open"))
    for target in ("/api/plugins/x/do", "/nothing"):
        reply = site.get(target, host="evil.example", token="alice")
        assert reply.status == 403
        assert reply.json["error"] == "FORBIDDEN"
        assert reply.json["message"] == "Host not allowed"
        assert reply.headers["x-frame-options"] == "SAMEORIGIN"
        assert reply.headers["referrer-policy"] == "no-referrer"
    head = site.ask("HEAD", "/api/plugins/x/do", host="evil.example")
    assert (head.status, head.body) == (403, b"")
    assert int(head.headers["content-length"]) > 0
    assert site.ask("OPTIONS", "/api/plugins/x/do", host="evil.example").status == 403
    assert called == []
    site.hosts.add("evil.example")
    assert site.get("/api/plugins/x/do", host="EVIL.example:99").status == 204
