"""Which path leads where, and who says no."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from plugin_sdk import (
    Invalid,
    NotFound,
    Request,
    Response,
    Route,
    StageboxError,
    WebSocketRoute,
)


def echo(request: Request) -> dict[str, Any]:
    return {"path": request.path, "params": dict(request.params)}


def says(word: str) -> Any:
    return lambda _request: word


def opened(method: Any, path: str, handler: Any = echo, **more: Any) -> Route:
    return Route(method, path, handler, access="open", **more)


def test_a_route_answers_below_the_prefix(site):
    site.add("hello", opened("GET", "/hi"))
    reply = site.get("/api/plugins/hello/hi")
    assert (reply.status, reply.json["path"]) == (200, "/api/plugins/hello/hi")
    assert reply.headers["content-type"] == "application/json"


def test_an_own_prefix_replaces_the_default(site):
    site.add("songs", opened("GET", "/all"), routes={"prefix": "/api/songs"})
    assert site.get("/api/songs/all").status == 200
    assert site.get("/api/plugins/songs/all").status == 404


def test_a_bundled_plugin_claims_several_paths(site):
    site.add(
        "docs",
        opened("GET", "/docs"),
        opened("GET", "/api/docs.json"),
        routes={"paths": ["/docs", "/api/docs.json"]},
    )
    assert site.get("/docs").status == 200
    assert site.get("/api/docs.json").status == 200
    assert site.get("/api/docs").status == 404


def test_the_root_can_be_claimed(site):
    site.add("home", opened("GET", "/", says("home")), routes={"paths": ["/"]})
    site.add("hello", opened("GET", "/hi", says("hi")))
    assert site.get("/").json == "home"
    assert site.get("/api/plugins/hello/hi").json == "hi"
    assert site.get("/nothing").status == 404
    assert site.ask("POST", "/").status == 405
    assert site.ask("POST", "/nothing").status == 404  # who has the root has nothing else


def test_unknown_paths_are_404_in_the_shape_of_the_host(site):
    reply = site.get("/nothing/here?token=x")
    assert reply.status == 404
    assert reply.json == {"error": "NOT_FOUND", "message": "There is nothing here."}
    assert reply.headers["content-type"] == "application/json"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "TRACE", "CONNECT", "PROPFIND", "FOO"])
def test_other_methods_are_405_with_all_that_are_allowed(site, method):
    site.add("hello", opened("GET", "/hi"), opened("PATCH", "/hi"))
    reply = site.ask(method, "/api/plugins/hello/hi")
    assert reply.status == 405
    assert reply.headers["allow"] == "GET, HEAD, PATCH, OPTIONS"
    assert reply.json["error"] == "METHOD_NOT_ALLOWED"


def test_options_needs_no_token(site):
    site.add("hello", Route("POST", "/hi", echo, permission="x:edit"))
    reply = site.ask("OPTIONS", "/api/plugins/hello/hi")
    assert (reply.status, reply.body) == (200, b"")
    assert reply.headers["allow"] == "POST, OPTIONS"
    assert reply.headers["content-length"] == "0"
    assert reply.headers["cache-control"] == "no-store"
    assert "content-type" not in reply.headers
    assert site.ask("OPTIONS", "/api/plugins/hello/nothing").status == 404


def test_head_is_a_get_without_its_body(site):
    site.add("hello", opened("GET", "/hi"), Route("GET", "/mine", echo))
    got, head = site.get("/api/plugins/hello/hi"), site.ask("HEAD", "/api/plugins/hello/hi")
    assert head.status == 200
    assert head.body == b""
    ignored = ("x-request-id",)
    assert {k: v for k, v in head.headers.items() if k not in ignored} == {
        k: v for k, v in got.headers.items() if k not in ignored
    }
    refused = site.ask("HEAD", "/api/plugins/hello/mine")
    assert (refused.status, refused.body) == (401, b"")


def test_head_is_405_where_get_is(site):
    site.add("hello", opened("POST", "/hi"))
    assert site.ask("HEAD", "/api/plugins/hello/hi").status == 405


@pytest.mark.parametrize(
    "path",
    ["/api/plugins/hello/hi/", "/api/plugins/hello/x/", "/api/plugins/hello/x//",
     "/api/plugins/hello//hi", "//api/plugins/hello/hi", "/api//plugins/hello/hi",
     "/API/plugins/hello/hi", "/api/plugins/hello", "/api/plugins/hellohi"],
)  # fmt: skip
def test_near_misses_are_404(site, path):
    site.add("hello", opened("GET", "/hi"), opened("GET", "/x/{id}"))
    assert site.get(path).status == 404


def test_literal_segments_win_over_fields(site):
    site.add(
        "hello",
        opened("GET", "/{name}", says("field")),
        opened("GET", "/special", says("literal")),
        opened("GET", "/{name}/more", says("field more")),
        opened("GET", "/special/less", says("less")),
    )
    assert site.get("/api/plugins/hello/special").json == "literal"
    assert site.get("/api/plugins/hello/other").json == "field"
    assert site.get("/api/plugins/hello/special/more").json == "field more"
    assert site.get("/api/plugins/hello/special/less").json == "less"


def test_fields_may_be_named_as_each_route_likes(site):
    site.add(
        "hello",
        opened("GET", "/{room}"),
        opened("DELETE", "/{self}"),
        opened("GET", "/{id}/{class}"),
        opened("GET", "/{req}/{resp}/{rest:path}"),
    )
    base = "/api/plugins/hello"
    assert site.get(f"{base}/a").json["params"] == {"room": "a"}
    assert site.ask("DELETE", f"{base}/a").json["params"] == {"self": "a"}
    assert site.get(f"{base}/a/b").json["params"] == {"id": "a", "class": "b"}
    assert site.get(f"{base}/a/b/c/d").json["params"] == {"req": "a", "resp": "b", "rest": "c/d"}


def test_a_rest_takes_what_follows_undecided(site):
    site.add("files", opened("GET", "/static/{rest:path}"))
    for rest in ("", "a", "a/b", "a//b", "a/", "../../x", "%2e%2e", "ü", "a\\b", "%00"):
        path = f"/api/plugins/files/static/{rest.replace('ü', '%C3%BC').replace(chr(92), '%5C')}"
        expected = {"%2e%2e": "..", "%00": "\0"}.get(rest, rest)
        assert site.get(path).json["params"] == {"rest": expected}, rest
    assert site.get("/api/plugins/files/static").status == 404


def test_fields_are_decoded_once(site):
    site.add("hello", opened("GET", "/x/{id}"))
    reply = site.get("/api/plugins/hello/x/%25C3%25BC%20%F0%9F%8E%B5")
    assert reply.json["params"] == {"id": "%C3%BC 🎵"}


def test_a_path_that_is_not_utf8_names_nothing(site):
    site.add("hello", opened("GET", "/x/{id}"), opened("GET", "/y"))
    assert site.get("/api/plugins/hello/x/%FF").json["params"] == {"id": "\udcff"}
    surrogate = site.get("/api/plugins/hello/x/%ED%A0%80").json["params"]
    assert surrogate == {"id": "\udced\udca0\udc80"}
    assert site.get("/api/plugins/hello/%FF").status == 404
    honest = site.get("/api/plugins/hello/x/%EF%BF%BD")  # the replacement character itself
    assert honest.json["params"] == {"id": "\ufffd"}


# Nested claims: plugin_admin claims /api/plugins, every other plugin a folder below it


def admin(site, *more: Route) -> None:
    site.add(
        "plugin_admin",
        opened("GET", "/api/plugins", says("list")),
        opened("GET", "/api/plugins/providers", says("providers")),
        opened("GET", "/api/plugins/{id}", says("entry")),
        opened("POST", "/api/plugins/{id}/disable", says("disabled")),
        opened("GET", "/api/plugins/{id}/file/{path:path}", says("file")),
        *more,
        routes={"paths": ["/api/plugins"]},
    )


def test_the_longest_prefix_that_has_the_route_answers(site):
    admin(site)
    site.add("hello", opened("GET", "/hi", says("hi")))
    assert site.get("/api/plugins").json == "list"
    assert site.get("/api/plugins/providers").json == "providers"
    assert site.get("/api/plugins/hello").json == "entry"
    assert site.get("/api/plugins/hello/hi").json == "hi"
    assert site.get("/api/plugins/hello/file/static/x.js").json == "file"
    assert site.post("/api/plugins/hello/disable").json == "disabled"
    assert site.get("/api/plugins/hello/nothing").status == 404


def test_no_plugin_catches_the_request_that_switches_it_off(site):
    admin(site)
    site.add(
        "greedy",
        opened("GET", "/{rest:path}", says("mine")),
        opened("POST", "/{rest:path}", says("mine")),
    )
    assert site.post("/api/plugins/greedy/disable").json == "disabled"
    assert site.get("/api/plugins/greedy/file/a").json == "file"
    assert site.get("/api/plugins/greedy/disable").status == 405
    assert site.get("/api/plugins/greedy/other").json == "mine"
    assert site.get("/api/plugins/greedy/disable/x").json == "mine"
    site.remove("plugin_admin")
    assert site.post("/api/plugins/greedy/disable").json == "mine"


def test_reserved_words_follow_the_outer_plugin(site):
    site.add("greedy", opened("GET", "/{name}", says("mine")))
    assert site.get("/api/plugins/greedy/audit").json == "mine"
    admin(site, opened("GET", "/api/plugins/{id}/audit", says("audit")))
    assert site.get("/api/plugins/greedy/audit").json == "audit"


def test_the_hosts_own_routes_stand_beside_a_plugin_that_claims_around_them(site):
    site.add(
        "accounts",
        opened("GET", "/api/auth/session", says("session")),
        opened("POST", "/api/auth/login", says("stolen")),
        routes={"paths": ["/api/auth"]},
    )
    assert site.get("/api/auth/session").json == "session"
    assert site.post("/api/auth/login", json={"name": "bob"}).json["token"] == "bob"
    assert site.get("/api/auth/login").headers["allow"] == "POST, OPTIONS"
    assert set(site.layer.host_paths) == {"/api/auth/login", "/api/auth/logout"}


# Publishing


def test_plugins_come_and_go(site):
    site.add("one", opened("GET", "/hi"))
    site.add("two", opened("GET", "/hi"))
    site.remove("one")
    assert site.get("/api/plugins/one/hi").status == 404
    assert site.get("/api/plugins/two/hi").status == 200
    site.add("one", opened("GET", "/bye"))
    assert site.get("/api/plugins/one/hi").status == 404
    assert site.get("/api/plugins/one/bye").status == 200


def test_what_was_compiled_is_kept_while_a_plugin_stays(site, monkeypatch):
    compiled: list[str] = []
    from host.web.routing import RouteSet

    real = RouteSet.of_plugin.__func__

    def counted(cls, published, tools):
        compiled.append(published.plugin_id)
        return real(cls, published, tools)

    monkeypatch.setattr(RouteSet, "of_plugin", classmethod(counted))
    site.add("one", opened("GET", "/hi"))
    site.add("two", opened("GET", "/hi"))
    site.remove("one")
    assert compiled == ["one", "two"]


def test_check_tells_what_cannot_be_mounted(site):
    bad = site.published("bad", opened("GET", "/{a}"), opened("GET", "/{b:path}"))
    with pytest.raises(Invalid, match="cannot be mounted"):
        site.layer.check(bad)
    with pytest.raises(Invalid):
        site.layer.check(site.published("bad", opened("GET", "/{rest:path}/more")))
    good = site.published("good", opened("GET", "/hi"))
    site.layer.check(good)
    site.publish(site.catalog.with_plugin(good))
    assert site.get("/api/plugins/good/hi").status == 200


def test_a_plugin_that_cannot_be_mounted_keeps_nobody_else_out(site):
    site.add("bad", opened("GET", "/{a}"), opened("GET", "/{b:path}"))
    site.add("good", opened("GET", "/hi"))
    assert site.get("/api/plugins/bad/x").status == 404
    assert site.get("/api/plugins/good/hi").status == 200
    record = site.log.records[0]
    assert record.levelno == logging.ERROR
    assert record.plugin == "bad"


# Errors in the owner's shape


def test_a_plugin_words_the_errors_below_its_prefixes(site):
    def error_body(error: StageboxError, request: Request) -> Any:
        return {"code": error.status, "was": f"{request.method} {request.path}",
                "q": {k: list(v) for k, v in request.query.raw.items()}}  # fmt: skip

    site.add("media", opened("GET", "/x"), error_body=error_body, routes={"prefix": "/api/v1"})
    unknown = site.get("/api/v1/nothing?a=1&a=2")
    assert unknown.status == 404
    assert unknown.json == {"code": 404, "was": "GET /api/v1/nothing", "q": {"a": ["1", "2"]}}
    wrong = site.ask("DELETE", "/api/v1/x")
    assert wrong.json["code"] == 405
    assert wrong.headers["allow"] == "GET, HEAD, OPTIONS"
    assert site.get("/api/v1", host="evil.example").json["code"] == 403
    assert site.get("/api/v2").json["error"] == "NOT_FOUND"
    assert site.get("/api/v11").json["error"] == "NOT_FOUND"


def test_the_inner_plugin_words_what_neither_knows(site):
    admin(site)
    site.add("hello", error_body=lambda error, request: {"mine": error.status})
    assert site.get("/api/plugins/hello/nothing").json == {"mine": 404}
    assert site.get("/api/plugins/other/nothing").json["error"] == "NOT_FOUND"


def test_error_body_of_a_plugin_that_goes_is_not_called(site):
    published = site.add("hello", error_body=lambda error, request: {"mine": error.status})
    published.gate.close()
    assert site.get("/api/plugins/hello/nothing").json["error"] == "NOT_FOUND"
    assert published.gate.inside == 0


# Errors in the shape of the host


def test_a_websocket_path_answers_plain_requests_with_426(site):
    site.add("live", WebSocketRoute("/ws", lambda connection: None), routes={"prefix": "/live"})
    reply = site.get("/live/ws")
    assert (reply.status, reply.json["error"]) == (426, "UPGRADE_REQUIRED")
    assert "upgrade" not in reply.headers  # a header of the connection, which is the server's
    assert site.post("/live/ws").status == 405
    assert site.get("/live/ws/").status == 404


def test_falcons_own_errors_have_our_shape(site):
    reply = site.ask("WEBSOCKET", "/nothing")
    assert reply.status == 400
    assert set(reply.json) == {"error", "message"}


def test_not_found_raised_by_a_handler_names_what_is_missing(site):
    def handler(_request: Request) -> Response:
        raise NotFound("There is no such room.")

    site.add("hello", opened("GET", "/hi", handler))
    assert site.get("/api/plugins/hello/hi").json == {
        "error": "NOT_FOUND", "message": "There is no such room.",
    }  # fmt: skip
