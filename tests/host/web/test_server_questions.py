"""What the server asks about a path: how long a body may be, how a refusal is worded and logged."""

from __future__ import annotations

from typing import Any

from plugin_sdk import Headers, Request, Route


def route(method: Any, path: str, **more: Any) -> Route:
    return Route(method, path, lambda _request: {}, access="open", **more)


def test_body_limits_are_those_of_the_routes(site):
    site.add(
        "hello",
        route("POST", "/small", max_body=10),
        route("PUT", "/{rest:path}", max_body=5_000_000),
    )
    limit = site.layer.body_limit
    assert limit("POST", "/api/plugins/hello/small") == 10
    assert limit("PUT", "/api/plugins/hello/a/b") == 5_000_000
    assert limit("DELETE", "/api/plugins/hello/small") == 1024 * 1024
    assert limit("POST", "/nothing") == 1024 * 1024
    assert limit("OPTIONS", "/api/plugins/hello/small") == 1024 * 1024
    assert limit("POST", "/api/auth/login") == 64 * 1024


def test_the_limit_of_a_body_may_follow_a_setting(site):
    limits = [5]
    site.add(
        "x",
        Route("POST", "/up", lambda r: r.body, access="open", body={}, max_body=lambda: limits[0]),
    )
    assert site.layer.body_limit("POST", "/api/plugins/x/up") == 5
    assert site.post("/api/plugins/x/up", json="abcdef").status == 413
    limits[0] = 50
    assert site.layer.body_limit("POST", "/api/plugins/x/up") == 50
    assert site.post("/api/plugins/x/up", json="abcdef").json == "abcdef"


def test_errors_of_the_server_take_the_owners_shape(site):
    site.add(
        "rooms", route("GET", "/room"), routes={"prefix": "/room"},
        error_body=lambda error, request: {"status_code": error.status, "error": error.message},
    )  # fmt: skip
    status, headers, body = site.layer.render_error(
        413, "PAYLOAD_TOO_LARGE", "too much", "/room/1/messages", {"Retry-After": "3"}
    )
    assert status == 413
    assert body == b'{"status_code":413,"error":"too much"}'
    names = [name.lower() for name, _ in headers]
    assert len(set(names)) == len(names)
    assert dict(headers)["Retry-After"] == "3"
    assert "X-Request-Id" in dict(headers)
    assert (site.records[-1].status, site.records[-1].plugin_id) == (413, "rooms")
    _, headers, body = site.layer.render_error(
        426, "UPGRADE_REQUIRED", "no", "/ws", {"Upgrade": "w"}
    )
    assert b'"UPGRADE_REQUIRED"' in body
    assert dict(headers)["Upgrade"] == "w"


def test_what_the_server_refuses_is_logged_with_who_asked_for_what(site):
    head = Request("POST", "/x", headers=Headers({"host": "localhost"}), peer="192.0.2.7")
    site.layer.render_error(413, "PAYLOAD_TOO_LARGE", "too much", "/x", {}, head)
    site.layer.render_error(400, "INVALID_REQUEST", "no HTTP", "/", {})
    logged = [(record.method, record.path, record.peer) for record in site.records]
    assert logged == [("POST", "/x", "192.0.2.7"), ("-", "/", "")]


def test_a_path_that_is_a_secret_is_in_no_log(site):
    site.add(
        "x",
        Route("GET", "/box/{id}", lambda r: 1 / 0, access="open", secret_path=True),
        Route("POST", "/box/{id}", lambda r: {}, access="open", body={}, max_body=3),
    )
    path = "/api/plugins/x/box/s3cret"
    for method in ("GET", "HEAD", "POST", "PUT", "OPTIONS"):
        site.ask(method, path, body=b"1")
    site.layer.render_error(413, "PAYLOAD_TOO_LARGE", "too much", path, {})
    assert {record.path for record in site.records} == {"/api/plugins/x/box/{id}"}
    assert len(site.records) == 6
    logged = [record.getMessage() for record in site.log.records]
    assert len(logged) == 2, "both failures"
    assert "s3cret" not in str(logged)
    site.records.clear()
    for wrong in (f"{path}/", f"{path}/more"):
        assert site.get(wrong).status == 404
        site.layer.render_error(400, "INVALID_REQUEST", "bad", wrong, {})
    assert {record.path for record in site.records} == {"/api/plugins/x/box/{id}/…"}
    site.records.clear()
    assert site.get(path, host="evil.example").status == 403
    assert [record.path for record in site.records] == ["/api/plugins/x/box/{id}"]
