"""Signing in and out."""

from __future__ import annotations

import json

import pytest

LOGIN, LOGOUT = "/api/auth/login", "/api/auth/logout"


def test_signing_in(site):
    reply = site.post(LOGIN, json={"name": "bob", "pin": "1"})
    assert reply.status == 200
    assert reply.json == {
        "token": "bob",
        "expiresAt": site.clock.ms() + 60_000,
        "profile": {"id": 1},
    }
    assert reply.headers["cache-control"] == "no-store"
    assert "set-cookie" not in reply.headers
    assert site.access.logins == [{"name": "bob", "pin": "1"}]


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "nix"])
def test_the_body_is_read_by_its_content(site, content_type):
    body = b' {"name": "bob"} '
    assert site.post(LOGIN, body=body, Content_Type=content_type).status == 200
    assert site.post(LOGIN, body=body).status == 200


@pytest.mark.parametrize(
    "body",
    [b"", b"name=bob", b"[]", b'"x"', b"null", b"\xff", b"{", b'{"name": NaN}',
     b'{"a":' * 65 + b"1" + b"}" * 65, b"{}"],
)  # fmt: skip
def test_what_is_no_login_is_400(site, body):
    reply = site.post(LOGIN, body=body)
    assert (reply.status, reply.json["error"]) == (400, "INVALID_REQUEST")
    assert site.log.records == []


def test_64_levels_are_fine(site):
    body = b'{"name":"b","a":' + b"[" * 63 + b"]" * 63 + b"}"
    assert site.post(LOGIN, body=body).status == 200


def test_64_kib_are_fine_and_no_more(site):
    body = json.dumps({"name": "bob"}).encode()
    assert site.post(LOGIN, body=body.ljust(65_536)).status == 200
    reply = site.post(LOGIN, body=body.ljust(65_537))
    assert (reply.status, reply.json["error"]) == (413, "PAYLOAD_TOO_LARGE")


def test_wrong_credentials(site):
    reply = site.post(LOGIN, json={"name": "wrong"})
    assert (reply.status, reply.json["error"]) == (401, "INVALID_CREDENTIALS")
    assert "www-authenticate" not in reply.headers
    assert reply.headers["cache-control"] == "no-store"


def test_the_cookie_for_pages(site):
    reply = site.post(LOGIN + "?cookie=1", json={"name": "bob"}, Origin="http://localhost")
    cookie = reply.headers["set-cookie"]
    assert cookie == "stagebox_session=bob; HttpOnly; SameSite=Strict; Path=/; Max-Age=60"
    sent = {"Cookie": cookie.partition(";")[0], "Origin": "http://localhost"}
    out = site.post(LOGOUT, **sent)
    assert (out.status, out.body) == (204, b"")
    assert out.headers["set-cookie"].startswith("stagebox_session=; ")
    assert "Max-Age=0" in out.headers["set-cookie"]
    assert site.post(LOGOUT, **sent).status == 401
    for other in ("", "?cookie=0", "?cookie="):
        assert "set-cookie" not in site.post(LOGIN + other, json={"name": "bob"}).headers


def test_over_https_the_cookie_is_secure(site):
    environ = site.environ("POST", LOGIN + "?cookie=1")
    body = b'{"name": "bob"}'
    import io

    environ.update(
        {"wsgi.url_scheme": "https", "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": "15"}
    )
    assert site.call(environ).headers["set-cookie"].endswith("; Secure")


def test_another_site_cannot_sign_a_browser_in(site):
    reply = site.post(LOGIN + "?cookie=1", json={"name": "bob"}, Origin="http://evil.example")
    assert reply.status == 403
    assert site.access.logins == []


def test_signing_out_ends_exactly_this_token(site):
    assert site.post(LOGOUT, token="alice").status == 204
    assert site.post(LOGOUT, token="alice").status == 401
    assert site.post(LOGOUT, token="guest").status == 204
    reply = site.post(LOGOUT)
    assert (reply.status, reply.headers["www-authenticate"]) == (401, "Bearer")


def test_signing_out_has_no_body_and_ignores_one(site):
    reply = site.post(LOGOUT, token="alice", body=b"nonsense", Content_Type="x/y")
    assert (reply.status, reply.body) == (204, b"")
    assert "content-type" not in reply.headers
    assert reply.headers["cache-control"] == "no-store"


def test_the_loopback_rule_has_nothing_to_sign_out(site):
    site.access.governed = False
    assert site.post(LOGOUT, peer="127.0.0.1").status == 401


def test_other_methods(site):
    assert site.get(LOGIN).headers["allow"] == "POST, OPTIONS"
    assert site.ask("OPTIONS", LOGOUT).status == 200


def test_others_hear_who_came_and_went(site):
    site.post(LOGIN, json={"name": "bob", "pin": "1"})
    site.post(LOGIN, json={"name": "wrong"})
    site.post(LOGOUT, token="bob")
    site.post(LOGOUT, token="bob")
    who = {"provider": "", "userId": "profile-1"}
    assert site.told == [("host.signed_in", who), ("host.signed_out", who)]
    assert "bob" not in str(site.told)
