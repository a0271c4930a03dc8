"""Tokens, the cookie, the loopback rule, and what does not ride along."""

from __future__ import annotations

from typing import Any

import pytest

from host.web.tokens import (
    bearer_token,
    cookie_header,
    origin_evidence,
    session_cookie,
)
from plugin_sdk import Request, Route
from plugin_sdk.http import is_loopback

PATH = "/api/plugins/x/do"
LOCAL = "127.0.0.1"


@pytest.fixture
def who(site):
    """A site with one route for each method that tells who called, open and signed-in."""

    def handler(request: Request) -> Any:
        return {"id": request.principal.id, "token": request.token}

    site.add(
        "x",
        Route("GET", "/do", handler),
        Route("POST", "/do", handler),
        Route("GET", "/open", handler, access="open"),
        Route("POST", "/open", handler, access="open"),
    )
    return site


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("Bearer abc", "abc"), ("bearer abc", "abc"), ("BEARER   abc  ", "abc"),
        (" Bearer abc", "abc"), ("Bearer a b", "a b"), ("Bearer", None), ("Bearer ", None),
        ("Basic abc", None), ("abc", None), ("", None), ("Bearerabc", None),
    ],
)  # fmt: skip
def test_bearer_tokens(header, token):
    assert bearer_token(header) == token


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("stagebox_session=abc", "abc"), ("a=b; stagebox_session=abc; c=d", "abc"),
        ('stagebox_session="abc"', "abc"), ("stagebox_session=", None), ("", None), (";;=;", None),
        ("xstagebox_session=abc", None), ("stagebox_session=a%20b", "a b"),
    ],
)  # fmt: skip
def test_session_cookies(header, token):
    assert session_cookie(header) == token


@pytest.mark.parametrize("token", ["abc", "3f2b8c1e-9a4d", 'a b;c=d%"é', "local_=+/~"])
def test_what_the_cookie_says_comes_back(token):
    header = cookie_header(token, 60, "http")
    assert session_cookie(header.partition("; ")[0]) == token
    assert header.isascii()


