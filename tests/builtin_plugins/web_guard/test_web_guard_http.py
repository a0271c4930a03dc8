"""Origins and the rate limit on a real socket (media contract, 4)."""

from __future__ import annotations

from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

LOCAL = "http://localhost:3000"
EVIL = "http://localhost.evil.com"
MEDIA = ["/api/v1/movies", "/api/v1/nothing", "/health", "/api/docs", "/api/docs.json"]
ELSEWHERE = ["/api/plugins", "/api/version", "/api/v1x", "/", "/ws"]


@pytest.fixture(scope="module")
def bundled(bundled):
    """The paths that it guards."""
    return bundled and {*bundled, "api_docs", "diagnostics", "media", "plugin_admin", "realtime"}


@pytest.fixture
def host(make_host):
    return make_host()


def rows(reply: Any) -> set[str]:
    return {name for name in reply.headers if name.startswith("access-control-")}


def test_without_an_origin_only_caches_are_told(host):
    for path in MEDIA:
        reply = host.get(path)
        assert reply.headers["vary"] == "Origin", path
        assert rows(reply) == set()


def test_an_allowed_origin_may_read(host):
    for path in MEDIA:
        reply = host.get(path, headers={"Origin": LOCAL})
        assert reply.status != 403, path
        assert reply.headers["access-control-allow-origin"] == LOCAL
        assert reply.headers["access-control-allow-credentials"] == "true"
        assert "X-RateLimit-Reset" in reply.headers["access-control-expose-headers"]
        assert reply.headers["vary"] == "Origin"


def test_a_refused_origin_has_nothing_done(host):
    for path in MEDIA:
        for method in ("GET", "HEAD", "POST", "DELETE", "OPTIONS"):
            reply = host.request(method, path, headers={"Origin": EVIL})
            assert reply.status == 403, (method, path)
            assert reply.headers["vary"] == "Origin"
            assert reply.headers["x-api-version"] == "0.3.0"
            assert rows(reply) == set()
    body = host.get("/api/v1/movies", headers={"Origin": EVIL}).json()
    expected = {"success": False, "error": "Forbidden", "message": "Origin not allowed"}
    assert body == expected
    assert host.get("/health", headers={"Origin": EVIL}).json()["error"] == "FORBIDDEN"


def test_other_paths_never_get_cors_headers(host):
    for path in ELSEWHERE:
        for origin in (LOCAL, EVIL):
            reply = host.get(path, headers={"Origin": origin})
            assert rows(reply) == set(), path
            assert "Origin not allowed" not in reply.content.decode()


def test_a_preflight_is_answered_wherever_it_asks(host):
    asked = {"Origin": LOCAL, "Access-Control-Request-Method": "DELETE"}
    for path in MEDIA:
        reply = host.request("OPTIONS", path, headers=asked)
        assert (reply.status, reply.content) == (200, b""), path
        assert reply.headers["access-control-allow-origin"] == LOCAL
        assert reply.headers["access-control-max-age"] == "600"
        assert reply.headers["x-api-version"] == "0.3.0"
        assert reply.headers["x-frame-options"] == "SAMEORIGIN"
        methods = "GET,POST,PUT,DELETE,PATCH,HEAD,OPTIONS"
        assert reply.headers["access-control-allow-methods"] == methods
        assert "X-Client-Version" in reply.headers["access-control-allow-headers"]


def test_options_that_is_no_preflight_says_what_there_is(host):
    reply = host.request("OPTIONS", "/health", headers={"Origin": LOCAL})
    assert reply.headers["allow"] == "GET, HEAD, OPTIONS"
    assert "access-control-max-age" not in reply.headers


def test_settings_take_effect_at_once(host):
    host.host.settings.update("web_guard", {"allowLocalhostOrigins": False})
    assert host.get("/health", headers={"Origin": LOCAL}).status == 403
    host.host.settings.update("web_guard", {"allowedOrigins": [EVIL]})
    assert host.get("/health", headers={"Origin": EVIL}).status == 200
    renamed = {"Host": "films.example:81"}
    assert host.get("/health", headers=renamed).status == 403
    host.host.settings.update("web_guard", {"allowedHosts": ["Films.example"]})
    assert host.get("/health", headers=renamed).status == 200
    own = {**renamed, "Origin": "https://films.example:81"}
    assert host.get("/health", headers=own).status == 200


def test_a_foreign_host_is_told_so_in_the_envelope(host):
    reply = host.get("/api/v1/movies", headers={"Host": "evil.example"})
    assert (reply.status, reply.json()["message"]) == (403, "Host not allowed")


