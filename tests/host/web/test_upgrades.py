"""WebSocket upgrades: who may connect, and the fence around the plugin's callbacks."""

from __future__ import annotations

import json
from typing import Any

import pytest

from host.logs import plugin_id, request_id
from host.plugins.gate import Gate
from host.web.handshake import Handshake, Refusal
from plugin_sdk import Conflict, Request, RequestFilter, WebSocketRoute

PATH = "/live/ws"


class FakeConnection:
    def __init__(self, request: Request) -> None:
        self.request = request


def add(site: Any, handler: Any = lambda connection: None, **more: Any) -> Any:
    more.setdefault("access", "open")
    named = {name: more.pop(name) for name in ("error_body", "gate") if name in more}
    route = WebSocketRoute("/ws", handler, **more)
    return site.add("live", route, routes={"prefix": "/live"}, **named)


def knock(site: Any, query: str = "", path: str = PATH, peer: str = "192.0.2.7", **headers: str):
    named = {"host": "localhost:8085", **{k.replace("_", "-"): v for k, v in headers.items()}}
    return site.layer.upgrades.open(Handshake("GET", path, query, named, peer))


def refused(outcome: Any, status: int) -> Any:
    assert isinstance(outcome, Refusal), outcome
    assert outcome.status == status
    assert "X-Request-Id" in dict(outcome.headers)
    return json.loads(outcome.body)


def test_routes_are_found_by_their_exact_path(site):
    published = add(site, max_message=99)
    find = site.layer.upgrades.find
    assert find(PATH) is published.websockets[0].route
    assert find(PATH + "/") is find("/live") is find("/nothing") is None
    site.remove("live")
    assert find(PATH) is None
    assert refused(knock(site), 404)["error"] == "NOT_FOUND"


def test_a_session_knows_its_request(site):
    seen: list[Any] = []
    published = add(site, lambda c: seen.append((c, plugin_id.get(), request_id.get())))
    session = knock(site, "a=1&a=2&token=alice", X_Room="fish")
    request = session.request
    assert session.limits is published.websockets[0].route
    assert (request.method, request.path, request.peer) == ("GET", PATH, "192.0.2.7")
    assert request.query.all("a") == ("1", "2")
    assert request.headers["X-Room"] == "fish"
    assert (request.principal.id, request.token) == ("profile-1", "alice")
    assert (request.scheme, request.host) == ("http", "localhost:8085")
    connection = FakeConnection(request)
    session.opened(connection)
    assert seen == [(connection, "live", request.id)]
    assert site.records[-1].status == 101
    assert site.records[-1].principal_id == "profile-1"
    session.closed()


@pytest.mark.parametrize(
    ("query", "headers", "status"),
    [
        ("", {}, 401),
        ("token=nobody", {}, 401),
        ("token=", {}, 401),
        ("token=alice", {}, None),
        ("", {"authorization": "Bearer alice"}, None),
        ("token=nobody", {"authorization": "Bearer alice"}, None),
        ("", {"cookie": "stagebox_session=alice", "origin": "http://localhost:8085"}, None),
        ("", {"cookie": "stagebox_session=alice"}, 403),
        ("token=alice", {"origin": "http://localhost:8085"}, None),
        ("token=alice", {"origin": "http://evil.example"}, 403),
        ("token=alice", {"origin": "null"}, 403),
        ("token=alice", {"host": "evil.example"}, 403),
        ("token=guest", {}, 403),
    ],
)
def test_who_may_connect(site, query, headers, status):
    called: list[Any] = []
    published = add(site, called.append, permission="x:edit")
    outcome = knock(site, query, **headers)
    if status is None:
        assert not isinstance(outcome, Refusal)
        assert published.gate.inside == 1
        outcome.closed()
    else:
        refused(outcome, status)
        assert site.records[-1].status == status
    assert called == []
    assert published.gate.inside == 0


def test_unauthorised_names_the_scheme(site):
    add(site, access="signed-in")
    outcome = knock(site)
    refused(outcome, 401)
    assert dict(outcome.headers)["www-authenticate"] == "Bearer"


