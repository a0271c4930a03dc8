"""Origins, addresses and counting, as values (media contract, 4.2 and 4.3)."""

from __future__ import annotations

import threading

import pytest

from builtin_plugins.web_guard import limiter as limiter_module
from builtin_plugins.web_guard.limiter import RateLimiter, counted_as, listed_proxies, peer_behind
from builtin_plugins.web_guard.origins import OriginRules
from builtin_plugins.web_guard.rates import Rates
from plugin_sdk.testing import FakeLog

OPEN = OriginRules(frozenset({"https://films.example", "odd text"}), localhost=True, lan=True)
CLOSED = OriginRules(frozenset(), localhost=False, lan=False)
HOST = "stagebox.example:8085"


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost",
        "https://localhost:3000",
        "http://LOCALHOST:1",
        "http://app.localhost:5173",
        "http://127.0.0.1:8080",
        "http://[::1]:8080",
        "capacitor://localhost",
        "ionic://localhost",
        "http://10.0.0.1",
        "https://172.16.0.1:9",
        "http://172.31.255.255",
        "http://192.168.1.5:3000",
        "https://stagebox.example:8085",
        "http://Stagebox.Example:8085",
        "https://films.example",
    ],
)
def test_allowed_origins(origin):
    assert OPEN.allow(origin, HOST)


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "odd text",  # listed, and yet no origin
        "",
        "*",
        "http://localhost.evil.com",
        "http://evillocalhost",
        "http://.localhost",
        "http://192.168.1.5.evil.com",
        "http://172.15.0.1",
        "http://172.32.0.1",
        "http://11.0.0.1",
        "http://192.168.1.999",
        "http://192.168.01.5",
        "http://192.168.1",
        "http://localhost@evil.com",
        "http://localhost/",
        "http://localhost?",
        "http://localhost#",
        "http://localhost:",
        "http://localhost:99999",
        "http://localhost:٣",
        "http://localhost\n",
        "http://localhost, http://localhost",
        "ftp://localhost",
        "capacitor://127.0.0.1",
        "http://stagebox.example",
        "ftp://stagebox.example:8085",
        "https://films.example:443",
        "https://films.example.evil.com",
        "file://",
    ],
)
def test_refused_origins(origin):
    assert not OPEN.allow(origin, HOST)


def test_switches_close_what_they_name():
    for origin in ("http://localhost", "capacitor://localhost", "http://192.168.1.5"):
        assert not CLOSED.allow(origin, HOST)
    assert CLOSED.allow(f"http://{HOST}", HOST), "the host's own pages always may"


# Addresses


@pytest.mark.parametrize(
    ("peer", "key"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::", "2001:db8:1:3::/64"),
        ("odd", "odd"),
    ],
)
def test_an_ipv6_address_counts_with_its_network(peer, key):
    assert counted_as(peer) == key


@pytest.mark.parametrize(
    ("peer", "forwarded", "behind"),
    [
        ("192.0.2.1", None, "192.0.2.1"),
        ("192.0.2.1", "198.51.100.7", "198.51.100.7"),
        ("::ffff:192.0.2.1", "198.51.100.7", "198.51.100.7"),
        ("192.0.2.1", "203.0.113.9, 198.51.100.7", "198.51.100.7"),
        ("192.0.2.1", "203.0.113.9, 198.51.100.7 ,192.0.2.2", "198.51.100.7"),
        ("192.0.2.1", "192.0.2.2", "192.0.2.1"),
        ("192.0.2.1", "203.0.113.9, unknown", "192.0.2.1"),
        ("192.0.2.1", "", "192.0.2.1"),
        ("198.51.100.1", "203.0.113.9", "198.51.100.1"),
    ],
)
def test_only_trusted_proxies_speak_for_others(peer, forwarded, behind):
    assert peer_behind(peer, forwarded, frozenset({"192.0.2.1", "192.0.2.2"})) == behind


def test_proxies_may_be_written_in_any_way():
    listed = listed_proxies(["FD00:0:0::1", "::ffff:192.0.2.1", " 192.0.2.2 ", "proxy.example", ""])
    assert listed == {"fd00::1", "192.0.2.1", "192.0.2.2"}


# Counting


def test_a_window_begins_with_the_first_request():
    limiter = RateLimiter()
    first = limiter.count("a", 1_000_500, 10_000, 2)
    assert (first.number, first.ends, first.exceeded) == (1, 1_010_500, False)
    assert first.headers() == {
        "X-RateLimit-Limit": "2",
        "X-RateLimit-Remaining": "1",
        "X-RateLimit-Reset": "1011",
    }
    assert limiter.count("b", 1_000_600, 10_000, 2).number == 1
    assert not limiter.count("a", 1_010_499, 10_000, 2).exceeded
    third = limiter.count("a", 1_010_499, 10_000, 2)
    assert third.exceeded
    assert third.headers()["X-RateLimit-Remaining"] == "0"
    assert third.seconds_left(1_010_499) == 1
    assert third.seconds_left(1_000_500) == 10
    again = limiter.count("a", 1_010_500, 10_000, 2)
    assert (again.number, again.ends) == (1, 1_020_500)


def test_a_clock_that_was_set_back_locks_nobody_out():
    limiter = RateLimiter()
    limiter.count("a", 9_000_000, 1000, 1)
    assert limiter.count("a", 1_000, 1000, 1).number == 1


def test_ended_windows_are_dropped_and_keys_are_bounded(monkeypatch):
    limiter = RateLimiter()
    for number in range(10):
        limiter.count(f"a{number}", 0, 1000, 5)
    assert len(limiter) == 10
    limiter.count("b", 1000, 1000, 5)
    assert len(limiter) == 1
    monkeypatch.setattr(limiter_module, "_MAX_KEYS", 3)
    for number in range(10):
        limiter.count(f"c{number}", 1001 + number, 1000, 5)
    assert len(limiter) == 3
    assert limiter.count("c9", 1020, 1000, 5).number == 2


def test_counting_loses_nothing_between_threads():
    limiter = RateLimiter()
    numbers: list[int] = []

    def ask() -> None:
        for _ in range(500):
            numbers.append(limiter.count("a", 0, 1000, 5).number)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == list(range(1, 4001))


# Numbers

SETTINGS = {"rateLimitWindowMs": 7, "rateLimitMax": 3}


@pytest.mark.parametrize(
    ("environment", "window", "limit", "warnings"),
    [
        ({}, 7, 3, 0),
        ({"RATE_LIMIT_WINDOW_MS": "1000", "RATE_LIMIT_MAX": "5"}, 1000, 5, 0),
        ({"RATE_LIMIT_MAX": "0"}, 7, 0, 0),
        ({"RATE_LIMIT_WINDOW_MS": "0"}, 7, 3, 1),
        ({"RATE_LIMIT_WINDOW_MS": "", "RATE_LIMIT_MAX": "-1"}, 7, 3, 2),
        ({"RATE_LIMIT_WINDOW_MS": "1e3", "RATE_LIMIT_MAX": "٣"}, 7, 3, 2),
        ({"RATE_LIMIT_MAX": " 5"}, 7, 3, 1),
    ],
)
def test_the_environment_wins_where_it_makes_sense(environment, window, limit, warnings):
    log = FakeLog("web_guard")
    rates = Rates(environment, SETTINGS, log)
    assert (rates.window, rates.limit) == (window, limit)
    assert len(log.messages) == warnings
