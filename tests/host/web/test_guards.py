"""A plugin's guard: asked before anything else is judged below its prefixes."""

from __future__ import annotations

from typing import Any

import pytest

from host.plugins.gate import Gate
from host.web.handshake import Handshake, Refusal
from plugin_sdk import Forbidden, Plugin, Request, Route, WebSocketRoute
from plugin_sdk.testing import FakeContext

BASE = "/api/plugins/x"


class Guarded(Plugin):
    """Keeps out peers that are not of this machine; notes what it was asked."""

    def __init__(self) -> None:
        super().__init__(FakeContext("x"))
        self.asked: list[Request] = []
        self.fault: BaseException | None = None

    def guard(self, request: Request) -> None:
        self.asked.append(request)
        if self.fault is not None:
            raise self.fault
        if not request.loopback:
            raise Forbidden("Not from there.", code="LAN_DISABLED")


@pytest.fixture
def guarded(site):
    plugin = Guarded()
    site.published_x = site.add(
        "x",
        Route("GET", "/do/{id}", lambda r: {"id": r.principal.id}),
        Route("POST", "/do/{id}", lambda r: {}, access="open", body={}, max_body=5),
        WebSocketRoute("/ws", lambda c: None, access="open"),
        plugin=plugin,
    )
    site.plugin = plugin
    return site


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/do/1"), ("POST", "/do/1"), ("PUT", "/do/1"), ("OPTIONS", "/do/1"), ("GET", "/no"),
     ("HEAD", "/do/1"), ("GET", ""), ("GET", "/do/1/")],
)  # fmt: skip
def test_the_guard_comes_before_every_other_judgement(guarded, method, path):
    reply = guarded.ask(method, BASE + path, body=b"far too much", token="alice")
    assert reply.status == 403
    if method != "HEAD":
        assert reply.json["error"] == "LAN_DISABLED"
    gate = guarded.published_x.gate
    assert (gate.inside, gate.failures, guarded.slots.used) == (0, 0, 0)


def test_what_the_guard_lets_through_is_judged_as_ever(guarded):
    local = {"peer": "127.0.0.1"}
    assert guarded.get(BASE + "/do/1", **local).status == 401
    assert guarded.get(BASE + "/do/1", token="alice", **local).json == {"id": "profile-1"}
    assert guarded.get(BASE + "/no", **local).status == 404
    assert guarded.ask("PUT", BASE + "/do/1", **local).status == 405
    assert guarded.ask("OPTIONS", BASE + "/do/1", **local).status == 200
    assert guarded.post(BASE + "/do/1", body=b"123456", **local).status == 413


def test_the_host_check_comes_first(guarded):
    assert guarded.get(BASE + "/do/1", host="evil.example").json["error"] == "FORBIDDEN"
    assert guarded.plugin.asked == []


def test_other_paths_are_not_its_concern(guarded):
    assert guarded.get("/api/plugins/y/do").status == 404
    assert guarded.get("/nothing").status == 404
    assert guarded.plugin.asked == []


def test_the_guard_sees_who_and_what(guarded):
    guarded.get(BASE + "/do/7?a=1", token="guest", peer="127.0.0.1", X_Client="1.2")
    (request,) = guarded.plugin.asked
    assert (request.method, request.path, request.params["id"]) == ("GET", BASE + "/do/7", "7")
    assert (request.principal.id, request.token) == ("user-guest", "guest")
    assert request.query.all("a") == ("1",)
    assert request.headers["x-client"] == "1.2"
    assert request.read() == b""


def test_a_token_is_looked_up_once(guarded, monkeypatch):
    looked_up: list[Any] = []
    real = guarded.access.identify
    monkeypatch.setattr(
        guarded.access,
        "identify",
        lambda token, **more: (looked_up.append(token), real(token, **more))[1],
    )
    assert guarded.get(BASE + "/do/7", token="guest", peer="127.0.0.1").status == 200
    assert looked_up == ["guest"]


def test_from_another_site_the_refusal_is_the_usual_one(guarded):
    sent = {"Cookie": "stagebox_session=alice", "Origin": "http://evil.example"}
    site = guarded
    site.add("z", Route("POST", "/do", lambda r: {}), plugin=Guarded())
    assert site.post("/api/plugins/z/do", peer="127.0.0.1", **sent).status == 403
    assert site.post("/api/plugins/z/do", peer="127.0.0.1").status == 401


@pytest.mark.parametrize("path", ["/do/1", "/no"])
@pytest.mark.parametrize("fault", [RuntimeError("secret"), SystemExit(2)])
def test_a_guard_that_fails_lets_nobody_through(guarded, path, fault):
    guarded.plugin.fault = fault
    reply = guarded.get(BASE + path, token="alice", peer="127.0.0.1")
    assert reply.status == 500
    assert b"secret" not in reply.body
    gate = guarded.published_x.gate
    assert (gate.failures, gate.inside) == (1, 0)
    assert guarded.log.records[0].plugin == "x"


def test_a_guard_is_a_call_of_its_plugin(guarded):
    gate: Gate = guarded.published_x.gate
    gate.close()
    assert guarded.get(BASE + "/no", peer="127.0.0.1").status == 503
    assert guarded.plugin.asked == []


def test_upgrades_are_guarded_too(guarded):
    def knock(peer: str) -> Any:
        headers = {"host": "localhost"}
        return guarded.layer.upgrades.open(Handshake("GET", BASE + "/ws", "", headers, peer))

    outcome = knock("192.0.2.7")
    assert isinstance(outcome, Refusal)
    assert outcome.status == 403
    assert b"LAN_DISABLED" in outcome.body
    session = knock("127.0.0.1")
    assert not isinstance(session, Refusal)
    session.closed()
    guarded.plugin.fault = RuntimeError("x")
    assert knock("127.0.0.1").status == 500
    gate = guarded.published_x.gate
    assert (gate.failures, gate.inside) == (1, 0)


def test_plugins_without_a_guard_cost_nothing(site):
    class Plain(Plugin):
        pass

    site.add("x", Route("GET", "/do", lambda r: {}, access="open"), plugin=Plain(FakeContext("x")))
    assert site.get(BASE + "/do").status == 200
    assert site.get(BASE + "/no").status == 404


def test_paths_that_are_not_guarded_are_spared_the_question(site):
    class Partly(Guarded):
        guarded = (f"{BASE}/do", "/elsewhere")

    plugin = Partly()
    plugin.fault = Forbidden("No.")
    site.add(
        "x",
        Route("GET", "/do/{id}", lambda r: {}, access="open"),
        Route("GET", "/dont", lambda r: {}, access="open"),
        plugin=plugin,
    )
    assert site.get(f"{BASE}/do/1").status == 403
    assert site.get(f"{BASE}/do").status == 403
    assert site.get(f"{BASE}/dont").status == 200
    assert site.ask("PUT", f"{BASE}/dont").status == 405
    assert [each.path for each in plugin.asked] == [f"{BASE}/do/1", f"{BASE}/do"]
