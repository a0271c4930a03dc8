"""One request on its way through a plugin: order of judgement, failures, what the handler gets."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from plugin_sdk import (
    Request,
    Response,
    Route,
)

from .conftest import BODY, PATH, add, raiser

QUERY = {"type": "object", "properties": {"n": {"type": "integer"}}}


# Values


def test_the_handler_gets_plain_values(site):
    seen: list[Request] = []
    site.add("x", Route("POST", "/do/{name}", lambda request: seen.append(request)))
    reply = site.post(
        "/api/plugins/x/do/%C3%BC?a=1&a=2&b=&c=%2B5",
        body=b"raw",
        token="alice",
        host="LOCALHOST:8085",
        X_Room="fish",
        Content_Type="text/plain",
    )
    (request,) = seen
    assert reply.status == 204
    assert (request.method, request.path) == ("POST", "/api/plugins/x/do/ü")
    assert dict(request.params) == {"name": "ü"}
    assert dict(request.query) == {"a": "1", "b": "", "c": "+5"}
    assert request.query.all("a") == ("1", "2")
    assert request.headers["x-ROOM"] == "fish"
    assert request.headers["content-type"] == "text/plain"
    assert "X-Nothing" not in request.headers
    assert request.headers.get("X-Nothing", "none") == "none"
    with pytest.raises(KeyError):
        request.headers["X-Nothing"]
    assert {"host", "authorization", "x-room", "content-type", "content-length"} == set(
        request.headers
    )
    assert len(request.headers) == 5
    assert "x_room" not in request.headers
    assert request.headers.get("x_room") is None
    assert (request.principal.id, request.token) == ("profile-1", "alice")
    assert (request.peer, request.scheme, request.host) == ("192.0.2.7", "http", "LOCALHOST:8085")
    assert request.id == reply.headers["x-request-id"]
    assert request.body is None
    assert request.read() == b"raw"
    assert request.read() == b"raw"
    assert "raw" not in repr(request)
    assert "token" not in repr(request)


def test_a_request_of_plain_http_1_0_has_the_servers_name(site):
    seen: list[Request] = []
    add(site, lambda request: seen.append(request))
    environ = site.environ("GET", PATH, peer="127.0.0.1", host=None)
    environ["SERVER_PROTOCOL"] = "HTTP/1.0"
    reply = site.call(environ)
    assert reply.status == 204
    assert seen[0].host == "localhost"


@pytest.mark.parametrize(
    ("result", "status", "body"),
    [
        ({"a": 1}, 200, b'{"a":1}'),
        ([], 200, b"[]"),
        ("text", 200, b'"text"'),
        (0, 200, b"0"),
        (False, 200, b"false"),
        (None, 204, b""),
        ({"ü": "🎵"}, 200, '{"ü":"🎵"}'.encode()),
        ({"a": "\ud800"}, 200, b'{"a":"\\ud800"}'),
        (Response({"a": 1}, 201), 201, b'{"a":1}'),
        (Response(None), 200, b"null"),
        (Response.created({"id": 1}, "/things/1"), 201, b'{"id":1}'),
        (Response.empty(), 204, b""),
        (Response.empty(202), 202, b""),
        (Response.text("hü"), 200, "hü".encode()),
        (Response.json_text('[1,{"x":2}]'), 200, b'[1,{"x":2}]'),
        (Response.data(b"\x00\x01", "image/png"), 200, b"\x00\x01"),
        (Response.redirect("/elsewhere?ü"), 303, b""),
        (Response({"a": 1}, 204), 204, b""),
    ],
)
def test_results_become_answers(site, result, status, body):
    add(site, lambda _request: result)
    reply = site.get(PATH)
    assert (reply.status, reply.body) == (status, body)
    assert reply.headers["x-content-type-options"] == "nosniff"
    if status in (204, 304):
        assert "content-length" not in reply.headers
        assert "content-type" not in reply.headers
    else:
        assert reply.headers["content-length"] == str(len(body))
    head = site.ask("HEAD", PATH)
    assert (head.status, head.body) == (status, b"")
    assert head.headers.get("content-length") == reply.headers.get("content-length")


def test_headers_of_the_answer(site):
    add(
        site,
        lambda _request: Response(
            {}, headers={"X-Mine": "1", "Set-Cookie": "a=b", "Content-Length": "99",
                         "Content-Type": "application/problem+json",
                         "X-Content-Type-Options": "nosniff", "X-Request-Id": "forged"},
        ),
    )  # fmt: skip
    reply = site.get(PATH)
    names = [name.lower() for name, _ in reply.all_headers]
    assert len(names) == len(set(names))
    assert reply.headers["x-mine"] == "1"
    assert reply.headers["set-cookie"] == "a=b"
    assert reply.headers["content-length"] == "2"
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.headers["x-request-id"] != "forged"


def test_redirects_have_no_type(site):
    add(site, lambda _request: Response.redirect("/x"))
    assert "content-type" not in site.get(PATH).headers


def test_pages_get_a_strict_policy_unless_they_bring_one(site):
    pages = {
        "plain": Response.html("<p>hi"),
        "own": Response.html("<p>hi", headers={"content-security-policy": "sandbox"}),
        "drawing": Response.data(b"<svg/>", "image/svg+xml"),
        "typed": Response({}, headers={"Content-Type": "text/html; charset=utf-8"}),
        "json": Response({}),
    }
    add(site, lambda request: pages[request.query["page"]])
    policy = "content-security-policy"
    strict = site.get(PATH + "?page=plain").headers[policy]
    assert strict == (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'; "
        "object-src 'none'; img-src 'self' data: blob:; media-src 'self' blob:"
    )
    assert site.get(PATH + "?page=own").headers[policy] == "sandbox"
    assert site.get(PATH + "?page=typed").headers[policy] == strict
    assert "sandbox" in site.get(PATH + "?page=drawing").headers[policy]
    assert policy not in site.get(PATH + "?page=json").headers


@pytest.mark.parametrize(
    "kind",
    [
        "application/xhtml+xml",
        "application/rss+xml",
        "Text/XSL; charset=utf-8",
        "text/a+xml",
        "text/xml",
    ],
)
def test_what_browsers_read_as_xml_runs_no_script(site, kind):
    add(site, lambda _request: Response.data(b"<a/>", kind))
    assert "sandbox" in site.get(PATH).headers["content-security-policy"]


@pytest.mark.parametrize(
    "path", ["/api/auth/session", "/api/profiles", "/api/profiles/1", "/api/setup", "/api/admin/x"]
)
def test_what_is_private_is_never_stored(site, path):
    site.add("x", Route("GET", path, lambda _request: {}, access="open"), routes={"paths": [path]})
    assert site.get(path).headers["cache-control"] == "no-store"
    assert site.get(path + "/nothing").headers["cache-control"] == "no-store"


def test_other_answers_may_be_stored(site):
    add(site, lambda _request: {})
    assert "cache-control" not in site.get(PATH).headers
    site.add(
        "y",
        Route("GET", "/api/profilesx", lambda _request: {}, access="open"),
        routes={"paths": ["/api/profilesx"]},
    )
    assert "cache-control" not in site.get("/api/profilesx").headers


def test_a_handlers_own_cache_control_stands(site):
    answer = Response({}, headers={"Cache-Control": "private, max-age=5"})
    site.add(
        "x",
        Route("GET", "/api/profiles/pic", lambda _request: answer, access="open"),
        routes={"paths": ["/api/profiles"]},
    )
    assert site.get("/api/profiles/pic").headers["cache-control"] == "private, max-age=5"


# Order of judgement


def test_the_order_of_judgement(site):
    route = {"permission": "x:edit", "body": BODY, "query": QUERY, "max_body": 40}
    add(site, lambda request: request.body, "POST", **route)
    wrong = {"body": b"{" + b" " * 50, "Content_Type": "text/plain"}
    assert site.post(PATH + "/", **wrong).status == 404
    assert site.ask("PUT", PATH, **wrong).status == 405
    assert site.post(PATH + "?n=x", **wrong).status == 401
    assert site.post(PATH + "?n=x", token="guest", **wrong).status == 403
    assert site.post(PATH + "?n=x", token="alice", **wrong).status == 413
    small = {**wrong, "body": b"{"}
    assert site.post(PATH + "?n=x", token="alice", **small).status == 415
    syntax = {**small, "Content_Type": "application/json"}
    assert "details" not in site.post(PATH + "?n=x", token="alice", **syntax).json
    fields = {**syntax, "body": b"{}"}
    assert site.post(PATH + "?n=x", token="alice", **fields).json["details"] == [
        {"path": "a", "message": "is missing"}
    ]
    query = {**syntax, "body": b'{"a":1}'}
    assert site.post(PATH + "?n=x", token="alice", **query).json["details"] == [
        {"path": "n", "message": "must be an integer"}
    ]
    assert site.post(PATH + "?n=1", token="alice", **query).status == 200


def test_a_refused_request_never_reaches_the_handler(site):
    called: list[Request] = []
    add(site, called.append, access="signed-in")
    assert site.get(PATH).status == 401
    assert site.get(PATH, token="unknown").status == 401
    assert called == []


def test_access_for_profiles(site):
    add(site, lambda _request: {}, access="profile")
    assert site.get(PATH, token="guest").json["error"] == "PROFILE_REQUIRED"
    assert site.get(PATH, token="alice").status == 200


# The gate


def test_a_plugin_has_a_limit_of_calls_at_once(make_site):
    from host.plugins.gate import Slots

    site = make_site(slots=Slots(8, 2, 1))
    entered, release = threading.Semaphore(0), threading.Event()

    def slow(_request: Request) -> Any:
        entered.release()
        release.wait(20)
        return {}

    add(site, slow)
    site.add("y", Route("GET", "/do", lambda _request: {}, access="open"))
    replies: list[Any] = []
    threads = [
        threading.Thread(target=lambda: replies.append(site.get(PATH))) for _ in range(2)
    ]  # fmt: skip
    for thread in threads:
        thread.start()
    for _ in threads:
        assert entered.acquire(timeout=20)
    refused = site.get(PATH)
    assert (refused.status, refused.json["error"]) == (503, "UNAVAILABLE")
    assert refused.headers["retry-after"] == "1"
    assert site.get("/api/plugins/y/do").status == 200
    release.set()
    for thread in threads:
        thread.join(20)
    assert [reply.status for reply in replies] == [200, 200]
    assert site.slots.used == 0


def test_the_gate_counts_calls_and_seconds(site):
    published = add(site, lambda _request: {})
    for _ in range(3):
        site.get(PATH)
    assert published.gate.calls == 3
    assert published.gate.seconds > 0


def test_too_many_failures_are_told(site):
    from host.plugins.gate import Gate

    told: list[str] = []
    gate = Gate("x", site.slots, quarantine_failures=3, on_failures=lambda: told.append("x"))
    site.add("x", Route("GET", "/do", raiser(RuntimeError()), access="open"), gate=gate)
    for _ in range(3):
        site.get(PATH)
    assert told == ["x"]


def test_log_lines_of_a_handler_name_request_and_plugin(site):
    from host.logs import plugin_id, request_id

    seen: list[tuple[str, str]] = []
    add(site, lambda _request: seen.append((request_id.get(), plugin_id.get())))
    reply = site.get(PATH)
    assert seen == [(reply.headers["x-request-id"], "x")]
    assert (request_id.get(), plugin_id.get()) == ("", "")


def test_bodies_without_a_schema_are_the_handlers(site):
    add(site, lambda request: request.json(), "POST", max_body=20)
    assert site.post(PATH, body=b'{"a":1}').json == {"a": 1}
    assert site.post(PATH, body=b"nonsense").status == 400
    assert site.post(PATH, body=b"[" * 21).status == 413
    assert site.post(PATH).status == 400
    assert json.loads(site.post(PATH, body=b"[1]", Content_Type="text/plain").body) == [1]