def test_the_socket_has_the_same_rule(host):
    url = host.url.replace("http", "ws") + "/ws"
    with connect(url, origin=LOCAL, open_timeout=60) as socket:
        assert socket.protocol.state.name == "OPEN"
    with connect(url, open_timeout=60) as socket:
        assert socket.protocol.state.name == "OPEN"
    with pytest.raises(InvalidStatus) as refused:
        connect(url, origin=EVIL, open_timeout=60)
    assert refused.value.response.status_code == 403


# The rate limit


@pytest.fixture
def limited(host):
    changes = {"exemptLoopback": False, "rateLimitMax": 3, "rateLimitWindowMs": 3_600_000}
    host.host.settings.update("web_guard", changes)
    return host


def test_one_request_too_many(limited):
    for left in (2, 1, 0):
        reply = limited.get("/api/v1/movies")
        assert reply.headers["x-ratelimit-limit"] == "3"
        assert reply.headers["x-ratelimit-remaining"] == str(left)
    refused = limited.get("/api/v1/nothing", headers={"Origin": LOCAL})
    assert refused.status == 429
    assert refused.json() == {
        "success": False,
        "error": "Too many requests",
        "message": "Too many requests from this IP, please try again later.",
    }
    assert refused.headers["x-ratelimit-remaining"] == "0"
    assert 1 <= int(refused.headers["retry-after"]) <= 3600
    assert refused.headers["access-control-allow-origin"] == LOCAL
    assert refused.headers["x-api-version"] == "0.3.0"
    assert "x-ratelimit-limit" not in limited.get("/health").headers


def test_what_does_not_count(limited):
    preflight = {"Origin": LOCAL, "Access-Control-Request-Method": "PUT"}
    for _ in range(5):
        assert "x-ratelimit-limit" not in limited.get("/api/v1/scan/jobs").headers
        assert limited.get("/api/v1/stream/x").status != 429
        assert limited.request("OPTIONS", "/api/v1/movies", headers=preflight).status == 200
        assert limited.get("/api/v1/movies", headers={"Origin": EVIL}).status == 403
    assert limited.get("/api/v1/scanner").headers["x-ratelimit-remaining"] == "2"


def test_errors_and_refused_bodies_count(limited):
    limited.get("/api/v1/nothing")
    limited.request("PATCH", "/api/v1/movies")
    # The head alone, which is refused: who still sends then may find a closed door.
    large = limited.request("PUT", "/api/v1/settings", headers={"Content-Length": "1100000"})
    assert large.status == 413
    assert large.headers["x-ratelimit-remaining"] == "0"
    assert limited.get("/api/v1/movies").status == 429


def test_this_machine_is_exempt_unless_that_is_changed(host):
    host.host.settings.update("web_guard", {"rateLimitMax": 1})
    for _ in range(3):
        reply = host.get("/api/v1/movies", headers={"X-Forwarded-For": "198.51.100.7"})
        assert reply.status == 200
        assert "x-ratelimit-limit" not in reply.headers


def test_a_trusted_proxy_speaks_for_its_clients(limited):
    limited.host.settings.update("web_guard", {"trustedProxies": ["::FFFF:7f00:1"]})
    for _ in range(3):
        limited.get("/api/v1/movies", headers={"X-Forwarded-For": "198.51.100.7"})
    again = {"X-Forwarded-For": "203.0.113.1, 198.51.100.7"}
    assert limited.get("/api/v1/movies", headers=again).status == 429
    assert limited.get("/api/v1/movies").headers["x-ratelimit-remaining"] == "2"


def test_the_environment_wins(make_host, monkeypatch):
    monkeypatch.setenv("RATE_LIMIT_MAX", "1")
    monkeypatch.setenv("RATE_LIMIT_WINDOW_MS", "odd")
    host = make_host(settings={"web_guard": {"exemptLoopback": False, "rateLimitMax": 50}})
    assert host.get("/api/v1/movies").headers["x-ratelimit-limit"] == "1"
    assert host.get("/api/v1/movies").status == 429
    warned = [line["message"] for line in host.log_lines() if line["level"] == "warn"]
    assert any("RATE_LIMIT_WINDOW_MS is ignored" in line for line in warned)


def test_switched_off_nothing_of_it_is_left(host):
    host.host.settings.update("web_guard", {"allowedHosts": ["films.example"]})
    host.disable("web_guard")
    reply = host.get("/health", headers={"Origin": EVIL})
    assert (reply.status, rows(reply), "vary" in reply.headers) == (200, set(), False)
    assert host.get("/health", headers={"Host": "films.example"}).status == 403
    warned = [line["message"] for line in host.log_lines() if line["level"] == "warn"]
    assert any("Web guard is off" in line for line in warned)