@pytest.mark.parametrize(
    ("peer", "loopback"),
    [
        ("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("::ffff:127.0.0.1", True),
        ("192.168.1.2", False), ("128.0.0.1", False), ("::2", False), ("", False),
        ("::ffff:10.0.0.1", False),
    ],
)  # fmt: skip
def test_loopback(peer, loopback):
    assert is_loopback(peer) is loopback


@pytest.mark.parametrize(
    ("headers", "evidence"),
    [
        ({}, "none"),
        ({"origin": "http://localhost:8085"}, "own"),
        ({"origin": "HTTP://LocalHost:8085"}, "own"),
        ({"origin": "https://localhost:8085"}, "foreign"),
        ({"origin": "https://localhost:8085", "sec-fetch-site": "same-origin"}, "own"),
        ({"origin": "https://evil.example", "sec-fetch-site": "same-origin"}, "foreign"),
        ({"origin": "http://localhost"}, "foreign"),
        ({"origin": "http://localhost:8085.evil.example"}, "foreign"),
        ({"origin": "null"}, "foreign"),
        ({"origin": ""}, "foreign"),
        ({"sec-fetch-site": "same-origin"}, "own"),
        ({"sec-fetch-site": "none"}, "own"),
        ({"sec-fetch-site": "same-site"}, "foreign"),
        ({"sec-fetch-site": "cross-site"}, "foreign"),
        ({"origin": "http://evil.example", "sec-fetch-site": "none"}, "foreign"),
    ],
)
def test_evidence_of_origin(headers, evidence):
    assert origin_evidence(headers, "http", "localhost:8085") == evidence


def test_tokens_of_requests(who):
    assert who.get(PATH, token="alice").json == {"id": "profile-1", "token": "alice"}
    assert who.get(PATH, Authorization="bearer   alice ").status == 200
    assert who.get(PATH, Cookie="stagebox_session=alice").json["id"] == "profile-1"
    for refused in (
        who.get(PATH),
        who.get(PATH, token="nobody"),
        who.get(PATH, Authorization="alice"),
        who.get(PATH + "?token=alice"),
    ):
        assert refused.status == 401
        assert refused.headers["www-authenticate"] == "Bearer"


def test_an_explicit_token_counts_before_the_cookie(who):
    reply = who.get(PATH, token="guest", Cookie="stagebox_session=alice")
    assert reply.json["id"] == "user-guest"
    assert who.get(PATH, token="nobody", Cookie="stagebox_session=alice").status == 401
    room = who.get(PATH, Authorization="0badc0de", Cookie="stagebox_session=alice")
    assert room.json["id"] == "profile-1"  # another scheme is not for us


def test_an_unknown_token_on_an_open_route_is_anonymous(who):
    assert who.get("/api/plugins/x/open", token="nobody").json["id"] == ""


OWN = {"Origin": "http://localhost:8085"}
FOREIGN = {"Origin": "http://evil.example"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (OWN, 200),
        ({"Sec_Fetch_Site": "same-origin"}, 200),
        ({"Sec_Fetch_Site": "none"}, 200),
        ({}, 403),
        (FOREIGN, 403),
        ({"Origin": "null"}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Sec_Fetch_Site": "same-site"}, 403),
    ],
)
def test_the_cookie_never_serves_another_site(who, headers, status):
    reply = who.post(
        PATH, host="localhost:8085", Cookie="stagebox_session=alice", **headers
    )  # fmt: skip
    assert reply.status == status
    if status == 403:
        assert reply.json["error"] == "FORBIDDEN"


def test_a_dead_cookie_from_another_site_is_401(who):
    assert who.post(PATH, Cookie="stagebox_session=dead", **FOREIGN).status == 401


def test_from_another_site_an_open_route_has_no_principal(who):
    reply = who.post("/api/plugins/x/open", Cookie="stagebox_session=alice", **FOREIGN)
    assert reply.json == {"id": "", "token": None}


def test_a_bearer_token_works_from_anywhere(who):
    assert who.post(PATH, token="alice", **FOREIGN).status == 200


def test_the_loopback_rule_serves_this_machine_alone(who):
    who.access.governed = False
    assert who.get(PATH, peer=LOCAL).json["id"] == "local"
    assert who.post(PATH, peer=LOCAL).json["id"] == "local"
    assert who.get(PATH, peer="192.0.2.1").status == 401
    assert who.get(PATH, peer="192.0.2.1", X_Forwarded_For="127.0.0.1").status == 401
    who.access.governed = True
    assert who.get(PATH, peer=LOCAL).status == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 200), (OWN, 200), ({"Sec_Fetch_Site": "same-origin"}, 200), (FOREIGN, 403),
     ({"Sec_Fetch_Site": "cross-site"}, 403)],
)  # fmt: skip
def test_the_loopback_rule_never_serves_another_site(who, headers, status):
    who.access.governed = False
    assert who.post(PATH, peer=LOCAL, host="localhost:8085", **headers).status == status
    # reading is not acting, and the other site cannot see the answer
    assert who.get(PATH, peer=LOCAL, host="localhost:8085", **headers).status == 200


def test_without_any_authority_another_site_is_401(who):
    assert who.post(PATH, peer=LOCAL, **FOREIGN).status == 401
    assert who.post(PATH, **FOREIGN).status == 401


def test_a_cookie_that_outlived_its_session_does_not_lock_out_this_machine(who):
    who.access.governed = False
    assert who.get(PATH, peer=LOCAL, Cookie="stagebox_session=dead").json["id"] == "local"
    reply = who.post(PATH, peer=LOCAL, Cookie="stagebox_session=dead", Host="x", **FOREIGN)
    assert reply.status == 403


def test_where_a_token_is_demanded_the_local_administrator_needs_one_too(site):
    site.access.governed = False
    seen = []
    site.add("x", Route("GET", "/do", lambda r: seen.append(r.principal.id), access="token"))
    assert site.get("/api/plugins/x/do", peer="127.0.0.1").status == 401
    assert site.get("/api/plugins/x/do", peer="127.0.0.1", token="guest").status == 204
    assert site.get("/api/plugins/x/do", Cookie="stagebox_session=alice").status == 204
    assert seen == ["user-guest", "profile-1"]


def test_a_route_that_cares_for_nobody_looks_up_nothing(site):
    site.access.broken = True
    site.add(
        "x",
        Route("POST", "/poll", lambda r: {"id": r.principal.id}, access="open", identify=False),
        Route("POST", "/held", lambda r: {}, access="open", permission="p", identify=False),
    )
    assert site.post("/api/plugins/x/poll", token="alice").json == {"id": ""}
    assert site.post("/api/plugins/x/held", token="alice").status == 500
