"""Hosts that exchange drops through a drop server, and with nothing else in the world."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from builtin_plugins.drops.sealing import seal_pdu
from builtin_plugins.drops.wire import Message, wire_text
from host.testing import TestHost

from .conftest import PATIENT, Person, new_box, post


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestHost]:
    with TestHost(tmp_path_factory.mktemp("server")) as host:
        host.enable("drop_server")
        yield host


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestHost, TestHost]]:
    with (
        TestHost(tmp_path_factory.mktemp("a"), settings=PATIENT) as a,
        TestHost(tmp_path_factory.mktemp("b"), settings=PATIENT) as b,
    ):
        for host in (a, b):
            tidied(host)
        yield a, b


def tidied(host: TestHost) -> None:
    """Waits for the job that runs at the start: it may remove what a test lets grow old."""
    jobs = host.plugin("drops").context.jobs
    deadline = time.monotonic() + 60
    while [each.state for each in jobs.list(name="tidy")] != ["succeeded"]:
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def people(hosts: tuple[TestHost, TestHost], server: TestHost) -> tuple[Person, Person]:
    """Alice and Bob, who know each other. Nobody polls in the background."""
    for host in hosts:
        assert host.post("/settings", json={"poll_interval": 0}).status == 200
        assert host.post("/synced", json={}).status == 200
        host.host.settings.replace("drops", PATIENT["drops"])
    alice, bob = (Person(host, server) for host in hosts)
    alice.know(bob)
    bob.know(alice)
    return alice, bob


def test_two_hosts_exchange_drops_through_a_third(people: tuple[Person, Person]) -> None:
    alice, bob = people
    answer = alice.send({"text": 'hi ü/"', "n": [1, 2.5, None]}, time_stamp=5)
    assert answer.status == 201
    assert "location" not in answer.headers
    result = {"recipient": 1, "status": "sent", "drop_url": bob.box}
    assert answer.json() == {"results": [result]}
    expected = {
        "version": 1,
        "time_stamp": 5,
        "acknowledge_id": "0",
        "sender": alice.key,
        "receiver": bob.key,
        "model_object": "chat",
        "data": {"text": 'hi ü/"', "n": [1, 2.5, None]},
    }
    for _ in range(2):
        head = bob.host.head("/drop")
        assert (head.status, head.content) == (200, b"")
    assert [list(each.items()) for each in bob.fetch()] == [list(expected.items())]
    head = bob.host.head("/drop")
    assert head.status == 204
    assert not {"content-type", "content-length"} & set(head.headers)
    assert bob.fetch() == []
    assert bob.fetch("?all=true") == [expected]
    assert bob.fetch("?all=1") == []
    assert bob.send({"text": "back"}).status == 201
    assert [each["data"] for each in alice.fetch()] == [{"text": "back"}]


def test_each_message_is_listed_once(people: tuple[Person, Person]) -> None:
    alice, bob = people
    pdu = bob.receives(alice, {"n": 1})
    bob.drop(pdu)  # the same bytes
    bob.receives(alice, {"n": 1})  # the same message, sealed anew
    second = new_box(bob.server)
    bob.know(alice, identities=[{**bob.identity(), "drops": [bob.box, second]}])
    post(bob.server, second, pdu)
    assert [each["data"] for each in bob.fetch()] == [{"n": 1}]
    bob.drop(pdu)
    assert bob.fetch() == []
    assert len(bob.fetch("?all=true")) == 1


def test_the_order_is_that_of_time_stamps(people: tuple[Person, Person]) -> None:
    alice, bob = people
    for stamp, number in ((3, 1), (1, 2), (2, 3), (1, 4)):
        bob.receives(alice, {"n": number}, stamp)
    assert [each["data"]["n"] for each in bob.fetch()] == [2, 4, 3, 1]


def test_what_is_not_for_us_is_discarded(people: tuple[Person, Person]) -> None:
    alice, bob = people
    stranger = Person(alice.host, alice.server)
    bob.receives(stranger, {"n": 1})
    alice_key, bob_key = bytes.fromhex(alice.private), bytes.fromhex(bob.key)
    texts = [
        wire_text(Message(1, stranger.key, "chat", {})),  # forged: sealed by alice
        b"no json",
        b"[]",
        b'{"version":2,"time_stamp":1,"sender":"%s","model_object":"c","data":{}}'
        % alice.key.encode(),
        b'{"version":1,"time_stamp":-1,"sender":"%s","model_object":"c","data":{}}'
        % alice.key.encode(),
        b'{"version":1,"time_stamp":1,"sender":"%s","drop_payload_type":"","drop_payload":"{}"}'
        % alice.key.encode(),
        b'{"version":1,"time_stamp":1,"sender":"%s","model_object":"drop","data":{}}'
        % alice.key.encode(),
    ]
    for text in texts:
        bob.drop(seal_pdu(alice_key, bob_key, text))
    bob.drop(b"x" * 2149)
    bob.drop(bytes(2149))
    bob.drop(b"short")
    good = (
        b'{"version":1,"time_stamp":1,"sender":"%s",'
        b'"drop_payload_type":"c","drop_payload":"hi","x":1}'
    )
    bob.drop(seal_pdu(alice_key, bob_key, good % alice.key.encode()))
    assert [each["data"] for each in bob.fetch()] == [{"payload": "hi"}]
    assert bob.private not in json.dumps(bob.host.log_lines())


def test_a_stranger_who_becomes_a_contact_is_heard(people: tuple[Person, Person]) -> None:
    alice, bob = people
    bob.know()
    bob.receives(alice, {"n": 1})
    assert bob.fetch() == []
    bob.know(alice)
    assert [each["data"] for each in bob.fetch()] == [{"n": 1}]


def test_strangers_are_listed_on_request(people: tuple[Person, Person]) -> None:
    alice, bob = people
    bob.know()
    bob.receives(alice, {"n": 1})
    assert bob.fetch() == []
    bob.host.host.settings.update("drops", {"acceptUnknownSenders": True})
    assert [each["data"] for each in bob.fetch()] == [{"n": 1}]


def test_messages_of_a_vanished_identity_are_not_shown(people: tuple[Person, Person]) -> None:
    alice, bob = people
    bob.receives(alice, {"n": 1})
    assert bob.host.head("/drop").status == 200
    bob.replace({"identities": [{**bob.identity(), "deleted": 1}]})
    assert bob.fetch() == []
    assert bob.fetch("?all=true") == []
    bob.know(alice)
    assert len(bob.fetch()) == 1


def test_a_sleeping_drop_server_is_not_asked(people: tuple[Person, Person]) -> None:
    alice, bob = people
    bob.receives(alice, {"n": 1})
    bob.know(alice, drop_servers=[{"url": bob.server.url + "/drops/", "active": False}])
    assert bob.fetch() == []
    assert bob.host.put("/synced", json={"key": "drop_servers.0.active", "value": True}).status
    assert len(bob.fetch()) == 1


def test_of_parallel_calls_one_gets_it(people: tuple[Person, Person]) -> None:
    alice, bob = people
    for number in range(5):
        bob.receives(alice, {"n": number})
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: bob.fetch(), range(4)))
    found = sorted(each["data"]["n"] for answer in answers for each in answer)
    assert found == [0, 1, 2, 3, 4]


def test_the_time_of_the_last_round(people: tuple[Person, Person]) -> None:
    _, bob = people
    bob.host.put("/settings", json={"key": "drop_last_update", "value": "x"})
    bob.fetch()
    first = bob.host.get("/settings").json()["drop_last_update"]
    assert len(first) == len("2026-05-01 12:00:00.000")
    bob.replace({})
    bob.fetch()  # no box has answered
    assert bob.host.get("/settings").json()["drop_last_update"] == first


def test_the_background_fetches_for_nobody(
    people: tuple[Person, Person], wait_until: Callable[..., None]
) -> None:
    alice, bob = people
    inbox = bob.host.plugin("drops")._inbox
    before = inbox.statistics()["messages"]
    bob.receives(alice, {"n": 1})
    assert bob.host.put("/settings", json={"key": "poll_interval", "value": 50}).status == 200
    wait_until(lambda: inbox.statistics()["messages"] == before + 1)
    assert bob.host.put("/settings", json={"key": "poll_interval", "value": 0}).status == 200
    assert [each["data"] for each in bob.fetch()] == [{"n": 1}]


def test_what_was_stored_survives_a_restart(tmp_path: Path, server: TestHost) -> None:
    with TestHost(tmp_path / "data", settings=PATIENT) as host:
        host.put("/settings", json={"key": "poll_interval", "value": 0})
        alice, bob = Person(host, server), Person(host, server)
        bob.know(alice)
        bob.receives(alice, {"n": 1})
        assert host.head("/drop").status == 200
        host.restart()
        server.disable("drop_server")
        try:
            answer = host.get("/drop")
        finally:
            server.enable("drop_server")
        assert answer.status == 200
        assert [each["data"] for each in answer.json()] == [{"n": 1}]
        for path in (tmp_path / "data" / "plugins" / "drops").glob("plugin.db*"):
            assert path.stat().st_mode & 0o077 == 0


def test_acknowledgements(people: tuple[Person, Person], wait_until: Callable[..., None]) -> None:
    alice, bob = people
    bob.host.host.settings.update("drops", {"acknowledge": True})
    assert alice.send({"n": 1}, acknowledge_id="a-1").status == 201
    assert len(bob.fetch()) == 1
    path = alice.box.removeprefix(alice.server.url)
    wait_until(lambda: alice.server.get(path).status == 200)
    assert alice.fetch() == []  # processed, never listed
    assert bob.fetch() == []
    lines = [each["message"] for each in alice.host.log_lines()]
    assert any("1 internal" in each for each in lines)


def test_removal_by_age(people: tuple[Person, Person], tmp_path: Path) -> None:
    alice, bob = people
    plugin = bob.host.plugin("drops")
    bob.receives(alice, {"n": 1})
    assert len(bob.fetch()) == 1
    assert plugin._inbox.prune() == 0
    day = 86_400_000
    aged = "UPDATE inbox SET delivered_at = delivered_at - :d"
    plugin.context.db.execute(aged, {"d": 6 * day})
    assert len(bob.fetch("?all=true")) == 1
    plugin.context.db.execute(aged, {"d": day})
    assert bob.fetch("?all=true") == []  # over, and not removed yet
    assert bob.host.head("/drop?all=true").status == 204
    assert plugin._inbox.prune() >= 1
    bob.receives(alice, {"n": 1})  # its digest is still known
    assert bob.fetch() == []
    plugin.context.db.execute("UPDATE seen SET gone_at = gone_at - :d", {"d": 401 * day})
    plugin._inbox.prune()
    bob.receives(alice, {"n": 1})
    assert len(bob.fetch()) == 1


def test_what_a_vanished_identity_did_not_fetch_stays_for_a_month(
    people: tuple[Person, Person],
) -> None:
    alice, bob = people
    plugin = bob.host.plugin("drops")
    day = 86_400_000
    bob.receives(alice, {"n": 1})
    assert bob.host.head("/drop").status == 200
    plugin.context.db.execute("UPDATE inbox SET received_at = received_at - :d", {"d": 99 * day})
    bob.replace({"identities": [{**bob.identity(), "deleted": 1}]})
    assert plugin._inbox.prune() == 0  # it vanished a moment ago
    bob.know(alice)
    assert bob.host.head("/drop").status == 200
    bob.replace({})
    plugin.context.db.execute("UPDATE vanished SET since = since - :d", {"d": 29 * day})
    assert plugin._inbox.prune() == 0
    plugin.context.db.execute("UPDATE vanished SET since = since - :d", {"d": 2 * day})
    assert plugin._inbox.prune() == 1
    bob.know(alice)
    assert bob.fetch() == []


def test_a_host_that_reads_from_itself(tmp_path: Path) -> None:
    with TestHost(tmp_path / "data", settings=PATIENT) as host:
        host.enable("drop_server")
        me = Person(host, host)
        me.know(me)
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda n: me.send({"n": n}).status, range(4)))
        assert answers == [201] * 4
        before = set(threading.enumerate())
        found = me.fetch()
        assert sorted(each["data"]["n"] for each in found) == [0, 1, 2, 3]
        new = {each.name for each in set(threading.enumerate()) - before}
        assert sum(name.startswith("drops-") for name in new) <= 8
