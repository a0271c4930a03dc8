"""Requests that must wait for room in their plugin, under a server that gives each a thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from host.plugins.gate import Gate, Postponed, Slots
from host.server import elsewhere
from host.server.elsewhere import GranianGateway
from host.server.waiting import WAKE
from plugin_sdk import Unavailable

from .conftest import Sockets, render_error


class Room:
    """A gateway in front of one plugin with two places; calls inside last until `go`."""

    def __init__(self) -> None:
        self.gate = Gate("small", Slots(8, 2, 0))
        self.go = threading.Event()
        self.asked = 0

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        self.asked += 1
        try:
            self.gate.enter(wake=environ.get(WAKE))
        except Unavailable:
            return [b"503"]
        assert self.go.wait(60)
        self.gate.leave()
        return [b"200"]


@pytest.fixture
def room() -> Room:
    return Room()


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits in vain is refused after ten seconds: not because this machine is busy."""
    monkeypatch.setattr(elsewhere, "LONGEST_WAIT_SECONDS", 120.0)


def crowd(room: Room, count: int, threads: int = 4) -> tuple[list[threading.Thread], list[bytes]]:
    """So many requests at once, and what they are answered."""
    application = GranianGateway(room, Sockets(), render_error, "127.0.0.1:1", threads=threads)
    answers: list[bytes] = []

    def ask() -> None:
        environ = {"PATH_INFO": "/x", "REQUEST_METHOD": "POST"}
        answers.extend(application(environ, lambda *given: None))

    asking = [threading.Thread(target=ask) for _ in range(count)]
    for thread in asking:
        thread.start()
    return asking, answers


def test_requests_wait_for_room_in_their_plugin(room, wait_for):
    asking, answers = crowd(room, 20)
    wait_for(lambda: room.gate.inside == 2 and len(room.gate._queue) == 18, "a full plugin")
    room.go.set()
    for thread in asking:
        thread.join()
    assert answers == [b"200"] * 20
    assert room.gate.inside == 0


@pytest.mark.parametrize(
    ("limit", "value", "count", "answered"),
    [("WAITING_THREADS", 3, 10, 5), ("LONGEST_WAIT_SECONDS", 0.01, 4, 2)],
)
def test_they_are_refused_when_too_many_wait_or_for_too_long(
    room, wait_for, monkeypatch, limit, value, count, answered
):
    monkeypatch.setattr(elsewhere, limit, value)
    asking, answers = crowd(room, count)
    wait_for(lambda: len(answers) == count - answered, "what is refused")
    room.go.set()
    for thread in asking:
        thread.join()
    assert sorted(answers) == [b"200"] * answered + [b"503"] * (count - answered)


def test_those_that_wait_leave_their_turn_to_others(wait_for):
    """Two turns, both taken by requests that wait: a third is answered all the same."""
    inside: list[str] = []

    def gateway(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        if environ["PATH_INFO"] == "/full" and WAKE in environ and not woken.is_set():
            inside.append("waits")
            wakes.append(environ[WAKE])
            raise Postponed
        return [environ["PATH_INFO"].encode()]

    woken, wakes = threading.Event(), []
    application = GranianGateway(gateway, Sockets(), render_error, "127.0.0.1:1", threads=2)
    answers: list[bytes] = []

    def ask(path: str) -> None:
        answers.extend(application({"PATH_INFO": path, "REQUEST_METHOD": "GET"}, lambda *_: None))

    waiting = [threading.Thread(target=ask, args=("/full",)) for _ in range(2)]
    for thread in waiting:
        thread.start()
    wait_for(lambda: len(inside) == 2, "two that wait")
    ask("/free")
    assert answers == [b"/free"]
    woken.set()
    for wake in wakes:
        wake()
    for thread in waiting:
        thread.join()
    assert answers == [b"/free", b"/full", b"/full"]
