"""``context.realtime`` on several hosts over one database."""

from __future__ import annotations

import json
import logging
from contextlib import contextmanager

import pytest
from websockets.sync.client import connect

from host.providers import ProviderRegistry, Registered
from host.realtime import Broadcasting, fanout
from host.testing import open_engine
from plugin_sdk import Plugin, Principal, RealtimeProvider, Request, route


class Speaker(Plugin):
    @route("POST", "/say/{word}", access="open")
    def say(self, request: Request) -> None:
        message = {"type": "test:said", "word": request.params["word"]}
        self.context.realtime.broadcast(message)

    @route("POST", "/whisper", access="open")
    def whisper(self, request: Request) -> None:
        self.context.realtime.broadcast({"type": "test:here"}, allow=lambda _principal: True)


@pytest.fixture
def two(make_host, wait_until):
    """The realtime built-in serves on both, and each knows of the other: one that was not heard of
    yet is told nothing."""
    hosts = make_host(Speaker), make_host(Speaker)
    for each in hosts:
        wait_until(lambda each=each: each.host.realtime._fanout._others)
    return hosts


@contextmanager
def listening(host):
    url = host.url.replace("http", "ws") + "/ws"
    with connect(url, compression=None, open_timeout=60, ping_interval=None) as socket:
        assert json.loads(socket.recv(timeout=30))["type"] == "connection:established"
        yield socket


def words(socket, count):
    return [json.loads(socket.recv(timeout=30))["word"] for _ in range(count)]


BASE = "/api/plugins/speaker"


def say(host, word):
    assert host.post(f"{BASE}/say/{word}").status == 204


def test_the_clients_of_all_hosts_hear_it_once_and_in_order(two) -> None:
    a, b = two
    with listening(a) as at_a, listening(b) as at_b:
        for number in range(50):
            say(a, number)
        say(a, "end")
        wanted = [*map(str, range(50)), "end"]
        assert words(at_a, 51) == wanted
        assert words(at_b, 51) == wanted
        say(b, "back")
        assert (words(at_a, 1), words(at_b, 1)) == (["back"], ["back"])


def test_a_large_message_and_all_of_unicode(two) -> None:
    a, b = two
    with listening(b) as at_b:
        text = "ü€😀" * 30_000
        speaker = a.plugin("speaker")
        speaker.context.realtime.broadcast({"type": "test:said", "word": text})
        assert words(at_b, 1) == [text]


def test_a_function_does_not_travel(two) -> None:
    a, b = two
    with listening(b) as at_b:
        assert a.post(f"{BASE}/whisper").status == 204
        say(a, "public")
        assert words(at_b, 1) == ["public"]


class Recorder(RealtimeProvider):
    name = "recorder"

    def __init__(self) -> None:
        self.calls: list[tuple[object, bool, bool]] = []

    def broadcast(self, message, *, allow=None) -> None:
        admin, nobody = Principal(id="a", permissions=frozenset({"ADMIN"})), Principal()
        self.calls.append(
            (message["n"], allow is None or allow(admin), allow is None or allow(nobody))
        )


class Everywhere(Recorder):
    reaches_all = True


class Unreadable(dict):
    """Fails whoever looks at what is in it."""

    def __iter__(self):  # or dict() would not ask for keys either
        raise TypeError("it was rendered for nobody")

    keys = __iter__


def test_a_process_that_is_alone_renders_nothing_for_others(
    wait_until, tmp_path, monkeypatch, caplog
) -> None:
    monkeypatch.setattr(fanout, "_ANSWER_SECONDS", 0.0)
    engine = open_engine(tmp_path)
    broadcasting = Broadcasting(
        ProviderRegistry(engine.open("host")), engine.signals(), logging.getLogger("test.realtime")
    )
    broadcasting.start()
    wait_until(lambda: broadcasting._fanout.alone)
    broadcasting.of(broadcasting._log).broadcast(Unreadable(type="test:nobody"))
    broadcasting.stop()
    engine.close()
    assert not [each for each in caplog.records if each.name == "test.realtime"]


@pytest.mark.parametrize("kind", [Recorder, Everywhere])
def test_who_is_asked(kind, make_host, wait_until, tmp_path) -> None:
    log = logging.getLogger("test.realtime")
    engines = [open_engine(tmp_path) for _ in range(2)]
    providers, parts = [], []
    for engine in engines:
        registry = ProviderRegistry(engine.open("host"))
        providers.append(kind())
        registry.publish([Registered("x", "realtime", "recorder", providers[-1])])
        parts.append(Broadcasting(registry, engine.signals(), log))
        parts[-1].start()
    wait_until(
        lambda: parts[0]._fanout._others
    )  # a slow start must not make it take itself for alone
    realtime = parts[0].of(log)
    realtime.broadcast({"type": "t:t", "n": 1})
    realtime.broadcast({"type": "t:t", "n": 2}, permission="x:y")
    realtime.broadcast({"type": "t:t", "n": 3}, allow=lambda who: not who.id)
    realtime.broadcast({"type": "t:t", "n": 4}, allow=lambda who: not who.id, permission="x:y")
    realtime.broadcast({"type": "t:t", "n": 5, "x": object()})
    realtime.broadcast({"type": "t:t", "n": 5, "x": {1: 2}})
    realtime.broadcast({"type": "t:t", "n": 6})
    here = [(1, True, True), (2, True, False), (3, False, True), (4, False, False)]
    assert providers[0].calls == [*here, *[(5, True, True)] * 2, (6, True, True)]
    if kind is Recorder:
        wait_until(lambda: len(providers[1].calls) >= 3)
        assert providers[1].calls == [(1, True, True), (2, True, False), (6, True, True)]
    for part in parts:
        part.stop()
    if kind is Everywhere:
        assert providers[1].calls == []
    for engine in engines:
        engine.close()