def test_an_open_route_still_refuses_pages_from_elsewhere(site):
    add(site)
    assert not isinstance(knock(site), Refusal)
    assert refused(knock(site, origin="http://evil.example"), 403)["message"] == (
        "Origin not allowed"
    )


def test_an_allowed_origin_brings_no_authority_along(site):
    allowed = {"Access-Control-Allow-Origin": "http://localhost:3000"}
    site.add("cors", filters=[RequestFilter([PATH], lambda request: allowed)])
    site.access.governed = False
    add(site)
    refused(knock(site, origin="http://localhost:3001"), 403)
    session = knock(
        site, origin="http://localhost:3000", cookie="stagebox_session=alice", peer="127.0.0.1"
    )
    assert session.request.principal.id == ""
    assert knock(site, peer="127.0.0.1").request.principal.id == "local"
    add(site, access="signed-in")
    refused(knock(site, origin="http://localhost:3000", cookie="stagebox_session=alice"), 403)
    assert knock(site, "token=alice", origin="http://localhost:3000").request.token == "alice"


def test_refusals_have_the_plugins_shape(site):
    add(site, access="signed-in", error_body=lambda error, request: {"no": error.status})
    assert refused(knock(site), 401) == {"no": 401}


def test_there_is_a_limit_of_connections(site):
    published = add(site, max_connections=2)
    sessions = [knock(site), knock(site)]
    outcome = knock(site)
    assert refused(outcome, 503)["error"] == "UNAVAILABLE"
    assert "retry-after" in dict(outcome.headers)
    assert published.gate.inside == 2
    sessions.pop().closed()
    sessions.append(knock(site))
    for session in sessions:
        session.closed()
    assert published.gate.inside == 0
    assert site.slots.used == 0


def test_counts_survive_the_coming_of_others(site):
    add(site, max_connections=1)
    session = knock(site)
    site.add("other")
    refused(knock(site), 503)
    assert not session.gone()
    session.closed()


def test_a_session_is_gone_when_its_plugin_is(site):
    published = add(site)
    session = knock(site)
    assert not session.gone()
    site.remove("live")
    assert session.gone()
    assert published.gate.inside == 1
    session.closed()
    assert published.gate.inside == 0
    add(site)
    session = knock(site)
    add(site)  # replaced by another version
    assert session.gone()
    assert not knock(site).gone()


def test_a_plugin_that_drains_takes_no_connection(site):
    published = add(site)
    published.gate.close()
    refused(knock(site), 503)


@pytest.mark.parametrize("error", [RuntimeError("x"), SystemExit(1), Conflict("x")])
def test_failing_callbacks_are_logged_counted_and_told(site, error):
    published = add(site)
    session = knock(site)

    def callback(*_args: Any) -> None:
        raise error

    with pytest.raises((RuntimeError, Conflict)):
        session.invoke(callback, "message")
    assert published.gate.failures == (0 if isinstance(error, Conflict) else 1)
    assert published.gate.inside == 1
    assert site.log.records[0].plugin == "live"
    assert site.log.records[0].exc_info[1] is error
    session.closed()


def test_a_handshake_that_meets_a_switch_gets_the_new_version(site):
    class Closing(Gate):
        def enter(self, *, slot: bool = True, wake: object = None) -> None:
            if not self.closed:
                add(site, max_message=2)
                self.close()
            super().enter(slot=slot)

    gate = Closing("live", site.slots)
    add(site, max_message=1, gate=gate)
    session = knock(site)
    assert session.limits.max_message == 2
    session.closed()
    assert gate.inside == 0


def test_callbacks_run_while_the_plugin_drains(site):
    """on_close of the last connections: the plugin waits for them, so they must not wait."""
    published = add(site)
    session = knock(site)
    seen: list[Any] = []
    published.gate.pause()
    session.invoke(seen.append, 1)
    published.gate.close()
    session.invoke(seen.append, 2)
    session.closed()
    assert seen == [1, 2]
    assert published.gate.inside == 0


def test_a_fault_of_the_host_is_500_and_logged(site):
    published = add(site)
    site.access.broken = True
    body = refused(knock(site), 500)
    assert body["incident"] == site.log.records[0].incident
    assert published.gate.inside == 0
