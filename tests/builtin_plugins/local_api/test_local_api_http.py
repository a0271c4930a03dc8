"""Health through a real host."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from plugin_sdk import Plugin, hookimpl
from plugin_sdk.testing.plugin import StartHost


def test_health_answers_anybody(stagebox: StartHost) -> None:
    host = stagebox()
    for token in (None, "wrong"):
        answer = host.get("/api/health", token=token)
        assert answer.status == 200
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        body = answer.json()
        assert sorted(body) == ["exposeOnLan", "status", "timestamp", "version"]
        assert (body["status"], body["exposeOnLan"]) == ("ok", False)
        assert isinstance(body["timestamp"], int)
        assert body["version"] == host.get("/api/version").json()["version"]


def test_a_wish_without_a_listener_exposes_nothing(stagebox: StartHost) -> None:
    host = stagebox(settings={"local_api": {"exposeOnLan": True}})
    assert host.get("/api/health").json()["exposeOnLan"] is False


def test_other_methods_and_paths(stagebox: StartHost) -> None:
    host = stagebox()
    answer = host.post("/api/health")
    assert answer.status == 405
    assert {each.strip() for each in answer.headers["allow"].split(",")} == {
        "GET",
        "HEAD",
        "OPTIONS",
    }
    assert host.get("/api/health/").status == 404
    host.disable("local_api")
    assert host.get("/api/health").status == 404


class Listener(Plugin):
    """Keeps what it heard of the local API."""

    manifest: ClassVar = {"id": "example.listener"}
    heard: ClassVar[list[object]] = []

    @hookimpl
    def local_api_started(self, addresses: Sequence[str]) -> None:
        self.heard.append(tuple(addresses))

    @hookimpl
    def local_api_stopped(self) -> None:
        self.heard.append("stopped")


def test_a_switch_is_told(stagebox: StartHost, wait_until: Callable[..., None]) -> None:
    Listener.heard.clear()
    host = stagebox(Listener)
    wait_until(lambda: Listener.heard)
    assert Listener.heard == [(host.url,)]
    host.disable("local_api")
    assert Listener.heard == [(host.url,), "stopped"]
    host.enable("local_api")
    wait_until(lambda: len(Listener.heard) == 3)
    assert Listener.heard[2] == (host.url,)


def test_the_profile_needs_a_token(stagebox: StartHost) -> None:
    host = stagebox()
    for token in (None, "wrong"):
        answer = host.get("/api/profile", token=token)
        assert (answer.status, answer.json()["error"]) == (401, "UNAUTHORIZED")
        assert answer.headers["www-authenticate"] == "Bearer"
    assert host.get("/api/profile/").status == 404
    assert host.post("/api/profile").status == 405
