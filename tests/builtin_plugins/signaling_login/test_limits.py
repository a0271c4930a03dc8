"""How many may wait, and how often another machine may fail (local REST contract, 3.3)."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from builtin_plugins.signaling_login.limits import MAX_FAILURES, PeerLimit, Places
from plugin_sdk import RateLimited, Request, Unauthenticated, UpstreamFailed
from plugin_sdk.testing import FakeClock, FakeSettings

FAR = Request(peer="192.0.2.7")


def fail(limit: PeerLimit, request: Request = FAR) -> None:
    with pytest.raises(Unauthenticated), limit.attempt(request):
        raise Unauthenticated


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def limit(clock: FakeClock) -> PeerLimit:
    return PeerLimit(clock)


def test_ten_failures_within_a_minute_put_off_one_peer(limit: PeerLimit, clock: FakeClock) -> None:
    for _ in range(MAX_FAILURES):
        fail(limit)
        clock.advance(1)
    with pytest.raises(RateLimited) as caught, limit.attempt(FAR):
        raise AssertionError("it must not get this far")
    assert caught.value.retry_after == 50
    fail(limit, Request(peer="192.0.2.8"))
    clock.advance(50)
    fail(limit)
    with pytest.raises(RateLimited), limit.attempt(FAR):
        pass


def test_success_and_other_faults_do_not_count(limit: PeerLimit) -> None:
    for _ in range(3 * MAX_FAILURES):
        with limit.attempt(FAR):
            pass
        with pytest.raises(UpstreamFailed), limit.attempt(FAR):
            raise UpstreamFailed
        with pytest.raises(ZeroDivisionError), limit.attempt(FAR):
            _ = 1 // 0
    fail(limit)


def test_many_at_once_are_no_more_than_many_in_a_row(limit: PeerLimit) -> None:
    with ExitStack() as waiting:
        for _ in range(MAX_FAILURES):
            waiting.enter_context(limit.attempt(FAR))
        with pytest.raises(RateLimited), limit.attempt(FAR):
            pass
    with limit.attempt(FAR):  # they all succeeded
        pass


def test_this_machine_is_exempt(limit: PeerLimit) -> None:
    for peer in ("127.0.0.1", "::1", "::ffff:127.0.0.1"):
        for _ in range(2 * MAX_FAILURES):
            fail(limit, Request(peer=peer))


def test_one_ipv6_network_is_one_peer(limit: PeerLimit) -> None:
    for number in range(MAX_FAILURES):
        fail(limit, Request(peer=f"2001:db8::{number:x}"))
    with pytest.raises(RateLimited), limit.attempt(Request(peer="2001:db8::ffff")):
        pass
    fail(limit, Request(peer="2001:db8:0:1::1"))


def test_a_clock_that_is_set_back_puts_nobody_off(limit: PeerLimit, clock: FakeClock) -> None:
    for _ in range(MAX_FAILURES):
        fail(limit)
    clock.advance(-86_400)
    fail(limit)


def test_places_are_given_back() -> None:
    settings = FakeSettings({"maxConcurrentLogins": 2})
    places = Places(settings)
    for _ in range(3):
        with places.one(), places.one():
            with pytest.raises(RateLimited) as caught, places.one():
                pass
            assert caught.value.retry_after == 1
            settings.update({"maxConcurrentLogins": 3})
            with places.one():
                pass
            settings.update({"maxConcurrentLogins": 2})
        with pytest.raises(ZeroDivisionError), places.one():
            _ = 1 // 0
