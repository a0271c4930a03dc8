"""How often another machine may fail."""

from __future__ import annotations

import threading

import pytest

from builtin_plugins.accounts import peers
from builtin_plugins.accounts.peers import PeerLimit
from plugin_sdk import Conflict, Forbidden, Invalid, RateLimited, Unauthenticated
from plugin_sdk.testing import request


class Time:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def limit(time, monkeypatch):
    monkeypatch.setattr(peers, "WAIT_SECONDS", 60.0)  # of the real clock, whatever stalls
    return PeerLimit(time)


def fail(limit, peer, error=Unauthenticated):
    with pytest.raises(error), limit.attempt(request(peer=peer)):
        raise error


def test_the_eleventh_refusal_within_a_minute_is_put_off(limit, time):
    for second in range(10):
        time.seconds = float(second)
        fail(limit, "192.0.2.1", Unauthenticated if second % 2 else Forbidden)
    time.seconds = 10.0
    with pytest.raises(RateLimited) as caught, limit.attempt(request(peer="192.0.2.1")):
        pytest.fail("the attempt was made")
    assert caught.value.retry_after == 50.0
    with limit.attempt(request(peer="192.0.2.2")):
        pass  # another one is not held up
    time.seconds = 60.0
    with limit.attempt(request(peer="192.0.2.1")):
        pass


def test_what_succeeds_or_was_malformed_does_not_count(limit):
    for _ in range(20):
        with limit.attempt(request(peer="192.0.2.1")):
            pass
        fail(limit, "192.0.2.1", Invalid)
        fail(limit, "192.0.2.1", Conflict)
    with limit.attempt(request(peer="192.0.2.1")):
        pass


def test_many_at_once_are_no_more_than_many_in_a_row(limit):
    let_in, put_off = [], []
    begun = threading.Semaphore(0)
    judged = threading.Event()

    def guess(good):
        try:
            with limit.attempt(request(peer="192.0.2.1")):
                let_in.append(good)
                begun.release()
                judged.wait(90)
                if not good:
                    raise Unauthenticated
        except Unauthenticated:
            pass
        except RateLimited:
            put_off.append(good)

    threads = [threading.Thread(target=guess, args=(number == 0,)) for number in range(31)]
    for thread in threads:
        thread.start()
    for _ in range(10):
        assert begun.acquire(timeout=30)
    assert len(let_in) == 10, "the others wait"
    judged.set()
    for thread in threads:
        thread.join(90)
    assert let_in.count(False) == 10
    assert len(let_in) + len(put_off) == 31


def test_who_is_let_in_puts_nobody_off(limit):
    entered = []
    together = threading.Barrier(30)

    def sign_in():
        together.wait(30)
        with limit.attempt(request(peer="192.0.2.1")):
            entered.append(1)

    threads = [threading.Thread(target=sign_in) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(90)
    assert len(entered) == 30
    assert not limit._peers


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"])
def test_this_machine_is_exempt(limit, peer):
    for _ in range(20):
        fail(limit, peer)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
    ],
)
def test_a_customer_with_many_addresses_is_one(limit, one, other, same):
    for _ in range(10):
        fail(limit, one)
    try:
        with limit.attempt(request(peer=other)):
            refused = False
    except RateLimited:
        refused = True
    assert refused is same


def test_what_is_remembered_is_bounded(limit):
    for number in range(10_050):
        fail(limit, f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(limit._peers) == 10_000
