"""Request filters: what stands before the routes of several plugins at once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from host.plugins.gate import Gate
from host.web.gateway import MEMO
from host.web.handshake import Handshake, Refusal
from plugin_sdk import (
    Forbidden,
    RateLimited,
    Request,
    RequestFilter,
    Response,
    Route,
    WebSocketRoute,
)


class Watchman:
    """A filter that notes whom it saw."""

    def __init__(self, verdict: Any = None) -> None:
        self.seen: list[Request] = []
        self.verdict = verdict

    def __call__(self, request: Request) -> Any:
        self.seen.append(request)
        if isinstance(self.verdict, BaseException):
            raise self.verdict
        return self.verdict(request) if callable(self.verdict) else self.verdict


@pytest.fixture
def films(site):
    site.add(
        "films",
        Route("GET", "/list", lambda r: {"target": r.target}, access="open"),
        Route("POST", "/list", lambda r: {}, access="open", body={}, max_body=5),
        Route("GET", "/varied", lambda r: Response({}, headers={"Vary": "Accept"}), access="open"),
        Route("GET", "/fails", lambda r: 1 / 0, access="open"),
        WebSocketRoute("/ws", lambda c: None, access="open"),
        routes={"prefix": "/films"},
        error_body=lambda error, request: {"films": error.status},
    )
    return site


def watch(site: Any, verdict: Any = None, *paths: str, **more: Any) -> Watchman:
    watchman = Watchman(verdict)
    more.setdefault("plugin_id", f"guard{len(site.catalog.plugins)}")
    plugin_id = more.pop("plugin_id")
    gate = more.pop("gate", None)
    declared = RequestFilter(paths or ("/films",), watchman, **more)
    site.add(plugin_id, filters=[declared], gate=gate)
    return watchman


def knock(site: Any, path: str = "/films/ws", query: str = "", **headers: str) -> Any:
    named = {"host": "localhost", "upgrade": "websocket", **headers}
    return site.layer.upgrades.open(Handshake("GET", path, query, named, "192.0.2.7"))


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/films/list", 200), ("HEAD", "/films/list", 200), ("OPTIONS", "/films/list", 200),
     ("PUT", "/films/list", 405), ("GET", "/films/nothing", 404), ("GET", "/films", 404),
     ("GET", "/films/fails", 500)],
)  # fmt: skip
def test_headers_are_on_whatever_answer_comes(films, method, path, status):
    watchman = watch(films, {"X-Version": "1"})
    reply = films.ask(method, path)
    assert (reply.status, reply.headers["x-version"]) == (status, "1")
    assert [each.path for each in watchman.seen] == [path]


@pytest.mark.parametrize("path", ["/filmsy", "/api/plugins/films", "/", "/Films/list", "/film"])
def test_paths_match_whole_segments(films, path):
    watchman = watch(films, {"X-Version": "1"})
    assert "x-version" not in films.get(path).headers
    assert watchman.seen == []


def test_a_slash_stands_for_every_path(films):
    watchman = watch(films, {"X-Version": "1"}, "/")
    inner = watch(films, None, "/films/list")
    assert films.get("/nowhere").headers["x-version"] == "1"
    assert films.get("/films/list").headers["x-version"] == "1"
    assert (len(watchman.seen), len(inner.seen)) == (2, 1)


def test_one_filter_with_overlapping_paths_is_asked_once(films):
    watchman = watch(films, None, "/films", "/films/list")
    films.get("/films/list")
    assert len(watchman.seen) == 1


def test_a_refusal_has_the_shape_of_the_paths_owner(films):
    watch(films, Forbidden("Origin not allowed", headers={"Vary": "Origin"}))
    reply = films.get("/films/list")
    assert (reply.status, reply.json, reply.headers["vary"]) == (403, {"films": 403}, "Origin")
    assert films.records[-1].plugin_id == "films"


def test_a_response_is_the_answer_and_no_handler_runs(films):
    watch(films, Response.empty(200).with_headers(Access_Control_Max_Age="600"))
    reply = films.ask("OPTIONS", "/films/nothing")
    assert (reply.status, reply.body) == (200, b"")
    assert reply.headers["access-control-max-age"] == "600"
    assert "content-type" not in reply.headers


def test_a_response_may_be_json(films):
    watch(films, Response({"needed": "1.0"}, 426))
    reply = films.get("/films/list")
    assert (reply.status, reply.json) == (426, {"needed": "1.0"})
    assert reply.headers["content-type"] == "application/json"
    assert films.ask("HEAD", "/films/list").body == b""


def test_filters_are_asked_in_order_and_headers_reach_later_refusals(films):
    late = watch(films, RateLimited("Slow down.", retry_after=9), order=30)
    early = watch(films, {"X-First": "1", "X-Second": "a"}, order=10)
    middle = watch(films, {"X-Second": "b"}, order=20)
    reply = films.get("/films/list")
    assert reply.status == 429
    assert (reply.headers["x-first"], reply.headers["x-second"]) == ("1", "b")
    assert reply.headers["retry-after"] == "9"
    early.verdict = Forbidden("No.")
    assert films.get("/films/list").status == 403
    assert (len(early.seen), len(middle.seen), len(late.seen)) == (2, 1, 1)


def test_vary_is_joined_and_other_headers_of_the_answer_stay(films):
    watch(films, {"Vary": "Origin, accept", "Content-Type": "text/html"})
    reply = films.get("/films/varied")
    assert reply.headers["vary"] == "Accept, Origin"
    assert reply.headers["content-type"] == "application/json"
    assert films.get("/films/list").headers["vary"] == "Origin, accept"


@pytest.mark.parametrize(
    "verdict",
    [
        ValueError("boom"),
        SystemExit(3),
        {"X-Bad": "a\nb"},
        Response.stream([b"x"]),
        Response({"bad"}),
    ],
    ids=["exception", "exit", "header", "stream", "no JSON"],
)
def test_a_filter_that_fails_lets_nothing_through(films, verdict):
    watch(films, verdict)
    reply = films.get("/films/list")
    assert reply.status == 500
    assert set(reply.json) == {"films", "incident"}
    assert films.slots.used == 0


def test_the_host_check_comes_first(films):
    watchman = watch(films)
    assert films.get("/films/list", host="evil.example").status == 403
    assert watchman.seen == []


def test_the_principal_is_known_to_those_that_want_it(films):
    plain = watch(films, order=1)
    knowing = watch(films, order=2, identify=True)
    films.get("/films/list", token="alice")
    films.get("/films/list", token="unknown")
    assert [each.principal.id for each in plain.seen] == ["", ""]
    assert [each.principal.id for each in knowing.seen] == ["profile-1", ""]
    assert knowing.seen[0].token == "alice"


def test_who_asks_is_looked_up_once_and_not_before_a_filter_wants_to_know(films, monkeypatch):
    looked: list[str | None] = []
    identify = films.access.identify

    def note(token: str | None, **options: Any) -> Any:
        looked.append(token)
        return identify(token, **options)

    monkeypatch.setattr(films.access, "identify", note)
    watchman = watch(films, Response({}), identify=True)
    films.get("/films/list", token="alice")
    assert looked == []
    assert films.records[-1].principal_id == ""
    watchman.verdict = lambda request: Response({"who": [request.principal.id, request.token]})
    assert films.get("/films/list", token="alice").json == {"who": ["profile-1", "alice"]}
    assert looked == ["alice"]
    assert films.records[-1].principal_id == "profile-1"


def test_filters_see_handshakes(films):
    watchman = watch(films, {"X-Version": "1"}, identify=True)
    session = knock(films, query="token=alice")
    assert session.request.path == "/films/ws"
    assert watchman.seen[0].principal.id == "profile-1"
    session.closed()
    watchman.verdict = Forbidden("No.")
    refusal = knock(films)
    assert isinstance(refusal, Refusal)
    assert (refusal.status, json.loads(refusal.body)) == (403, {"films": 403})
    watchman.verdict = Response({"why": 1}, 426)
    refusal = knock(films)
    assert (refusal.status, json.loads(refusal.body)) == (426, {"why": 1})
    watchman.verdict = ValueError("boom")
    assert knock(films).status == 500


def test_headers_are_on_a_refused_handshake(films):
    watch(films, {"Vary": "Origin"})
    refusal = knock(films, origin="http://evil.example")
    assert refusal.status == 403
    assert dict(refusal.headers)["vary"] == "Origin"


def test_errors_that_the_server_finds_are_filtered_too(films):
    watchman = watch(films, {"X-Version": "1"})
    head = Request("POST", "/films/list", headers={"host": "localhost"}, peer="192.0.2.7")
    status, headers, body = films.layer.render_error(413, "X", "big", "/films/list", {}, head)
    assert (status, json.loads(body)) == (413, {"films": 413})
    assert dict(headers)["x-version"] == "1"
    watchman.verdict = Forbidden("No.")
    assert films.layer.render_error(413, "X", "big", "/films/list", {}, head)[0] == 403
    elsewhere = Request("POST", "/films/list", headers={"host": "evil.example"}, peer="192.0.2.7")
    assert films.layer.render_error(413, "X", "big", "/films/list", {}, elsewhere)[0] == 413


def test_a_request_that_waits_for_its_turn_is_judged_once(films):
    watchman = watch(films, {"X-Version": "1"})
    environ = films.environ("GET", "/films/list")
    environ[MEMO] = {}
    for _ in range(2):
        assert films.call(dict(environ)).headers["x-version"] == "1"
    assert len(watchman.seen) == 1


def test_a_filter_of_a_plugin_that_is_gone_is_not_asked(films):
    watchman = watch(films, Forbidden("No."), plugin_id="guard")
    films.remove("guard")
    assert films.get("/films/list").status == 200
    assert watchman.seen == []


def test_while_its_plugin_goes_nothing_slips_past_a_filter(films):
    gate = Gate("guard", films.slots)
    watch(films, Forbidden("No."), plugin_id="guard", gate=gate)
    gate.close()
    reply = films.get("/films/list")
    assert reply.status == 503
    assert "retry-after" in reply.headers
    assert knock(films).status == 503


def test_a_busy_plugin_does_not_stop_those_behind_its_filter(films):
    gate = Gate("guard", films.slots)
    watch(films, {"X-Version": "1"}, plugin_id="guard", gate=gate)
    for _ in range(12):
        gate.enter()
    assert films.get("/films/list").headers["x-version"] == "1"
    for _ in range(12):
        gate.leave()


@pytest.mark.parametrize(
    "target", ["/films/list", "/films/list?a=%20b&a=1", "/films/%6Cist?", "/films/list?token=x"]
)
def test_the_target_is_there_as_sent(films, target):
    environ = {**films.environ("GET", target), "REQUEST_URI": target}
    assert films.call(environ).json["target"] == target


def test_the_target_is_rebuilt_where_the_server_does_not_keep_it(films):
    assert films.get("/films/list?a=%20").json["target"] == "/films/list?a=%20"


def test_a_slash_more_is_the_same_route_where_declared(site):
    site.add(
        "x",
        Route("GET", "/a", lambda r: {"a": 1}, access="open", trailing_slash=True),
        Route("GET", "/a/{id}", lambda r: dict(r.params), access="open", trailing_slash=True),
        Route("GET", "/b", lambda r: {}, access="open"),
        Route("GET", "/b/{id}", lambda r: {}, access="open"),
    )
    base = "/api/plugins/x"
    assert site.get(f"{base}/a/").json == {"a": 1}
    assert site.get(f"{base}/a/7/").json == {"id": "7"}
    assert site.ask("PUT", f"{base}/a/").status == 405
    for path in ("/a//", "/a/7//", "/b/", "/b/7/", "/", "//"):
        assert site.get(base + path).status == 404, path
